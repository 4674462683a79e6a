//! The scheduler against the oracle and a model server, write by write.

use edge_core::object::{LabelSelector, LabelSelectorRequirement, ObjectKey};
use edge_core::slices::FENCE_ANNOTATION;
use edge_core::testing::{Act, Change, IndexMachine, Instances, Mark, Op, SchedulerMachine, Script, Tags};
use proptest::prelude::*;

use crate::scripts::{Case, HASHES, cases, config};

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn slices_equal_oracle(case in cases(40, 60), hash in 0..HASHES.len(), max in prop::sample::select(&[1, 2, 3, 5, 8])) {
        SchedulerMachine::run(HASHES[hash], max, &case.script());
    }
}

proptest! {
    #![proptest_config(config(20))]

    /// As a fuzzer makes them up.
    #[test]
    fn any_bytes_are_a_script(bytes in prop::collection::vec(any::<u8>(), 0..1500), max in 1..9_usize) {
        let script = Script::decode(&bytes);
        IndexMachine::run(None, &script);
        SchedulerMachine::run(None, max, &script);
    }
}

proptest! {
    #![proptest_config(config(40))]

    /// Down to the order of writes, which the versions show.
    #[test]
    fn the_same_script_has_the_same_outcome(case in cases(40, 30), hash in 0..HASHES.len(), max in 1..6_usize) {
        let script = case.script();
        let [one, other] = [(); 2].map(|()| {
            let mut machine = SchedulerMachine::new(HASHES[hash], max);
            machine.step(&Op::Batch(script.start.clone()));
            script.ops.iter().for_each(|op| machine.step(op));
            machine
        });
        prop_assert!(one.server().published().iter().eq(other.server().published().iter()));
    }
}

/// `CASE='<hash>:<max>:<digits>' cargo test -p edge-core replay` runs the case at hand, as a failing test prints it.
#[test]
fn replay() {
    let given = std::env::var("CASE").ok();
    let case =
        given.as_deref().unwrap_or("1:2:0011223344556677.8899aabbccddeeff/0123456789abcdef.fedcba9876543210.0f1e2d3c");
    let [hash, max, digits] = case.splitn(3, ':').collect::<Vec<_>>().try_into().unwrap();
    SchedulerMachine::run(HASHES[hash.parse::<usize>().unwrap()], max.parse().unwrap(), &Case::read(digits).script());
}

proptest! {
    #![proptest_config(config(1))]

    /// Hundreds of destinations, in slices of tens.
    #[test]
    fn many_slices_equal_oracle(
        names in prop::collection::vec((0..220_u32, 0..6_u8), 250),
        max in prop::sample::select(&[7, 20, 64]),
    ) {
        let mut machine = mk_machine(max, 0);
        machine.step(&Op::Apply(put_location("some", "x")));
        machine.step(&Op::Apply(put_placement("b", LabelSelector::default())));
        let all = (0..220).step_by(2).map(|name| put_sync_target(&format!("s{name}"), name % 3 == 0));
        machine.step(&Op::Batch(all.collect()));
        let growing = names.iter().map(|&(name, how)| (name, how != 0));
        let shrinking = names.iter().map(|&(name, how)| (name, how == 0));
        for (name, exists) in growing.chain(shrinking) {
            let key = format!("s{name}");
            machine.step(&Op::Apply(match exists {
                true => put_sync_target(&key, name % 3 == 0),
                false => Change::DropSyncTarget { key: ObjectKey::new("k1", key) },
            }));
        }
    }
}

// === What once went wrong ===

fn put_sync_target(name: &str, labelled: bool) -> Change {
    let labels = labelled.then(|| ("a".to_owned(), "x".to_owned()));
    Change::PutSyncTarget { key: ObjectKey::new("k1", name), uid: 0, labels: Tags(labels.into_iter().collect()) }
}

/// It holds the SyncTargets with `a` of this value, or all.
fn put_location(name: &str, value: &str) -> Change {
    let mut selector = LabelSelector::default();
    if !value.is_empty() {
        selector.match_labels.insert("a".into(), value.into());
    }
    let instances = Instances::Matching(selector);
    Change::PutLocation { key: ObjectKey::new("k1", name), labels: Tags::default(), instances }
}

fn put_placement(name: &str, selector: LabelSelector) -> Change {
    Change::PutPlacement { key: ObjectKey::new("k1", name), uid: 0, selectors: vec![selector], deleting: false }
}

fn invalid() -> LabelSelector {
    let requirement = LabelSelectorRequirement { key: "a".into(), operator: "in".into(), values: Vec::new() };
    LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() }
}

/// The EdgePlacement `k1/a` has this many destinations.
fn mk_machine(max: usize, destinations: usize) -> SchedulerMachine {
    let mut machine = SchedulerMachine::new(None, max);
    let mut changes = vec![put_location("all", ""), put_placement("a", LabelSelector::default())];
    changes.extend((0..destinations).map(|i| put_sync_target(&format!("s{i}"), false)));
    machine.step(&Op::Batch(changes));
    machine
}

fn strangers(machine: &mut SchedulerMachine, acts: impl IntoIterator<Item = Act>) {
    machine.step(&Op::Strangers { acts: acts.into_iter().collect(), writes: None });
}

/// Where the slice that has this annotation stands among all.
fn nth(machine: &SchedulerMachine, fence: &str) -> u8 {
    let fences = machine.server().published().iter().map(|(_, slice)| slice.metadata.annotations.get(FENCE_ANNOTATION));
    fences.into_iter().position(|have| have.is_some_and(|have| have == fence)).unwrap().try_into().unwrap()
}

fn restart(acts: Vec<Act>) -> Op {
    Op::Restart { seed: 0, meanwhile: Vec::new(), acts, usurped: None, max: None, writes: None }
}

#[test]
fn the_name_of_an_invalid_placement_outranks_that_of_a_further_slice() {
    for selector in [invalid(), LabelSelector::default()] {
        let mut machine = mk_machine(1, 3);
        machine.step(&Op::Usurp { nth: 0, selectors: vec![selector] });
        machine.step(&restart(Vec::new()));
    }
}

#[test]
fn a_displaced_first_slice_is_adopted_under_whatever_name_it_has() {
    let mut machine = mk_machine(2, 1);
    strangers(&mut machine, [Act::Strip { nth: 0, mark: Mark::Both }]);
    let second = nth(&machine, "v1/1///");
    strangers(&mut machine, [Act::Strip { nth: second, mark: Mark::Both }]);
    nth(&machine, "v1/2///");
    // The better name is free again, but nobody moves for that.
    let second = nth(&machine, "v1/1///");
    strangers(&mut machine, [Act::Delete { nth: second }]);
    machine.step(&restart(Vec::new()));
    nth(&machine, "v1/2///");
}

#[test]
fn a_slice_gives_way_to_one_that_stays_where_it_is() {
    // The slices of `0` stay as they are. One of them turns up where one of `a` was.
    let mut machine = mk_machine(1, 3);
    machine.step(&Op::Apply(put_placement("0", invalid())));
    for first in [1, 2] {
        strangers(&mut machine, [Act::Delete { nth: first }, Act::Copy { nth: 0, to: 0 }]);
        machine.step(&restart(Vec::new()));
    }
    assert_eq!(machine.server().free_names().count(), 0);
}

#[test]
fn a_further_slice_that_is_empty_goes_even_if_it_is_published_so() {
    let mut machine = mk_machine(1, 2);
    let nothing = LabelSelector { match_labels: [("a".to_owned(), "x".to_owned())].into(), ..LabelSelector::default() };
    machine.step(&Op::Apply(put_placement("b", nothing)));
    assert_eq!(machine.server().published().iter().count(), 3);
    // The slices are `a`, a further one, and the empty `b`.
    let gone = |name: &str| Change::DropSyncTarget { key: ObjectKey::new("k1", name) };
    let meanwhile = vec![gone("s0"), gone("s1")];
    let acts = vec![Act::Swap { nth: 1 }];
    machine.step(&Op::Restart { seed: 0, meanwhile, acts, usurped: None, max: None, writes: None });
    assert_eq!(machine.server().published().iter().count(), 2);
}

#[test]
fn a_helper_takes_a_free_name() {
    // Two full slices change places: neither has room for what the other drops.
    let mut machine = mk_machine(2, 4);
    let slices = machine.server().published().iter().map(|(_, slice)| slice.destinations.len());
    assert_eq!(slices.collect::<Vec<_>>(), [2, 2]);
    strangers(&mut machine, [Act::Swap { nth: 0 }]);
    assert_eq!(machine.server().free_names().count(), 1, "a helper was there");
    strangers(&mut machine, [Act::Squat { nth: 0 }]);
    strangers(&mut machine, [Act::Swap { nth: 0 }]);
}
