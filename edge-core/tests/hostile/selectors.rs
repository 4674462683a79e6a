//! Selectors and label sets as large as an object can be.

use edge_core::event::Event;
use edge_core::object::{EdgePlacement, LabelSelector, ObjectKey};
use edge_core::scheduler::Scheduler;
use edge_core::selector::Selector;

use crate::cost::{Cost, alone};
use crate::{LARGEST, bare, everywhere, expression, location, scheduler, sync_target};

const MANY: usize = 10_000;

/// Ten thousand expressions over as many keys.
fn each(operator: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_expressions: (0..MANY).map(|i| expression(format!("k{i}"), operator, &[value.into()])).collect(),
        ..LabelSelector::default()
    }
}

fn labels(value: &'static str) -> impl Iterator<Item = (String, String)> {
    (0..MANY).map(move |i| (format!("k{i}"), value.to_string()))
}

/// Ten thousand expressions against an object with as many labels, both ways round.
#[test]
fn selectors_of_ten_thousand_expressions() {
    let _alone = alone();
    let mut events = vec![sync_target("c", "x", labels("x")), bare("c", "bare")];
    // Without an expression that needs a label, every object of the cluster is a candidate.
    events.extend((0..20).map(|i| location("c", &format!("none{i}"), each("NotIn", "x"))));
    events.extend((0..20).map(|i| location("c", &format!("all{i}"), each("In", "x"))));
    events.push(everywhere("c", "everywhere"));
    // Equal selectors are kept once: it is two of them, and the labels, whatever the number of Locations.
    let (mut scheduler, cost) = Cost::of(|| scheduler(1000, &events));
    cost.is_at_most("forty Locations of ten thousand expressions", 320 * MANY, 1_800 * MANY);
    let placement = ObjectKey::new("c", "everywhere");
    let holders = |scheduler: &Scheduler, sync_target: &str| {
        let rows = scheduler.index().destinations(&placement).unwrap();
        let rows = rows.filter(|row| row.sync_target_name == sync_target);
        rows.map(|row| row.location_name.to_string()).collect::<Vec<_>>()
    };
    let all = holders(&scheduler, "x");
    assert!(all.len() == 20 && all.iter().all(|name| name.starts_with("all")));
    let none = holders(&scheduler, "bare");
    assert!(none.len() == 20 && none.iter().all(|name| name.starts_with("none")));
    // Others of the cluster do not pay in memory for selectors that are large.
    let (_, cost) = Cost::of(|| scheduler.apply(&bare("c", "another")).rows().count());
    cost.is_at_most("one more SyncTarget", 500, 1_500);
    // One label more or less changes what it changes, and no more.
    let fewer = sync_target("c", "x", labels("x").skip(1));
    let (rows, cost) = Cost::of(|| scheduler.apply(&fewer).rows().count());
    assert_eq!(rows, 20);
    cost.is_at_most("one label less of ten thousand", 0, 32 * MANY);
}

#[test]
fn ten_thousand_expressions_over_one_key() {
    let _alone = alone();
    let selector = |operator: &str, count: usize| LabelSelector {
        match_expressions: (0..count).map(|i| expression("k".into(), operator, &[format!("v{i}")])).collect(),
        ..LabelSelector::default()
    };
    // One requirement is left, of as many values.
    let not_in = selector("NotIn", MANY);
    let (compiled, cost) = Cost::of(|| Selector::compile(&not_in, "s").unwrap());
    assert_eq!(compiled.requirements().len(), 1);
    cost.is_at_most("ten thousand times NotIn", 40 * MANY, 80 * MANY);
    // They contradict each other. What had been asked for before is not copied ten thousand times.
    let within = selector("In", MANY);
    let (compiled, cost) = Cost::of(|| Selector::compile(&within, "s").unwrap());
    assert_eq!(compiled.contradiction(), Some("k"));
    cost.is_at_most("ten thousand times In", 10, 280 * MANY);
}

/// Each expression is wrong: what is said about it is in proportion to what is wrong.
#[test]
fn ten_thousand_errors() {
    let _alone = alone();
    let wrong = each("in", "x");
    let (invalid, cost) = Cost::of(|| Selector::compile(&wrong, "spec.instanceSelector").unwrap_err());
    assert_eq!(invalid.errors().len(), MANY);
    cost.is_at_most("ten thousand errors", 390 * MANY, 390 * MANY);
}

/// 1.5 MiB of labels on one object, of values in one expression, and of selectors in one EdgePlacement.
#[test]
fn objects_of_the_largest_size() {
    let _alone = alone();
    let long = |i: usize| format!("{i:x>63}");
    let count = LARGEST / 66;
    let labels = (0..count / 2).map(|i| (long(i), long(i)));
    let values: Vec<String> = (0..count).map(long).collect();
    let within = |values: &[String]| LabelSelector {
        match_expressions: vec![expression(long(7), "In", values)],
        ..LabelSelector::default()
    };
    let mut many = EdgePlacement::default();
    let one = |i: usize| LabelSelector {
        match_expressions: vec![expression(format!("k{i}"), "DoesNotExist", &[])],
        ..LabelSelector::default()
    };
    many.spec.location_selectors = (0..LARGEST / 60).map(one).collect();
    let placement = ObjectKey::new("c", "many");
    let events = [
        sync_target("c", "large", labels),
        location("c", "in", within(&values)),
        location("c", "out", within(&values[8..])),
        Event::edge_placement(placement.clone(), many),
    ];
    let (scheduler, cost) = Cost::of(|| scheduler(1000, &events));
    cost.is_at_most("four objects of the largest size", 12 * LARGEST, 16 * LARGEST);
    let rows: Vec<_> = scheduler.index().destinations(&placement).unwrap().map(|row| row.location_name).collect();
    assert_eq!(rows, ["in"]);
}
