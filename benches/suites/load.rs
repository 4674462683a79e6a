//! What it takes to take in a whole world, slices laid out.
#![allow(missing_docs)]

use benches::engines::{EdgeCore, Engine};
use benches::workload::{Size, World};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn bulk_load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bulk load");
    group.sample_size(10);
    let worlds = [
        ("1k", Size::with_sync_targets(1_000)),
        ("10k", Size::with_sync_targets(10_000)),
        ("100k", Size::REFERENCE),
        ("100k in one cluster", Size::SKEWED),
        ("100k, nothing matches", Size::UNMATCHED),
        ("1M", Size::MILLION),
    ];
    for (name, size) in worlds {
        let objects = size.sync_targets + size.locations + size.placements;
        group.throughput(Throughput::Elements(objects as u64));
        group.bench_function(name, |bencher| {
            let world = World::generate(size);
            let load = |mut engine: EdgeCore| {
                engine.load(&world);
                engine
            };
            bencher.iter_batched(EdgeCore::new, load, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(suite, bulk_load);
criterion_main!(suite);
