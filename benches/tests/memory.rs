//! How much memory the reference takes, with slices of 1000: a gate.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::alloc::System;

use benches::workload::{Size, World};
use edge_core::event::Event;
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes on the heap.
fn heap() -> usize {
    let stats = GLOBAL.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// What a world takes, in bytes.
#[derive(Debug)]
struct Usage {
    /// The SyncTargets and Locations.
    inventory: usize,
    /// What EdgePlacements add, slices included.
    placements: usize,
    pairs: usize,
    destinations: usize,
}

fn usage<'e>(sync_targets: impl Iterator<Item = &'e Event>, world: &'e World) -> Usage {
    let before = heap();
    let mut scheduler = Scheduler::new(Options::default().with_max_destinations_per_slice(1000).unwrap());
    scheduler.apply_batch(sync_targets.chain(&world.locations));
    scheduler.settle(&Published::default());
    let inventory = heap() - before;
    scheduler.apply_batch(&world.placements);
    scheduler.settle(&Published::default());
    let placements = heap() - before - inventory;
    let index = scheduler.index();
    let destinations = world.placements.iter().filter_map(|event| index.destination_count(event.key())).sum();
    Usage { inventory, placements, pairs: index.counts().pairs, destinations }
}

#[test]
fn bytes() {
    let world = World::generate(Size::REFERENCE);
    let all = usage(world.sync_targets.iter(), &world);
    let half = usage(world.sync_targets.iter().step_by(2), &world);
    let per = |bytes: usize, count: usize| bytes as f64 / count as f64;
    let sync_target = per(all.inventory, world.sync_targets.len());
    let pair = per(all.placements, all.pairs);
    // More destinations through the same pairs need nothing but more slices.
    let destination = (all.placements as f64 - half.placements as f64) / (all.destinations - half.destinations) as f64;
    println!("{all:?}");
    println!("a SyncTarget, its part of Locations included: {sync_target:.1} bytes");
    println!("a pair of EdgePlacement and Location, its part of slices included: {pair:.1} bytes");
    println!("a destination more of the same pairs: {destination:.3} bytes");
    assert!(sync_target <= 290.0, "{sync_target}");
    assert!(pair <= 28.7, "{pair}");
    assert!(destination <= 0.099, "{destination}");
}
