//! Objects come and go for months: what is kept goes with what there is, and not with what there was.

use std::collections::BTreeMap;

use edge_core::event::Event;
use edge_core::object::{CLUSTER_ANNOTATION, EdgePlacementStatus, ObjectKey, OwnerReference, SinglePlacementSlice};
use edge_core::publisher::{Action, Failure, Gate, Outcome, Publisher, Seen, StatusFields, Time};
use edge_core::slices::{Digest, SOURCE_PLACEMENT, Verb};

use crate::cost::{Cost, alone};
use crate::{bare, everywhere, location, options, sync_target};

const CLUSTER: &str = "ws";

/// A publisher, and the slices that its server holds.
struct World {
    publisher: Publisher,
    slices: BTreeMap<ObjectKey, SinglePlacementSlice>,
    version: u64,
    now: Time,
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(CLUSTER, name)
}

impl World {
    fn new() -> Self {
        let mut publisher = Publisher::new(options(10));
        publisher.set_status_fields(StatusFields::All);
        let now = Time::ZERO;
        publisher.observe_status(&key("p"), EdgePlacementStatus::default());
        publisher.apply(&everywhere(CLUSTER, "p"), now);
        let held = serde_json::from_str(r#"{"matchLabels": {"site": "1"}}"#).unwrap();
        publisher.apply(&location(CLUSTER, "l", held), now);
        (0..50).for_each(|number| publisher.apply(&bare(CLUSTER, &format!("t{number}")), now));
        Self { publisher, slices: BTreeMap::new(), version: 0, now }
    }

    fn leading() -> Self {
        let mut world = Self::new();
        world.publisher.set_gate(Gate::Open, Time::ZERO);
        world.serve();
        world
    }

    /// It led once: everything was published, and another replica leads now.
    fn retired() -> Self {
        let mut world = Self::leading();
        world.publisher.set_gate(Gate::Closed, Time::ZERO);
        world
    }

    /// The server has a slice from now on, and the watch says so: as metadata, or with all that it has.
    fn put(&mut self, mut slice: SinglePlacementSlice, whole: bool) -> SinglePlacementSlice {
        let name = key(&slice.metadata.name);
        self.version += 1;
        slice.metadata.resource_version = self.version.to_string();
        if slice.metadata.uid.is_empty() {
            slice.metadata.uid = format!("uid-{}", self.version);
        }
        let metadata = slice.metadata.clone();
        let seen = if whole {
            Seen::Thin(metadata, Digest::of(slice.destinations.iter().map(Into::into)))
        } else {
            Seen::Metadata(metadata)
        };
        self.publisher.observe_slice(&name, seen, self.now);
        self.slices.insert(name, slice.clone());
        slice
    }

    fn remove(&mut self, name: &ObjectKey) {
        if let Some(slice) = self.slices.remove(name) {
            self.publisher.observe_slice(name, Seen::Gone(Some(slice.metadata.uid)), self.now);
        }
    }

    /// A slice that somebody made for an EdgePlacement.
    fn made_by_hand(&mut self, placement: &str, name: &str, whole: bool) {
        let mut slice = SinglePlacementSlice::default();
        slice.metadata.name = name.into();
        slice.metadata.annotations.insert(CLUSTER_ANNOTATION.into(), CLUSTER.into());
        slice.metadata.labels.insert(SOURCE_PLACEMENT.into(), placement.into());
        slice.metadata.owner_references.push(OwnerReference {
            api_version: "edge.kcp.io/v1alpha1".into(),
            kind: "EdgePlacement".into(),
            name: placement.into(),
            ..OwnerReference::default()
        });
        let _ = self.put(slice, whole);
    }

    /// Carries out all that is asked for.
    fn serve(&mut self) {
        while let Some(request) = self.publisher.poll(self.now) {
            let outcome = match request.action {
                Action::Write(write) if write.verb == Verb::Delete => {
                    self.publisher.complete(request.id, Outcome::Deleted, self.now);
                    self.remove(&write.key);
                    continue;
                }
                Action::Write(write) => Outcome::Slice(self.put(write.object.unwrap(), false)),
                Action::ReadSlice(name) => {
                    self.slices.get(&name).cloned().map_or(Outcome::Failed(Failure::NotFound), Outcome::Slice)
                }
                Action::ReadPlacement(_) => Outcome::Failed(Failure::NotFound),
                Action::Status(_) => Outcome::StatusWritten,
            };
            self.publisher.complete(request.id, outcome, self.now);
        }
    }

    /// A SyncTarget changes its labels, an EdgePlacement comes and goes, and slices that others make for one that stays and
    /// for this one come and go as well.
    fn round(&mut self, number: usize) {
        self.now = Time::from_secs(number as u64);
        let site = [("site".to_string(), (number / 50 % 2).to_string())];
        self.publisher.apply(&sync_target(CLUSTER, &format!("t{}", number % 50), site.into_iter()), self.now);
        self.serve();
        let passing = format!("passing-{number}");
        self.publisher.observe_status(&key(&passing), EdgePlacementStatus::default());
        self.publisher.apply(&everywhere(CLUSTER, &passing), self.now);
        self.serve();
        for (placement, name) in [("p", format!("p-{number}")), (&passing, format!("{passing}-2"))] {
            self.made_by_hand(placement, &name, false);
            self.serve();
            self.made_by_hand(placement, &name, true);
            self.serve();
            self.remove(&key(&name));
            self.serve();
        }
        self.publisher.apply(&Event::EdgePlacement(key(&passing), None), self.now);
        self.serve();
    }
}

#[test]
fn what_is_kept_goes_with_what_there_is() {
    let _alone = alone();
    let worlds = [("never led", World::new()), ("led once", World::retired()), ("leads", World::leading())];
    for (what, mut world) in worlds {
        (0..2_000).for_each(|number| world.round(number));
        let ((), cost) = Cost::of(|| (2_000..12_000).for_each(|number| world.round(number)));
        cost.is_at_most(what, 1_000, usize::MAX);
    }
}
