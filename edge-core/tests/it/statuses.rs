//! What the status of an EdgePlacement says when something is in the way, and how a write of it that failed is repeated.

use edge_core::event::Event;
use edge_core::object::{Condition, EdgePlacement, EdgePlacementStatus, LabelSelector, LabelSelectorRequirement};
use edge_core::publisher::{Action, Failure, Gate, Outcome, Publisher, Request, StatusFields, Time};
use edge_core::scheduler::Options;

use crate::table::{Table, key, location};

/// Its operator is none, and its key is this one.
fn invalid(key: &str) -> LabelSelector {
    let requirement = LabelSelectorRequirement { key: key.into(), operator: "in".into(), values: Vec::new() };
    LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() }
}

/// The EdgePlacement `p` has this selector, and its first slice is published.
fn published(selector: LabelSelector, locations: &[Event]) -> Publisher {
    let mut publisher = Publisher::new(Options::default());
    publisher.set_status_fields(StatusFields::All);
    locations.iter().for_each(|event| publisher.apply(event, Time::ZERO));
    let mut object = EdgePlacement::default();
    object.metadata.uid = "uid-p".into();
    object.metadata.generation = 1;
    object.spec.location_selectors.push(selector);
    publisher.observe_status(&key("p"), EdgePlacementStatus::default());
    publisher.apply(&Event::edge_placement(key("p"), object), Time::ZERO);
    publisher.set_gate(Gate::Open, Time::ZERO);
    let request = publisher.poll(Time::ZERO).unwrap();
    let Action::Write(write) = request.action else { panic!("{:?}", request.action) };
    let mut stored = write.object.unwrap();
    stored.metadata.uid = "slice".into();
    stored.metadata.resource_version = "1".into();
    publisher.complete(request.id, Outcome::Slice(stored), Time::ZERO);
    publisher
}

#[track_caller]
fn condition(request: &Request) -> Condition {
    let Action::Status(write) = &request.action else { panic!("{:?}", request.action) };
    write.conditions.clone().unwrap().remove(0)
}

#[test]
fn locations_that_cannot_be_resolved_are_named() {
    let locations =
        [location("good", LabelSelector::default()), location("l", invalid("a")), location("m", invalid("b"))];
    let mut publisher = published(LabelSelector::default(), &locations);
    let condition = condition(&publisher.poll(Time::ZERO).unwrap());
    let wrong = "keeps the destinations that it had: spec.instanceSelector.matchExpressions[0].operator: Invalid value";
    assert_eq!((&*condition.status, &*condition.reason), ("True", "Resolved"));
    assert!(condition.message.contains(&format!("Location ws/l {wrong}")), "{}", condition.message);
    assert!(condition.message.contains(&format!("; Location ws/m {wrong}")), "{}", condition.message);
    assert!(!condition.message.contains("ws/good"), "{}", condition.message);
}

#[test]
fn without_trouble_it_says_so() {
    let mut publisher = published(LabelSelector::default(), &[]);
    let condition = condition(&publisher.poll(Time::ZERO).unwrap());
    assert_eq!(condition.message, "all SinglePlacementSlices are up to date");
}

/// Whatever others write into their objects, a message has a limit, and is cut between characters.
#[test]
fn messages_are_cut() {
    for long in ["x".repeat(5_000), "ü".repeat(5_000), format!("x{}", "ü".repeat(5_000))] {
        let locations: Vec<_> = (0..20).map(|i| location(&format!("l{i}"), invalid(&long))).collect();
        let mut publisher = published(LabelSelector::default(), &locations);
        let message = condition(&publisher.poll(Time::ZERO).unwrap()).message;
        assert!(message.ends_with('…') && (1023..=1024 + '…'.len_utf8()).contains(&message.len()), "{}", message.len());
    }
}

/// Only what is longer than the limit is cut.
#[test]
fn a_message_as_long_as_the_limit_is_told_in_full() {
    let message = |length: usize| {
        let mut publisher = published(LabelSelector::default(), &[location("l", invalid(&"x".repeat(length)))]);
        condition(&publisher.poll(Time::ZERO).unwrap()).message
    };
    let around = message(300).len() - 300;
    assert_eq!(message(1024 - around).len(), 1024);
    assert!(message(1024 - around).ends_with(|c| c != '…'));
    assert!(message(1025 - around).ends_with('…'));
}

/// The times between tries of a status that always fails so.
fn tries(failure: &Failure, count: usize) -> Vec<Time> {
    let mut publisher = published(LabelSelector::default(), &[]);
    let mut now = Time::ZERO;
    let mut waits = Vec::new();
    while waits.len() < count {
        let request = publisher.poll(now).unwrap();
        assert!(matches!(request.action, Action::Status(_)), "{:?}", request.action);
        publisher.complete(request.id, Outcome::Failed(failure.clone()), now);
        assert_eq!(publisher.poll(now), None, "{failure:?}: not at once");
        let next = publisher.next_wakeup().unwrap();
        waits.push(next - now);
        now = next;
    }
    waits
}

#[test]
fn a_status_that_failed_is_written_later_and_later() {
    for failure in [Failure::NotDone("503".into()), Failure::Unknown("timeout".into()), Failure::Busy(None)] {
        let waits = tries(&failure, 12);
        // Full jitter: a random part of a limit that doubles from 400 ms to 30 s.
        for (attempt, wait) in waits.iter().enumerate() {
            let limit = (200 << (attempt + 1)).min(30_000) + 20;
            assert!(*wait <= Time::from_millis(limit) && *wait >= Time::from_millis(20), "{failure:?}: {waits:?}");
        }
        assert!(waits.iter().any(|wait| *wait > Time::from_secs(5)), "{failure:?}: {waits:?}");
    }
}

/// Its event will come.
#[test]
fn a_status_of_a_placement_that_is_gone_or_another_one_waits_as_if_it_had_failed_before() {
    let others = tries(&Failure::NotDone("503".into()), 8);
    for failure in [Failure::NotFound, Failure::Conflict] {
        assert_eq!(tries(&failure, 5), others[3..], "{failure:?}");
    }
}

#[test]
fn a_busy_server_says_when_to_write_the_status() {
    let waits = tries(&Failure::Busy(Some(Time::from_secs(60))), 3);
    assert!(waits.iter().all(|wait| *wait > Time::from_secs(60) && *wait < Time::from_secs(62)), "{waits:?}");
}

/// The server will not take it: that does not change by asking again.
#[test]
fn a_status_that_is_refused_is_tried_again_rarely() {
    let waits = tries(&Failure::Rejected("422".into()), 8);
    assert!(waits.iter().sum::<Time>() > Time::from_secs(40), "{waits:?}");
}

#[test]
fn without_the_right_to_write_statuses_an_obstacle_is_reported() {
    let mut publisher = published(LabelSelector::default(), &[]);
    let request = publisher.poll(Time::ZERO).unwrap();
    let forbidden = Failure::Forbidden("edgeplacements/status is forbidden".into());
    publisher.complete(request.id, Outcome::Failed(forbidden), Time::ZERO);
    assert_eq!(publisher.poll(Time::ZERO), None);
    let obstacles = publisher.obstacles();
    assert_eq!(obstacles.len(), 1);
    assert!(obstacles[0].reason.contains("edgeplacements/status is forbidden"), "{obstacles:?}");
    let now = publisher.next_wakeup().unwrap();
    let request = publisher.poll(now).unwrap();
    assert!(matches!(request.action, Action::Status(_)), "{:?}", request.action);
    publisher.complete(request.id, Outcome::StatusWritten, now);
    assert_eq!(publisher.obstacles(), []);
    assert_eq!(publisher.poll(now), None);
    assert!(publisher.is_idle());
}

/// What the server does not allow is in the status of every EdgePlacement that waits for it, also of those that have not
/// been tried, and goes from it when it is allowed again.
#[test]
fn what_is_forbidden_is_told_of_all_that_wait() {
    let mut publisher = published(LabelSelector::default(), &[location("l", LabelSelector::default())]);
    let status = publisher.poll(Time::ZERO).unwrap();
    assert_eq!(condition(&status).status, "True");
    publisher.complete(status.id, Outcome::StatusWritten, Time::ZERO);
    let mut another = EdgePlacement::default();
    another.metadata.uid = "uid-q".into();
    another.metadata.generation = 1;
    publisher.observe_status(&key("q"), EdgePlacementStatus::default());
    publisher.apply(&Event::edge_placement(key("q"), another.clone()), Time::ZERO);
    let create = publisher.poll(Time::ZERO).unwrap();
    publisher.complete(create.id, Outcome::Failed(Failure::Forbidden("no such right".into())), Time::ZERO);
    another.metadata.uid = "uid-r".into();
    publisher.observe_status(&key("r"), EdgePlacementStatus::default());
    publisher.apply(&Event::edge_placement(key("r"), another), Time::ZERO);
    for name in ["q", "r"] {
        let status = publisher.poll(Time::ZERO).unwrap();
        let Action::Status(write) = &status.action else { panic!("{status:?}") };
        // Zero is said as well, once.
        let told = (&*write.key.name, write.spec_generation, write.matching_location_count);
        assert_eq!(told, (name, None, Some(0)));
        let condition = condition(&status);
        assert_eq!((&*condition.status, &*condition.reason), ("False", "WritesBlocked"));
        assert_eq!(condition.message, format!("SinglePlacementSlice {name}: cannot create: no such right"));
        publisher.complete(status.id, Outcome::StatusWritten, Time::ZERO);
    }
    let later = publisher.next_wakeup().unwrap();
    let mut told = Vec::new();
    while let Some(request) = publisher.poll(later) {
        let outcome = match &request.action {
            Action::Write(write) => {
                let mut stored = write.object.clone().unwrap();
                stored.metadata.uid = format!("slice-{}", write.key.name);
                stored.metadata.resource_version = "2".into();
                Outcome::Slice(stored)
            }
            Action::Status(write) => {
                told.push((write.key.name.clone(), condition(&request).reason, write.matching_location_count));
                Outcome::StatusWritten
            }
            action => panic!("{action:?}"),
        };
        publisher.complete(request.id, outcome, later);
    }
    told.sort_unstable();
    assert_eq!(told, [("q".into(), "Resolved".into(), None), ("r".into(), "Resolved".into(), None)]);
}

/// All fields are written, and the first slice and status are there.
fn told(fields: StatusFields) -> Table {
    let mut table = Table::new().with_fields(fields).open();
    let _ = table.succeed();
    let _ = table.status();
    table.at_rest();
    table
}

fn reason(table: &mut Table) -> (String, String) {
    let condition = table.status().conditions.unwrap().remove(0);
    (condition.reason, condition.message)
}

#[test]
fn what_becomes_forbidden_later_is_told() {
    let mut table = told(StatusFields::All);
    table.sync_target("b");
    let (request, _) = table.write();
    table.fail(&request, Failure::Forbidden("no such right".into()));
    let reason = reason(&mut table);
    assert_eq!(reason, ("WritesBlocked".into(), "SinglePlacementSlice p: cannot update: no such right".into()));
}

#[test]
fn a_location_that_is_repaired_is_no_longer_named() {
    let mut table = told(StatusFields::All);
    table.publisher.apply(&location("l", invalid("a")), table.now);
    let (_, message) = reason(&mut table);
    assert!(message.contains("Location ws/l keeps the destinations"), "{message}");
    table.at_rest();
    table.publisher.apply(&location("l", LabelSelector::default()), table.now);
    assert_eq!(reason(&mut table).1, "all SinglePlacementSlices are up to date");
}

#[test]
fn a_generation_is_answered_when_its_slices_are_written() {
    let mut table = told(StatusFields::All);
    let mut nowhere = EdgePlacement::default();
    nowhere.metadata.uid = "uid-p".into();
    nowhere.metadata.generation = 2;
    table.publisher.apply(&Event::edge_placement(key("p"), nowhere), table.now);
    let (request, write) = table.write();
    assert_eq!(table.poll(), None, "not before");
    let stored = table.stored(&write);
    table.publisher.complete(request.id, Outcome::Slice(stored), table.now);
    assert_eq!(table.status().spec_generation, Some(2));
    table.at_rest();
}

/// It has no destination, so there is nothing else to do.
#[test]
fn a_location_that_comes_is_counted() {
    let mut table = told(StatusFields::All);
    let mut nothing = LabelSelector::default();
    nothing.match_labels.insert("env".into(), "none".into());
    table.publisher.apply(&location("m", nothing), table.now);
    assert!(table.wait() <= Time::from_secs(10));
    let status = table.status();
    assert_eq!((status.matching_location_count, status.destination_count), (Some(2), None));
    table.at_rest();
}

/// Its first generation is not the one that was answered.
#[test]
fn the_next_of_a_name_has_a_status_of_its_own() {
    for gone in [false, true] {
        let mut table = told(StatusFields::All);
        if gone {
            table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
        }
        table.placement("p", "uid-q", 1);
        let read = table.poll().unwrap();
        assert_eq!(read.action, Action::ReadPlacement(key("p")));
        assert_eq!(table.poll(), None, "its slice names the former one");
        table.publisher.complete(read.id, Outcome::Placement { uid: "uid-q".into() }, table.now);
        let _ = table.succeed();
        assert_eq!(table.status().spec_generation, Some(1));
        table.at_rest();
    }
}

/// The original's controller wrote it.
#[test]
fn what_a_status_says_already_is_not_written_again() {
    let mut table = Table::new().with_fields(StatusFields::All);
    let status =
        EdgePlacementStatus { spec_generation: 1, matching_location_count: 1, ..EdgePlacementStatus::default() };
    table.publisher.observe_status(&key("p"), status);
    let mut table = table.open();
    let _ = table.succeed();
    let status = table.status();
    assert_eq!((status.spec_generation, status.matching_location_count), (None, None));
    assert_eq!((status.destination_count, status.slice_count), (Some(1), Some(1)));
    table.at_rest();
}

#[test]
fn when_the_api_turns_out_to_have_a_status_it_is_written() {
    let mut table = Table::new().open();
    let _ = table.succeed();
    table.at_rest();
    table.publisher.set_status_fields(StatusFields::All);
    assert_eq!(table.status().spec_generation, Some(1));
    table.at_rest();
}

/// Also if it was so before anything could be written.
#[test]
fn that_a_selector_is_invalid_is_told_before_the_slice_is_there() {
    let mut table = Table::new().with_fields(StatusFields::All);
    table.invalid_placement("q", "uid-q", 1);
    let mut table = table.open();
    let _ = (table.write(), table.write());
    let status = table.status();
    assert_eq!((&*status.key.name, &*status.conditions.unwrap()[0].reason), ("q", "InvalidSelector"));
}

#[test]
fn the_first_status_is_written_even_if_it_says_zero() {
    let mut table = Table::new().with_fields(StatusFields::Original);
    table.publisher.apply(&Event::Location(key("l"), None), table.now);
    let mut table = table.open();
    let _ = table.succeed();
    let status = table.status();
    assert_eq!((status.spec_generation, status.matching_location_count), (Some(1), Some(0)));
    table.at_rest();
}

/// The generation is answered when the slices are written, and they are refused: the counts are told once.
#[test]
fn while_slices_are_refused_the_status_is_written_once() {
    let mut table = Table::new().with_fields(StatusFields::All).open();
    let (request, _) = table.write();
    table.fail(&request, Failure::Rejected("a policy".into()));
    assert_eq!(table.status().matching_location_count, Some(1));
    for _ in 0..20 {
        table.now += Time::from_secs(11);
        while let Some(request) = table.poll() {
            assert!(matches!(request.action, Action::Write(_)), "{request:?}");
            table.fail(&request, Failure::Rejected("a policy".into()));
        }
    }
}

/// One that was deleted and made anew may get its status before the answer about the old one.
#[test]
fn what_was_written_to_one_that_is_gone_says_nothing_of_the_next() {
    let mut table = Table::new().with_fields(StatusFields::All).open();
    let slice = table.succeed();
    let request = table.poll().unwrap();
    table.placement("p", "uid-q", 1);
    table.publisher.complete(request.id, Outcome::StatusWritten, table.now);
    let read = table.poll().unwrap();
    table.publisher.complete(read.id, Outcome::Placement { uid: "uid-q".into() }, table.now);
    assert_eq!(table.succeed().metadata.uid, slice.metadata.uid);
    assert_eq!(table.status().spec_generation, Some(1));
}

#[test]
fn an_answer_about_one_that_is_gone_is_no_answer_about_the_next() {
    let mut table = Table::new().with_fields(StatusFields::All).open();
    let _ = table.succeed();
    let former = table.poll().unwrap();
    table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
    table.placement("p", "uid-q", 1);
    let read = table.poll().unwrap();
    table.publisher.complete(read.id, Outcome::Placement { uid: "uid-q".into() }, table.now);
    let _ = table.succeed();
    assert_eq!(table.poll(), None, "one status at a time");
    table.publisher.complete(former.id, Outcome::StatusWritten, table.now);
    let request = table.poll().unwrap();
    table.fail(&request, Failure::NotDone("503".into()));
    let _ = table.wait();
    assert_eq!(table.status().spec_generation, Some(1));
}
