//! edge-core: destinations and slices.

use std::hint::black_box;

use edge_core::event::Event;
use edge_core::scheduler::{Options, Scheduler};
use edge_core::slices::Published;

use super::registry::Registry;
use super::{Answer, Engine};
use crate::workload::World;

/// The scheduler, with slices laid out after each change.
#[derive(Debug)]
pub struct EdgeCore {
    scheduler: Scheduler,
    published: Published,
    /// Which numbers the others give to objects; `None` if nobody will ask for the answer.
    registry: Option<Registry>,
}

impl EdgeCore {
    /// One to be timed, with slices of the default size: it cannot give an answer.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(Options::default())
    }

    /// One to be timed, with other slices.
    #[must_use]
    pub fn with_options(options: Options) -> Self {
        Self { scheduler: Scheduler::new(options), published: Published::default(), registry: None }
    }

    /// One to be compared: it keeps the numbers that others give to objects.
    #[must_use]
    pub fn checked() -> Self {
        Self { registry: Some(Registry::default()), ..Self::new() }
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    fn note<'e>(&mut self, events: impl IntoIterator<Item = &'e Event>) {
        if let Some(registry) = &mut self.registry {
            events.into_iter().for_each(|event| drop(registry.change(event)));
        }
    }
}

impl Default for EdgeCore {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine for EdgeCore {
    fn name(&self) -> &'static str {
        "edge-core"
    }

    fn load(&mut self, world: &World) {
        self.note(world.events());
        self.scheduler.apply_batch(world.events());
        self.scheduler.settle(&self.published);
    }

    fn apply(&mut self, events: &[Event]) {
        self.note(events);
        match events {
            [event] => _ = self.scheduler.apply(event),
            events => self.scheduler.apply_batch(events),
        }
        self.scheduler.settle(&self.published);
    }

    fn apply_counted(&mut self, event: &Event) -> usize {
        self.note([event]);
        let rows = self.scheduler.apply(event).rows().map(black_box).count();
        self.scheduler.settle(&self.published);
        rows
    }

    fn answer(&self) -> Answer {
        let mut answer = Answer::default();
        let Some(registry) = &self.registry else { return answer };
        for (key, placement) in registry.placements() {
            // A Location's destinations come one after the other.
            let (mut cluster, mut name, mut location) = ("", "", None);
            for destination in self.scheduler.index().destinations(key).into_iter().flatten() {
                if (cluster, name) != (destination.cluster, destination.location_name) {
                    (cluster, name) = (destination.cluster, destination.location_name);
                    location = registry.location(cluster, name);
                }
                // An object that nobody has heard of is left out: then the answer is wrong, as it should be.
                if let (Some(location), Some(target)) =
                    (location, registry.sync_target(cluster, destination.sync_target_name))
                {
                    answer.add(placement, location, target, 1);
                }
            }
        }
        answer
    }
}
