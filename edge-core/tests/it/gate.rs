//! What may be written when, and what is known of what is going on.

use edge_core::event::Event;
use edge_core::object::{EdgePlacement, SinglePlacementSlice};
use edge_core::publisher::{Action, Failure, Gate, Outcome, Request, Seen, StatusFields};
use edge_core::slices::Verb;

use crate::table::{Table, invalid_selector, key, names};

fn rows(slice: &SinglePlacementSlice) -> Vec<&str> {
    slice.destinations.iter().map(|row| &*row.sync_target_name).collect()
}

#[test]
fn what_is_published_is_what_the_server_said() {
    let mut table = Table::new().open();
    assert!(table.publisher.published().get(&key("p")).is_none());
    let stored = table.succeed();
    let known = table.publisher.published().get(&key("p")).unwrap();
    assert_eq!(known.metadata, stored.metadata);
}

#[test]
fn it_is_not_idle_while_a_status_is_being_written() {
    let mut table = Table::new().with_fields(StatusFields::All).open();
    let _ = table.succeed();
    let request = table.poll().unwrap();
    assert!(matches!(request.action, Action::Status(_)), "{:?}", request.action);
    assert_eq!(table.poll(), None);
    assert!(!table.publisher.is_idle());
    table.publisher.complete(request.id, Outcome::StatusWritten, table.now);
    table.at_rest();
}

#[test]
fn the_empty_slice_of_an_invalid_placement_is_counted() {
    let mut table = Table::new();
    table.invalid_placement("q", "uid-q", 1);
    let mut table = table.open();
    assert_eq!(table.succeed_all().len(), 2);
    let counts = table.publisher.counts();
    assert_eq!((counts.desired, counts.published), (2, 2));
}

#[test]
fn an_invalid_placement_that_is_not_being_deleted_after_all_gets_its_empty_slice() {
    for uid in ["", "uid-q"] {
        let mut table = Table::new().open();
        let mut written = table.succeed_all();
        for deletion_timestamp in [Some("2024-01-01T00:00:00Z".to_string()), None] {
            let mut object = EdgePlacement::default();
            object.metadata.uid = uid.into();
            object.metadata.deletion_timestamp = deletion_timestamp;
            object.spec.location_selectors.push(invalid_selector());
            table.publisher.apply(&Event::edge_placement(key("q"), object), table.now);
            written = table.succeed_all();
        }
        assert_eq!(written.iter().map(|slice| &*slice.metadata.name).collect::<Vec<_>>(), ["q"]);
    }
}

#[test]
fn the_slice_of_an_invalid_placement_goes_with_it() {
    let mut table = Table::new();
    table.invalid_placement("q", "uid-q", 1);
    let mut table = table.open();
    assert_eq!(table.succeed_all().len(), 2);
    table.publisher.apply(&Event::EdgePlacement(key("q"), None), table.now);
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadPlacement(key("q")));
    table.fail(&read, Failure::NotFound);
    let (request, write) = table.write();
    assert_eq!((write.verb, write.key), (Verb::Delete, key("q")));
    table.publisher.complete(request.id, Outcome::Deleted, table.now);
    table.at_rest();
}

#[test]
fn an_invalid_placement_that_becomes_valid_is_counted_once() {
    let mut table = Table::new();
    table.invalid_placement("p", "uid-p", 1);
    let mut table = table.open();
    let _ = table.succeed();
    table.placement("p", "uid-p", 2);
    assert_eq!(rows(&table.succeed()), ["a"]);
    table.at_rest();
    assert_eq!(table.publisher.counts().desired, 1);
}

/// A Location that was changed before everything was known counts as it is then: what it once selected tells nothing.
#[test]
fn of_an_invalid_location_only_what_is_published_counts_at_a_start() {
    let mut model = Table::new().open();
    let stored = model.succeed();
    let mut table = Table { version: model.version, ..Table::new() };
    table.sync_target("b");
    table.location(invalid_selector());
    table.publisher.observe_slice(&key("p"), Seen::Object(stored.clone()), table.now);
    let mut table = table.open();
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadSlice(key("p")));
    table.publisher.complete(read.id, Outcome::Slice(stored.clone()), table.now);
    // It may be read once more, but never written.
    while let Some(request) = table.poll() {
        assert_eq!(request.action, Action::ReadSlice(key("p")));
        table.publisher.complete(request.id, Outcome::Slice(stored.clone()), table.now);
    }
    table.at_rest();
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Six SyncTargets, and a slice holds four.
fn of_six() -> Table {
    let mut table = Table::with_max(4);
    NAMES.iter().for_each(|name| table.sync_target(name));
    table
}

/// Six destinations were cut in two, and are left so when two of them go; another replica that finds four does not cut.
#[test]
fn how_another_replica_has_cut_the_destinations_is_adopted() {
    let mut other = Table { version: 100, ..Table::with_max(4) };
    let mut table = of_six().open();
    let ours = table.succeed_all();
    assert_eq!(ours.len(), 2);
    for slice in &ours {
        let gone = Event::SyncTarget(key(rows(slice)[0]), None);
        table.publisher.apply(&gone, table.now);
        slice.destinations[1..].iter().for_each(|row| other.sync_target(&row.sync_target_name));
        other.publisher.apply(&gone, other.now);
    }
    assert_eq!(table.succeed_all().len(), 2);
    let mut other = other.open();
    let theirs = other.succeed_all();
    assert_eq!(theirs.len(), 1);
    table.publisher.set_gate(Gate::Closed, table.now);
    for slice in &ours {
        table.publisher.observe_slice(&key(&slice.metadata.name), Seen::Gone(None), table.now);
    }
    table.publisher.observe_slice(&key(&theirs[0].metadata.name), Seen::Object(theirs[0].clone()), table.now);
    table.publisher.set_gate(Gate::Open, table.now);
    table.at_rest();
    table.version = other.version;
    table.publisher.apply(&Event::SyncTarget(key(rows(&theirs[0])[0]), None), table.now);
    let written = table.succeed();
    assert_eq!((&*written.metadata.name, rows(&written)), ("p", rows(&theirs[0])[1..].to_vec()));
    table.at_rest();
}

/// What a Location keeps that cannot be resolved is known when all slices have been read, and not before.
#[test]
fn until_all_slices_of_a_placement_have_been_read_none_of_them_goes() {
    let slices = of_six().open().succeed_all();
    let mut table = Table { version: 100, ..of_six() };
    table.location(invalid_selector());
    for slice in &slices {
        table.publisher.observe_slice(&key(&slice.metadata.name), Seen::Object(slice.clone()), table.now);
    }
    let mut table = table.open();
    let read = table.poll().unwrap();
    let mut next = table.poll();
    let answer = |table: &mut Table, request: Request| {
        // It may be read once more, but never written.
        let Action::ReadSlice(name) = &request.action else { panic!("{request:?}") };
        let slice = slices.iter().find(|slice| slice.metadata.name == name.name).unwrap();
        table.publisher.complete(request.id, Outcome::Slice(slice.clone()), table.now);
    };
    answer(&mut table, read);
    assert_eq!(table.poll(), None, "the other one is being read");
    while let Some(request) = next {
        answer(&mut table, request);
        next = table.poll();
    }
    table.at_rest();
    assert_eq!(table.publisher.published().owned_count(), 2);
}

#[test]
fn when_everything_is_known_at_last_what_was_known_before_is_not_read_again() {
    let mut table = Table::with_max(4);
    table.publisher.set_gate(Gate::GrowOnly, table.now);
    NAMES.iter().for_each(|name| table.sync_target(name));
    let slices = table.succeed_all();
    assert_eq!(slices.len(), 2);
    for slice in &slices {
        table.publisher.apply(&Event::SyncTarget(key(rows(slice)[0]), None), table.now);
    }
    table.publisher.set_gate(Gate::Open, table.now);
    assert_eq!(table.succeed_all().len(), 2);
    table.at_rest();
}

/// Two slices were published, and one of them lacks nothing.
#[test]
fn at_a_start_what_differs_is_written_without_being_read() {
    let slices = of_six().open().succeed_all();
    assert_eq!(slices.len(), 2);
    for changed in 0..2 {
        let mut table = Table { version: 100, ..of_six() };
        for (number, slice) in slices.iter().enumerate() {
            let mut slice = slice.clone();
            if number == changed {
                slice.destinations.pop();
            }
            table.publisher.observe_slice(&key(&slice.metadata.name), Seen::Object(slice.clone()), table.now);
        }
        let mut table = table.open();
        let written = table.succeed();
        assert_eq!(written.metadata.name, slices[changed].metadata.name);
        assert_eq!(written.destinations, slices[changed].destinations);
        table.at_rest();
    }
}

/// What others did to both is at hand: it is undone without being read.
#[test]
fn what_others_did_to_several_slices_is_undone_without_reading_them() {
    let mut table = of_six().open();
    let slices = table.succeed_all();
    for slice in &slices {
        let mut edited = slice.clone();
        edited.destinations[0].sync_target_name = "theirs".into();
        table.version += 1;
        edited.metadata.resource_version = table.version.to_string();
        table.publisher.observe_slice(&key(&slice.metadata.name), Seen::Object(edited), table.now);
    }
    assert_eq!(table.succeed_all().len(), 2);
    table.at_rest();
}

/// The answer to the read is newer than what was known, but by a label only.
#[test]
fn what_is_read_for_its_destinations_is_not_read_again_for_a_label() {
    let mut table = Table::with_max(4);
    table.publisher.set_gate(Gate::GrowOnly, table.now);
    table.sync_target("b");
    let mut stored = table.succeed();
    table.publisher.apply(&Event::SyncTarget(key("a"), None), table.now);
    table.sync_target("c");
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadSlice(key("p")));
    stored.metadata.labels.insert("theirs".into(), "x".into());
    stored.metadata.resource_version = "100".into();
    table.publisher.complete(read.id, Outcome::Slice(stored), table.now);
    assert_eq!(rows(&table.succeed()), ["a", "b", "c"]);
}

/// While nothing may be taken away, a slice has what it should have beside what it had, if that fits.
#[test]
fn what_may_only_grow_grows_to_the_limit() {
    for (max, grown) in [(2, &["a", "b"][..]), (3, &["a", "b", "c"]), (4, &["a", "b", "c"])] {
        let mut table = Table::with_max(max);
        table.publisher.set_gate(Gate::GrowOnly, table.now);
        table.sync_target("b");
        let mut stored = table.succeed();
        table.publisher.apply(&Event::SyncTarget(key("a"), None), table.now);
        table.sync_target("c");
        let mut carry_out = |table: &mut Table| {
            while let Some(request) = table.poll() {
                if let Action::Write(write) = &request.action {
                    stored = table.stored(write);
                }
                table.publisher.complete(request.id, Outcome::Slice(stored.clone()), table.now);
            }
            rows(&stored).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(carry_out(&mut table), grown, "{max}");
        table.publisher.set_gate(Gate::Open, table.now);
        assert_eq!(carry_out(&mut table), ["b", "c"]);
        table.at_rest();
    }
}

/// What it lost before is gone from it: it only grows now.
#[test]
fn what_has_lost_something_once_and_only_grows_now_is_not_read() {
    let mut table = Table::new();
    table.sync_target("b");
    let mut table = table.open();
    let _ = table.succeed();
    table.publisher.apply(&Event::SyncTarget(key("a"), None), table.now);
    assert_eq!(rows(&table.succeed()), ["b"]);
    table.at_rest();
    table.publisher.set_gate(Gate::GrowOnly, table.now);
    table.sync_target("c");
    assert_eq!(rows(&table.succeed()), ["b", "c"]);
    table.at_rest();
}

/// The late replacement would change what is to stay: a new version keeps it out.
#[test]
fn a_replacement_that_may_still_take_effect_is_overtaken_when_the_placement_is_invalid() {
    let mut table = Table::new().open();
    let before = table.succeed();
    table.sync_target("b");
    let (request, _) = table.write();
    table.fail(&request, Failure::Unknown("timeout".into()));
    table.invalid_placement("p", "uid-p", 2);
    let write = loop {
        let request = table.next();
        match request.action {
            Action::ReadSlice(_) => table.publisher.complete(request.id, Outcome::Slice(before.clone()), table.now),
            Action::Write(write) => break write,
            action => panic!("{action:?}"),
        }
    };
    assert_eq!((write.verb, names(&write)), (Verb::Replace, vec!["a".to_string()]));
    assert_ne!(write.object.unwrap().metadata.annotations, before.metadata.annotations);
}

#[test]
fn an_invalid_placement_gets_one_empty_slice_under_its_own_name() {
    let mut table = Table::new().open();
    let stored = table.succeed();
    table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
    table.publisher.observe_slice(&key("p"), Seen::Gone(Some(stored.metadata.uid)), table.now);
    table.invalid_placement("q", "uid-q", 1);
    let slices = table.succeed_all();
    assert_eq!(slices.iter().map(|slice| &*slice.metadata.name).collect::<Vec<_>>(), ["q"]);
    table.at_rest();
}
