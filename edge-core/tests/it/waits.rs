//! What failed is tried again later and later, and what waits for it goes as soon as it can.

use edge_core::event::Event;
use edge_core::object::ObjectMeta;
use edge_core::publisher::{Action, Failure, Outcome, StatusFields, Time};
use edge_core::slices::Verb;

use crate::table::{Table, key};

/// The times between tries of what always fails so.
fn tries(mut table: Table, count: usize, outcome: &mut dyn FnMut(&mut Table, &Action) -> Outcome) -> Vec<Time> {
    let (mut waits, mut last) = (Vec::new(), None);
    while waits.len() < count {
        let request = table.next();
        waits.extend(last.map(|last| table.now - last));
        last = Some(table.now);
        let outcome = outcome(&mut table, &request.action);
        table.publisher.complete(request.id, outcome, table.now);
        assert_eq!(table.poll(), None, "not at once");
    }
    waits
}

fn longest(waits: &[Time]) -> Time {
    waits.iter().copied().max().unwrap_or_default()
}

#[test]
fn what_is_not_possible_is_tried_later_and_later() {
    for failure in [Failure::Forbidden("may not create".into()), Failure::NotFound, Failure::NotDone("503".into())] {
        let waits = tries(Table::new().open(), 12, &mut |_, _| Outcome::Failed(failure.clone()));
        assert!(longest(&waits[..2]) < Time::from_secs(2), "{failure:?}: {waits:?}");
        assert!(longest(&waits) > Time::from_secs(5), "{failure:?}: {waits:?}");
    }
}

#[test]
fn what_is_refused_is_tried_later_and_later() {
    let waits = tries(Table::new().open(), 12, &mut |_, _| Outcome::Failed(Failure::Rejected("quota".into())));
    for (attempt, wait) in waits.iter().enumerate() {
        let limit = Time::from_secs(300).min(Time::from_secs(1 << attempt));
        assert!(*wait <= limit && *wait >= limit / 2, "{attempt}: {waits:?}");
    }
}

#[test]
fn a_busy_server_that_says_no_time_is_asked_later_for_a_while() {
    let waits = tries(Table::new().open(), 12, &mut |_, _| Outcome::Failed(Failure::Busy(None)));
    assert!(longest(&waits) <= Time::from_millis(1_620), "{waits:?}");
    assert!(longest(&waits) > Time::from_millis(220), "{waits:?}");
}

#[test]
fn a_server_that_keeps_something_else_is_asked_later_and_later() {
    let waits = tries(Table::new().open(), 12, &mut |table, action| {
        let Action::Write(write) = action else { panic!("{action:?}") };
        let mut pruned = table.stored(write);
        pruned.destinations.clear();
        Outcome::Slice(pruned)
    });
    assert!(longest(&waits) > Time::from_secs(5), "{waits:?}");
}

#[test]
fn a_placement_that_cannot_be_read_is_read_later_and_later() {
    for failure in [Failure::Unknown("timeout".into()), Failure::Forbidden("may not get".into())] {
        let mut table = Table::new().open();
        let _ = table.succeed();
        table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
        let waits = tries(table, 12, &mut |_, action| {
            assert_eq!(*action, Action::ReadPlacement(key("p")));
            Outcome::Failed(failure.clone())
        });
        assert!(longest(&waits) > Time::from_secs(5), "{failure:?}: {waits:?}");
    }
}

#[test]
fn a_placement_that_may_not_be_read_is_an_obstacle_until_it_may() {
    let mut table = Table::new().open();
    let _ = table.succeed();
    table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
    let read = table.poll().unwrap();
    table.fail(&read, Failure::Forbidden("no such right".into()));
    assert_eq!(table.publisher.obstacles()[0].reason, "cannot get: no such right");
    assert!(!table.publisher.is_idle());
    let read = table.next();
    assert_eq!(read.action, Action::ReadPlacement(key("p")));
    table.publisher.complete(read.id, Outcome::Placement { uid: "uid-p".into() }, table.now);
    assert_eq!(table.publisher.obstacles(), []);
}

/// One finds out for all; when it had success, nobody waits any longer.
#[test]
fn what_waits_for_a_right_goes_at_once_when_it_is_given() {
    let mut table = Table::new();
    table.placement("q", "uid-q", 1);
    let mut table = table.open();
    let (request, _) = table.write();
    table.fail(&request, Failure::Forbidden("may not create".into()));
    table.wait();
    let (request, write) = table.write();
    assert_eq!(table.poll(), None, "the other one waits for what becomes of it");
    let stored = table.stored(&write);
    table.publisher.complete(request.id, Outcome::Slice(stored), table.now);
    let other = table.succeed();
    assert_ne!(other.metadata.name, write.key.name);
    table.at_rest();
    assert_eq!(table.publisher.obstacles(), []);
}

/// That there is nothing to replace is an answer, too: it was allowed to ask.
#[test]
fn what_waits_for_a_right_goes_at_once_when_another_is_told_that_its_slice_is_gone() {
    let mut table = Table::new();
    table.placement("q", "uid-q", 1);
    let mut table = table.open();
    let _ = (table.succeed(), table.succeed());
    table.sync_target("b");
    let (request, _) = table.write();
    table.fail(&request, Failure::Forbidden("may not update".into()));
    table.wait();
    let (request, write) = table.write();
    assert_eq!((table.poll(), write.verb), (None, Verb::Replace));
    table.fail(&request, Failure::NotFound);
    assert_eq!(table.publisher.obstacles(), []);
    let _ = (table.succeed(), table.succeed());
    table.at_rest();
}

#[test]
fn what_does_not_stay_as_it_was_written_is_told() {
    let mut table = Table::new().with_fields(StatusFields::All).open();
    let mut writes = 0;
    let status = loop {
        let request = table.next();
        let Action::Write(write) = &request.action else { break request };
        writes += 1;
        let mut pruned = table.stored(write);
        pruned.destinations.clear();
        table.publisher.complete(request.id, Outcome::Slice(pruned), table.now);
    };
    let Action::Status(status) = status.action else { panic!("{:?}", status.action) };
    assert_eq!((writes, &*status.conditions.unwrap()[0].reason), (4, "SliceContested"));
}

/// Labels, annotations and owners that are sent have to be there.
#[test]
fn a_server_that_strips_what_marks_a_slice_is_not_asked_again_at_once() {
    let strip: [fn(&mut ObjectMeta); 3] = [
        |metadata| metadata.labels.clear(),
        |metadata| metadata.annotations.clear(),
        |metadata| metadata.owner_references.clear(),
    ];
    for strip in strip {
        let mut table = Table::new().open();
        let (request, write) = table.write();
        let mut stored = table.stored(&write);
        strip(&mut stored.metadata);
        table.publisher.complete(request.id, Outcome::Slice(stored), table.now);
        assert!(table.wait() > Time::ZERO);
    }
}

/// What the server does not know to be another version leaves room for the deletion that nobody knows the outcome of.
#[test]
fn a_slice_that_may_yet_be_deleted_is_written_until_it_has_another_version() {
    let mut table = Table::new().open();
    let stored = table.succeed();
    table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
    let read = table.poll().unwrap();
    table.publisher.complete(read.id, Outcome::Failed(Failure::NotFound), table.now);
    let (request, write) = table.write();
    assert_eq!(write.verb, Verb::Delete);
    table.fail(&request, Failure::Unknown("timeout".into()));
    table.placement("p", "uid-p", 1);
    let read = table.next();
    assert_eq!(read.action, Action::ReadSlice(key("p")));
    table.publisher.complete(read.id, Outcome::Slice(stored.clone()), table.now);
    let (request, write) = table.write();
    let mut same = write.object.unwrap();
    same.metadata.resource_version.clone_from(&stored.metadata.resource_version);
    table.publisher.complete(request.id, Outcome::Slice(same), table.now);
    let (request, write) = table.write();
    let stored = table.stored(&write);
    table.publisher.complete(request.id, Outcome::Slice(stored), table.now);
    table.at_rest();
}
