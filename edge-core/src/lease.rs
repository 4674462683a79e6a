//! Leader election by a Lease, as a step function: which of several replicas may write.
//!
//! ```text
//!  step(now) ──► Action (get, create, update, wait) ──► API server ──► answer(…, now)
//! ```
//!
//! The protocol is that of client-go's `leaderelection`, so replicas of both kinds could share a Lease:
//!
//! * A record counts from when *this* replica first saw it, by its own clock: the times inside it are never compared.
//! * A leader renews each retry period. It leads until the renew deadline has passed since it *sent* the last request
//!   that had success. Others take the Lease a lease duration after they saw that request's result, which is later.
//!   **So no two replicas lead at the same time, as long as their clocks run at the same rate.**
//! * Each update carries the resourceVersion that it is based on, so that of two candidates one gets a conflict.
//! * On shutdown the record is given back with an empty holder and a duration of one second: the next one takes it at once.
//!
//! Unlike client-go, a replica that lost the Lease goes on as a standby, and one that saw the Lease held and then deleted
//! waits as if it were still held.
//!
//! # What it cannot do
//!
//! A Lease does not fence the API server. A leader that is paused between its check and its write, or whose write is late
//! on its way, is stopped only by what the write requires of its object: its UID and resourceVersion. Nor does it help
//! that somebody deletes the Lease by hand and a replica starts that never saw it: the old leader finds out when it
//! renews, one retry period later at most. A clock that stands still while the machine sleeps is the same as a pause.

#[cfg(test)]
mod replicas;
#[cfg(test)]
mod tests;

use alloc::string::String;
use core::time::Duration;

/// A point in time of the local monotonic clock, since an epoch of the caller's choice that never changes.
pub type Time = Duration;

/// Who takes part, and how long things last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    identity: String,
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
}

/// Durations that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Others would take the Lease while its holder still leads.
    #[error("the lease duration must be longer than the renew deadline")]
    LeaseDuration,
    /// A leader would have no second try.
    #[error("the renew deadline must be longer than 1.2 times the retry period")]
    RenewDeadline,
    /// Replicas would ask without a break.
    #[error("the retry period must be at least 10 ms")]
    RetryPeriod,
    /// The Lease has no room for it: it counts seconds in 32 bits.
    #[error("the lease duration is too long")]
    TooLong,
    /// An empty holder means a Lease that is free.
    #[error("the identity must not be empty")]
    Identity,
}

impl Config {
    /// `identity` must be that of no other replica, not even of an earlier run. The limits are those of client-go.
    ///
    /// # Errors
    ///
    /// When the durations do not fit together.
    pub fn new(
        identity: String,
        lease_duration: Duration,
        renew_deadline: Duration,
        retry_period: Duration,
    ) -> Result<Self, ConfigError> {
        if identity.is_empty() {
            return Err(ConfigError::Identity);
        }
        if retry_period < Duration::from_millis(10) {
            return Err(ConfigError::RetryPeriod);
        }
        if renew_deadline <= retry_period.saturating_mul(6) / 5 {
            return Err(ConfigError::RenewDeadline);
        }
        if lease_duration <= renew_deadline {
            return Err(ConfigError::LeaseDuration);
        }
        let config = Self { identity, lease_duration, renew_deadline, retry_period };
        if config.duration_seconds() == i32::MAX { Err(ConfigError::TooLong) } else { Ok(config) }
    }

    /// The name under which this replica holds the Lease.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// How long a request may take, so that a second one fits into the renew deadline.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.renew_deadline / 2
    }

    /// How often a standby looks: often enough that a Lease that was given back is taken within a second.
    fn poll_period(&self) -> Duration {
        self.retry_period / 4
    }

    /// Whole seconds, rounded up: the others may wait longer, never shorter.
    fn duration_seconds(&self) -> i32 {
        let seconds = self.lease_duration.as_secs() + u64::from(self.lease_duration.subsec_nanos() > 0);
        i32::try_from(seconds).unwrap_or(i32::MAX)
    }
}

/// What a Lease says. The times are opaque: whether they changed is all that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// `spec.holderIdentity`; empty when nobody holds it.
    pub holder: String,
    /// `spec.leaseDurationSeconds`; anything below 1 stands for one's own lease duration.
    pub duration_seconds: i32,
    /// `spec.leaseTransitions`.
    pub transitions: i32,
    /// `spec.acquireTime`.
    pub acquire_time: String,
    /// `spec.renewTime`.
    pub renew_time: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

impl Record {
    /// Whether both say the same. Others may put labels on a Lease: a new resourceVersion alone is no renewal.
    fn says_the_same(&self, other: &Self) -> bool {
        (&self.holder, self.duration_seconds, self.transitions, &self.acquire_time, &self.renew_time)
            == (&other.holder, other.duration_seconds, other.transitions, &other.acquire_time, &other.renew_time)
    }
}

/// What to write into a Lease; `renewTime` is always the wall clock's present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `spec.holderIdentity`.
    pub holder: String,
    /// `spec.leaseDurationSeconds`.
    pub duration_seconds: i32,
    /// `spec.leaseTransitions`.
    pub transitions: i32,
    /// Whether `spec.acquireTime` is the present, too. Otherwise it stays.
    pub acquired: bool,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Get the Lease, as a consistent read. To be answered, as the next two.
    Get,
    /// Create the Lease.
    Create(Claim),
    /// Replace the Lease that has this resourceVersion.
    Update {
        /// What to write.
        claim: Claim,
        /// The precondition.
        resource_version: String,
    },
    /// Nothing before this time.
    Wait(Time),
    /// Nothing ever again: the Lease is given back, or was not held.
    Released,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The Lease as it was read, or as it was written.
    Record(Record),
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// Anything else, also when nobody knows whether it took effect.
    Failed,
}

/// What the last answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing that can be relied on.
    Nothing,
    /// There is no Lease, and nobody who held it leads any more.
    Absent,
    /// There is one: the observed.
    Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Get,
    Create,
    Update,
}

/// One replica's part in an election.
#[derive(Debug, Clone)]
pub struct Elector {
    config: Config,
    known: Known,
    /// The record last seen, and when it was first seen saying so.
    observed: Option<(Record, Time)>,
    /// Since when there is no Lease.
    absent_since: Option<Time>,
    /// The request in flight, and when it was sent.
    in_flight: Option<(Sent, Time)>,
    /// No request before this time.
    next: Time,
    /// Conflicts since the last write that had success.
    conflicts: u32,
    leading_until: Option<Time>,
    /// The server may have this replica as the holder.
    maybe_ours: bool,
    releasing: bool,
}

impl Elector {
    /// A replica that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            known: Known::Nothing,
            observed: None,
            absent_since: None,
            in_flight: None,
            next: Time::ZERO,
            conflicts: 0,
            leading_until: None,
            maybe_ours: false,
            releasing: false,
        }
    }

    /// This replica leads before this time, unless a later answer says otherwise. `None`: it does not lead.
    #[must_use]
    pub fn leading_until(&self) -> Option<Time> {
        self.leading_until
    }

    /// The holder that was seen last; `None` when there is none.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        let (record, _) = self.observed.as_ref()?;
        (self.known == Known::Present && !record.holder.is_empty()).then_some(&*record.holder)
    }

    /// What to do now. A request counts as sent at `now`, and there is no other until it is answered.
    #[must_use]
    pub fn step(&mut self, now: Time) -> Action {
        if self.in_flight.is_some() {
            return Action::Wait(now + self.config.poll_period());
        }
        if self.releasing && !self.maybe_ours {
            return Action::Released;
        }
        if now < self.next {
            return Action::Wait(self.next);
        }
        let (sent, action) = self.request(now);
        if let Action::Create(claim) | Action::Update { claim, .. } = &action {
            self.maybe_ours |= !claim.holder.is_empty();
        }
        self.in_flight = Some((sent, now));
        action
    }

    fn request(&self, now: Time) -> (Sent, Action) {
        match (self.known, &self.observed) {
            (Known::Absent, _) => (Sent::Create, Action::Create(self.claim(0, true))),
            (Known::Present, Some((record, _))) if self.releasing || self.is_free(now) => {
                let ours = record.holder == self.config.identity;
                let claim = if self.releasing {
                    // One second is the shortest that the API allows; an empty holder makes it free at once.
                    Claim {
                        holder: String::new(),
                        duration_seconds: 1,
                        transitions: record.transitions,
                        acquired: false,
                    }
                } else {
                    self.claim(if ours { record.transitions } else { record.transitions.saturating_add(1) }, !ours)
                };
                (Sent::Update, Action::Update { claim, resource_version: record.resource_version.clone() })
            }
            _ => (Sent::Get, Action::Get),
        }
    }

    fn claim(&self, transitions: i32, acquired: bool) -> Claim {
        let holder = self.config.identity.clone();
        Claim { holder, duration_seconds: self.config.duration_seconds(), transitions, acquired }
    }

    /// Whether this replica may take the Lease, or has it.
    fn is_free(&self, now: Time) -> bool {
        self.taken_until().is_none_or(|until| until <= now)
    }

    /// When the Lease of another becomes free.
    fn taken_until(&self) -> Option<Time> {
        let (record, seen) = self.observed.as_ref()?;
        if record.holder.is_empty() || record.holder == self.config.identity {
            return None;
        }
        let seconds = u64::try_from(record.duration_seconds).unwrap_or(0);
        let lasts = if seconds == 0 { self.config.lease_duration } else { Duration::from_secs(seconds) };
        Some(seen.saturating_add(lasts))
    }

    /// Takes in what became of the request in flight.
    pub fn answer(&mut self, answer: Answer, now: Time) {
        let Some((sent, at)) = self.in_flight.take() else { return };
        match (sent, answer) {
            (_, Answer::Record(record)) => self.observe(sent, at, record, now),
            // A namespace that does not exist: there is nothing to create a Lease in.
            (Sent::Create, Answer::NotFound) | (_, Answer::Failed) => {
                self.known = Known::Nothing;
                let leads = self.leading_until.is_some_and(|until| now < until);
                let hurry = leads || self.releasing;
                self.next = now + if hurry { self.config.poll_period() } else { self.config.retry_period };
            }
            (_, Answer::NotFound) => {
                self.known = Known::Absent;
                self.leading_until = None;
                self.maybe_ours = false;
                // Who held it may lead on until it looks. What it said of its duration is gone with it: a replica's own counts,
                // or else a Lease that somebody else wrote would hold up all of them, and to delete it would not help.
                let since = *self.absent_since.get_or_insert(now);
                let free = self.taken_until().map(|until| until.min(since.saturating_add(self.config.lease_duration)));
                self.next = free.map_or(now, |until| until.min(now + self.config.poll_period()));
                if self.next > now {
                    self.known = Known::Nothing;
                }
            }
            (_, Answer::Conflict) => {
                self.known = Known::Nothing;
                // The first one is read at once; somebody who writes all the time must not be answered in kind.
                self.next = if self.conflicts == 0 { now } else { now + self.config.poll_period() };
                self.conflicts = self.conflicts.saturating_add(1);
            }
        }
    }

    fn observe(&mut self, sent: Sent, at: Time, record: Record, now: Time) {
        let ours = record.holder == self.config.identity;
        self.known = Known::Present;
        self.absent_since = None;
        self.maybe_ours = ours;
        let seen = match &self.observed {
            Some((before, seen)) if before.says_the_same(&record) => *seen,
            _ => now,
        };
        self.observed = Some((record, seen));
        if !ours {
            self.leading_until = None;
        }
        if sent == Sent::Get {
            self.next = self.taken_until().map_or(now, |until| until.min(now + self.config.poll_period()));
            return;
        }
        self.conflicts = 0;
        if ours && !self.releasing {
            self.leading_until = Some(at + self.config.renew_deadline);
        }
        self.next = at + self.config.retry_period;
        if self.releasing {
            self.next = now;
        }
    }

    /// Stops leading at once, for good; the steps that follow give the Lease back. Call it when all writes have been
    /// answered: the next leader may start before the release is.
    pub fn release(&mut self, now: Time) {
        self.leading_until = None;
        self.releasing = true;
        self.next = now;
    }
}
