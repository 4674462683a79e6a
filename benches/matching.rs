//! What an event costs on top of a full index, and what it costs to fill it.
#![allow(missing_docs, clippy::print_stderr)]

use std::hint::black_box;

use benches::{Generator, Size, World};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use edge_core::event::Event;
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;

fn load(world: &World) -> Scheduler {
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(world.events());
    scheduler.settle(&Published::default());
    scheduler
}

/// Applies and settles one event after the other, again from the start after the last.
fn one_by_one(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, events: &[Event], scheduler: &mut Scheduler) {
    let published = Published::default();
    let mut at = 0;
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            at = (at + 1) % events.len();
            black_box(scheduler.apply(&events[at]).is_empty());
            scheduler.settle(&published);
        });
    });
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
    // One label changes, and changes back.
    let relabel = |i: usize| {
        let event = &world.sync_targets[i * 4999 % size.sync_targets];
        [generator.relabelled(event), event.clone()]
    };
    let relabels: Vec<Event> = (0..20_000).flat_map(relabel).collect();
    one_by_one(&mut group, "SyncTarget, relabel", &relabels, &mut scheduler);
    // Each Location has another's selector, and then its own again.
    let swapped = |i: usize| {
        let other = &world.locations[(i + 1) % world.locations.len()];
        let (Event::Location(key, Some(record)), Event::Location(_, Some(other))) = (&world.locations[i], other) else {
            unreachable!("these are Locations that exist")
        };
        let mut record = record.clone();
        record.holds = other.holds.clone();
        [Event::Location(key.clone(), Some(record)), world.locations[i].clone()]
    };
    let changes: Vec<Event> = (0..world.locations.len()).flat_map(swapped).collect();
    one_by_one(&mut group, "Location, selector", &changes, &mut scheduler);
    let mut generator = Generator::new(3, size.clusters);
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
