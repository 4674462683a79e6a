//! When slices that are rather empty join.

use edge_core::event::Event;
use edge_core::object::{EdgePlacement, LabelSelector, ObjectKey, SyncTarget};
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;

use crate::table::{key, location};

/// Three slices of the EdgePlacement `p`, over SyncTargets in the order of their numbers.
struct World {
    scheduler: Scheduler,
    published: Published,
}

impl World {
    fn new(max: usize) -> Self {
        fn number(name: &str) -> u64 {
            name.parse().unwrap_or(0)
        }
        let mut placement = EdgePlacement::default();
        placement.spec.location_selectors.push(LabelSelector::default());
        let mut events = vec![Event::edge_placement(key("p"), placement), location("l", LabelSelector::default())];
        let sync_target = |i: usize| Event::sync_target(key(&format!("{:02}", i + 1)), SyncTarget::default());
        events.extend((0..9 * max / 4).map(sync_target));
        let options = Options::default().with_max_destinations_per_slice(max).unwrap();
        let mut world = Self { scheduler: Scheduler::with_hash(options, number), published: Published::default() };
        world.scheduler.apply_batch(&events);
        world.settle();
        world
    }

    fn settle(&mut self) {
        for write in self.scheduler.plan(&self.published) {
            self.published.apply(&write);
        }
        self.scheduler.internal_validate();
    }

    /// The SyncTargets of each slice. Only the first one can be empty.
    fn slices(&self) -> Vec<Vec<String>> {
        let names = |(_, slice): (&ObjectKey, &edge_core::object::SinglePlacementSlice)| {
            slice.destinations.iter().map(|row| row.sync_target_name.clone()).collect()
        };
        let mut slices: Vec<Vec<String>> = self.published.iter().map(names).collect();
        slices.sort();
        slices
    }

    fn counts(&self) -> Vec<usize> {
        self.slices().iter().map(Vec::len).collect()
    }

    /// Of each slice so many SyncTargets stay at most.
    fn shrink(&mut self, to: [usize; 3]) {
        for (names, to) in self.slices().iter().zip(to) {
            for name in names.iter().skip(to) {
                let _ = self.scheduler.apply(&Event::SyncTarget(key(name), None));
            }
        }
        self.settle();
    }
}

/// What becomes of slices when one of them has changed: while it may, it joins the neighbour with which it has less.
fn joined(mut counts: Vec<usize>, mut changed: usize, max: usize) -> Vec<usize> {
    loop {
        let together = |lower: usize| Some(counts[lower] + counts.get(lower + 1)?);
        let joins = |&lower: &usize| {
            let (Some(together), Some(&upper)) = (together(lower), counts.get(lower + 1)) else { return false };
            upper == 0 || (4 * counts[lower].min(upper) < max && 4 * together <= 3 * max)
        };
        let pairs = [changed.checked_sub(1), Some(changed)].into_iter().flatten().filter(joins);
        let Some(lower) = pairs.min_by_key(|&lower| together(lower)) else { return counts };
        counts[lower] += counts.remove(lower + 1);
        changed = lower;
    }
}

#[test]
fn a_slice_joins_the_neighbour_with_which_it_has_least() {
    for max in [4, 5, 7, 8, 12] {
        for (changed, to, a, b) in (0..3 * 8 * 8 * 8).map(|i| (i % 3, i / 3 % 8, i / 24 % 8, i / 192 % 8)) {
            let mut world = World::new(max);
            let mut counts = [max, max, max];
            counts[(changed + 1) % 3] = a;
            counts[(changed + 2) % 3] = b;
            world.shrink(counts);
            let mut before = world.counts();
            // They have joined already, or nothing is to change.
            if before.len() < 3 || before[changed] <= to {
                continue;
            }
            before[changed] = to;
            counts[changed] = to;
            world.shrink(counts);
            let expected = joined(before.clone(), changed, max);
            assert_eq!(world.counts(), expected, "max {max}: {before:?}, of which {changed} has changed");
        }
    }
}
