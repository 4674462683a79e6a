//! Memory is that of what there is, not of what there was.

use edge_core::event::Event;
use edge_core::object::{LabelSelector, ObjectKey};
use edge_core::slices::Published;

use crate::cost::{Cost, alone};
use crate::{everywhere, location, scheduler, sync_target};

/// A burst of objects that came and went holds none of their memory: tables shrink as they empty.
#[test]
fn memory_comes_back() {
    const COUNT: usize = 4_000;
    let _alone = alone();
    let mut scheduler = scheduler(100, &[everywhere("c", "everywhere")]);
    scheduler.settle(&Published::default());
    let labels = |i: usize| [("all".to_string(), "x".to_string()), (format!("k{}", i % 500), format!("v{i}"))];
    let selector = |i: usize| LabelSelector { match_labels: labels(i).into(), ..LabelSelector::default() };
    let cluster = |i: usize| format!("c{}", i % 50);
    let ((), cost) = Cost::of(|| {
        for i in 0..COUNT {
            let _ = scheduler.apply(&location(&cluster(i), &format!("l{i}"), selector(i)));
            let _ = scheduler.apply(&sync_target(&cluster(i), &format!("s{i}"), labels(i).into_iter()));
        }
        for i in 0..20 {
            let _ = scheduler.apply(&everywhere("c", &format!("p{i}")));
        }
        scheduler.settle(&Published::default());
        for i in 0..20 {
            let _ = scheduler.apply(&Event::EdgePlacement(ObjectKey::new("c", format!("p{i}")), None));
        }
        for i in 0..COUNT {
            let _ = scheduler.apply(&Event::SyncTarget(ObjectKey::new(cluster(i), format!("s{i}")), None));
            let _ = scheduler.apply(&Event::Location(ObjectKey::new(cluster(i), format!("l{i}")), None));
        }
        scheduler.settle(&Published::default());
    });
    // What stays is room: for the changes of one event, and for slices that wait, as many as there once were.
    cost.is_at_most("what is left of 8 020 objects", 270 * COUNT, 11_000 * COUNT);
}

fn gone(event: &Event) -> Event {
    match event.clone() {
        Event::SyncTarget(key, _) => Event::SyncTarget(key, None),
        Event::Location(key, _) => Event::Location(key, None),
        Event::EdgePlacement(key, _) => Event::EdgePlacement(key, None),
    }
}

/// Few objects stay while many come and go: tables grow little by little, and shrink so seldom that it costs next to nothing.
#[test]
fn what_stays_does_not_keep_the_room_of_what_goes() {
    const COUNT: usize = 30_000;
    let _alone = alone();
    let cluster = |i: usize| format!("c{}", i % 20);
    let labels = |i: usize| [("all".to_string(), "x".to_string()), (format!("k{}", i % 500), format!("v{i}"))];
    let objects = |i: usize| {
        // A few hold the whole cluster.
        let asked = labels(i).into_iter().take(if i.is_multiple_of(1000) { 1 } else { 2 });
        let selector = LabelSelector { match_labels: asked.collect(), ..LabelSelector::default() };
        let sync_target = sync_target(&cluster(i), &format!("s{i}"), labels(i).into_iter());
        [location(&cluster(i), &format!("l{i}"), selector), sync_target]
    };
    let few: Vec<_> = (0..40).flat_map(objects).chain([everywhere("c", "p")]).collect();
    let mut scheduler = scheduler(100, &few);
    scheduler.settle(&Published::default());
    let placements: Vec<_> = (0..1000).map(|i| everywhere(&cluster(i), &format!("p{i}"))).collect();
    let objects: Vec<_> = (40..COUNT).flat_map(objects).collect();
    // The limits of when they come, and of when they go again.
    for (events, kept, allocated, moves) in [
        (placements, [1_080_000, 0], [7_700_000, 1_280_000], [23_000, 5_700]),
        (objects, [31_600_000, 0], [42_500_000, 3_640_000], [4_000, 3_500]),
    ] {
        let gone: Vec<_> = events.iter().rev().map(gone).collect();
        let ((), cost) = Cost::of(|| {
            for (at, events) in [&events, &gone].into_iter().enumerate() {
                let ((), cost) = Cost::of(|| {
                    events.iter().for_each(|event| drop(scheduler.apply(event)));
                    scheduler.settle(&Published::default());
                });
                cost.is_at_most(["what comes", "what goes"][at], kept[at], allocated[at]);
                cost.moves_at_most("tables that grow and shrink", moves[at]);
            }
        });
        cost.is_at_most("what is left", 60_000, usize::MAX);
    }
}

/// What tells nothing new allocates next to nothing, whatever hangs on its object.
#[test]
fn what_is_known_already_costs_nothing() {
    const COUNT: usize = 2_000;
    let _alone = alone();
    let selector = LabelSelector { match_labels: [("all".into(), "x".into())].into(), ..LabelSelector::default() };
    let labels = |i: usize| [("all".to_string(), "x".to_string()), (format!("k{}", i % 500), format!("v{i}"))];
    let objects = (0..COUNT).flat_map(|i| {
        let name = format!("n{i}");
        [location("c", &name, selector.clone()), sync_target("c", &name, labels(i).into_iter())]
    });
    let (objects, placement) = (objects.collect::<Vec<_>>(), [everywhere("c", "p")]);
    let mut scheduler = scheduler(100, &objects);
    let _ = scheduler.apply(&placement[0]);
    for (events, allocated) in [(&objects[..], 38 * COUNT), (&placement, 6)] {
        let ((), cost) = Cost::of(|| events.iter().for_each(|event| assert!(scheduler.apply(event).is_empty())));
        cost.is_at_most("what is known already", 0, allocated);
    }
}
