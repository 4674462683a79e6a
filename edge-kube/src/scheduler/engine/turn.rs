//! The engine's state, and what each thing that happens does to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge_core::event::Event;
use edge_core::object::{Kind, ObjectKey};
use edge_core::publisher::{Failure, Gate, Outcome, Publisher, Request, RequestId, Seen, StatusFields, Time};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::log::{Log, Sent, outcome_label};
use super::sync::Sync;
use super::{LEASE_PERIOD, REPORT_PERIOD, SHORTEST_SLEEP, Summary};
use crate::scheduler::backend::{Backend, Input, Observed, SourceId};
use crate::scheduler::inventory::Inventory;
use crate::scheduler::report::{Report, Verb};
use crate::scheduler::rest::plural;

pub(super) struct Engine<B> {
    backend: Arc<B>,
    publisher: Publisher,
    inventory: Inventory,
    sync: Sync,
    pub(super) requests: JoinSet<Outcome>,
    in_flight: HashMap<Id, (RequestId, Sent)>,
    report: Arc<dyn Report>,
    log: Log,
    start: Instant,
    gate: Gate,
    names: HashMap<SourceId, String>,
    told: Told,
}

/// What was told already: only changes are.
#[derive(Debug, Default)]
struct Told {
    waits_for: Option<Option<String>>,
    /// Why the watch of a kind fails, in the log.
    checks: HashMap<Kind, Option<String>>,
    /// Why a kind is not ready.
    readiness: HashMap<Kind, Option<String>>,
    /// When gauges and obstacles were told.
    at: Option<Instant>,
    had_obstacles: bool,
    /// Something has happened since.
    changed: bool,
    leading: Option<bool>,
}

impl<B: Backend> Engine<B> {
    pub(super) fn new(backend: Arc<B>, publisher: Publisher, fields: StatusFields, report: Arc<dyn Report>) -> Self {
        let mut engine = Self {
            backend,
            publisher,
            inventory: Inventory::default(),
            sync: Sync::new(),
            requests: JoinSet::new(),
            in_flight: HashMap::new(),
            report,
            log: Log::default(),
            start: Instant::now(),
            gate: Gate::Closed,
            names: HashMap::new(),
            told: Told::default(),
        };
        engine.publisher.set_status_fields(fields);
        engine
    }

    fn now(&self) -> Time {
        self.start.elapsed()
    }

    /// Sets whether this replica leads.
    pub(super) fn lead(&mut self, leading: bool) {
        if self.sync.lead(leading, &self.inventory, Instant::now()) {
            info!("this replica leads now: everything is listed once more before it writes");
            self.backend.relist();
        }
    }

    /// Takes in what a backend says.
    pub(super) fn take(&mut self, input: Input) {
        self.changed();
        let now = self.now();
        match input {
            Input::SourceAdded { source, name, kinds } => {
                self.inventory.add(source, &kinds);
                self.names.insert(source, name);
            }
            Input::SourceRemoved { source } => {
                let name = self.names.remove(&source).unwrap_or_default();
                let gone = self.inventory.remove(source);
                warn!(source = name, objects = gone.len(), "a source is no more, and so are its objects");
                for (kind, key) in gone {
                    self.gone(kind, key, Seen::Gone(None), now);
                }
            }
            Input::Sources(sources) => self.sync.set_sources(sources),
            Input::Listing { source, kind, began } => self.inventory.begin(source, kind, began),
            Input::Object { source, object } => self.object(source, object, now),
            Input::Gone { source, kind, key, uid } => {
                if self.inventory.forget(source, kind, &key) {
                    self.gone(kind, key, Seen::Gone(uid), now);
                }
            }
            Input::Listed { source, kind } => self.listed(source, kind, now),
            Input::Failing { source, kind, reason } => {
                let name = self.names.get(&source).map(String::as_str).unwrap_or_default();
                self.report.watch_failed(kind, name);
                self.inventory.set_failing(source, kind, Some(reason));
            }
            Input::Watching { source, kind } => self.inventory.set_failing(source, kind, None),
            Input::Incomplete { source, reason } => self.inventory.set_incomplete(source, reason),
            Input::Status { placement, status } => self.publisher.observe_status(&placement, status),
            Input::StatusFields(fields) => self.publisher.set_status_fields(fields),
        }
    }

    fn object(&mut self, source: SourceId, object: Observed, now: Time) {
        let (kind, key) = match &object {
            Observed::Spec(event) | Observed::EdgePlacement(event, _) => (event.kind(), event.key()),
            Observed::Slice(key, _) => (Kind::SinglePlacementSlice, key),
        };
        if !self.inventory.see(source, kind, key) {
            return;
        }
        self.report.event(kind, false);
        match object {
            Observed::Spec(event) => self.publisher.apply(&event, now),
            Observed::EdgePlacement(event, status) => {
                self.publisher.observe_status(event.key(), status);
                self.publisher.apply(&event, now);
            }
            Observed::Slice(key, seen) => self.publisher.observe_slice(&key, seen, now),
        }
    }

    fn listed(&mut self, source: SourceId, kind: Kind, now: Time) {
        let Some((began, missing)) = self.inventory.end(source, kind) else { return };
        self.report.listed(kind, began.elapsed());
        let list_began = began.saturating_duration_since(self.start);
        for key in missing {
            self.gone(kind, key, Seen::Missing { list_began }, now);
        }
    }

    fn gone(&mut self, kind: Kind, key: ObjectKey, seen: Seen, now: Time) {
        self.report.event(kind, true);
        match kind {
            Kind::SyncTarget => self.publisher.apply(&Event::SyncTarget(key, None), now),
            Kind::Location => self.publisher.apply(&Event::Location(key, None), now),
            Kind::EdgePlacement => self.publisher.apply(&Event::EdgePlacement(key, None), now),
            Kind::SinglePlacementSlice => self.publisher.observe_slice(&key, seen, now),
        }
    }

    /// Starts what can be started. Returns how long to sleep at most, if anything is to come by itself.
    pub(super) fn dispatch(
        &mut self,
        concurrency: usize,
        may_write: &(dyn Fn(Instant) -> bool + Send + std::marker::Sync),
    ) -> Option<Duration> {
        let gate = self.sync.gate(&self.inventory);
        self.tell_checks();
        if gate != self.gate {
            match gate {
                Gate::Closed => info!("nothing is written from now on"),
                Gate::GrowOnly => info!("nothing is taken away until all is known"),
                Gate::Open => info!("writing begins"),
            }
            self.publisher.set_gate(gate, self.now());
            self.gate = gate;
        }
        while gate != Gate::Closed && self.in_flight.len() < concurrency {
            if !may_write(Instant::now()) {
                return Some(LEASE_PERIOD);
            }
            let Some(Request { id, action, trigger }) = self.publisher.poll(self.now()) else { break };
            let sent = Sent::new(&action, trigger, Instant::now());
            if sent.verb == Verb::Create {
                self.inventory.sends(&sent.key);
            }
            let backend = Arc::clone(&self.backend);
            let task = self.requests.spawn(async move { backend.perform(action).await });
            self.in_flight.insert(task.id(), (id, sent));
            self.changed();
        }
        if gate == Gate::Closed || self.in_flight.len() >= concurrency {
            return None;
        }
        let wakeup = self.publisher.next_wakeup()?;
        Some(wakeup.saturating_sub(self.now()).max(SHORTEST_SLEEP))
    }

    /// A request has come to its end.
    pub(super) fn ended(&mut self, result: Result<(Id, Outcome), JoinError>) {
        let (task, outcome) = match result {
            Ok(ended) => ended,
            // It panicked, which is a mistake of ours; what it did, the server knows.
            Err(failed) => {
                error!(reason = %failed, "a request broke off");
                (failed.id(), Outcome::Failed(Failure::Unknown("the request broke off".into())))
            }
        };
        let Some((id, sent)) = self.in_flight.remove(&task) else { return };
        let took = sent.at.elapsed();
        self.report.request(sent.verb, outcome_label(&outcome), took);
        self.log.outcome(&sent, &outcome);
        let now = self.now();
        if !matches!(outcome, Outcome::Failed(_)) {
            if let (true, Some(trigger)) = (sent.is_write(), &sent.trigger) {
                self.report.latency(now.saturating_sub(trigger.since));
            }
            if matches!(sent.verb, Verb::Create | Verb::Replace | Verb::ReadSlice) {
                self.inventory.wrote(&sent.key);
            }
        }
        self.publisher.complete(id, outcome, now);
        self.changed();
    }

    /// Something has happened that gauges and obstacles may show.
    fn changed(&mut self) {
        self.told.changed = true;
    }

    /// Tells what has changed: for people in the log, for probes and metrics. Returns when there is more to tell.
    pub(super) fn tell(&mut self) -> Option<Duration> {
        self.report.beat();
        let now = Instant::now();
        let leading = self.sync.is_leading();
        if self.told.leading.replace(leading) != Some(leading) {
            self.report.leading(leading);
        }
        if !self.told.changed {
            return None;
        }
        if let Some(next) = self.told.at.map(|told| told + REPORT_PERIOD).filter(|&next| now < next) {
            return Some(next - now);
        }
        (self.told.at, self.told.changed) = (Some(now), false);
        self.report.counts(self.publisher.counts());
        for kind in Kind::ALL {
            self.report.objects(kind, self.inventory.count(kind));
        }
        let obstacles = self.publisher.obstacles();
        if self.told.had_obstacles || !obstacles.is_empty() {
            self.report.obstacles(&obstacles);
        }
        self.told.had_obstacles = !obstacles.is_empty();
        None
    }

    fn tell_checks(&mut self) {
        let waits_for = self.sync.waits_for(&self.inventory);
        if self.told.waits_for.as_ref() != Some(&waits_for) {
            match &waits_for {
                Some(reason) => info!(%reason, "waiting"),
                None => {
                    let [targets, locations, placements, slices] = Kind::ALL.map(|kind| self.inventory.count(kind));
                    info!(syncTargets = targets, locations, edgePlacements = placements, slices, "all is known");
                }
            }
            self.report.check("sync", waits_for.as_deref().map_or(Ok(()), Err));
            self.told.waits_for = Some(waits_for);
        }
        let mut failing: HashMap<Kind, String> = HashMap::new();
        for (source, kind, reason) in self.inventory.failing() {
            let name = self.names.get(&source).map(String::as_str).unwrap_or_default();
            failing.entry(kind).or_insert_with(|| format!("{name}: {reason}"));
        }
        for kind in Kind::ALL {
            let reason = failing.remove(&kind);
            if self.told.checks.get(&kind) == Some(&reason) {
                continue;
            }
            match (&reason, self.told.checks.get(&kind)) {
                (Some(reason), _) => warn!(resource = plural(kind), %reason, "the watch fails and is tried again"),
                (None, Some(Some(_))) => info!(resource = plural(kind), "the watch works again"),
                (None, _) => {}
            }
            self.told.checks.insert(kind, reason);
        }
        for kind in Kind::ALL {
            let failing = self.told.checks.get(&kind).and_then(Option::as_deref);
            let unlisted = || self.inventory.is_unlisted(kind).then_some("not listed yet");
            let reason = failing.or_else(unlisted);
            if self.told.readiness.get(&kind).map(Option::as_deref) != Some(reason) {
                self.report.check(plural(kind), reason.map_or(Ok(()), Err));
                self.told.readiness.insert(kind, reason.map(Into::into));
            }
        }
    }

    /// Waits for the requests in flight, at most so long, and starts none.
    pub(super) async fn drain(mut self, limit: Duration) -> Summary {
        if !self.in_flight.is_empty() {
            info!(requests = self.in_flight.len(), "waiting for the requests in flight");
        }
        let until = Instant::now() + limit;
        while let Ok(Some(result)) = tokio::time::timeout_at(until, self.requests.join_next_with_id()).await {
            self.ended(result);
        }
        let _ = self.tell();
        Summary { abandoned: self.in_flight.len(), counts: self.publisher.counts() }
    }
}
