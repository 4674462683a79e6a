//! Names that are long, alike, or the same everywhere.

use edge_core::object::{LabelSelector, ObjectKey};
use edge_core::selector::validate_name;
use edge_core::slices::SOURCE_PLACEMENT;

use crate::cost::{Cost, alone};
use crate::{bare, everywhere, location, publish, scheduler};

/// Names of 253 characters that are the same for the first 200: slices, labels and owners are still told apart.
#[test]
fn names_that_differ_at_the_end() {
    let _alone = alone();
    let name = |i: usize| format!("{}{i:053}", "n".repeat(200));
    let names: Vec<String> = (0..8).map(name).collect();
    assert!(names.iter().all(|name| name.len() == 253 && validate_name(name).is_ok()));
    let mut events: Vec<_> = names.iter().map(|name| everywhere("c", name)).collect();
    events.extend(names.iter().map(|name| bare("c", name)));
    events.extend(names.iter().map(|name| location("c", name, LabelSelector::default())));
    let (mut first, cost) = Cost::of(|| scheduler(5, &events));
    cost.is_at_most("24 objects with names of 253 characters", 24 * 1_000, 24 * 1_250);
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

/// A slice of a thousand destinations stays below what etcd takes, and what is kept of it does not grow with its names.
#[test]
fn slices_of_the_longest_names() {
    let _alone = alone();
    let name = |letter: &str, i: usize| format!("{}{i:053}", letter.repeat(200));
    let cluster = "c".repeat(253);
    let mut events =
        vec![everywhere(&cluster, &name("p", 0)), location(&cluster, &name("l", 0), LabelSelector::default())];
    events.extend((0..1000).map(|i| bare(&cluster, &name("s", i))));
    let mut scheduler = scheduler(1000, &events);
    let published = publish(&mut scheduler);
    let largest = published.iter().map(|(_, slice)| serde_json::to_string(slice).unwrap().len()).max().unwrap();
    println!("the largest slice: {largest} bytes");
    assert!(largest < crate::LARGEST, "{largest} bytes");
    // A restart adopts small slices, whose fences are at names that the index has.
    let published = publish(&mut crate::scheduler(4, &events));
    let mut restarted = crate::scheduler(4, &events);
    let ((), cost) = Cost::of(|| restarted.settle(&published));
    cost.is_at_most("250 slices of the longest names", 28_000, 5_900_000);
    assert!(restarted.plan(&published).is_empty());
}

/// Every workspace may have a Location `default`. Names that are equal are told apart by their clusters, one EdgePlacement
/// may select all, and what one more costs does not depend on how many there are: its delta is one row.
#[test]
fn a_million_locations_named_default() {
    const COUNT: usize = 1_000_000;
    let _alone = alone();
    let cluster = |i: usize| format!("{i:x}");
    let mut scheduler = scheduler(1000, &[everywhere("c", "everywhere")]);
    let ((), cost) = Cost::of(|| {
        for i in 0..COUNT {
            let delta = scheduler.apply(&location(&cluster(i), "default", LabelSelector::default()));
            assert_eq!(delta.rows().count(), 0);
        }
    });
    // Location, cluster, selector, group and pair: all are there a million times.
    cost.is_at_most("a million Locations", 820 * COUNT, 1_650 * COUNT);
    let ((), cost) = Cost::of(|| {
        for i in (0..COUNT).step_by(COUNT / 2000) {
            let delta = scheduler.apply(&bare(&cluster(i), "default"));
            assert_eq!(delta.rows().count(), 1);
        }
    });
    cost.is_at_most("a SyncTarget in two thousand of a million clusters", 500 * 2000, 900 * 2000);
    let published = publish(&mut scheduler);
    let sizes: Vec<usize> = published.iter().map(|(_, slice)| slice.destinations.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 2000);
    assert!(sizes.len() <= 9, "4 D / N + 1: {sizes:?}");
}
