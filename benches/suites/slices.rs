//! What slices take beyond what they take with each event: planning writes, reading, and adopting what is published.
#![allow(missing_docs, clippy::print_stderr)]

use std::cell::LazyCell;
use std::hint::black_box;

use benches::workload::{Case, Kind, Size, World};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;

struct Full {
    world: World,
    scheduler: Scheduler,
    /// All slices, as a server has them.
    published: Published,
    /// The same, but of destinations only digests: what a running scheduler keeps.
    thin: Published,
}

impl Full {
    fn new() -> Self {
        let world = World::generate(Size::with_sync_targets(10_000));
        let scheduler = scheduler(&world);
        let mut full = Self { world, scheduler, published: Published::default(), thin: Published::default() };
        for write in full.scheduler.plan(&full.published) {
            full.published.apply(&write);
            full.thin.apply(&write);
            full.thin.make_thin(&write.key);
        }
        full
    }

    fn destinations(&self) -> u64 {
        let index = self.scheduler.index();
        let counts = self.world.placements.iter().filter_map(|event| index.destination_count(event.key()));
        counts.sum::<usize>() as u64
    }
}

fn scheduler(world: &World) -> Scheduler {
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(world.events());
    scheduler
}

fn slices(criterion: &mut Criterion) {
    let mut shared = LazyCell::new(Full::new);
    let mut group = criterion.benchmark_group("slices at 10k");
    group.sample_size(10);

    group.bench_function("plan, nothing published", |bencher| {
        let nothing = Published::default();
        bencher.iter_batched(
            || scheduler(&shared.world),
            |mut scheduler| scheduler.writes(&nothing).map(black_box).fold(0, |count, _| count + 1),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("plan, all published", |bencher| {
        let Full { scheduler, published, .. } = &mut *shared;
        bencher.iter(|| black_box(scheduler.plan(published).len()));
    });
    group.bench_function("plan after one relabel", |bencher| {
        let Full { world, scheduler, published, .. } = &mut *shared;
        let case = Case::new(world, Kind::RelabelSyncTarget, 1);
        let _ = scheduler.apply(&case.flips[0].there);
        bencher.iter(|| black_box(scheduler.plan(published).len()));
        let _ = scheduler.apply(&case.flips[0].back);
    });
    group.bench_function("resolve", |bencher| {
        eprintln!("{} destinations", shared.destinations());
        let Full { scheduler, published, .. } = &*shared;
        let slices = || scheduler.placements().flat_map(|placement| scheduler.resolve(published, &placement));
        bencher.iter(|| slices().map(|slice| slice.destinations.len()).sum::<usize>());
    });
    for thin in [false, true] {
        let name = if thin { "adoption at restart, digests" } else { "adoption at restart, whole slices" };
        group.throughput(Throughput::Elements(Size::with_sync_targets(10_000).sync_targets as u64));
        group.bench_function(name, |bencher| {
            let published = if thin { &shared.thin } else { &shared.published };
            bencher.iter_batched(
                || (),
                |()| {
                    let mut scheduler = scheduler(&shared.world);
                    assert_eq!(scheduler.plan(published).len(), 0, "a restart writes nothing");
                    scheduler
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(suite, slices);
criterion_main!(suite);
