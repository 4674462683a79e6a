//! The incremental index against the oracle, event by event.

use std::collections::BTreeSet;

use edge_core::delta::OwnedRow;
use edge_core::event::{Event, batch};
use edge_core::index::Index;
use edge_core::object::{Destination, Kind, LabelSelector, ObjectKey};
use edge_core::testing::{Change, IndexMachine, Instances, Op, Script, Tags};
use proptest::prelude::*;

use crate::scripts::{HASHES, cases, config, published_hash};

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn index_equals_oracle(case in cases(40, 60), hash in 0..HASHES.len()) {
        IndexMachine::run(HASHES[hash], &case.script());
    }

    #[test]
    fn destinations_are_in_the_order_of_hashes(case in cases(40, 0), hash in 0..HASHES.len()) {
        let mut machine = IndexMachine::new(HASHES[hash]);
        let hash = HASHES[hash].unwrap_or(published_hash);
        for change in case.script().start {
            machine.apply(&change.event());
        }
        let place = |row: &Destination| {
            [&row.cluster, &row.location_name, &row.sync_target_name].map(|name| (hash(name), name.clone()))
        };
        for (placement, _) in machine.oracle().placements() {
            prop_assert!(machine.in_order(placement).is_sorted_by_key(place));
        }
    }

    #[test]
    fn the_order_of_events_does_not_matter(
        case in cases(40, 20),
        order in Just(()).prop_perturb(|(), mut random| random.next_u64()),
        hash in 0..HASHES.len(),
    ) {
        let (mut machine, mut other) = (IndexMachine::new(HASHES[hash]), IndexMachine::new(HASHES[hash]));
        let script = case.script();
        for change in &script.start {
            machine.apply(&change.event());
        }
        script.ops.iter().for_each(|op| machine.step(op));
        // Each valid object once or twice, in another order.
        let mut events: Vec<Event> = machine.oracle().events();
        events.retain(|event| event.invalid().is_none());
        events.iter().for_each(|event| drop(machine.apply(event)));
        let frozen: Vec<Event> = machine.oracle().events().into_iter().filter(|event| event.invalid().is_some()).collect();
        frozen.iter().for_each(|event| drop(machine.apply(&gone(event))));
        let doubled = events.len() / 3;
        events.extend_from_within(..doubled);
        events.sort_by_key(|event| order.wrapping_mul(published_hash(&format!("{event:?}")) | 1).rotate_left(17));
        events.iter().for_each(|event| drop(other.apply(event)));
        for (placement, _) in other.oracle().placements() {
            prop_assert_eq!(machine.in_order(placement), other.in_order(placement));
        }
    }
}

proptest! {
    #![proptest_config(config(100))]

    /// The last event about an object counts, and rows are what differs between before and after.
    #[test]
    fn a_batch_is_one_change(case in cases(40, 30), hash in 0..HASHES.len()) {
        let script = case.script();
        let [mut index, mut other] = [(); 2].map(|()| HASHES[hash].map_or_else(Index::new, Index::with_hash));
        let start: Vec<Event> = script.start.iter().map(Change::event).collect();
        // An EdgePlacement that becomes valid or invalid has other rows.
        let changes = script.ops.iter().flat_map(|op| match op {
            Op::Apply(change) => vec![change],
            Op::Batch(changes) | Op::Interrupted { changes, .. } => changes.iter().collect(),
            _ => Vec::new(),
        });
        let later = changes.map(Change::event).filter(|event| event.kind() != Kind::EdgePlacement).collect();
        for events in [start, later] {
            let before = all_destinations(&index, &script);
            let rows = index.apply_batch(&events);
            batch(&events).into_iter().for_each(|event| drop(other.apply(event)));
            let after = all_destinations(&other, &script);
            prop_assert_eq!(&all_destinations(&index, &script), &after);
            let row = |diff| move |(key, row): &(ObjectKey, Destination)| (key.clone(), row.clone(), diff);
            let mut expected: Vec<OwnedRow> = before.difference(&after).map(row(-1)).collect();
            expected.extend(after.difference(&before).map(row(1)));
            expected.sort();
            prop_assert_eq!(rows, expected);
        }
    }
}

fn all_destinations(index: &Index, script: &Script) -> BTreeSet<(ObjectKey, Destination)> {
    let rows = |change: &Change| {
        let key = change.event().key().clone();
        let rows = index.destinations(&key).into_iter().flatten();
        rows.map(|row| (key.clone(), row.into())).collect::<Vec<_>>()
    };
    script.start.iter().flat_map(rows).collect()
}

fn gone(event: &Event) -> Event {
    match event.clone() {
        Event::SyncTarget(key, _) => Event::SyncTarget(key, None),
        Event::Location(key, _) => Event::Location(key, None),
        Event::EdgePlacement(key, _) => Event::EdgePlacement(key, None),
    }
}

// === Many SyncTargets ===

proptest! {
    #![proptest_config(config(1))]

    /// So many that groups are cut into leaves, and joined again.
    #[test]
    fn large_groups_equal_oracle(names in prop::collection::vec((0..330_u32, 0..6_u8), 1000)) {
        let mut machine = IndexMachine::new(None);
        for (name, instances) in [("all", LabelSelector::default()), ("some", labelled("a", "x"))] {
            machine.apply(&put_location(name, Instances::Matching(instances)).event());
        }
        machine.apply(&put_placement("p").event());
        let growing = names.iter().map(|&(name, how)| (name, how != 0));
        let shrinking = names.iter().map(|&(name, how)| (name, how == 0));
        for (name, exists) in growing.chain(shrinking) {
            let key = ObjectKey::new("k", format!("s{name}"));
            machine.apply(&match exists {
                true => put_sync_target(&key.name, if name % 2 == 0 { "x" } else { "y" }).event(),
                false => Event::SyncTarget(key, None),
            });
        }
        machine.clear(1);
    }
}

// === SyncTargets whose labels cannot be read after a restart ===

fn labelled(key: &str, value: &str) -> LabelSelector {
    LabelSelector { match_labels: [(key.to_owned(), value.to_owned())].into(), ..LabelSelector::default() }
}

fn put_sync_target(name: &str, value: &str) -> Change {
    let labels = Tags([("a".to_owned(), value.to_owned())].into());
    Change::PutSyncTarget { key: ObjectKey::new("k", name), uid: 0, labels }
}

fn garble_sync_target(name: &str) -> Change {
    Change::GarbleSyncTarget { key: ObjectKey::new("k", name), uid: 0 }
}

fn put_location(name: &str, instances: Instances) -> Change {
    Change::PutLocation { key: ObjectKey::new("k", name), labels: Tags::default(), instances }
}

fn put_placement(name: &str) -> Change {
    let selectors = vec![LabelSelector::default()];
    Change::PutPlacement { key: ObjectKey::new("k", name), uid: 0, selectors, deleting: false }
}

fn destination(location: &str, sync_target: &str) -> Destination {
    Destination {
        cluster: "k".into(),
        location_name: location.into(),
        sync_target_name: sync_target.into(),
        sync_target_uid: format!("k-{sync_target}-0"),
    }
}

fn destinations(index: &Index, placement: &str) -> BTreeSet<String> {
    let key = ObjectKey::new("k", placement);
    let rows = index.destinations(&key).unwrap();
    rows.map(|row| format!("{}/{}", row.location_name, row.sync_target_name)).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Two EdgePlacements select a Location, and another one of an equal selector. `lost` has labels that nobody can read.
fn restarted() -> Index {
    let mut index = Index::new();
    for change in [
        put_location("l", Instances::Matching(labelled("a", "x"))),
        put_location("twin", Instances::Matching(labelled("a", "x"))),
        put_placement("p"),
        put_placement("q"),
        put_sync_target("s", "x"),
        garble_sync_target("lost"),
    ] {
        let _ = index.apply(&change.event());
    }
    index
}

#[test]
fn a_sync_target_without_labels_matches_nothing() {
    let index = restarted();
    assert_eq!(destinations(&index, "p"), set(&["l/s", "twin/s"]));
}

#[test]
fn a_slice_vouches_for_a_sync_target_without_labels() {
    let mut index = restarted();
    let delta = index.restore(&ObjectKey::new("k", "p"), &[destination("l", "s"), destination("l", "lost")]);
    let mut rows: Vec<OwnedRow> = delta.rows().map(Into::into).collect();
    rows.sort();
    // It had the labels that the selector asks for, so whoever asks for them has it.
    let row = |placement: &str, location: &str| (ObjectKey::new("k", placement), destination(location, "lost"), 1);
    assert_eq!(rows, [row("p", "l"), row("p", "twin"), row("q", "l"), row("q", "twin")]);
    index.internal_validate();
    assert_eq!(destinations(&index, "q"), set(&["l/s", "l/lost", "twin/s", "twin/lost"]));
    assert!(index.restore(&ObjectKey::new("k", "q"), &[destination("twin", "lost")]).is_empty());
    assert!(index.apply(&garble_sync_target("lost").event()).is_empty());
}

#[test]
fn labels_that_can_be_read_again_speak_for_themselves() {
    for (value, left) in [("x", &["l/s", "l/lost", "twin/s", "twin/lost"][..]), ("y", &["l/s", "twin/s"])] {
        let mut index = restarted();
        let _ = index.restore(&ObjectKey::new("k", "p"), &[destination("l", "lost")]);
        let _ = index.apply(&put_sync_target("lost", value).event());
        index.internal_validate();
        assert_eq!(destinations(&index, "p"), set(left));
    }
}

#[test]
fn a_slice_vouches_for_one_selector_only() {
    let mut index = restarted();
    let _ = index.restore(&ObjectKey::new("k", "p"), &[destination("l", "lost")]);
    let _ = index.apply(&put_location("l", Instances::Matching(labelled("a", "z"))).event());
    index.internal_validate();
    assert_eq!(destinations(&index, "p"), set(&["twin/s", "twin/lost"]));
    let _ = index.apply(&put_location("twin", Instances::Matching(labelled("a", "z"))).event());
    let _ = index.apply(&put_location("twin", Instances::Matching(labelled("a", "x"))).event());
    index.internal_validate();
    assert_eq!(destinations(&index, "p"), set(&["twin/s"]));
}

#[test]
fn a_frozen_location_keeps_a_sync_target_that_was_vouched_for() {
    let mut index = restarted();
    let _ = index.restore(&ObjectKey::new("k", "p"), &[destination("l", "lost")]);
    let garbled = Change::GarbleLocation { key: ObjectKey::new("k", "l"), labels: Some(Tags::default()) };
    assert!(index.apply(&garbled.event()).rows().next().is_none());
    let _ = index.apply(&put_sync_target("lost", "y").event());
    index.internal_validate();
    assert_eq!(destinations(&index, "p"), set(&["l/s", "l/lost", "twin/s"]));
}

#[test]
fn what_was_vouched_for_leaves_no_trace() {
    let mut index = restarted();
    let _ = index.restore(&ObjectKey::new("k", "p"), &[destination("l", "lost")]);
    for change in [
        Change::DropLocation { key: ObjectKey::new("k", "l") },
        Change::DropLocation { key: ObjectKey::new("k", "twin") },
        Change::DropPlacement { key: ObjectKey::new("k", "p") },
        Change::DropPlacement { key: ObjectKey::new("k", "q") },
        Change::DropSyncTarget { key: ObjectKey::new("k", "s") },
        Change::DropSyncTarget { key: ObjectKey::new("k", "lost") },
    ] {
        let _ = index.apply(&change.event());
        index.internal_validate();
    }
    assert!(index.internal_is_empty());
}

#[test]
fn slices_speak_only_for_what_cannot_be_resolved() {
    let mut index = restarted();
    let _ = index.apply(&put_sync_target("other", "y").event());
    // A valid Location has what its selector says, whatever slices name.
    for row in [destination("l", "other"), destination("nowhere", "lost"), destination("l", "nobody")] {
        assert!(index.restore(&ObjectKey::new("k", "p"), &[row]).is_empty());
    }
    let elsewhere = Destination { cluster: "j".into(), ..destination("l", "lost") };
    assert!(index.restore(&ObjectKey::new("k", "p"), &[elsewhere]).is_empty());
    assert!(index.restore(&ObjectKey::new("k", "nobody"), &[destination("l", "lost")]).is_empty());
}
