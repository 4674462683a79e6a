//! What is made of the slices that exist.

use edge_core::event::Event;
use edge_core::object::{
    EdgePlacement, LabelSelector, LabelSelectorRequirement, OwnerReference, SinglePlacementSlice, SyncTarget,
};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::{Digest, FENCE_ANNOTATION, Published, SOURCE_PLACEMENT, Verb};

use crate::table::{key, location};

fn sync_target(name: &str, uid: &str) -> Event {
    let mut object = SyncTarget::default();
    object.metadata.uid = uid.into();
    Event::sync_target(key(name), object)
}

/// The EdgePlacement `p` has these SyncTargets; a slice holds four.
fn scheduler(sync_targets: &[(&str, &str)]) -> Scheduler {
    placements(&["p"], sync_targets)
}

fn placement(name: &str) -> Event {
    let mut object = EdgePlacement::default();
    object.metadata.uid = format!("uid-{name}");
    object.spec.location_selectors.push(LabelSelector::default());
    Event::edge_placement(key(name), object)
}

fn placements(names: &[&str], sync_targets: &[(&str, &str)]) -> Scheduler {
    let mut events = vec![location("l", LabelSelector::default())];
    events.extend(names.iter().map(|name| placement(name)));
    events.extend(sync_targets.iter().map(|(name, uid)| sync_target(name, uid)));
    let mut scheduler = Scheduler::new(Options::default().with_max_destinations_per_slice(4).unwrap());
    scheduler.apply_batch(&events);
    scheduler
}

/// Does all writes; tells what they were.
fn publish(scheduler: &mut Scheduler, published: &mut Published) -> Vec<(Verb, String)> {
    let writes = scheduler.plan(published);
    writes.iter().for_each(|write| published.apply(write));
    assert!(scheduler.plan(published).is_empty());
    scheduler.internal_validate();
    writes.into_iter().map(|write| (write.verb, write.key.name)).collect()
}

fn edit(published: &mut Published, name: &str, edit: impl FnOnce(&mut SinglePlacementSlice)) {
    let mut slice = published.remove(&key(name)).unwrap();
    edit(&mut slice);
    published.insert(slice);
}

const FOUR: [(&str, &str); 4] = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")];

#[test]
fn a_slice_belongs_to_its_owner_else_to_whom_it_names() {
    let owner = |api_version: &str, kind: &str| OwnerReference {
        api_version: api_version.into(),
        kind: kind.into(),
        name: "owner".into(),
        ..OwnerReference::default()
    };
    let (ours, label, annotation) = (owner("edge.kcp.io/v1alpha1", "EdgePlacement"), Some("label"), Some("full"));
    for (owner, label, annotation, expected) in [
        (Some(ours.clone()), label, annotation, Some("owner")),
        (Some(owner("edge.kcp.io/v2", "EdgePlacement")), None, None, Some("owner")),
        (Some(owner("edge.kcp.io", "EdgePlacement")), label, annotation, Some("full")),
        (Some(owner("other.kcp.io/v1alpha1", "EdgePlacement")), label, None, Some("label")),
        (Some(owner("edge.kcp.io/v1alpha1", "Location")), None, None, None),
        (None, label, annotation, Some("full")),
        (None, None, annotation, None),
        (None, None, None, None),
    ] {
        let mut slice = SinglePlacementSlice::default();
        slice.metadata.annotations.insert("kcp.io/cluster".into(), "ws".into());
        slice.metadata.name = "s".into();
        slice.metadata.owner_references.extend(owner);
        slice.metadata.labels.extend(label.map(|label| (SOURCE_PLACEMENT.into(), label.into())));
        slice.metadata.annotations.extend(annotation.map(|full| (SOURCE_PLACEMENT.into(), full.into())));
        assert_eq!(Published::placement_name(&slice), expected);
        // While it is being deleted it is nobody's.
        for (timestamp, expected) in [(None, expected), (Some(""), expected), (Some("2024-01-01T00:00:00Z"), None)] {
            slice.metadata.deletion_timestamp = timestamp.map(str::to_owned);
            let published: Published = [slice.clone()].into_iter().collect();
            assert_eq!(published.placement(&key("s")), expected.map(key));
            assert_eq!(published.is_foreign(&key("s")), expected.is_none());
            assert_eq!(published.owned_count(), usize::from(expected.is_some()));
        }
    }
}

#[test]
fn a_name_is_left_to_a_slice_that_cannot_be_read() {
    let (mut scheduler, mut published) = (scheduler(&FOUR), Published::default());
    assert_eq!(publish(&mut scheduler, &mut published), [(Verb::Create, "p".into())]);
    published.insert_unreadable(key("p"));
    let writes = publish(&mut scheduler, &mut published);
    assert!(matches!(&writes[..], [(Verb::Create, name)] if name != "p"), "{writes:?}");
    assert!(scheduler.has_slice_conflict(&key("p")) && published.is_foreign(&key("p")));
    published.remove(&key("p"));
    let there = writes[0].1.clone();
    assert_eq!(publish(&mut scheduler, &mut published), [(Verb::Create, "p".into()), (Verb::Delete, there)]);
    assert!(!scheduler.has_slice_conflict(&key("p")));
}

#[test]
fn of_a_thin_slice_the_digest_is_kept() {
    let (mut scheduler, mut published) = (scheduler(&FOUR), Published::default());
    publish(&mut scheduler, &mut published);
    let (digest, slice) = (published.digest(&key("p")), published.get(&key("p")).unwrap().clone());
    assert!(digest.is_some() && !published.is_thin(&key("p")));
    for _ in 0..2 {
        published.make_thin(&key("p"));
        assert!(published.is_thin(&key("p")) && published.get(&key("p")).unwrap().destinations.is_empty());
        assert_eq!(published.digest(&key("p")), digest);
    }
    let none = Digest::of(std::iter::empty());
    published.insert_thin(slice.metadata.clone(), none);
    assert!(published.is_thin(&key("p")) && published.digest(&key("p")) == Some(none));
    published.insert(slice);
    assert!(!published.is_thin(&key("p")) && published.digest(&key("p")) == digest);
    assert_eq!(published.digest(&key("nobody")), None);
}

/// Manifests have none; an API server's slices do.
#[test]
fn a_uid_that_is_unknown_stays_as_it_is_published() {
    let (mut first, mut published) = (scheduler(&FOUR), Published::default());
    publish(&mut first, &mut published);
    let unknown = |name: &str| sync_target(name, "");
    assert_eq!(publish(&mut scheduler(&[("a", ""), ("b", "2"), ("c", ""), ("d", "4")]), &mut published), []);
    for event in [unknown("a"), unknown("b"), sync_target("a", "1"), unknown("b"), unknown("c")] {
        let _ = first.apply(&event);
        assert_eq!(publish(&mut first, &mut published), [], "{event:?}");
    }
    let gone = Event::SyncTarget(key("b"), None);
    let _ = first.apply(&gone);
    assert_eq!(publish(&mut first, &mut published), [(Verb::Replace, "p".into())]);
    let uids: Vec<_> = published.get(&key("p")).unwrap().destinations.iter().map(|row| &*row.sync_target_uid).collect();
    assert_eq!(uids, ["1", "3", "4"]);
    // Of one whose UID is known it is written.
    let _ = first.apply(&sync_target("c", "9"));
    assert_eq!(publish(&mut first, &mut published), [(Verb::Replace, "p".into())]);
}

/// Both EdgePlacements select a Location that cannot be resolved, and their slices say what each of them had of it.
#[test]
fn of_a_frozen_location_each_placement_has_what_it_had() {
    let mut published = Published::default();
    publish(&mut placements(&["p", "q"], &FOUR), &mut published);
    edit(&mut published, "q", |slice| slice.destinations.retain(|row| "bc".contains(&row.sync_target_name)));
    let requirement = LabelSelectorRequirement { key: "a".into(), operator: "in".into(), values: Vec::new() };
    let invalid = LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() };
    let mut scheduler = Scheduler::new(Options::default());
    let mut events = vec![location("l", invalid), placement("p"), placement("q")];
    events.extend(FOUR.map(|(name, uid)| sync_target(name, uid)));
    scheduler.apply_batch(&events);
    assert_eq!(publish(&mut scheduler, &mut published), []);
    let replace = |name: &str| (Verb::Replace, name.to_owned());
    for (gone, writes, p, q) in [
        ("a", vec![replace("p")], "bcd", "bc"),
        ("b", vec![replace("p"), replace("q")], "cd", "c"),
        ("c", vec![replace("p"), replace("q")], "d", ""),
        ("d", vec![replace("p")], "", ""),
    ] {
        let _ = scheduler.apply(&Event::SyncTarget(key(gone), None));
        assert_eq!(publish(&mut scheduler, &mut published), writes, "{gone} is gone");
        let names = |name: &str| -> String {
            let slice = published.get(&key(name)).unwrap();
            slice.destinations.iter().map(|row| row.sync_target_name.as_str()).collect()
        };
        assert_eq!((names("p").as_str(), names("q").as_str()), (p, q), "{gone} is gone");
    }
}

#[test]
fn an_annotation_that_names_another_placement_goes() {
    let (mut first, mut published) = (scheduler(&FOUR), Published::default());
    publish(&mut first, &mut published);
    // That of its own is of no use, and no harm.
    for (name, writes) in [("p", 0), ("q", 1)] {
        edit(&mut published, "p", |slice| {
            slice.metadata.annotations.insert(SOURCE_PLACEMENT.into(), name.into());
        });
        assert_eq!(publish(&mut scheduler(&FOUR), &mut published).len(), writes, "{name}");
    }
    assert!(!published.get(&key("p")).unwrap().metadata.annotations.contains_key(SOURCE_PLACEMENT));
}

#[test]
fn a_slice_whose_fence_cannot_be_read_has_no_range() {
    let (mut published, further) = (Published::default(), further());
    publish(&mut scheduler(&FIVE), &mut published);
    let fence = published.get(&key(&further)).unwrap().metadata.annotations[FENCE_ANNOTATION].clone();
    let name = fence.rsplit('/').next().unwrap();
    for (annotation, is_range) in [
        (format!("v1/0/ws/l/{name}"), true),
        (format!("v2/0/ws/l/{name}"), false),
        (format!("v1/0/ws/l/{name}/"), false),
        ("v1/0/ws/l".to_owned(), false),
        (format!("v1/x/ws/l/{name}"), false),
        (format!("v1/1/ws/l/{name}"), false),
        (format!("v1/0/ws/m/{name}"), false),
    ] {
        let mut published = published.clone();
        edit(&mut published, &further, |slice| {
            slice.metadata.annotations.insert(FENCE_ANNOTATION.into(), annotation.clone());
        });
        // The destinations have room in one slice now.
        let mut scheduler = scheduler(&FOUR);
        publish(&mut scheduler, &mut published);
        assert_eq!(scheduler.slice_count(&key("p")), if is_range { 2 } else { 1 }, "{annotation}");
    }
}

/// Under the higher maximum both slices could be one, so they join as soon as one of them has to be written.
#[test]
fn what_changes_no_destination_changes_no_slice() {
    let mut published = Published::default();
    publish(&mut scheduler(&FIVE), &mut published);
    let mut scheduler = Scheduler::new(Options::default());
    let all = || location("l", LabelSelector::default());
    let mut events = vec![all(), placement("p")];
    events.extend(FIVE.map(|(name, uid)| sync_target(name, uid)));
    scheduler.apply_batch(&events);
    assert_eq!(publish(&mut scheduler, &mut published), []);
    let selector = |operator: &str| {
        let requirement = LabelSelectorRequirement { key: "a".into(), operator: operator.into(), values: Vec::new() };
        LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() }
    };
    for event in [
        location("m", selector("Exists")),
        location("m", LabelSelector { match_labels: [("a".into(), "b".into())].into(), ..LabelSelector::default() }),
        Event::Location(key("m"), None),
        location("l", selector("DoesNotExist")),
        location("l", selector("invalid")),
        all(),
    ] {
        let _ = scheduler.apply(&event);
        assert_eq!(publish(&mut scheduler, &mut published), [], "{event:?}");
    }
    let _ = scheduler.apply(&sync_target("f", "6"));
    assert!(publish(&mut scheduler, &mut published).len() == 2 && scheduler.slice_count(&key("p")) == 1);
}

/// It begins at a name, whether the SyncTarget of that name is selected or not, or is gone.
#[test]
fn a_slice_begins_where_it_began() {
    let labelled = |name: &str| {
        let mut object = SyncTarget::default();
        object.metadata.uid = name.into();
        object.metadata.labels.insert("name".into(), name.into());
        Event::sync_target(key(name), object)
    };
    let mut scheduler = scheduler(&[]);
    scheduler.apply_batch(&FIVE.map(|(name, _)| labelled(name)));
    let (mut published, further) = (Published::default(), further());
    publish(&mut scheduler, &mut published);
    let fence = published.get(&key(&further)).unwrap().metadata.annotations[FENCE_ANNOTATION].clone();
    let first = fence.rsplit('/').next().unwrap();
    let requirement =
        LabelSelectorRequirement { key: "name".into(), operator: "NotIn".into(), values: vec![first.into()] };
    let others = LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() };
    for event in [location("l", others), Event::SyncTarget(key(first), None), labelled("f"), labelled("g")] {
        let _ = scheduler.apply(&event);
        publish(&mut scheduler, &mut published);
        assert_eq!(published.get(&key(&further)).unwrap().metadata.annotations[FENCE_ANNOTATION], fence, "{event:?}");
    }
}

#[test]
fn an_empty_slice_goes_if_nothing_is_in_its_range() {
    let (mut published, further) = (Published::default(), further());
    publish(&mut scheduler(&FIVE), &mut published);
    edit(&mut published, &further, |slice| slice.destinations.clear());
    let rows = published.get(&key("p")).unwrap().destinations.clone();
    let left: Vec<(&str, &str)> =
        FIVE.into_iter().filter(|(name, _)| rows.iter().any(|row| row.sync_target_name == *name)).collect();
    assert_eq!(publish(&mut scheduler(&left), &mut published), [(Verb::Delete, further)]);
}

// === Names ===

const FIVE: [(&str, &str); 5] = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")];

/// The name of the second slice of `p`, which has five destinations.
fn further() -> String {
    let mut writes = publish(&mut scheduler(&FIVE), &mut Published::default());
    writes.retain(|(_, name)| name != "p");
    writes.remove(0).1
}

#[test]
fn a_slice_leaves_a_name_to_a_placement_and_to_nobody_else() {
    let further = further();
    let (mut first, mut published) = (scheduler(&FIVE), Published::default());
    publish(&mut first, &mut published);
    published.insert_unreadable(key(&further.replace("p-", "q-")));
    assert_eq!(publish(&mut first, &mut published), [], "a name that only ends so");
    let mut published = Published::default();
    published.insert_unreadable(key(&further));
    let writes = publish(&mut scheduler(&FIVE), &mut published);
    assert!(writes.len() == 2 && !writes.contains(&(Verb::Create, further.clone())), "{writes:?}");
    // With nothing published, too.
    let mut both = placements(&["p", &further], &FIVE);
    let mut published = Published::default();
    publish(&mut both, &mut published);
    for name in ["p", &further] {
        let slices: Vec<_> = published.slices_of(&key(name)).map(|(name, _)| name).collect();
        assert!(slices.len() == 2 && slices.contains(&name), "{name}: {slices:?}");
    }
}

/// What was settled before is not looked at again, and nothing has been written since.
#[test]
fn a_slice_that_comes_later_leaves_a_name_that_is_taken() {
    let (mut published, further) = (Published::default(), further());
    published.insert_unreadable(key(&further));
    let mut scheduler = scheduler(&FOUR);
    scheduler.settle(&published);
    let _ = scheduler.apply(&sync_target("e", "5"));
    let writes = publish(&mut scheduler, &mut published);
    assert!(writes.len() == 2 && !writes.contains(&(Verb::Create, further)), "{writes:?}");
}

/// Somebody gave each of both slices what the other one should have, and one of a helper's name is left from an earlier time.
#[test]
fn a_helper_leaves_a_name_that_is_taken() {
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, name));
    let mut swapped = Published::default();
    publish(&mut scheduler(&eight), &mut swapped);
    let names: Vec<String> = swapped.iter().map(|(key, _)| key.name.clone()).collect();
    let destinations = |name: &String| swapped.get(&key(name)).unwrap().destinations.clone();
    let [first, second] = [destinations(&names[0]), destinations(&names[1])];
    edit(&mut swapped, &names[0], |slice| slice.destinations = second);
    edit(&mut swapped, &names[1], |slice| slice.destinations = first);
    let create = |writes: &[(Verb, String)]| {
        let mut creates: Vec<_> = writes.iter().filter(|(verb, _)| *verb == Verb::Create).cloned().collect();
        assert_eq!(creates.len(), 1, "{writes:?}");
        creates.remove(0).1
    };
    let helper = create(&publish(&mut scheduler(&eight), &mut swapped.clone()));
    let mut left = swapped.get(&key("p")).unwrap().clone();
    left.metadata.name.clone_from(&helper);
    left.destinations.clear();
    swapped.insert(left);
    let writes = publish(&mut scheduler(&eight), &mut swapped);
    assert!(create(&writes) != helper && writes.contains(&(Verb::Delete, helper)), "{writes:?}");
}

#[test]
fn a_name_is_free_again_when_its_placement_is_gone() {
    let further = further();
    let mut scheduler = placements(&["p", &further], &FIVE);
    let _ = scheduler.apply(&Event::EdgePlacement(key(&further), None));
    let writes = publish(&mut scheduler, &mut Published::default());
    assert_eq!(writes, [(Verb::Create, "p".into()), (Verb::Create, further)]);
}

#[test]
fn the_empty_slice_of_an_invalid_placement_tells_its_range_if_it_has_not_the_name() {
    let mut invalid = EdgePlacement::default();
    let requirement = LabelSelectorRequirement { key: "a".into(), operator: "in".into(), values: Vec::new() };
    let selector = LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() };
    invalid.spec.location_selectors.push(selector);
    for is_taken in [false, true] {
        let (mut scheduler, mut published) = (scheduler(&FOUR), Published::default());
        let _ = scheduler.apply(&Event::edge_placement(key("p"), invalid.clone()));
        if is_taken {
            published.insert_unreadable(key("p"));
        }
        let writes = publish(&mut scheduler, &mut published);
        assert_eq!((writes.len(), writes[0].1 == "p"), (1, !is_taken));
        let fence = published.get(&key(&writes[0].1)).unwrap().metadata.annotations.get(FENCE_ANNOTATION);
        assert_eq!(fence.map(String::as_str), is_taken.then_some("v1/1///"));
        // It is the first one once the EdgePlacement is valid.
        let _ = scheduler.apply(&placement("p"));
        assert_eq!(publish(&mut scheduler, &mut published), [(Verb::Replace, writes[0].1.clone())]);
    }
}

/// Does the writes as a server would: what is created must have a free name. Nothing that is wanted is missing meanwhile.
fn carry_out(names: &[&str], published: &mut Published) -> Vec<(Verb, String)> {
    let mut scheduler = placements(names, &FOUR);
    let writes = scheduler.plan(published);
    for write in &writes {
        let is_free = published.get(&write.key).is_none() && !published.is_foreign(&write.key);
        assert_eq!(is_free, write.verb == Verb::Create, "{write:?}");
        published.apply(write);
        for name in names {
            let rows = published.slices_of(&key(name)).map(|(_, slice)| slice.destinations.len());
            assert!(rows.sum::<usize>() >= 4, "{name} has lost something");
        }
    }
    assert!(scheduler.plan(published).is_empty());
    writes.into_iter().map(|write| (write.verb, write.key.name)).collect()
}

/// The slice of each has the name of the one before; that of the first has `last`.
fn shifted(names: &[&str], last: &str) -> Published {
    let mut right = Published::default();
    publish(&mut placements(names, &FOUR), &mut right);
    let names = [&[last], names].concat();
    let slices = names.windows(2).map(|pair| {
        let mut slice = right.get(&key(pair[1])).unwrap().clone();
        slice.metadata.name = pair[0].into();
        slice
    });
    slices.collect()
}

#[test]
fn slices_wait_for_a_name_until_another_placement_leaves_it() {
    let names = ["p", "q", "r", "s"];
    let deletes = |writes: &[(Verb, String)]| writes.iter().filter(|write| write.0 == Verb::Delete).count();
    let create = |name: &str| (Verb::Create, name.to_owned());
    // One name is free: all move on, one after the other.
    let writes = carry_out(&names, &mut shifted(&names, "o"));
    assert!(writes.len() == 8 && deletes(&writes) == 4, "{writes:?}");
    assert!(names.iter().all(|name| writes.contains(&create(name))));
    // None is free: a helper stands in for one.
    let writes = carry_out(&names, &mut shifted(&names, "s"));
    assert!(writes.len() == 10 && deletes(&writes) == 5, "{writes:?}");
    let helper = writes.iter().find(|(verb, name)| *verb == Verb::Create && !names.contains(&&**name)).unwrap();
    // Its name may be another's.
    let mut published = shifted(&names, "s");
    published.insert_unreadable(key(&helper.1));
    let writes = carry_out(&names, &mut published);
    assert!(writes.len() == 10 && !writes.contains(helper), "{writes:?}");
}

#[test]
fn names_that_others_have_now_count_whatever_was_listed_before() {
    let listed = |name: &str| -> Published {
        let mut slice = SinglePlacementSlice::default();
        slice.metadata.name = name.into();
        slice.metadata.annotations.insert("kcp.io/cluster".into(), "ws".into());
        [slice].into_iter().collect()
    };
    let mut scheduler = scheduler(&[]);
    assert_eq!(scheduler.plan(&listed("other"))[0].key, key("p"));
    let writes = scheduler.plan(&listed("p"));
    assert_eq!(writes, self::scheduler(&[]).plan(&listed("p")));
    assert_ne!(writes[0].key, key("p"));
}
