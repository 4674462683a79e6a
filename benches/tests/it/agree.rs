//! All engines have the same answers.

use benches::engines::{EdgeCore, Engine, Make, PEERS};
use benches::workload::{Case, Size, World};
use edge_core::event::Event;

/// Loads a world and lets events happen, one by one and then at once.
fn check(size: Size) {
    let world = World::generate(size);
    let cases = Case::all(&world);
    let single: Vec<&Event> = cases
        .iter()
        .flat_map(|case| case.flips.iter().take(30).flat_map(|flip| [&flip.there, &flip.back, &flip.there]))
        .collect();
    // Of an object, none twice: those that the single events left alone.
    let batch: Vec<Event> = cases[1].flips[30..].iter().map(|flip| flip.there.clone()).collect();
    let mut engine = EdgeCore::checked();
    let expected = history(&mut engine, &world, &single, &batch);
    assert!(expected.rows.iter().any(|rows| *rows > 0));
    for make in PEERS {
        let mut peer = make();
        let found = history(&mut *peer, &world, &single, &batch);
        for (at, (found, expected)) in found.rows.iter().zip(&expected.rows).enumerate() {
            assert_eq!(found, expected, "{}: rows of {:?}", peer.name(), single[at]);
        }
        assert_eq!(found.answers, expected.answers, "{}", peer.name());
    }
}

struct History {
    answers: [benches::engines::Answer; 3],
    rows: Vec<usize>,
}

fn history(engine: &mut dyn Engine, world: &World, single: &[&Event], batch: &[Event]) -> History {
    engine.load(world);
    let loaded = engine.answer();
    let rows = single.iter().map(|event| engine.apply_counted(event)).collect();
    let changed = engine.answer();
    engine.apply(batch);
    History { answers: [loaded, changed, engine.answer()], rows }
}

#[test]
fn in_a_small_reference() {
    check(Size::with_sync_targets(2_000));
}

#[test]
fn in_one_cluster() {
    check(Size { clusters: 1, ..Size::with_sync_targets(2_000) });
}

#[test]
fn where_nothing_matches() {
    let size = Size { unmatched: true, ..Size::with_sync_targets(2_000) };
    let world = World::generate(size);
    // One that does nothing has no destinations, either: so there is something to lose first.
    let before = World::generate(Size { unmatched: false, ..size });
    let ours: Make = || Box::new(EdgeCore::checked());
    for make in [ours].into_iter().chain(PEERS) {
        let mut engine = make();
        engine.load(&before);
        assert!(engine.answer().destinations > 0, "{}", engine.name());
        engine.apply(&world.locations);
        assert_eq!(engine.answer().destinations, 0, "{}", engine.name());
    }
}
