//! Brings what the engine tells to metrics and probes.

use std::sync::Arc;
use std::time::Duration;

use edge_core::object::Kind;
use edge_core::publisher::{Counts, Obstacle};

use super::health::Health;
use super::metrics::{EventType, Metrics, set};
use super::report::{Report, Verb};

/// The check of readiness that tells what holds writes up. It always passes: a replica that is not allowed to write in one
/// workspace serves the others.
const OBSTACLES: &str = "writes";

/// What the engine tells, for metrics and probes.
pub(super) struct Reporter {
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
}

impl Report for Reporter {
    fn beat(&self) {
        self.health.beat();
    }

    fn check(&self, check: &str, state: Result<(), &str>) {
        self.health.set(check, state.map_err(str::to_owned));
    }

    fn event(&self, kind: Kind, deleted: bool) {
        self.metrics.event(kind, if deleted { EventType::Deleted } else { EventType::Applied });
    }

    fn objects(&self, kind: Kind, count: usize) {
        self.metrics.set_objects(kind, count);
    }

    fn listed(&self, kind: Kind, took: Duration) {
        self.metrics.relist(kind, took);
    }

    fn watch_failed(&self, kind: Kind, source: &str) {
        self.metrics.watch_restart(kind, source);
    }

    fn request(&self, verb: Verb, outcome: &'static str, _took: Duration) {
        self.metrics.write(verb.as_str(), outcome);
    }

    fn latency(&self, since_event: Duration) {
        self.metrics.event_to_write(since_event);
    }

    fn counts(&self, counts: Counts) {
        set(&self.metrics.slices_desired, counts.desired);
        set(&self.metrics.slices_published, counts.published);
        set(&self.metrics.destinations, counts.destinations);
        set(&self.metrics.writes_pending, counts.dirty);
        set(&self.metrics.writes_in_flight, counts.in_flight);
    }

    fn obstacles(&self, obstacles: &[Obstacle]) {
        for Obstacle { cluster, name, reason, .. } in obstacles.iter().take(10) {
            tracing::warn!(cluster, name = name.as_deref().unwrap_or_default(), err = reason, "writes wait");
        }
        self.health.set(OBSTACLES, Ok(()));
    }

    fn leading(&self, leading: bool) {
        set(&self.metrics.leader, usize::from(leading));
    }
}
