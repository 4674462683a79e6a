//! What it takes to read manifests, and to resolve them.
#![allow(missing_docs, clippy::unwrap_used)]

use std::cell::LazyCell;
use std::hint::black_box;

use benches::workload::{Objects, Size, World};
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;
use edge_kube::input::{self, parse};

/// SyncTargets in the manifests.
const SYNC_TARGETS: usize = 10_000;

/// The objects of a world, as `kubectl get -o yaml` prints each.
fn yaml() -> Vec<u8> {
    let size = Size::with_sync_targets(SYNC_TARGETS);
    let mut objects = Objects::new(World::SEED, size);
    let mut documents = Vec::new();
    documents.extend((0..size.sync_targets).map(|number| serde_yaml::to_string(&objects.sync_target(number)).unwrap()));
    documents.extend((0..size.locations).map(|number| serde_yaml::to_string(&objects.location(number)).unwrap()));
    documents.extend((0..size.placements).map(|number| serde_yaml::to_string(&objects.placement(number)).unwrap()));
    documents.join("---\n").into_bytes()
}

/// The objects of a world in a `List`.
fn json() -> Vec<u8> {
    let size = Size::with_sync_targets(SYNC_TARGETS);
    let mut objects = Objects::new(World::SEED, size);
    let mut items = Vec::new();
    items.extend((0..size.sync_targets).map(|number| serde_json::to_string(&objects.sync_target(number)).unwrap()));
    items.extend((0..size.locations).map(|number| serde_json::to_string(&objects.location(number)).unwrap()));
    items.extend((0..size.placements).map(|number| serde_json::to_string(&objects.placement(number)).unwrap()));
    format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, items.join(",")).into_bytes()
}

/// How many destinations the slices of all EdgePlacements have.
fn resolve(text: Vec<u8>) -> usize {
    let options = input::Options { default_cluster: "default".into() };
    let loaded = parse("manifests", text, &options).unwrap();
    let mut scheduler = Scheduler::new(Options::default());
    scheduler.apply_batch(&loaded.events);
    let published = Published::default();
    scheduler.settle(&published);
    let slices = scheduler.placements().flat_map(|placement| scheduler.resolve(&published, &placement));
    slices.map(|slice| slice.destinations.len()).sum()
}

fn format(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, text: fn() -> Vec<u8>) {
    let text = LazyCell::new(text);
    group.bench_function(format!("read {name}"), |bencher| {
        let options = input::Options { default_cluster: "default".into() };
        let read = |text| black_box(parse("manifests", text, &options).unwrap().events.len());
        bencher.iter_batched(|| text.clone(), read, BatchSize::PerIteration);
    });
    group.bench_function(format!("resolve {name}"), |bencher| {
        bencher.iter_batched(|| text.clone(), |text| black_box(resolve(text)), BatchSize::PerIteration);
    });
}

fn manifests(criterion: &mut Criterion) {
    let size = Size::with_sync_targets(SYNC_TARGETS);
    let mut group = criterion.benchmark_group("manifests of 10k");
    group
        .sample_size(10)
        .throughput(Throughput::Elements((size.sync_targets + size.locations + size.placements) as u64));
    format(&mut group, "YAML", yaml);
    format(&mut group, "JSON", json);
    group.finish();
}

criterion_group!(suite, manifests);
criterion_main!(suite);
