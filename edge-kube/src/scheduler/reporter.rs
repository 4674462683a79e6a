//! Brings what the engine tells to metrics and probes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge_core::object::Kind;
use edge_core::publisher::{Counts, Obstacle};
use tokio::time::Instant;

use super::health::Health;
use super::metrics::{EventType, Metrics, set};
use super::report::{Report, Verb};

/// The check of readiness that tells what holds writes up. It always passes: a replica that is not allowed to write in one
/// workspace serves the others.
const OBSTACLES: &str = "writes";

/// So many obstacles are told of at a time: a template may have made thousands.
const MOST: usize = 10;

/// The same obstacle is told of no more often.
const REMIND: Duration = Duration::from_secs(300);

/// What the engine tells, for metrics and probes.
pub(super) struct Reporter {
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    /// Which obstacles were told of, and when.
    told: Mutex<Vec<(String, Instant)>>,
}

impl Reporter {
    pub(super) fn new(metrics: Arc<Metrics>, health: Arc<Health>) -> Self {
        health.note(OBSTACLES, None);
        Self { metrics, health, told: Mutex::default() }
    }
}

fn text(Obstacle { cluster, name, reason, .. }: &Obstacle) -> String {
    match name {
        Some(name) => format!("{cluster}|{name}: {reason}"),
        None => format!("{cluster}: {reason}"),
    }
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
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if obstacles.is_empty() && !told.is_empty() {
            tracing::info!("writes go on");
        }
        told.retain(|(what, at)| now.duration_since(*at) < REMIND && obstacles.iter().any(|one| text(one) == *what));
        for obstacle in obstacles.iter().take(MOST) {
            let what = text(obstacle);
            if told.iter().any(|(before, _)| *before == what) {
                continue;
            }
            let Obstacle { cluster, name, reason, .. } = obstacle;
            tracing::warn!(cluster, name, err = reason, "writes wait");
            told.push((what, now));
        }
        let note = obstacles.first().map(|first| match obstacles.len() {
            1 => format!("waiting: {}", text(first)),
            count => format!("waiting in {count} places, such as {}", text(first)),
        });
        self.health.note(OBSTACLES, note);
    }

    fn leading(&self, leading: bool) {
        set(&self.metrics.leader, usize::from(leading));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_writes_up_is_noted_as_long_as_it_does() {
        let health = Arc::new(Health::new(Duration::from_secs(60)));
        let reporter = Reporter::new(Arc::new(Metrics::new()), Arc::clone(&health));
        let obstacle = |cluster: &str| Obstacle {
            cluster: cluster.into(),
            name: None,
            reason: "403: no".into(),
            until: Duration::ZERO,
        };
        let told = || reporter.told.lock().unwrap().len();
        reporter.obstacles(&[obstacle("a")]);
        assert_eq!(health.noted("writes").unwrap(), "waiting: a: 403: no");
        reporter.obstacles(&[obstacle("a"), obstacle("b")]);
        assert_eq!(health.noted("writes").unwrap(), "waiting in 2 places, such as a: 403: no");
        assert!(health.ready().iter().all(|(_, check)| check.is_ok()));
        assert_eq!(told(), 2, "each is told of once");
        reporter.obstacles(&[]);
        assert_eq!((health.noted("writes"), told()), (None, 0));
    }
}
