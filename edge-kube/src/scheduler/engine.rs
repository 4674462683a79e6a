//! The one task that owns the publisher.
//!
//! ```text
//!  watch tasks ──► bounded channel of Inputs ──► inventory ──► Publisher ──► requests ──► tasks of at most
//!                                                   │              ▲                      `write_concurrency`
//!                                                  sync ──► gate   └───── outcomes ◄────────────┘
//! ```
//!
//! **Nothing else touches the publisher, so there are no locks.** Inputs are taken in batches; the channel is bounded, so
//! that watches wait while the engine is busy. There is no polling: the engine sleeps until an input, an outcome, a change
//! of leadership or the publisher's next wakeup.

mod log;
mod sync;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use edge_core::publisher::{Counts, Publisher, StatusFields};
use edge_core::scheduler::Options as SchedulerOptions;
use tokio::sync::{mpsc, watch};

use tokio::time::Instant;

use super::backend::{Backend, Input};
use super::report::Report;
use turn::Engine;

/// As users know it from the log of the original.
const CONTROLLER: &str = "edge-scheduler";

/// How many inputs may wait for the engine. A full slice takes up to 300 KB decoded, so this bounds memory as well.
pub(crate) const INPUT_CAPACITY: usize = 128;

/// Inputs that are taken before the next request is sent.
const BATCH: usize = 256;

/// How long requests in flight are waited for at the end. A request takes at most 30 s; an orchestrator gives as long.
const DRAIN: Duration = Duration::from_secs(25);

/// While this replica leads but its lease is not certain, it looks again after this time.
const LEASE_PERIOD: Duration = Duration::from_millis(200);

/// A wakeup that is due already, though there is nothing to do, is asked for again after this time.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// The heartbeat, even if nothing is to come.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// Gauges, and what holds writes up, are reported no more often: nobody scrapes more often, and it wakes the thread.
const REPORT_PERIOD: Duration = Duration::from_secs(1);

/// What the engine needs to know.
pub(crate) struct Settings {
    /// How slices are cut.
    pub(crate) scheduler: SchedulerOptions,
    /// At most so many requests are in flight; at least one.
    pub(crate) write_concurrency: usize,
    /// SyncTargets have no UIDs of their own, so published ones are kept.
    pub(crate) keep_destinations: bool,
    /// Until [`Input::StatusFields`] says otherwise.
    pub(crate) status_fields: StatusFields,
}

/// Who may write, and until when.
pub(crate) struct Leadership {
    /// Whether this replica leads; constantly true without leader election.
    pub(crate) leading: watch::Receiver<bool>,
    /// Whether a request that is sent now comes before the end of the lease. Asked at each dispatch.
    pub(crate) may_write: Box<dyn Fn(Instant) -> bool + Send + Sync>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Requests that had not come to an end in time; what became of them, the next start finds out.
    pub(crate) abandoned: usize,
    /// As things stand.
    pub(crate) counts: Counts,
}

/// Runs until `shutdown` is true or its sender is gone, then waits for the requests in flight.
///
/// `inputs` is the other end of the channel that the backend's tasks send to; make it with [`INPUT_CAPACITY`].
pub(crate) async fn run<B: Backend>(
    backend: Arc<B>,
    mut inputs: mpsc::Receiver<Input>,
    settings: Settings,
    leadership: Leadership,
    report: Arc<dyn Report>,
    mut shutdown: watch::Receiver<bool>,
) -> Summary {
    tracing::info!(controller = CONTROLLER, "starting controller");
    let Leadership { mut leading, may_write } = leadership;
    let mut publisher = Publisher::new(settings.scheduler);
    if settings.keep_destinations {
        publisher = publisher.keeping_destinations();
    }
    let mut engine = Engine::new(backend, publisher, settings.status_fields, report);
    engine.lead(*leading.borrow_and_update());
    let mut batch = Vec::with_capacity(BATCH);
    let concurrency = settings.write_concurrency.max(1);
    // A sender that is gone says that nothing will change.
    let (mut leading_changes, mut more_inputs) = (true, true);
    loop {
        let sleep = engine.dispatch(concurrency, &may_write);
        let sleep = sleep.into_iter().chain(engine.tell()).min().unwrap_or(LONGEST_SLEEP);
        let wakeup = Instant::now() + sleep;
        tokio::select! {
            biased;
            stopped = shutdown.wait_for(|stop| *stop) => {
                drop(stopped);
                break;
            }
            changed = leading.changed(), if leading_changes => {
                leading_changes = changed.is_ok();
                let now_leading = *leading.borrow_and_update();
                engine.lead(now_leading);
            }
            Some(result) = engine.requests.join_next_with_id(), if !engine.requests.is_empty() => engine.ended(result),
            taken = inputs.recv_many(&mut batch, BATCH), if more_inputs => {
                more_inputs = taken > 0;
                for input in batch.drain(..) {
                    engine.take(input);
                }
            }
            () = tokio::time::sleep_until(wakeup) => {}
        }
    }
    // Watch tasks end when nobody listens.
    drop(inputs);
    engine.drain(DRAIN).await
}

#[cfg(test)]
mod tests;
