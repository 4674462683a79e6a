//! What an event costs on top of a full index, and what it costs to fill it.
#![allow(missing_docs)]

use std::hint::black_box;

use benches::{Generator, Size, World};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use edge_core::event::Event;
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;

fn load(world: &World) -> Scheduler {
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(world.events());
    scheduler.settle(&Published::default());
    scheduler
}

fn matching(criterion: &mut Criterion) {
    let size = Size::REFERENCE;
    let world = World::generate(size, 1);
    let mut scheduler = load(&world);
    let destinations: usize =
        world.placements.iter().filter_map(|event| scheduler.index().destination_count(event.key())).sum();
    eprintln!("{size:?}: {:?}, {destinations} destinations", scheduler.index().counts());
    let published = Published::default();

    let mut group = criterion.benchmark_group("bulk load");
    group.sample_size(10).throughput(Throughput::Elements(world.events().count() as u64));
    group.bench_function("100k", |bencher| bencher.iter_with_large_drop(|| load(&world)));
    group.finish();

    let mut group = criterion.benchmark_group("one event at 100k");
    let mut at = 0;
    group.bench_function("SyncTarget, no change", |bencher| {
        bencher.iter(|| {
            at = (at + 7919) % world.sync_targets.len();
            black_box(scheduler.apply(&world.sync_targets[at]).is_empty());
        });
    });
    let mut generator = Generator::new(2, size.clusters);
    let relabels: Vec<Event> =
        (0..20_000).map(|i| generator.sync_target(i * 4999 % size.sync_targets, size.clusters)).collect();
    let mut next = relabels.iter().cycle();
    group.bench_function("SyncTarget, relabel", |bencher| {
        bencher.iter_batched(
            || next.next().unwrap_or_else(|| unreachable!("a cycle has no end")),
            |event| {
                black_box(scheduler.apply(event).is_empty());
                scheduler.settle(&published);
            },
            BatchSize::SmallInput,
        );
    });
    let changes: Vec<Event> = (0..2_000)
        .map(|i| {
            let Event::Location(key, Some(record)) = &world.locations[i % world.locations.len()] else { unreachable!() };
            let Event::Location(_, Some(other)) = generator.location(i) else { unreachable!() };
            let mut record = record.clone();
            record.holds = other.holds;
            Event::Location(key.clone(), Some(record))
        })
        .collect();
    let mut next = changes.iter().cycle();
    group.bench_function("Location, selector", |bencher| {
        bencher.iter_batched(
            || next.next().unwrap_or_else(|| unreachable!("a cycle has no end")),
            |event| {
                black_box(scheduler.apply(event).is_empty());
                scheduler.settle(&published);
            },
            BatchSize::SmallInput,
        );
    });
    let additions: Vec<Event> = (0..500).map(|i| generator.placement(100_000 + i)).collect();
    let mut at = 0;
    group.bench_function("EdgePlacement, add and delete", |bencher| {
        bencher.iter(|| {
            at = (at + 1) % additions.len();
            black_box(scheduler.apply(&additions[at]).is_empty());
            scheduler.settle(&published);
            black_box(scheduler.apply(&Event::EdgePlacement(additions[at].key().clone(), None)).is_empty());
        });
    });
    group.finish();
}

criterion_group!(suite, matching);
criterion_main!(suite);
