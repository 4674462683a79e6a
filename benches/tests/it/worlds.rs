//! The worlds are the ones that figures are published for.

use benches::engines::{EdgeCore, Engine};
use benches::workload::{Case, Size, World};
use edge_core::event::Event;
use edge_core::object::{EdgePlacement, LabelSelector, ObjectKey};

/// Pairs of EdgePlacement and Location, pairs of Location and SyncTarget, and destinations.
fn counts(size: Size) -> [usize; 3] {
    let world = World::generate(size);
    let mut engine = EdgeCore::new();
    engine.load(&world);
    let index = engine.scheduler().index();
    let destinations = world.placements.iter().filter_map(|event| index.destination_count(event.key())).sum();
    let pairs = index.counts().pairs;
    // Who selects every Location has a pair of Location and SyncTarget for each destination.
    let key = ObjectKey::new("workloads", "everything");
    let mut everything = EdgePlacement::default();
    everything.spec.location_selectors.push(LabelSelector::default());
    engine.apply(&[Event::edge_placement(key.clone(), everything)]);
    [pairs, engine.scheduler().index().destination_count(&key).unwrap(), destinations]
}

#[test]
fn the_reference_has_the_size_that_published_figures_are_about() {
    let found = counts(Size::REFERENCE);
    println!("pairs, members, destinations: {found:?}");
    assert_eq!(found, [205_033, 256_116, 27_092_564]);
}

#[test]
fn a_size_is_one_world() {
    let events = |size| World::generate(size).events().cloned().collect::<Vec<_>>();
    let size = Size::with_sync_targets(1_000);
    assert_eq!(events(size), events(size));
}

#[test]
fn nothing_matches_where_nothing_shall() {
    let [pairs, members, destinations] = counts(Size { unmatched: true, ..Size::with_sync_targets(5_000) });
    assert!(pairs > 0);
    assert_eq!([members, destinations], [0, 0]);
}

#[test]
fn what_undoes_an_event_brings_the_world_back() {
    let world = World::generate(Size::with_sync_targets(5_000));
    let mut engine = EdgeCore::checked();
    engine.load(&world);
    let before = engine.answer();
    for case in Case::all(&world) {
        for flip in &case.flips[..case.flips.len().min(50)] {
            let (there, back) = (engine.apply_counted(&flip.there), engine.apply_counted(&flip.back));
            assert_eq!(there, back, "{}: {flip:?}", case.name);
        }
        assert_eq!(engine.answer(), before, "{}", case.name);
    }
}
