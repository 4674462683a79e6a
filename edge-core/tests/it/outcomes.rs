//! Every outcome of every write, one by one.

use edge_core::event::Event;
use edge_core::object::{CLUSTER_ANNOTATION, EdgePlacement, EdgePlacementStatus, ObjectKey};
use edge_core::publisher::{Action, Failure, Outcome, Request, Seen, StatusFields, Time};
use edge_core::slices::Verb;

use crate::table::{Table, key, names};

#[test]
fn nothing_is_asked_for_before_everything_is_known() {
    let mut table = Table::new();
    assert_eq!(table.poll(), None);
    let mut table = table.open();
    let (request, write) = table.write();
    assert_eq!((write.verb, &*write.key.name, names(&write)), (Verb::Create, "p", vec!["a".to_string()]));
    assert_eq!(request.trigger.unwrap().count, 1);
    assert_eq!(table.poll(), None, "one request for a slice at a time");
}

#[test]
fn success_then_silence_then_one_replacement_for_several_events() {
    let mut table = Table::new().open();
    let stored = table.succeed();
    table.at_rest();
    // The watch tells the same.
    table.publisher.observe_slice(&key("p"), Seen::Object(stored.clone()), table.now);
    table.at_rest();
    table.sync_target("b");
    table.sync_target("c");
    let (request, write) = table.write();
    assert_eq!((write.verb, names(&write)), (Verb::Replace, ["a", "b", "c"].map(String::from).to_vec()));
    assert_eq!(write.uid, Some(stored.metadata.uid));
    assert_eq!(write.resource_version, Some(stored.metadata.resource_version));
    assert_eq!(request.trigger.unwrap().count, 2);
}

#[test]
fn a_conflict_is_read_and_the_difference_made_again() {
    let mut table = Table::new().open();
    let mut theirs = table.succeed();
    table.sync_target("b");
    let (request, _) = table.write();
    table.fail(&request, Failure::Conflict);
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadSlice(key("p")));
    theirs.metadata.resource_version = "7".into();
    theirs.metadata.labels.insert("theirs".into(), "x".into());
    table.publisher.complete(read.id, Outcome::Slice(theirs), table.now);
    let (_, write) = table.write();
    assert_eq!(write.resource_version.as_deref(), Some("7"));
    let labels = &write.object.unwrap().metadata.labels;
    assert_eq!(labels.get("theirs").map(String::as_str), Some("x"), "what others put there stays");
}

#[test]
fn a_name_that_is_taken_is_adopted_if_it_is_ours_and_left_alone_if_not() {
    for ours in [true, false] {
        let mut table = Table::new().open();
        let (request, write) = table.write();
        let mut there = table.stored(&write);
        if !ours {
            there.metadata.labels.clear();
            there.metadata.owner_references.clear();
        }
        table.fail(&request, Failure::AlreadyExists);
        let read = table.poll().unwrap();
        table.publisher.complete(read.id, Outcome::Slice(there), table.now);
        if ours {
            table.at_rest();
        } else {
            let (_, write) = table.write();
            assert_eq!(write.verb, Verb::Create);
            assert!(write.key.name.starts_with("p-"), "{}", write.key.name);
            assert!(table.publisher.scheduler().has_slice_conflict(&key("p")));
        }
    }
}

#[test]
fn a_slice_that_is_gone_is_made_again_and_a_workspace_that_is_gone_waited_for() {
    let mut table = Table::new().open();
    let _ = table.succeed();
    table.sync_target("b");
    let (request, _) = table.write();
    table.fail(&request, Failure::NotFound);
    let (request, write) = table.write();
    assert_eq!(write.verb, Verb::Create);
    table.fail(&request, Failure::NotFound);
    // That is the workspace: its creations wait, with backoff.
    let waited = table.wait();
    assert!(waited >= Time::from_millis(500), "{waited:?}");
    assert_eq!(table.publisher.obstacles()[0].cluster, "ws");
    let _ = table.succeed();
    table.at_rest();
    assert_eq!(table.publisher.obstacles(), []);
}

#[test]
fn without_rights_the_cluster_waits_and_others_do_not() {
    let mut table = Table::new().open();
    let (request, _) = table.write();
    table.fail(&request, Failure::Forbidden("may not create".into()));
    let mut other = EdgePlacement::default();
    other.metadata.uid = "uid-o".into();
    table.publisher.apply(&Event::edge_placement(ObjectKey::new("elsewhere", "o"), other), table.now);
    let (_, write) = table.write();
    assert_eq!(write.key.cluster, "elsewhere");
    let obstacle = &table.publisher.obstacles()[0];
    assert_eq!((&*obstacle.cluster, &*obstacle.reason), ("ws", "cannot create: may not create"));
}

#[test]
fn what_is_refused_is_parked_until_it_changes() {
    let mut table = Table::new().open();
    let (request, _) = table.write();
    table.fail(&request, Failure::Rejected("too large".into()));
    assert_eq!(table.poll(), None);
    assert_eq!(table.publisher.obstacles()[0].reason, "too large");
    table.sync_target("b");
    let (_, write) = table.write();
    assert_eq!(names(&write), ["a", "b"]);
}

#[test]
fn a_busy_server_says_how_long_to_wait() {
    let mut table = Table::new().open();
    let (request, _) = table.write();
    table.fail(&request, Failure::Busy(Some(Time::from_secs(7))));
    let waited = table.wait();
    assert!((Time::from_secs(7)..Time::from_secs(10)).contains(&waited), "{waited:?}");
    let _ = table.succeed();
    table.at_rest();
}

#[test]
fn failures_are_tried_again_ever_more_slowly_and_for_ever() {
    let mut table = Table::new().open();
    let mut longest = Time::ZERO;
    for _ in 0..40 {
        let (request, write) = table.write();
        assert_eq!(write.verb, Verb::Create);
        table.fail(&request, Failure::NotDone("refused".into()));
        longest = longest.max(table.wait());
    }
    assert!(longest > Time::from_secs(5) && longest <= Time::from_secs(31), "{longest:?}");
    let _ = table.succeed();
    table.at_rest();
}

#[test]
fn after_a_timeout_the_slice_is_read_first() {
    let mut table = Table::new().open();
    let before = table.succeed();
    table.sync_target("b");
    let (request, write) = table.write();
    table.fail(&request, Failure::Unknown("timeout".into()));
    table.wait();
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadSlice(key("p")));
    // It did take effect.
    let stored = table.stored(&write);
    assert_ne!(stored.metadata.resource_version, before.metadata.resource_version);
    table.publisher.complete(read.id, Outcome::Slice(stored), table.now);
    table.at_rest();
}

#[test]
fn a_replacement_that_may_still_take_effect_is_overtaken_by_another_one() {
    let mut table = Table::new().open();
    let before = table.succeed();
    table.sync_target("b");
    let (request, _) = table.write();
    table.fail(&request, Failure::Unknown("timeout".into()));
    table.wait();
    let read = table.poll().unwrap();
    table.publisher.apply(&Event::SyncTarget(key("b"), None), table.now);
    table.publisher.complete(read.id, Outcome::Slice(before), table.now);
    // What is published is right again, but the late replacement would spoil it: a new version keeps it out.
    let (request, write) = table.write();
    assert_eq!((write.verb, names(&write)), (Verb::Replace, vec!["a".to_string()]));
    let stored = table.stored(&write);
    table.publisher.complete(request.id, Outcome::Slice(stored), table.now);
    table.at_rest();
}

#[test]
fn an_orphan_goes_when_its_placement_is_gone_for_certain() {
    let mut table = Table::new().open();
    let stored = table.succeed();
    table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadPlacement(key("p")));
    table.publisher.complete(read.id, Outcome::Failed(Failure::NotFound), table.now);
    let (request, write) = table.write();
    assert_eq!((write.verb, write.uid), (Verb::Delete, Some(stored.metadata.uid.clone())));
    table.publisher.complete(request.id, Outcome::Deleted, table.now);
    // The watch lags: the dead do not come back.
    table.publisher.observe_slice(&key("p"), Seen::Object(stored), table.now);
    table.at_rest();
}

#[test]
fn a_placement_that_exists_after_all_keeps_its_slices() {
    let mut table = Table::new().open();
    let _ = table.succeed();
    table.publisher.apply(&Event::EdgePlacement(key("p"), None), table.now);
    let read = table.poll().unwrap();
    table.publisher.complete(read.id, Outcome::Placement { uid: "uid-new".into() }, table.now);
    table.wait();
    table.placement("p", "uid-new", 1);
    // It has come again: its slice names its new UID, which is read from the server before.
    let read = table.poll().unwrap();
    assert_eq!(read.action, Action::ReadPlacement(key("p")));
    table.publisher.complete(read.id, Outcome::Placement { uid: "uid-new".into() }, table.now);
    let (_, write) = table.write();
    assert_eq!(write.verb, Verb::Replace);
    assert_eq!(write.object.unwrap().metadata.owner_references[0].uid, "uid-new");
}

#[test]
fn a_slice_without_a_range_keeps_what_no_other_can_be_given() {
    // As a start finds it: the first slice lacks the destination, and a slice that no layout knows has it.
    let mut model = Table::new().open();
    let mut first = model.succeed();
    let mut other = first.clone();
    first.destinations.clear();
    other.metadata.name = "p-by-hand".into();
    other.metadata.annotations.retain(|name, _| name == CLUSTER_ANNOTATION);
    other.metadata.uid = "by-hand".into();
    let mut table = Table { version: model.version, ..Table::new() };
    for slice in [&first, &other] {
        let name = key(&slice.metadata.name);
        table.publisher.observe_slice(&name, Seen::Object(slice.clone()), table.now);
    }
    let mut table = table.open();
    // The server refuses to give it to the first slice: then the other one is not written without knowing what it has.
    let (request, write) = table.write();
    assert_eq!((&*write.key.name, names(&write)), ("p", vec!["a".to_string()]));
    table.fail(&request, Failure::Rejected("exceeded quota".into()));
    let read = table.poll().expect("a request");
    assert_eq!(read.action, Action::ReadSlice(key("p-by-hand")));
    table.publisher.complete(read.id, Outcome::Slice(other), table.now);
    table.wait();
    let first = table.succeed();
    assert_eq!(first.destinations.len(), 1);
    let (_, write) = table.write();
    assert_eq!((write.verb, &*write.key.name), (Verb::Delete, "p-by-hand"));
}

#[test]
fn a_slice_that_others_edit_again_and_again_is_repaired_more_and_more_slowly() {
    let mut table = Table::new().open();
    table.publisher.set_status_fields(StatusFields::Off);
    let mut stored = table.succeed();
    let mut delayed = 0;
    for _ in 0..8 {
        table.version += 1;
        stored.destinations.clear();
        stored.metadata.resource_version = table.version.to_string();
        table.publisher.observe_slice(&key("p"), Seen::Object(stored.clone()), table.now);
        let request = table.poll().or_else(|| {
            delayed += 1;
            table.wait();
            table.poll()
        });
        let Some(Request { id, action: Action::Write(write), .. }) = request else { panic!("{request:?}") };
        stored = table.stored(&write);
        table.publisher.complete(id, Outcome::Slice(stored.clone()), table.now);
    }
    assert!((3..=5).contains(&delayed), "{delayed}");
}

#[test]
fn a_server_that_keeps_something_else_is_not_asked_again_at_once() {
    let mut table = Table::new().open();
    let (request, write) = table.write();
    let mut pruned = table.stored(&write);
    pruned.destinations.clear();
    table.publisher.complete(request.id, Outcome::Slice(pruned), table.now);
    table.wait();
    let (_, write) = table.write();
    assert_eq!((write.verb, names(&write)), (Verb::Replace, vec!["a".to_string()]));
}

// === Status ===

#[test]
fn status_says_which_generation_the_slices_answer() {
    let mut table = Table::new().with_fields(StatusFields::All).open();
    let (request, write) = table.write();
    assert_eq!(table.poll(), None, "not before the slices are there");
    let stored = table.stored(&write);
    table.publisher.complete(request.id, Outcome::Slice(stored), table.now);
    let written = table.status();
    assert_eq!((written.spec_generation, written.matching_location_count), (Some(1), Some(1)));
    assert_eq!((written.destination_count, written.slice_count), (Some(1), Some(1)));
    let condition = &written.conditions.unwrap()[0];
    assert_eq!((&*condition.kind, &*condition.status, &*condition.reason), ("Resolved", "True", "Resolved"));
    table.at_rest();
    // Counts alone can wait.
    table.sync_target("b");
    let _ = table.succeed();
    let waited = table.wait();
    assert!(waited > Time::from_secs(9) && waited <= Time::from_secs(10), "{waited:?}");
    let written = table.status();
    assert_eq!((written.destination_count, written.conditions, written.spec_generation), (Some(2), None, None));
    table.at_rest();
}

#[test]
fn an_invalid_selector_is_reported_at_once_and_its_slice_stays() {
    let (mut table, _) = Table::with_status();
    table.invalid_placement("p", "uid-p", 2);
    let written = table.status();
    assert_eq!((written.spec_generation, written.destination_count), (None, None));
    let condition = &written.conditions.unwrap()[0];
    assert_eq!((&*condition.status, &*condition.reason), ("False", "InvalidSelector"));
    assert!(
        condition.message.contains("spec.locationSelectors[0].matchExpressions[0].operator"),
        "{}",
        condition.message
    );
    table.at_rest();
    table.placement("p", "uid-p", 3);
    table.publisher.observe_status(&key("p"), EdgePlacementStatus::default());
    assert_eq!(table.status().spec_generation, Some(3));
    table.at_rest();
}

#[test]
fn without_a_status_subresource_each_write_raises_the_generation_and_does_not_cause_the_next() {
    let mut table = Table::new().with_fields(StatusFields::Original).open();
    let _ = table.succeed();
    let written = table.status();
    assert_eq!((written.spec_generation, written.matching_location_count), (Some(1), Some(1)));
    assert_eq!((written.destination_count, written.conditions), (None, None));
    let observed =
        EdgePlacementStatus { spec_generation: 1, matching_location_count: 1, ..EdgePlacementStatus::default() };
    table.placement("p", "uid-p", 2);
    table.publisher.observe_status(&key("p"), observed);
    table.at_rest();
    // More destinations are no reason either.
    table.sync_target("b");
    let _ = table.succeed();
    table.at_rest();
}

#[test]
fn objects_are_found_by_the_cluster_that_the_caller_names() {
    let mut table = Table::new().open();
    let (_, write) = table.write();
    let annotations = write.object.unwrap().metadata.annotations;
    assert_eq!(annotations.get(CLUSTER_ANNOTATION).map(String::as_str), Some("ws"));
}
