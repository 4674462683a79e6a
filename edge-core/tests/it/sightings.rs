//! What is seen of slices: by a watch that lags, by lists, and of what others do to them.

use edge_core::event::Event;
use edge_core::object::{CLUSTER_ANNOTATION, Kind, SinglePlacementSlice};
use edge_core::publisher::{Action, Failure, Outcome, Seen, Time};
use edge_core::slices::Verb;

use crate::table::{Table, key};

impl Table {
    /// The watch tells that somebody made something else of a slice.
    fn edited(&mut self, slice: &mut SinglePlacementSlice, edit: impl FnOnce(&mut SinglePlacementSlice)) {
        self.version += 1;
        edit(slice);
        slice.metadata.resource_version = self.version.to_string();
        self.seen(Seen::Object(slice.clone()));
    }

    fn seen(&mut self, seen: Seen) {
        self.publisher.observe_slice(&key("p"), seen, self.now);
    }
}

#[test]
fn a_request_tells_what_led_to_it() {
    let mut table = Table::new().open();
    let _ = table.succeed();
    table.at_rest();
    table.sync_target("b");
    let trigger = table.poll().unwrap().trigger.unwrap();
    assert_eq!((trigger.kind, trigger.key, trigger.count), (Kind::SyncTarget, key("b"), 1));
}

#[test]
fn what_is_about_to_be_looked_at_does_not_wait() {
    let mut table = Table::new().open();
    let _ = table.succeed();
    let counts = table.publisher.counts();
    assert_eq!((counts.dirty, counts.waiting), (1, 0));
    table.at_rest();
}

/// A list that began before a write was answered need not have it; one that began later would.
#[test]
fn a_slice_that_a_list_lacks_is_read_if_it_was_written_since_and_made_again_if_not() {
    for (began, gone) in [(Time::from_secs(9), false), (Time::from_secs(10), false), (Time::from_secs(11), true)] {
        let mut table = Table { now: Time::from_secs(10), ..Table::new() }.open();
        let _ = table.succeed();
        table.at_rest();
        table.seen(Seen::Missing { list_began: began });
        let request = table.poll().unwrap();
        assert_eq!(request.action == Action::ReadSlice(key("p")), !gone, "{request:?}");
        assert_eq!(matches!(&request.action, Action::Write(write) if write.verb == Verb::Create), gone, "{request:?}");
    }
}

#[test]
fn the_same_version_again_is_no_reason_for_anything() {
    let mut table = Table::new().open();
    let stored = table.succeed();
    table.at_rest();
    table.seen(Seen::Object(stored));
    table.at_rest();
    assert_eq!(table.publisher.next_wakeup(), None);
    assert!(table.publisher.published().is_thin(&key("p")), "its destinations are not kept");
}

#[test]
fn an_older_version_is_ignored_unless_nothing_newer_comes() {
    let mut table = Table::new().open();
    let older = table.succeed();
    table.sync_target("b");
    let newer = table.succeed();
    table.at_rest();
    table.seen(Seen::Object(older.clone()));
    table.at_rest();
    assert_eq!(table.wait(), Time::from_secs(30));
    assert_eq!(table.poll().map(|read| read.action), Some(Action::ReadSlice(key("p"))));
    // The same, but the newer one is seen in time.
    let mut table = Table { version: table.version, ..Table::new() };
    table.sync_target("b");
    table.seen(Seen::Object(newer.clone()));
    let mut table = table.open();
    table.seen(Seen::Object(older));
    table.seen(Seen::Object(newer));
    assert_eq!(table.wait(), Time::from_secs(30));
    assert_eq!(table.poll(), None);
}

/// As a watch shows changes that need not be sent as a whole.
fn metadata(slice: &SinglePlacementSlice) -> Seen {
    Seen::Metadata(slice.metadata.clone())
}

#[test]
fn a_version_that_an_answer_told_is_not_read_again() {
    let mut table = Table::new().open();
    let (request, write) = table.write();
    let stored = table.stored(&write);
    // The watch is quicker than the answer.
    table.seen(metadata(&stored));
    assert_eq!(table.poll(), None);
    table.publisher.complete(request.id, Outcome::Slice(stored.clone()), table.now);
    table.seen(metadata(&stored));
    table.at_rest();
    assert_eq!(table.publisher.next_wakeup(), None);
}

#[test]
fn what_others_made_of_a_slice_is_read_and_mended() {
    let mut table = Table::new().open();
    let mut slice = table.succeed();
    table.at_rest();
    table.version += 1;
    slice.metadata.resource_version = table.version.to_string();
    slice.destinations.clear();
    table.seen(metadata(&slice));
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadSlice(key("p")));
    table.publisher.complete(read.id, Outcome::Slice(slice), table.now);
    assert_eq!(table.succeed().destinations.len(), 1);
    table.at_rest();
}

/// Seen while nothing may be written, and shown by no list since.
#[test]
fn what_changed_before_it_may_write_is_read_then() {
    let model = Table::new().open().succeed();
    let mut table = Table { version: 100, ..Table::new() };
    table.seen(Seen::Object(model.clone()));
    let mut changed = model;
    changed.metadata.resource_version = "50".into();
    table.seen(metadata(&changed));
    assert_eq!(table.poll(), None);
    let mut table = table.open();
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadSlice(key("p")));
    table.publisher.complete(read.id, Outcome::Slice(changed), table.now);
    table.at_rest();
}

/// No layout tells that there is something to be done about it.
#[test]
fn a_slice_of_nobody_that_came_before_it_may_write_is_read_then() {
    let mut orphan = Table::new().open().succeed();
    orphan.metadata.name = "q".into();
    orphan.metadata.owner_references[0].name = "q".into();
    let mut table = Table { version: 100, ..Table::new() };
    table.publisher.observe_slice(&key("q"), metadata(&orphan), table.now);
    let mut table = table.open();
    let requests: Vec<Action> = std::iter::from_fn(|| table.poll()).map(|request| request.action).collect();
    assert!(requests.len() == 2 && requests.contains(&Action::ReadSlice(key("q"))), "{requests:?}");
}

#[test]
fn a_stranger_is_known_by_its_metadata() {
    let mut table = Table::new();
    let mut stranger = SinglePlacementSlice::default();
    (stranger.metadata.uid, stranger.metadata.resource_version) = ("stranger".into(), "1".into());
    table.seen(metadata(&stranger));
    let mut table = table.open();
    assert_ne!(table.succeed().metadata.name, "p");
    stranger.metadata.resource_version = "100".into();
    table.seen(metadata(&stranger));
    table.at_rest();
}

#[test]
fn what_others_undo_again_and_again_is_told_although_it_has_to_be_read() {
    let (mut table, mut slice) = Table::with_status();
    for round in 0..4 {
        table.version += 1;
        slice.metadata.resource_version = table.version.to_string();
        slice.destinations.clear();
        table.seen(metadata(&slice));
        let read = table.poll().unwrap();
        table.publisher.complete(read.id, Outcome::Slice(slice.clone()), table.now);
        if round < 3 {
            slice = table.succeed();
            table.at_rest();
        }
    }
    assert_eq!(table.status().conditions.unwrap()[0].reason, "SliceContested");
}

/// What is read after the time is up is what was sent: nobody else did it.
#[test]
fn a_write_that_took_effect_in_silence_is_no_repair() {
    let mut table = Table::new().open();
    let _ = table.succeed();
    for name in ["b", "c", "d", "e", "f", "g"] {
        table.sync_target(name);
        let (request, write) = table.write();
        let stored = table.stored(&write);
        table.fail(&request, Failure::Unknown("timeout".into()));
        let read = table.next();
        assert_eq!(read.action, Action::ReadSlice(key("p")));
        table.publisher.complete(read.id, Outcome::Slice(stored), table.now);
        table.at_rest();
    }
}

#[test]
fn what_others_add_to_a_slice_is_no_repair() {
    let (mut table, mut slice) = Table::with_status();
    for round in 0..8 {
        table.edited(&mut slice, |slice| drop(slice.metadata.labels.insert("round".into(), round.to_string())));
        table.at_rest();
    }
    assert_eq!(table.publisher.next_wakeup(), None);
    table.sync_target("b");
    assert_eq!(table.succeed().metadata.labels.get("round").map(String::as_str), Some("7"));
}

#[test]
fn what_others_do_to_a_slice_again_and_again_is_told() {
    let (mut table, mut slice) = Table::with_status();
    for _ in 0..3 {
        table.edited(&mut slice, |slice| slice.destinations.clear());
        slice = table.succeed();
        table.at_rest();
    }
    table.edited(&mut slice, |slice| slice.destinations.clear());
    assert_eq!(table.status().conditions.unwrap()[0].reason, "SliceContested");
}

#[test]
fn what_others_do_to_a_slice_once_a_minute_is_repaired_at_once() {
    let mut table = Table::new().open();
    let mut slice = table.succeed();
    for _ in 0..8 {
        table.now += Time::from_secs(60);
        table.edited(&mut slice, |slice| slice.destinations.clear());
        slice = table.succeed();
        table.at_rest();
    }
}

#[test]
fn a_stranger_with_the_name_of_a_slice_may_change_as_often_as_it_likes() {
    let mut table = Table::new();
    let mut stranger = SinglePlacementSlice::default();
    stranger.metadata.uid = "stranger".into();
    table.edited(&mut stranger, |_| {});
    let mut table = table.open();
    assert_ne!(table.succeed().metadata.name, "p");
    for _ in 0..8 {
        table.edited(&mut stranger, |_| {});
        table.at_rest();
    }
    table.seen(Seen::Gone(Some("stranger".into())));
    let slice = table.succeed();
    assert_eq!((&*slice.metadata.name, slice.destinations.len()), ("p", 1));
}

/// The watch has not come to the deletion yet: it tells of an earlier one first.
#[test]
fn the_dead_stay_dead_whatever_else_is_gone() {
    let mut table = Table::new().open();
    let stored = table.succeed();
    table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
    let read = table.poll().unwrap();
    table.fail(&read, Failure::NotFound);
    let (request, write) = table.write();
    assert_eq!(write.verb, Verb::Delete);
    table.publisher.complete(request.id, Outcome::Deleted, table.now);
    table.seen(Seen::Gone(Some("an earlier one".into())));
    table.seen(Seen::Object(stored));
    table.at_rest();
    assert_eq!(table.publisher.published().get(&key("p")), None);
}

#[test]
fn a_slice_that_somebody_made_in_our_name_is_removed() {
    let mut table = Table::new().open();
    let mut slice = table.succeed();
    table.at_rest();
    let name = key("p-by-hand");
    slice.metadata.name.clone_from(&name.name);
    slice.metadata.uid = "by-hand".into();
    slice.metadata.annotations.retain(|name, _| name == CLUSTER_ANNOTATION);
    table.publisher.observe_slice(&name, Seen::Object(slice), table.now);
    let (_, write) = table.write();
    assert_eq!((write.verb, write.key), (Verb::Delete, name.clone()));
}

#[test]
fn a_slice_that_is_gone_before_it_could_be_removed_is_forgotten() {
    let mut table = Table::new().open();
    let mut slice = table.succeed();
    table.at_rest();
    let name = key("p-by-hand");
    slice.metadata.name.clone_from(&name.name);
    slice.metadata.uid = "by-hand".into();
    table.publisher.observe_slice(&name, Seen::Object(slice), table.now);
    let (request, _) = table.write();
    table.fail(&request, Failure::Forbidden("may not delete".into()));
    assert_eq!(table.poll(), None);
    table.publisher.observe_slice(&name, Seen::Gone(Some("by-hand".into())), table.now);
    table.at_rest();
}

#[test]
fn destinations_are_kept_only_if_that_is_wanted() {
    let model = Table::new().open().succeed();
    for keep in [false, true] {
        let mut table = Table { version: 100, ..Table::new() };
        if keep {
            table = table.keeping_destinations();
        }
        table.seen(Seen::Object(model.clone()));
        assert_eq!(table.publisher.published().is_thin(&key("p")), !keep, "before everything is known");
        let mut table = table.open();
        table.sync_target("b");
        let _ = table.succeed();
        table.at_rest();
        assert_eq!(table.publisher.published().is_thin(&key("p")), !keep, "after it was written");
    }
}

/// More than are forgotten for their age when there are many.
#[test]
fn however_many_are_dead_they_stay_dead() {
    let mut table = Table::new();
    let names: Vec<_> = (0..1100).map(|number| format!("q{number}")).collect();
    names.iter().for_each(|name| table.placement(name, "uid-q", 1));
    let mut table = table.open();
    let slices = table.succeed_all();
    names.iter().for_each(|name| table.publisher.apply(&Event::EdgePlacement(key(name), None), table.now));
    while let Some(request) = table.poll() {
        let outcome = match &request.action {
            Action::ReadPlacement(_) => Outcome::Failed(Failure::NotFound),
            Action::Write(write) if write.verb == Verb::Delete => Outcome::Deleted,
            action => panic!("{action:?}"),
        };
        table.publisher.complete(request.id, outcome, table.now);
    }
    table.at_rest();
    for slice in slices {
        let name = key(&slice.metadata.name);
        if name.name != "p" {
            table.publisher.observe_slice(&name, Seen::Object(slice), table.now);
        }
    }
    table.at_rest();
    assert_eq!(table.publisher.counts().published, 1);
}
