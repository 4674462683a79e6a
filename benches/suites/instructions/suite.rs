//! The cases: events on top of a full index.
//!
//! A world is loaded for each case, as each is a process of its own. That is affordable because nothing is counted
//! before the first event: until then valgrind only translates, which is several times quicker than counting.

use std::hint::black_box;
use std::slice;

use benches::engines::{EdgeCore, Engine};
use benches::workload::{Case, Kind, Measured, Size, World};
use edge_core::event::Event;
use gungraun::{Callgrind, EntryPoint, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

/// A full index, and the events that count.
type Prepared = (EdgeCore, Vec<Event>);

/// The reference, and events of one kind.
fn reference(kind: Kind) -> Prepared {
    let world = World::generate(Size::REFERENCE);
    let mut engine = EdgeCore::new();
    engine.load(&world);
    let Case { flips, measured, .. } = Case::new(&world, kind, Case::COUNTED);
    let (there, back): (Vec<Event>, Vec<Event>) = flips.into_iter().map(|flip| (flip.there, flip.back)).unzip();
    let events = match measured {
        Measured::Both => there.into_iter().zip(back).flat_map(|(there, back)| [there, back]).collect(),
        Measured::There => there,
        Measured::Back => {
            there.iter().for_each(|event| engine.apply(slice::from_ref(event)));
            back
        }
    };
    (engine, some(events))
}

/// So many SyncTargets, and events that each change about as many destinations at any number.
fn constant_output(sync_targets: usize) -> Prepared {
    let world = World::generate(Size::with_constant_output(sync_targets));
    let mut engine = EdgeCore::new();
    engine.load(&world);
    let (case, _) = Case::relabels_of_constant_output(&world, &mut engine, Case::COUNTED);
    // A small world has few such events; they are made again.
    let events = case.flips.into_iter().flat_map(|flip| [flip.there, flip.back]).collect::<Vec<_>>();
    (engine, some(events.into_iter().cycle().take(Case::COUNTED).collect()))
}

fn some(mut events: Vec<Event>) -> Vec<Event> {
    events.truncate(Case::COUNTED);
    assert_eq!(events.len(), Case::COUNTED, "the mean is over so many");
    events
}

#[library_benchmark]
#[bench::sync_target_no_change(args = (Kind::NoChange), setup = reference)]
#[bench::sync_target_relabel(args = (Kind::RelabelSyncTarget), setup = reference)]
#[bench::sync_target_add(args = (Kind::AddSyncTarget), setup = reference)]
#[bench::sync_target_delete(args = (Kind::DeleteSyncTarget), setup = reference)]
#[bench::location_selector(args = (Kind::ChangeLocation), setup = reference)]
#[bench::location_relabel(args = (Kind::RelabelLocation), setup = reference)]
#[bench::location_add(args = (Kind::AddLocation), setup = reference)]
#[bench::location_delete(args = (Kind::DeleteLocation), setup = reference)]
#[bench::placement_add(args = (Kind::AddPlacement), setup = reference)]
#[bench::placement_change(args = (Kind::ChangePlacement), setup = reference)]
#[bench::placement_delete(args = (Kind::DeletePlacement), setup = reference)]
#[bench::constant_output_1000(args = (1_000), setup = constant_output)]
#[bench::constant_output_10000(args = (10_000), setup = constant_output)]
#[bench::constant_output_100000(args = (100_000), setup = constant_output)]
#[bench::constant_output_1000000(args = (1_000_000), setup = constant_output)]
fn event((engine, events): Prepared) -> Prepared {
    let mut engine = black_box(engine);
    partial_callgrind::start_instrumentation();
    for event in &events {
        engine.apply(slice::from_ref(event));
    }
    partial_callgrind::stop_instrumentation();
    (engine, events)
}

library_benchmark_group!(name = single, benchmarks = event);
main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--instr-atstart=no", "--cache-sim=no"]).entry_point(EntryPoint::None)),
    library_benchmark_groups = single
);

/// What gungraun makes of this: without arguments of its own it runs itself under valgrind, once for each case.
pub(super) fn run() {
    main();
}
