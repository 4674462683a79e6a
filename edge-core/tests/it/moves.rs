//! What a slice drops and another one is to have: who waits for whom, and what is done if that one is refused.

use std::collections::BTreeSet;

use edge_core::event::Event;
use edge_core::object::CLUSTER_ANNOTATION;
use edge_core::publisher::{Action, Failure, Outcome, Request, Seen, Time};
use edge_core::slices::{Digest, Verb, Write};

use crate::table::{Table, key, names};

/// The second slice of `p`.
const SECOND: &str = "p-3d4269bf31fe54df";

impl Table {
    /// The first slice is full: `a` to `d`.
    fn full() -> Self {
        let mut table = Self::with_max(4);
        ["b", "c", "d"].iter().for_each(|name| table.sync_target(name));
        let mut table = table.open();
        assert_eq!(table.succeed().destinations.len(), 4);
        table.at_rest();
        table
    }

    /// There is one more destination, and the server refuses the slice for it.
    fn refused() -> Self {
        let mut table = Self::full();
        table.sync_target("f");
        let (request, write) = table.write();
        assert_eq!((write.verb, names(&write)), (Verb::Create, ["b", "f"].map(String::from).to_vec()));
        table.refuse(&request);
        table
    }

    fn gone(&mut self, name: &str) {
        self.publisher.apply(&Event::SyncTarget(key(name), None), self.now);
    }

    fn done(&mut self, request: &Request, write: &Write) {
        let outcome = if write.verb == Verb::Delete { Outcome::Deleted } else { Outcome::Slice(self.stored(write)) };
        self.publisher.complete(request.id, outcome, self.now);
    }

    #[track_caller]
    fn refuse(&mut self, request: &Request) {
        self.fail(request, Failure::Rejected("exceeded quota".into()));
    }

    /// Does the next write, which is this one.
    #[track_caller]
    fn expect(&mut self, verb: Verb, name: &str, destinations: &[&str]) {
        let (request, write) = self.write();
        assert_eq!(
            (write.verb, &*write.key.name, names(&write)),
            (verb, name, destinations.iter().map(ToString::to_string).collect())
        );
        self.done(&request, &write);
    }
}

#[test]
fn a_slice_goes_on_when_the_one_that_it_waits_for_has_what_it_drops() {
    let mut table = Table::full();
    ["e", "f"].iter().for_each(|name| table.sync_target(name));
    assert_eq!(table.succeed_all().len(), 2);
    // The first slice is cut in two, and the second one is slow.
    ["g", "i"].iter().for_each(|name| table.sync_target(name));
    table.gone("f");
    let (first, second) = (table.write(), table.write());
    let (create, replace) = if first.1.verb == Verb::Create { (first, second) } else { (second, first) };
    assert_eq!((create.1.verb, replace.1.verb, &*replace.1.key.name), (Verb::Create, Verb::Replace, SECOND));
    assert_eq!(table.poll(), None, "the first slice waits");
    table.done(&create.0, &create.1);
    let (_, write) = table.write();
    assert_eq!((write.verb, &*write.key.name), (Verb::Replace, "p"));
}

#[test]
fn nothing_is_written_if_the_slice_that_is_refused_is_all_that_is_missing() {
    let mut table = Table::refused();
    assert_eq!(table.poll(), None);
}

#[test]
fn what_a_refused_slice_should_have_stays_where_it_is_if_it_fits() {
    let mut table = Table::full();
    table.sync_target("e");
    let (request, write) = table.write();
    assert_eq!(
        (write.verb, &*write.key.name, names(&write)),
        (Verb::Create, SECOND, ["a", "b"].map(String::from).to_vec())
    );
    table.gone("c");
    table.refuse(&request);
    table.expect(Verb::Replace, "p", &["a", "b", "d", "e"]);
    assert_eq!(table.poll(), None);
}

#[test]
fn what_a_refused_slice_should_have_is_held_by_a_helper_if_it_does_not_fit() {
    let mut table = Table::full();
    table.sync_target("e");
    let (request, _) = table.write();
    table.refuse(&request);
    let (request, helper) = table.write();
    assert_eq!((helper.verb, names(&helper)), (Verb::Create, ["a", "b"].map(String::from).to_vec()));
    table.done(&request, &helper);
    table.expect(Verb::Replace, "p", &["c", "d", "e"]);
    table.wait();
    table.expect(Verb::Create, SECOND, &["a", "b"]);
    table.expect(Verb::Delete, &helper.key.name, &[]);
    table.at_rest();
}

/// It is the turn of another EdgePlacement when the refusal is known, and then there is something else to be tried.
#[test]
fn there_is_no_helper_while_the_slice_that_is_waited_for_is_under_way() {
    let mut table = Table::with_max(4);
    ["b", "c", "d"].iter().for_each(|name| table.sync_target(name));
    table.placement("q", "uid-q", 1);
    let mut table = table.open();
    assert_eq!(table.succeed_all().len(), 2);
    table.sync_target("e");
    let (refused, _) = table.write();
    let (request, other) = table.write();
    table.refuse(&refused);
    table.done(&request, &other);
    let (_, write) = table.write();
    assert_eq!((write.verb, &*write.key.name), (Verb::Replace, "q"));
    table.sync_target("f");
    let (request, write) = table.write();
    let destinations = ["a", "b", "f"].map(String::from).to_vec();
    assert_eq!((write.verb, &*write.key.name, names(&write)), (Verb::Create, SECOND, destinations.clone()));
    let (_, other) = table.write();
    assert_eq!((other.verb, names(&other)), (Verb::Replace, destinations));
    assert_eq!(table.poll(), None, "the first slice waits");
    table.done(&request, &write);
    table.expect(Verb::Replace, "p", &["c", "d", "e"]);
}

/// What refuses the slice refuses the helper, too.
#[test]
fn a_helper_that_fails_is_tried_later_and_later() {
    let busy = Failure::Busy(Some(Time::from_secs(7)));
    for failure in [Failure::Rejected("policy".into()), Failure::NotDone("503".into()), busy] {
        let mut table = Table::full();
        table.sync_target("e");
        let (request, _) = table.write();
        table.refuse(&request);
        let (mut helpers, mut waits, mut last) = (BTreeSet::new(), Vec::new(), table.now);
        while waits.len() < 12 {
            let request = table.next();
            let Action::Write(write) = &request.action else { panic!("{:?}", request.action) };
            assert_eq!((write.verb, names(write)), (Verb::Create, ["a", "b"].map(String::from).to_vec()));
            if write.key.name == SECOND {
                table.refuse(&request);
                continue;
            }
            helpers.insert(write.key.clone());
            table.fail(&request, failure.clone());
            assert_eq!(table.poll(), None, "{failure:?}: not at once");
            waits.push(table.now - last);
            last = table.now;
        }
        let longest = waits.iter().max().unwrap();
        assert!(*longest > Time::from_secs(5), "{failure:?}: {waits:?}");
        assert_eq!(helpers.len(), 1, "{failure:?}");
    }
}

/// As long as nothing may be created there is one helper that waits.
#[test]
fn a_helper_that_may_not_be_created_keeps_its_name() {
    let helper = |forbidden: usize| {
        let mut table = Table::full();
        table.sync_target("e");
        for _ in 0..forbidden {
            let request = table.next();
            table.fail(&request, Failure::Forbidden("no such right".into()));
            assert_eq!(table.poll(), None);
        }
        let request = table.next();
        table.refuse(&request);
        let (_, write) = table.write();
        assert_ne!(write.key.name, SECOND);
        write.key
    };
    assert_eq!(helper(10), helper(0));
}

/// Others have what is wanted of it when they are written, not before.
#[test]
fn a_slice_that_is_to_go_stays_until_the_others_are_written() {
    let mut table = Table::new().open();
    let mut other = table.succeed();
    table.at_rest();
    table.sync_target("b");
    let name = key("p-by-hand");
    other.metadata.name.clone_from(&name.name);
    other.metadata.annotations.retain(|name, _| name == CLUSTER_ANNOTATION);
    other.metadata.uid = "by-hand".into();
    other.destinations[0].sync_target_name = "b".into();
    let digest = Digest::of(other.destinations.iter().map(Into::into));
    table.publisher.observe_slice(&name, Seen::Thin(other.metadata, digest), table.now);
    let (request, write) = table.write();
    assert_eq!((&*write.key.name, names(&write)), ("p", ["a", "b"].map(String::from).to_vec()));
    assert_eq!(table.poll(), None);
    table.done(&request, &write);
    table.expect(Verb::Delete, "p-by-hand", &[]);
}

/// Nothing is left of a slice that was refused and is not needed any more.
#[test]
fn a_refused_slice_that_is_not_needed_any_more_is_forgotten() {
    let mut table = Table::refused();
    assert_eq!(table.poll(), None);
    assert_eq!(table.publisher.obstacles().len(), 1);
    ["b", "f"].iter().for_each(|name| table.gone(name));
    table.expect(Verb::Replace, "p", &["a", "c", "d"]);
    table.at_rest();
    assert_eq!(table.publisher.obstacles(), []);
}

/// Somebody moved a destination from one slice to the other.
#[test]
fn what_the_watch_tells_of_a_write_counts_before_its_answer_comes() {
    let mut table = Table::full();
    ["e", "f"].iter().for_each(|name| table.sync_target(name));
    let mut slices = table.succeed_all();
    slices.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let [mut first, mut second] = <[_; 2]>::try_from(slices).unwrap();
    let at = second.destinations.iter().position(|row| row.sync_target_name == "a").unwrap();
    first.destinations.push(second.destinations.remove(at));
    first.destinations.sort_unstable();
    for slice in [&mut first, &mut second] {
        table.version += 1;
        slice.metadata.resource_version = table.version.to_string();
        table.publisher.observe_slice(&key(&slice.metadata.name), Seen::Object(slice.clone()), table.now);
    }
    let (_, write) = table.write();
    assert_eq!((&*write.key.name, names(&write)), (SECOND, ["a", "b", "f"].map(String::from).to_vec()));
    assert_eq!(table.poll(), None, "the first slice waits");
    let stored = table.stored(&write);
    let digest = Digest::of(stored.destinations.iter().map(Into::into));
    table.publisher.observe_slice(&write.key, Seen::Thin(stored.metadata, digest), table.now);
    table.expect(Verb::Replace, "p", &["c", "d", "e"]);
}

/// `a` and `b` are wanted, and the server refuses all slices that are to have them; these destinations are in one that no
/// layout knows.
fn by_hand(max: usize, destinations: &[&str]) -> Table {
    made_by_hand("p-by-hand", max, destinations)
}

/// The same for a slice of this name; `q` is one that another EdgePlacement wants.
fn made_by_hand(name: &str, max: usize, destinations: &[&str]) -> Table {
    let mut model = Table::with_max(1000);
    destinations.iter().for_each(|name| model.sync_target(name));
    let mut other = model.open().succeed();
    let mut first = other.clone();
    first.destinations.clear();
    other.destinations.retain(|row| destinations.contains(&&*row.sync_target_name));
    other.metadata.name = name.into();
    other.metadata.annotations.retain(|name, _| name == CLUSTER_ANNOTATION);
    other.metadata.uid = "by-hand".into();
    let mut table = Table { version: 100, ..Table::with_max(max) };
    table.publisher.observe_slice(&key("p"), Seen::Object(first), table.now);
    table.publisher.observe_slice(&key(name), Seen::Object(other.clone()), table.now);
    table.sync_target("b");
    if name == "q" {
        table.placement(name, "uid-q", 1);
    }
    let mut table = table.open();
    loop {
        let request = table.poll().unwrap();
        if request.action == Action::ReadSlice(key(name)) {
            table.publisher.complete(request.id, Outcome::Slice(other), table.now);
            return table;
        }
        table.refuse(&request);
    }
}

fn is_read(request: &Request) -> bool {
    matches!(request.action, Action::ReadSlice(_))
}

#[test]
fn a_slice_that_is_to_go_keeps_all_that_is_wanted_of_it_and_nothing_else() {
    let mut table = by_hand(2, &["a", "b", "z"]);
    table.expect(Verb::Replace, "p-by-hand", &["a", "b"]);
    assert!(table.poll().is_none_or(|request| is_read(&request)));
}

/// It was written under a higher maximum: above this one it may only shrink.
#[test]
fn a_slice_that_is_to_go_and_is_too_full_loses_what_nobody_wants_and_keeps_the_rest() {
    let mut table = by_hand(1, &["a", "b", "z"]);
    table.expect(Verb::Replace, "p-by-hand", &["a", "b"]);
    assert!(table.poll().is_none_or(|request| is_read(&request)));
}

/// It does not wait for the slice that is refused.
#[test]
fn a_slice_that_has_nothing_that_is_wanted_goes_at_once() {
    let mut table = by_hand(2, &["z"]);
    table.expect(Verb::Delete, "p-by-hand", &[]);
}

/// It would not go sooner.
#[test]
fn a_slice_that_is_to_go_and_may_not_be_written_gets_no_helper() {
    let mut table = by_hand(2, &["a", "b", "z"]);
    let (request, write) = table.write();
    assert_eq!((write.verb, &*write.key.name), (Verb::Replace, "p-by-hand"));
    table.fail(&request, Failure::Forbidden("may not update".into()));
    assert_eq!(table.poll(), None);
}

#[test]
fn a_slice_whose_name_another_placement_wants_goes_when_a_helper_has_what_is_wanted_of_it() {
    let mut table = made_by_hand("q", 2, &["a", "b"]);
    let (request, helper) = table.write();
    assert_eq!((helper.verb, names(&helper)), (Verb::Create, ["a", "b"].map(String::from).to_vec()));
    table.done(&request, &helper);
    table.expect(Verb::Delete, "q", &[]);
    table.expect(Verb::Create, "q", &["a", "b"]);
}

/// The first slice has `a` and may not have `b`.
#[test]
fn a_slice_that_is_to_go_keeps_also_what_is_wanted_of_it_and_others_have() {
    for max in [2, 3] {
        let mut table = Table::with_max(max).open();
        let mut other = table.succeed();
        table.at_rest();
        table.sync_target("b");
        let (request, _) = table.write();
        table.refuse(&request);
        for name in ["b", "z"] {
            other.destinations.push(other.destinations[0].clone());
            other.destinations.last_mut().unwrap().sync_target_name = name.into();
        }
        other.metadata.annotations.retain(|name, _| name == CLUSTER_ANNOTATION);
        (other.metadata.name, other.metadata.uid) = ("p-by-hand".into(), "by-hand".into());
        table.publisher.observe_slice(&key("p-by-hand"), Seen::Object(other), table.now);
        table.expect(Verb::Replace, "p-by-hand", &["a", "b"]);
    }
}
