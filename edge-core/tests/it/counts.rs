//! What is told about the whole: counts, texts, and deltas that pass through the scheduler.

use edge_core::event::Event;
use edge_core::object::{EdgePlacement, Kind, LabelSelector, ObjectKey, SyncTarget};
use edge_core::publisher::{Action, Gate, Outcome, Publisher, StatusFields, Time};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::selector::Labels;

use crate::table::{self, key};

fn sync_target(name: &str, uid: &str, env: &str) -> Event {
    let mut object = SyncTarget::default();
    object.metadata.uid = uid.into();
    object.metadata.labels.insert("env".into(), env.into());
    Event::sync_target(key(name), object)
}

fn location(name: &str, env: &str) -> Event {
    let mut selector = LabelSelector::default();
    selector.match_labels.insert("env".into(), env.into());
    table::location(name, selector)
}

fn everywhere(name: &str) -> Event {
    let mut object = EdgePlacement::default();
    object.metadata.uid = format!("uid-{name}");
    object.spec.location_selectors.push(LabelSelector::default());
    Event::edge_placement(key(name), object)
}

fn options(max: usize) -> Options {
    Options::default().with_max_destinations_per_slice(max).unwrap()
}

#[test]
fn how_much_of_everything_there_is() {
    let mut publisher = Publisher::new(options(4));
    publisher.set_status_fields(StatusFields::Off);
    for event in [location("l", "a"), everywhere("p"), everywhere("q")] {
        publisher.apply(&event, Time::ZERO);
    }
    for i in 0..6 {
        publisher.apply(&sync_target(&format!("s{i}"), &format!("u{i}"), "a"), Time::ZERO);
    }
    publisher.set_gate(Gate::Open, Time::ZERO);
    let mut requests = Vec::new();
    while let Some(request) = publisher.poll(Time::ZERO) {
        requests.push(request);
    }
    let counts = publisher.counts();
    // Each EdgePlacement has six destinations in two slices of up to four.
    assert_eq!((counts.desired, counts.published, counts.destinations), (4, 0, 12));
    assert_eq!((counts.dirty, counts.in_flight, counts.waiting), (4, 4, 0));
    assert!(!publisher.is_idle());
    for (version, request) in requests.into_iter().enumerate() {
        let Action::Write(write) = request.action else { panic!("{:?}", request.action) };
        let mut stored = write.object.unwrap();
        stored.metadata.uid = format!("slice-{version}");
        stored.metadata.resource_version = (version + 1).to_string();
        publisher.complete(request.id, Outcome::Slice(stored), Time::ZERO);
    }
    assert_eq!(publisher.poll(Time::ZERO), None);
    assert!(publisher.is_idle());
    let counts = publisher.counts();
    assert_eq!((counts.desired, counts.published, counts.destinations), (4, 4, 12));
    assert_eq!((counts.dirty, counts.in_flight, counts.waiting), (0, 0, 0));
    let counts = publisher.scheduler().index().counts();
    assert_eq!((counts.sync_targets, counts.locations, counts.placements), (6, 1, 2));
    assert_eq!((counts.pairs, counts.groups, counts.labels), (2, 1, 1));
    let scheduler = publisher.scheduler();
    assert_eq!(scheduler.placements().collect::<Vec<_>>(), [key("p"), key("q")]);
    assert_eq!(scheduler.slice_count(&key("p")), 2);
    assert_eq!(scheduler.slice_count(&key("nobody")), 0);
    assert!(!scheduler.has_slice_conflict(&key("p")));
}

/// What goes has the UID that it had, also in the delta that the scheduler passes on.
#[test]
fn a_renewed_sync_target_goes_with_its_old_uid() {
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(&[location("l", "a"), location("m", "b"), everywhere("p"), sync_target("s", "old", "a")]);
    let mut rows = |event: &Event| {
        let delta = scheduler.apply(event);
        let row = |row: edge_core::delta::Row<'_>| {
            let destination = row.destination;
            (destination.location_name.to_string(), destination.sync_target_uid.to_string(), row.diff)
        };
        let mut rows: Vec<_> = delta.rows().map(row).collect();
        rows.sort();
        rows
    };
    let row = |location: &str, uid: &str, diff: i8| (location.to_string(), uid.to_string(), diff);
    assert_eq!(rows(&sync_target("s", "new", "a")), [row("l", "new", 1), row("l", "old", -1)]);
    assert_eq!(rows(&sync_target("s", "newer", "b")), [row("l", "new", -1), row("m", "newer", 1)]);
    assert_eq!(rows(&Event::SyncTarget(key("s"), None)), [row("m", "newer", -1)]);
    assert_eq!(rows(&Event::SyncTarget(key("s"), None)), []);
}

#[test]
fn options_have_limits() {
    assert_eq!(Options::default().max_destinations_per_slice(), 100);
    for (max, good) in [(0, false), (1, true), (1000, true), (1001, false)] {
        let options = Options::default().with_max_destinations_per_slice(max);
        assert_eq!(options.as_ref().ok().map(Options::max_destinations_per_slice), good.then_some(max));
        if let Err(error) = options {
            assert_eq!(error.path, "maxDestinationsPerSlice");
            assert!(error.reason.contains("from 1 to 1000"), "{error}");
        }
    }
}

#[test]
fn kinds_and_keys_as_text() {
    let kinds: Vec<_> =
        Kind::ALL.iter().map(|kind| format!("{kind} {} {}", kind.group(), kind.api_version())).collect();
    assert_eq!(
        kinds,
        [
            "SyncTarget workload.kcp.io workload.kcp.io/v1alpha1",
            "Location scheduling.kcp.io scheduling.kcp.io/v1alpha1",
            "EdgePlacement edge.kcp.io edge.kcp.io/v1alpha1",
            "SinglePlacementSlice edge.kcp.io edge.kcp.io/v1alpha1",
        ]
    );
    assert_eq!(ObjectKey::new("root:a", "b").to_string(), "root:a/b");
}

#[test]
fn labels_are_sorted_and_the_last_value_counts() {
    let labels = Labels::from_iter([("b", "1"), ("a", "2"), ("b", "3")]);
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
    assert_eq!((labels.len(), labels.is_empty(), Labels::default().is_empty()), (2, false, true));
    assert_eq!((labels.get("a"), labels.get("b"), labels.get("c")), (Some("2"), Some("3"), None));
}
