//! Objects that somebody made to be costly, as large as an API server takes them (1.5 MiB).
//!
//! Nothing here is timed. Where a step were quadratic in what is hostile, a test would take hours instead of seconds; what
//! grows is counted.

use edge_core::event::Event;
use edge_core::object::{
    EdgePlacement, LabelSelector, LabelSelectorRequirement, Location, ObjectKey, ResourceRef, SyncTarget,
};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::selector::{Selector, validate_name};
use edge_core::slices::{Published, SOURCE_PLACEMENT};

fn expression(key: String, operator: &str, values: &[String]) -> LabelSelectorRequirement {
    LabelSelectorRequirement { key, operator: operator.into(), values: values.to_vec() }
}

fn sync_target(cluster: &str, name: &str, labels: impl Iterator<Item = (String, String)>) -> Event {
    let mut object = SyncTarget::default();
    object.metadata.uid = format!("{cluster}-{name}");
    object.metadata.labels = labels.collect();
    Event::sync_target(ObjectKey::new(cluster, name), object)
}

fn location(cluster: &str, name: &str, selector: LabelSelector) -> Event {
    let mut object = Location::default();
    object.spec.resource =
        Some(ResourceRef { group: None, version: "v1alpha1".into(), resource: "synctargets".into() });
    object.spec.instance_selector = Some(selector);
    Event::location(ObjectKey::new(cluster, name), object)
}

fn everywhere(cluster: &str, name: &str) -> Event {
    let mut object = EdgePlacement::default();
    object.metadata.uid = format!("{cluster}-{name}");
    object.spec.location_selectors.push(LabelSelector::default());
    Event::edge_placement(ObjectKey::new(cluster, name), object)
}

fn scheduler(max: usize, events: &[Event]) -> Scheduler {
    let mut scheduler = Scheduler::new(Options::default().with_max_destinations_per_slice(max).unwrap());
    scheduler.apply_batch(events);
    scheduler
}

fn publish(scheduler: &mut Scheduler) -> Published {
    let mut published = Published::default();
    for write in scheduler.plan(&published) {
        published.apply(&write);
    }
    assert!(scheduler.plan(&published).is_empty());
    published
}

/// Ten thousand expressions over as many keys, against an object with as many labels, both ways round.
#[test]
fn selectors_of_ten_thousand_expressions() {
    let key = |i: usize| format!("k{i}");
    let each = |operator: &str, value: &str| LabelSelector {
        match_expressions: (0..10_000).map(|i| expression(key(i), operator, &[value.into()])).collect(),
        ..LabelSelector::default()
    };
    let labels = |value: &'static str| (0..10_000).map(move |i| (format!("k{i}"), value.to_string()));
    let mut events = vec![sync_target("c", "x", labels("x")), sync_target("c", "bare", std::iter::empty())];
    // Without an expression that needs a label, every object of the cluster is a candidate.
    events.extend((0..20).map(|i| location("c", &format!("none{i}"), each("NotIn", "x"))));
    events.extend((0..20).map(|i| location("c", &format!("all{i}"), each("In", "x"))));
    events.push(everywhere("c", "everywhere"));
    let mut scheduler = scheduler(1000, &events);
    let placement = ObjectKey::new("c", "everywhere");
    let holders = |scheduler: &Scheduler, sync_target: &str| {
        let rows = scheduler.index().destinations(&placement).unwrap();
        rows.filter(|row| row.sync_target_name == sync_target)
            .map(|row| row.location_name.to_string())
            .collect::<Vec<_>>()
    };
    assert!(
        holders(&scheduler, "x").len() == 20 && holders(&scheduler, "x").iter().all(|name| name.starts_with("all"))
    );
    assert!(holders(&scheduler, "bare").iter().all(|name| name.starts_with("none")));
    // One label more or less changes what it changes, and no more.
    let fewer = sync_target("c", "x", labels("x").skip(1));
    assert_eq!(scheduler.apply(&fewer).rows().count(), 20);
    // One key, ten thousand times: one requirement is left.
    let same: Vec<_> = (0..10_000).map(|i| expression("k".into(), "NotIn", &[format!("v{i}")])).collect();
    let compiled =
        Selector::compile(&LabelSelector { match_expressions: same, ..LabelSelector::default() }, "s").unwrap();
    assert_eq!(compiled.requirements().len(), 1);
}

/// 1.5 MiB of labels on one object, of values in one expression, and of selectors in one EdgePlacement.
#[test]
fn objects_of_the_largest_size() {
    const SIZE: usize = 3 << 19;
    let long = |i: usize| format!("{i:x>63}");
    let count = SIZE / 66;
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
    many.spec.location_selectors = (0..SIZE / 60).map(one).collect();
    let placement = ObjectKey::new("c", "many");
    let events = [
        sync_target("c", "large", labels),
        location("c", "in", within(&values)),
        location("c", "out", within(&values[8..])),
        Event::edge_placement(placement.clone(), many),
    ];
    let scheduler = scheduler(1000, &events);
    let rows: Vec<_> = scheduler.index().destinations(&placement).unwrap().map(|row| row.location_name).collect();
    assert_eq!(rows, ["in"]);
}

/// Names of 253 characters that are the same for the first 200: slices, labels and owners are still told apart.
#[test]
fn names_that_differ_at_the_end() {
    let name = |i: usize| format!("{}{i:053}", "n".repeat(200));
    let names: Vec<String> = (0..8).map(name).collect();
    assert!(names.iter().all(|name| name.len() == 253 && validate_name(name).is_ok()));
    let mut events: Vec<Event> = names.iter().map(|name| everywhere("c", name)).collect();
    events.extend(names.iter().map(|name| sync_target("c", name, std::iter::empty())));
    events.extend(names.iter().map(|name| location("c", name, LabelSelector::default())));
    let mut first = scheduler(5, &events);
    let published = publish(&mut first);
    let slices: Vec<_> = published.iter().map(|(_, slice)| slice).collect();
    assert!(slices.len() >= 8 * 64 / 5 && slices.len() <= 8 * (4 * 64 / 5 + 1), "{}", slices.len());
    for name in &names {
        let own = published.slices_of(&ObjectKey::new("c", name.as_str()));
        assert_eq!(own.map(|(_, slice)| slice.destinations.len()).sum::<usize>(), 64, "all of {name}");
    }
    for slice in slices {
        assert!(validate_name(&slice.metadata.name).is_ok());
        assert!(slice.metadata.labels[SOURCE_PLACEMENT].len() <= 63);
    }
    assert!(scheduler(5, &events).plan(&published).is_empty(), "a restart writes nothing");
}

/// Signatures have 64 bits: objects with so many labels that all are set pass every filter, and are matched rightly.
#[test]
fn labels_that_set_every_bit_of_the_signature() {
    let full = || (0..400).map(|i| (format!("k{i}"), format!("v{i}")));
    let mut events: Vec<Event> = (0..200).map(|i| sync_target("c", &format!("s{i}"), full().skip(i))).collect();
    let asks = |i: usize| LabelSelector {
        match_labels: [(format!("k{i}"), format!("v{i}")), ("k399".into(), "v399".into())].into(),
        ..LabelSelector::default()
    };
    events.extend((0..200).map(|i| location("c", &format!("l{i}"), asks(i))));
    events.push(everywhere("c", "everywhere"));
    let scheduler = scheduler(1000, &events);
    // The i-th asks for a label that those up to the i-th have.
    let count = scheduler.index().destination_count(&ObjectKey::new("c", "everywhere"));
    assert_eq!(count, Some((1..=200).sum()));
}

/// Every workspace may have a Location `default`. Names that are equal are told apart by their clusters, one EdgePlacement
/// may select all, and what one more costs does not depend on how many there are: its delta is one row.
#[test]
fn a_million_locations_named_default() {
    const COUNT: usize = 1_000_000;
    let cluster = |i: usize| format!("{i:x}");
    let mut scheduler = scheduler(1000, &[everywhere("c", "everywhere")]);
    for i in 0..COUNT {
        let delta = scheduler.apply(&location(&cluster(i), "default", LabelSelector::default()));
        assert_eq!(delta.rows().count(), 0);
    }
    for i in (0..COUNT).step_by(COUNT / 2000) {
        let delta = scheduler.apply(&sync_target(&cluster(i), "default", std::iter::empty()));
        assert_eq!(delta.rows().count(), 1);
    }
    let published = publish(&mut scheduler);
    let sizes: Vec<usize> = published.iter().map(|(_, slice)| slice.destinations.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 2000);
    assert!(sizes.len() <= 9, "4 D / N + 1: {sizes:?}");
}
