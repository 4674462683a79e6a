use std::time::Duration;

use edge_core::object::{Kind, ObjectKey};
use tokio::time::Instant;

use super::Inventory;
use crate::scheduler::backend::SourceId;

const A: SourceId = SourceId(1);
const B: SourceId = SourceId(2);
const KIND: Kind = Kind::SyncTarget;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("c", name)
}

fn names(mut keys: Vec<ObjectKey>) -> Vec<String> {
    keys.sort();
    keys.into_iter().map(|key| key.name).collect()
}

/// `source` lists `shown`; returns what is gone.
fn list(inventory: &mut Inventory, source: SourceId, shown: &[&str]) -> Vec<String> {
    inventory.begin(source, KIND, Instant::now());
    for name in shown {
        assert!(inventory.see(source, KIND, &key(name)));
    }
    names(inventory.end(source, KIND).unwrap().1)
}

fn with(sources: &[SourceId]) -> Inventory {
    let mut inventory = Inventory::default();
    for &source in sources {
        inventory.add(source, &[KIND, Kind::SinglePlacementSlice]);
    }
    inventory
}

#[test]
fn what_a_list_does_not_show_is_gone() {
    let mut inventory = with(&[A]);
    assert_eq!(list(&mut inventory, A, &["x", "y"]), [""; 0]);
    assert_eq!(inventory.count(KIND), 2);
    assert_eq!(list(&mut inventory, A, &["y", "z"]), ["x"]);
    assert_eq!(list(&mut inventory, A, &[]), ["y", "z"]);
    assert_eq!(inventory.count(KIND), 0);
}

#[test]
fn an_interrupted_list_loses_nothing() {
    let mut inventory = with(&[A]);
    let _ = list(&mut inventory, A, &["x", "y"]);
    inventory.begin(A, KIND, Instant::now());
    assert!(inventory.see(A, KIND, &key("x")));
    // It starts over; x was deleted meanwhile, though the first attempt had shown it.
    assert_eq!(list(&mut inventory, A, &["y"]), ["x"]);
}

#[test]
fn what_a_watch_shows_between_lists_counts() {
    let mut inventory = with(&[A]);
    let _ = list(&mut inventory, A, &["x"]);
    assert!(inventory.see(A, KIND, &key("w")));
    assert!(inventory.forget(A, KIND, &key("x")));
    assert_eq!(list(&mut inventory, A, &[]), ["w"]);
}

#[test]
fn the_end_of_a_list_that_never_began_proves_nothing() {
    let mut inventory = with(&[A]);
    let _ = list(&mut inventory, A, &["x"]);
    assert_eq!(inventory.end(A, KIND), None);
    assert_eq!(inventory.count(KIND), 1);
}

#[test]
fn what_another_source_shows_is_not_gone() {
    let mut inventory = with(&[A, B]);
    let _ = list(&mut inventory, A, &["x", "y"]);
    let _ = list(&mut inventory, B, &["x"]);
    assert!(!inventory.forget(A, KIND, &key("x")));
    assert!(inventory.see(A, KIND, &key("x")));
    assert_eq!(list(&mut inventory, A, &[]), ["y"]);
    assert_eq!(inventory.remove(B), [(KIND, key("x"))]);
}

#[test]
fn a_removed_source_has_no_say() {
    let mut inventory = with(&[A]);
    let _ = list(&mut inventory, A, &["x"]);
    assert_eq!(inventory.remove(A), [(KIND, key("x"))]);
    assert!(!inventory.see(A, KIND, &key("x")));
    assert!(!inventory.forget(A, KIND, &key("x")));
    assert_eq!(inventory.end(A, KIND), None);
}

#[test]
fn a_written_slice_that_no_list_shows_is_gone() {
    let slice = Kind::SinglePlacementSlice;
    let mut inventory = with(&[A, B]);
    inventory.begin(B, slice, Instant::now());
    assert!(inventory.see(B, slice, &key("p")));
    assert!(inventory.end(B, slice).unwrap().1.is_empty());
    inventory.wrote(&key("p-1"));
    inventory.begin(B, slice, Instant::now());
    // Written while the list goes on: the list may be older.
    inventory.wrote(&key("p-2"));
    assert!(inventory.see(B, slice, &key("p")));
    assert_eq!(names(inventory.end(B, slice).unwrap().1), ["p-1"]);
    assert_eq!(inventory.count(slice), 2);
}

#[test]
fn a_slice_that_came_and_went_before_its_answer_is_gone() {
    let slice = Kind::SinglePlacementSlice;
    let mut inventory = with(&[A]);
    let end = |inventory: &mut Inventory| names(inventory.end(A, slice).unwrap().1);
    inventory.begin(A, slice, Instant::now());
    assert!(end(&mut inventory).is_empty());
    inventory.sends(&key("p"));
    inventory.sends(&key("q"));
    assert_eq!(inventory.count(slice), 0, "it may never be");
    inventory.begin(A, slice, Instant::now());
    inventory.wrote(&key("p"));
    // Sent while the list goes on: the list may be older.
    inventory.sends(&key("r"));
    let mut gone = end(&mut inventory);
    gone.sort_unstable();
    assert_eq!(gone, ["p", "q"]);
    assert!(inventory.see(A, slice, &key("r")));
    inventory.wrote(&key("r"));
    inventory.begin(A, slice, Instant::now());
    assert_eq!(end(&mut inventory), ["r"]);
    inventory.sends(&key("s"));
    assert_eq!(inventory.remove(A), [(slice, key("s"))]);
}

#[test]
fn a_list_is_as_new_as_its_begin() {
    let mut inventory = with(&[A]);
    let unlisted = |inventory: &Inventory, since| inventory.unlisted(since).collect::<Vec<_>>();
    assert_eq!(unlisted(&inventory, None), [(A, KIND), (A, Kind::SinglePlacementSlice)]);
    let _ = list(&mut inventory, A, &[]);
    assert_eq!(unlisted(&inventory, None), [(A, Kind::SinglePlacementSlice)]);
    inventory.begin(A, Kind::SinglePlacementSlice, Instant::now());
    let since = Some(Instant::now() + Duration::from_secs(1));
    // It began before, though it ends after.
    let _ = inventory.end(A, Kind::SinglePlacementSlice);
    assert_eq!(unlisted(&inventory, None), []);
    assert_eq!(unlisted(&inventory, since), [(A, KIND), (A, Kind::SinglePlacementSlice)]);
    inventory.begin(A, KIND, Instant::now() + Duration::from_secs(2));
    let _ = inventory.end(A, KIND);
    assert_eq!(unlisted(&inventory, since), [(A, Kind::SinglePlacementSlice)]);
}

#[test]
fn a_failing_watch_is_cleared_by_a_list_or_by_going_on() {
    let mut inventory = with(&[A]);
    let reasons = |inventory: &Inventory| inventory.failing().count();
    inventory.set_failing(A, KIND, Some("away".into()));
    assert_eq!(reasons(&inventory), 1);
    inventory.begin(A, KIND, Instant::now());
    assert_eq!(reasons(&inventory), 1, "it has to come to its end");
    let _ = inventory.end(A, KIND);
    assert_eq!(reasons(&inventory), 0);
    inventory.set_failing(A, KIND, Some("away".into()));
    inventory.set_failing(A, KIND, None);
    assert_eq!(reasons(&inventory), 0);
}
