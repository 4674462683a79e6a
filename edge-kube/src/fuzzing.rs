//! What fuzzing calls (feature `fuzzing`), and a replay of what it found.

use edge_core::event::Event;
use edge_core::object::{EdgePlacement, Kind, Location, SinglePlacementSlice, SyncTarget};
use edge_core::publisher::{Gate, Publisher, Seen, Time};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::{Digest, Published};
use serde::Deserialize;

use crate::input;
use crate::scheduler::backend::Observed;
use crate::scheduler::decode::{Clusters, decode_both_ways, resource_version};
use crate::scheduler::watch::stream::{self, Change};

/// Any text as manifests: it is read or refused, and what is read can be resolved.
///
/// # Panics
///
/// If what is published as planned needs another write.
pub fn manifests(bytes: &[u8]) {
    let options = input::Options { default_cluster: "default".into() };
    let Ok(loaded) = input::parse("fuzz", bytes.to_vec(), &options) else { return };
    let mut published: Published = loaded.slices.into_iter().collect();
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(&loaded.events);
    for write in scheduler.plan(&published) {
        published.apply(&write);
    }
    assert!(scheduler.plan(&published).is_empty(), "what is published as planned needs nothing");
}

/// Any line of a watch: it is understood or refused; what is understood can be taken in by a publisher, and is the same
/// object however it is read.
///
/// # Panics
///
/// If it is not.
pub fn watch_line(bytes: &[u8]) {
    let Ok(line) = std::str::from_utf8(bytes) else { return };
    let Ok(change) = stream::parse(line) else { return };
    let (Change::Exists(text) | Change::Gone(text) | Change::Bookmark(text)) = change else { return };
    let _ = resource_version(text);
    changes(text);
    same::<SyncTarget>(text);
    same::<Location>(text);
    same::<EdgePlacement>(text);
    same::<SinglePlacementSlice>(text);
    for clusters in [Clusters::Annotated, Clusters::One("default".into())] {
        let key = clusters.identify(text).map(|(key, _)| key);
        let mut publisher = Publisher::new(Options::default());
        for kind in Kind::ALL {
            let observed = clusters.observe(kind, text);
            assert_eq!(observed.as_ref().map(key_of), key.as_ref(), "{kind}: an object has one identity");
            match observed {
                Some(Observed::Spec(event)) => publisher.apply(&event, Time::ZERO),
                Some(Observed::EdgePlacement(event, status)) => {
                    publisher.observe_status(event.key(), status);
                    publisher.apply(&event, Time::ZERO);
                }
                Some(Observed::Slice(key, seen)) => {
                    let with_rows = clusters.observe_slice(text).map(|(_, seen)| seen);
                    if let (Seen::Thin(metadata, digest), Some(Seen::Object(slice))) = (&seen, &with_rows) {
                        assert_eq!(*metadata, slice.metadata);
                        assert_eq!(*digest, Digest::of(slice.destinations.iter().map(Into::into)));
                    } else {
                        assert_eq!(Some(&seen), with_rows.as_ref(), "a digest stands for a slice that can be read");
                    }
                    if let (Some(Seen::Object(slice)), Clusters::One(_)) = (with_rows, &clusters) {
                        let written =
                            serde_json::to_string(&Clusters::written_slice(slice.clone())).unwrap_or_default();
                        let again = clusters.observe_slice(&written).map(|(_, seen)| seen);
                        assert_eq!(again, Some(Seen::Object(slice)), "what is read can be written");
                    }
                    publisher.observe_slice(&key, seen, Time::ZERO);
                }
                None => {}
            }
        }
        publisher.set_gate(Gate::Open, Time::ZERO);
        let _ = publisher.poll(Time::ZERO);
        publisher.scheduler().internal_validate();
    }
}

/// What a watch shows of an object has the identity of the object, and is the whole but for the metadata of a slice.
fn changes(text: &str) {
    for kind in Kind::ALL {
        let clusters = Clusters::One("default".into());
        match (clusters.observe_change(kind, text), clusters.observe(kind, text)) {
            (Some(Observed::Slice(key, Seen::Metadata(_))), whole) => {
                assert_eq!(Some(&key), whole.as_ref().map(key_of));
            }
            (Some(change), whole) => assert_eq!(Some(key_of(&change)), whole.as_ref().map(key_of)),
            (None, whole) => assert!(whole.is_none()),
        }
    }
}

fn key_of(observed: &Observed) -> &edge_core::object::ObjectKey {
    match observed {
        Observed::Spec(event) | Observed::EdgePlacement(event, _) => Event::key(event),
        Observed::Slice(key, _) => key,
    }
}

/// What the quick decoder takes, the tolerant one reads as the same. The quick one takes a list in place of an object, of its
/// fields in their order; no server stores that.
fn same<T: Default + PartialEq + std::fmt::Debug + for<'n> Deserialize<'n>>(text: &str) {
    if let (Ok(quick), (tolerant, wrong)) = decode_both_ways::<T>(text) {
        if wrong.iter().any(|wrong| wrong.reason == "expected an object, found a list") {
            return;
        }
        assert!(wrong.is_empty(), "the tolerant decoder refuses what the quick one takes: {wrong:?}");
        assert_eq!(quick, tolerant);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// What fuzzing found once, and what it began with.
    #[test]
    fn inputs_that_fuzzing_found() {
        for (target, run) in [("input", super::manifests as fn(&[u8])), ("watch", super::watch_line)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/inputs").join(target);
            let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
            assert!(!files.is_empty());
            files.iter().for_each(|file| run(&fs::read(file).unwrap()));
        }
    }
}
