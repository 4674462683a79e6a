//! The task that takes part in a leader election, and what it tells the engine.
//!
//! What to ask for, and when one leads, `edge_core::lease` decides. This task asks, and says in the log and in readiness
//! what is in the way: rights, a namespace or the server. It goes on by itself when that is mended.

mod request;
#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use edge_core::lease::{Action, Config, Elector, Time};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::health::Health;
use super::metrics::Metrics;
pub(crate) use request::Place;

/// The check of readiness.
const CHECK: &str = "lease";

/// Giving back takes at most so long; after that the Lease runs out.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is in the way is said again after this time.
const REMIND: Duration = Duration::from_secs(60);

/// Whether this replica may write. Cheap to clone and to ask.
#[derive(Debug, Clone)]
pub(crate) struct Leadership {
    leading: watch::Receiver<bool>,
    /// `None` without leader election.
    until: Option<watch::Receiver<Option<Instant>>>,
}

impl Leadership {
    /// Without leader election.
    pub(crate) fn always() -> Self {
        Self { leading: watch::channel(true).1, until: None }
    }

    /// Whether it leads, and each change of that. Constantly true without leader election.
    pub(crate) fn leading(&self) -> watch::Receiver<bool> {
        self.leading.clone()
    }

    /// Whether a request may be sent at this moment. To be asked at each dispatch: when renewals fail, the answer changes
    /// at the deadline, without anybody saying so.
    pub(crate) fn may_write(&self, now: Instant) -> bool {
        match &self.until {
            None => true,
            Some(until) => until.borrow().is_some_and(|until| now < until),
        }
    }
}

/// The running task.
#[derive(Debug)]
pub(crate) struct Keeper {
    release: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Stops leading and gives the Lease back, so that the next one takes it at once. Call it when all writes have come to
    /// an end. Takes 5 s at most; then the Lease runs out by itself.
    pub(crate) async fn release(self) {
        let Self { release, mut task } = self;
        // A task that is gone has nothing to give back.
        let _ = release.send(());
        if tokio::time::timeout(RELEASE_TIMEOUT, &mut task).await.is_err() {
            task.abort();
            tracing::warn!(seconds = RELEASE_TIMEOUT.as_secs(), "the lease could not be given back; it will run out");
        }
    }
}

/// Takes part from now on, until [`Keeper::release`].
pub(crate) fn start(place: Place, config: Config, health: Arc<Health>, metrics: Arc<Metrics>) -> (Leadership, Keeper) {
    let (leading, leading_seen) = watch::channel(false);
    let (until, until_seen) = watch::channel(None);
    let (release, released) = oneshot::channel();
    let candidate = Candidate {
        place,
        request_timeout: config.request_timeout(),
        identity: config.identity().to_owned(),
        elector: Elector::new(config),
        epoch: Instant::now(),
        leading,
        until,
        health,
        metrics,
        holder: None,
        problem: None,
    };
    let task = tokio::spawn(candidate.run(released));
    (Leadership { leading: leading_seen, until: Some(until_seen) }, Keeper { release, task })
}

struct Candidate {
    place: Place,
    request_timeout: Duration,
    identity: String,
    elector: Elector,
    epoch: Instant,
    leading: watch::Sender<bool>,
    until: watch::Sender<Option<Instant>>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    /// The last holder that was told of.
    holder: Option<String>,
    /// What was last said to be in the way, and when.
    problem: Option<(String, Instant)>,
}

impl Candidate {
    async fn run(mut self, mut released: oneshot::Receiver<()>) {
        tracing::info!(lease = %self.place, identity = self.identity, "attempting to acquire leader lease");
        self.health.set(CHECK, Err(format!("waiting for an answer about Lease {}", self.place)));
        let mut releasing = false;
        loop {
            match self.elector.step(self.now()) {
                Action::Released => return,
                Action::Wait(until) => {
                    let wakeup = self.epoch + until;
                    let lapse = self.until.borrow().unwrap_or(wakeup).min(wakeup);
                    tokio::select! {
                        _ = &mut released, if !releasing => {
                            releasing = true;
                            self.elector.release(self.now());
                        }
                        () = tokio::time::sleep_until(lapse) => {}
                    }
                }
                request => {
                    let answered = tokio::time::timeout(self.request_timeout, self.place.perform(request)).await;
                    let (answer, problem) = answered.unwrap_or_else(|_| self.place.timed_out(self.request_timeout));
                    self.elector.answer(answer, self.now());
                    self.tell(problem);
                }
            }
            self.publish(releasing);
        }
    }

    fn now(&self) -> Time {
        self.epoch.elapsed()
    }

    fn publish(&mut self, releasing: bool) {
        let now = self.now();
        let until = self.elector.leading_until();
        let leads = until.is_some_and(|until| now < until);
        self.until.send_replace(until.filter(|_| leads).map(|until| self.epoch + until));
        if self.leading.send_if_modified(|led| std::mem::replace(led, leads) != leads) {
            self.metrics.leader.set(leads.into());
            if leads {
                tracing::info!(lease = %self.place, identity = self.identity, "successfully acquired lease");
            } else if releasing {
                tracing::info!(lease = %self.place, "giving the lease back");
            } else {
                tracing::warn!(lease = %self.place, "lost the lease: this replica writes no more until it has it again");
            }
        }
    }

    /// Says who leads, and what is in the way, once each.
    fn tell(&mut self, problem: Option<String>) {
        let Some(problem) = problem else {
            if self.problem.take().is_some() {
                tracing::info!(lease = %self.place, "the lease can be read and written again");
            }
            let holder = self.elector.holder();
            if holder != self.holder.as_deref() {
                self.holder = holder.map(Into::into);
                if let Some(holder) = holder.filter(|holder| *holder != self.identity) {
                    tracing::info!(lease = %self.place, identity = holder, "another replica leads; standing by");
                }
            }
            self.health.set(CHECK, Ok(()));
            return;
        };
        let said = self.problem.as_ref().is_some_and(|(before, at)| *before == problem && at.elapsed() < REMIND);
        if !said {
            tracing::warn!(lease = %self.place, err = problem, "cannot get or renew the lease; trying again");
            self.problem = Some((problem.clone(), Instant::now()));
        }
        self.health.set(CHECK, Err(problem));
    }
}

/// A name for this run of this process: that of the machine or pod, and something random, as client-go's components do it.
pub(crate) fn identity() -> String {
    let read =
        |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let host = host.or_else(|| read("/proc/sys/kernel/hostname")).unwrap_or_else(|| "edge-scheduler".into());
    let unique = read("/proc/sys/kernel/random/uuid").unwrap_or_else(|| {
        // The standard library seeds its hashers from the system's randomness.
        format!("{:016x}-{}", RandomState::new().hash_one(0), std::process::id())
    });
    format!("{host}_{unique}")
}
