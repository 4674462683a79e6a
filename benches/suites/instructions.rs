//! Instructions that single events take on top of 100 000 SyncTargets, slices laid out after each: a gate.
//!
//! Counted by valgrind, so neither noise nor another machine's speed matters; another compiler version does. Fails
//! where a case takes more than [`TOLERANCE`] over what `instructions.txt` says. After an improvement, or another
//! compiler, write there what this prints.
#![allow(missing_docs)]

use std::hint::black_box;
use std::slice;

use benches::engines::{EdgeCore, Engine};
use benches::workload::{Case, Kind, Measured, Size, World};
use edge_core::event::Event;
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

/// What a case may take more than it did, in thousandths. The rest of the compiler's freedom: adding an unrelated
/// function may change what is inlined.
const TOLERANCE: u64 = 20;

/// Flips that are counted of a case.
const FLIPS: usize = 100;

/// What each case took, in the order of its name: all its events together.
const BASELINE: &str = include_str!("instructions.txt");

fn gate(name: &str) -> LibraryBenchmarkConfig {
    let line = BASELINE.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let limit = line.and_then(|count| count.replace(' ', "").parse::<u64>().ok()).unwrap_or_default();
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, limit + limit * TOLERANCE / 1000)]);
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

/// A full index, and the events that count.
fn prepare(kind: Kind) -> (EdgeCore, Vec<Event>) {
    let world = World::generate(Size::REFERENCE);
    let mut engine = EdgeCore::new();
    engine.load(&world);
    let Case { flips, measured, .. } = Case::new(&world, kind, FLIPS);
    let flips = flips.into_iter();
    let events = match measured {
        Measured::Both => flips.flat_map(|flip| [flip.there, flip.back]).collect(),
        Measured::There => flips.map(|flip| flip.there).collect(),
        Measured::Back => {
            let (there, back): (Vec<Event>, Vec<Event>) = flips.map(|flip| (flip.there, flip.back)).unzip();
            there.iter().for_each(|event| engine.apply(slice::from_ref(event)));
            back
        }
    };
    (engine, events)
}

/// A full index under so many SyncTargets, and events that each change about as many destinations at any size.
fn prepare_size(sync_targets: usize) -> (EdgeCore, Vec<Event>) {
    let world = World::generate(Size::with_constant_output(sync_targets));
    let mut engine = EdgeCore::new();
    engine.load(&world);
    let (case, _) = Case::relabels_of_constant_output(&world, &mut engine, FLIPS);
    (engine, case.flips.into_iter().flat_map(|flip| [flip.there, flip.back]).collect())
}

#[library_benchmark(setup = prepare)]
#[bench::sync_target_no_change(args = (Kind::NoChange), config = gate(Kind::NoChange.name()))]
#[bench::sync_target_relabel(args = (Kind::RelabelSyncTarget), config = gate(Kind::RelabelSyncTarget.name()))]
#[bench::sync_target_add(args = (Kind::AddSyncTarget), config = gate(Kind::AddSyncTarget.name()))]
#[bench::sync_target_delete(args = (Kind::DeleteSyncTarget), config = gate(Kind::DeleteSyncTarget.name()))]
#[bench::location_selector(args = (Kind::ChangeLocation), config = gate(Kind::ChangeLocation.name()))]
#[bench::location_relabel(args = (Kind::RelabelLocation), config = gate(Kind::RelabelLocation.name()))]
#[bench::location_add(args = (Kind::AddLocation), config = gate(Kind::AddLocation.name()))]
#[bench::location_delete(args = (Kind::DeleteLocation), config = gate(Kind::DeleteLocation.name()))]
#[bench::placement_add(args = (Kind::AddPlacement), config = gate(Kind::AddPlacement.name()))]
#[bench::placement_change(args = (Kind::ChangePlacement), config = gate(Kind::ChangePlacement.name()))]
#[bench::placement_delete(args = (Kind::DeletePlacement), config = gate(Kind::DeletePlacement.name()))]
#[bench::of_1k(args = (1_000), setup = prepare_size, config = gate("relabel of constant output at 1 k"))]
#[bench::of_10k(args = (10_000), setup = prepare_size, config = gate("relabel of constant output at 10 k"))]
#[bench::of_100k(args = (100_000), setup = prepare_size, config = gate("relabel of constant output at 100 k"))]
fn apply((mut engine, events): (EdgeCore, Vec<Event>)) -> (EdgeCore, Vec<Event>) {
    for event in &events {
        black_box(&mut engine).apply(slice::from_ref(event));
    }
    (engine, events)
}

library_benchmark_group!(name = single_events, benchmarks = apply);
main!(library_benchmark_groups = single_events);
