//! What one event takes on top of 100 000 SyncTargets, slices laid out after each, and what batches take.
#![allow(missing_docs, clippy::print_stderr)]

use std::cell::LazyCell;
use std::time::Duration;

use benches::engines::{EdgeCore, Engine};
use benches::measure::{self, Mode};
use benches::workload::{Case, Kind, Measured, Size, World};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// How long it may take to count what a case changes.
const COUNTING: Duration = Duration::from_millis(500);

/// Flips that are timed together.
const CHUNK: usize = 16;

struct Full {
    world: World,
    engine: EdgeCore,
}

fn full() -> Full {
    let world = World::generate(Size::REFERENCE);
    let mut engine = EdgeCore::new();
    engine.load(&world);
    Full { world, engine }
}

/// So many events of a case, going on after `at`; what undoes them is not timed, unless it counts as well.
fn time(engine: &mut EdgeCore, case: &Case, at: &mut usize, events: u64) -> Duration {
    let mut left = usize::try_from(events).unwrap_or(usize::MAX);
    let mut spent = Duration::ZERO;
    while left > 0 {
        let wanted = if case.measured == Measured::Both { left.div_ceil(2) } else { left };
        let flips = &case.flips[*at..(*at + wanted.min(CHUNK)).min(case.flips.len())];
        *at = (*at + flips.len()) % case.flips.len();
        let [there, back] = measure::times(engine, flips, Mode::Single);
        let (time, count) = match case.measured {
            Measured::Both => (there + back, 2 * flips.len()),
            Measured::There => (there, flips.len()),
            Measured::Back => (back, flips.len()),
        };
        // Of an odd number the last event has half a flip.
        let counted = count.min(left);
        spent += time.mul_f64(counted as f64 / count as f64);
        left -= counted;
    }
    spent
}

fn events(criterion: &mut Criterion) {
    let mut shared = LazyCell::new(full);
    let mut group = criterion.benchmark_group("one event at 100k");
    group.throughput(Throughput::Elements(1));
    for kind in Kind::ALL {
        let mut at = 0;
        group.bench_function(kind.name(), |bencher| {
            let Full { world, engine } = &mut *shared;
            let case = Case::new(world, kind, Case::FLIPS);
            if at == 0 {
                eprintln!("{}: {:.1} destinations come or go", case.name, measure::rows(engine, &case, COUNTING));
            }
            bencher.iter_custom(|events| time(engine, &case, &mut at, events));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("batches of relabels at 100k");
    for size in [10, 100, 1_000, 10_000] {
        group.throughput(Throughput::Elements(size as u64));
        group.sample_size(20);
        group.bench_function(size.to_string(), |bencher| {
            let Full { world, engine } = &mut *shared;
            let case = Case::new(world, Kind::RelabelSyncTarget, Case::FLIPS);
            let mut at = 0;
            bencher.iter_custom(|batches| {
                let mut spent = Duration::ZERO;
                for _ in 0..batches {
                    let [there, back] = measure::times(engine, &case.flips[at..at + size], Mode::Batches(size));
                    at = (at + size) % (case.flips.len() - size + 1);
                    spent += (there + back) / 2;
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(suite, events);
criterion_main!(suite);
