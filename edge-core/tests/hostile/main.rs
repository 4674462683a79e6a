//! Objects that somebody made to be costly, as large as an API server takes them (1.5 MiB), against stated limits.
//!
//! What they cost is counted, not timed: bytes that are kept, bytes that are allocated on the way, and names that are hashed.
//! Limits are in proportion to what is hostile, so a step that is quadratic in it fails. Bytes are those of the whole process,
//! hence a test binary of its own, in which one test runs at a time. Each limit is about a third above what was measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod collisions;
mod cost;
mod memory;
mod months;
mod names;
mod selectors;

use edge_core::event::Event;
use edge_core::object::{
    EdgePlacement, LabelSelector, LabelSelectorRequirement, Location, ObjectKey, ResourceRef, SyncTarget,
};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;

/// What etcd, and so an API server, takes as one object.
const LARGEST: usize = 3 << 19;

fn expression(key: String, operator: &str, values: &[String]) -> LabelSelectorRequirement {
    LabelSelectorRequirement { key, operator: operator.into(), values: values.to_vec() }
}

fn sync_target(cluster: &str, name: &str, labels: impl Iterator<Item = (String, String)>) -> Event {
    let mut object = SyncTarget::default();
    object.metadata.uid = format!("{cluster}-{name}");
    object.metadata.labels = labels.collect();
    Event::sync_target(ObjectKey::new(cluster, name), object)
}

fn bare(cluster: &str, name: &str) -> Event {
    sync_target(cluster, name, std::iter::empty())
}

fn location(cluster: &str, name: &str, selector: LabelSelector) -> Event {
    let mut object = Location::default();
    object.spec.resource =
        Some(ResourceRef { group: None, version: "v1alpha1".into(), resource: "synctargets".into() });
    object.spec.instance_selector = Some(selector);
    Event::location(ObjectKey::new(cluster, name), object)
}

fn everywhere(cluster: &str, name: &str) -> Event {
    let mut object = EdgePlacement::default();
    object.metadata.uid = format!("{cluster}-{name}");
    object.spec.location_selectors.push(LabelSelector::default());
    Event::edge_placement(ObjectKey::new(cluster, name), object)
}

fn options(max: usize) -> Options {
    Options::default().with_max_destinations_per_slice(max).unwrap()
}

fn scheduler(max: usize, events: &[Event]) -> Scheduler {
    let mut scheduler = Scheduler::new(options(max));
    scheduler.apply_batch(events);
    scheduler
}

fn publish(scheduler: &mut Scheduler) -> Published {
    let mut published = Published::default();
    for write in scheduler.plan(&published) {
        published.apply(&write);
    }
    assert!(scheduler.plan(&published).is_empty());
    published
}
