//! Runs a script on a [`Publisher`] and a model API server, with requests in flight, late and lost answers, and a watch
//! that lags; and checks every write as it takes effect.

mod model;
mod rest;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::{describe, place, short, subject};

use super::server::{Live, Server};
use super::{Op, Oracle, Script};
use crate::event::{Event, batch};
use crate::object::{Kind, ObjectKey, SinglePlacementSlice};
use crate::publisher::{Action, Failure, Gate, Outcome, Publisher, Request, Seen, StatusFields, Time};
use crate::scheduler::Options;
use crate::slices::{Digest, Write};

/// A destination without its UID, of an EdgePlacement.
type Place = (ObjectKey, String, String, String);

/// How often things go wrong, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Requests whose answer is an error.
    pub fail: u32,
    /// Strangers' acts are carried out.
    pub strangers: bool,
    /// Slices are seen as digests, but for those that are read.
    pub thin: bool,
    /// How many requests may be in flight.
    pub concurrency: usize,
}

/// A request on its way.
#[derive(Debug)]
struct Flight {
    request: Request,
    /// What the server said, once it did.
    answer: Option<Outcome>,
    /// What was wanted at dispatch and ever since, and no stranger has touched.
    wanted: BTreeSet<Place>,
}

/// A change of a slice that the watch has still to tell.
#[derive(Debug)]
struct Change {
    key: ObjectKey,
    live: Live,
    /// What a stranger has, or may have, taken away by it.
    taken: BTreeSet<Place>,
}

/// A publisher, the server that it writes to, and everything that is under way between them.
#[derive(Debug)]
pub struct PublisherMachine {
    max: usize,
    /// Some SyncTarget has no UID: then published ones are kept.
    keeps: bool,
    faults: Faults,
    publisher: Publisher,
    server: Server,
    oracle: Oracle,
    flights: Vec<Flight>,
    /// Requests that the client gave up on, and that may take effect nevertheless.
    ghosts: Vec<(Write, BTreeSet<Place>)>,
    /// What the watch has still to tell.
    watch: VecDeque<Change>,
    now: Time,
    gate: Gate,
    random: u64,
    /// Writes that took effect.
    pub writes: usize,
    trace: Vec<String>,
}

impl PublisherMachine {
    /// Runs the whole script, then lets everything come to rest, and restarts.
    pub fn run(max: usize, faults: Faults, seed: u64, script: &Script) -> Self {
        let keeps = lacks_uids(script);
        // What keeps destinations is shown them.
        let faults = Faults { thin: faults.thin && !keeps, ..faults };
        let mut machine = Self {
            max,
            keeps,
            faults,
            publisher: mk_publisher(max, keeps),
            server: Server::default(),
            oracle: Oracle::default(),
            flights: Vec::new(),
            ghosts: Vec::new(),
            watch: VecDeque::new(),
            now: Time::ZERO,
            gate: Gate::Open,
            random: seed ^ 0x9E37_79B9_7F4A_7C15,
            writes: 0,
            trace: Vec::new(),
        };
        machine.change(&script.start.iter().map(super::Change::event).collect::<Vec<_>>());
        machine.publisher.set_gate(Gate::Open, machine.now);
        for op in &script.ops {
            machine.op(op);
            for _ in 0..machine.below(12) {
                machine.step();
            }
        }
        machine.rest();
        machine.check_rest();
        machine.restart();
        machine
    }

    fn below(&mut self, n: u32) -> u32 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.random >> 33) % u64::from(n.max(1))).unwrap()
    }

    fn pick(&mut self, len: usize) -> usize {
        self.below(u32::try_from(len).unwrap()) as usize
    }

    fn percent(&mut self, n: u32) -> bool {
        self.below(100) < n
    }

    fn log(&mut self, line: String) {
        self.trace.push(line.replace("---", "").chars().take(240).collect());
        if self.trace.len() > 400 {
            self.trace.remove(0);
        }
    }

    #[track_caller]
    fn ensure(&self, holds: bool, what: impl FnOnce() -> String) {
        assert!(holds, "{}\n  {}", what(), self.trace.join("\n  "));
    }

    // === What happens ===

    fn op(&mut self, op: &Op) {
        match op {
            Op::Apply(change) => self.change(&[change.event()]),
            Op::Batch(changes) | Op::Interrupted { changes, .. } => {
                let events: Vec<Event> = changes.iter().map(super::Change::event).collect();
                self.change(&events);
            }
            Op::Strangers { acts, .. } if self.faults.strangers => {
                for act in acts {
                    let before = self.server.snapshot();
                    act.act(&mut self.server);
                    self.log(format!("stranger: {act:?}"));
                    self.tell(&before, true);
                }
            }
            Op::Abdicate { nth } => {
                let placements = self.oracle.placements().map(|(key, _)| key.clone());
                if let Some(key) = super::act::nth_of(placements, *nth) {
                    self.change(&[Event::EdgePlacement(key, None)]);
                }
            }
            Op::Strangers { .. } | Op::Usurp { .. } | Op::Restart { .. } => {}
        }
    }

    fn change(&mut self, events: &[Event]) {
        // A SyncTarget whose labels nobody ever knew is not in the oracle's scope.
        let known = |event: &&Event| match event {
            Event::SyncTarget(key, Some(record)) => {
                record.labels.is_some() || self.oracle.sync_targets().any(|(have, ..)| have == key)
            }
            _ => true,
        };
        let events: Vec<Event> = batch(events).into_iter().filter(known).cloned().collect();
        for event in &events {
            self.log(brief(event));
            self.oracle.apply(event);
            if event.kind() == Kind::EdgePlacement {
                self.server.mention(event.key());
            }
            self.publisher.apply(event, self.now);
        }
        let wanted = self.wanted();
        for flight in &mut self.flights {
            flight.wanted.retain(|place| wanted.contains(place));
        }
        for (_, have) in &mut self.ghosts {
            have.retain(|place| wanted.contains(place));
        }
    }

    /// What is wanted, by the events that were applied.
    fn wanted(&self) -> BTreeSet<Place> {
        let index = self.publisher.scheduler().index();
        let placements: Vec<ObjectKey> = self.publisher.scheduler().placements().collect();
        let rows = |key: &ObjectKey| -> Vec<Place> {
            let rows = index.destinations(key).into_iter().flatten();
            rows.map(|row| place(key, &row.into())).collect()
        };
        placements.iter().flat_map(rows).collect()
    }

    /// The watch will tell how the server changed. What a stranger took away is no concern of requests in flight.
    fn tell(&mut self, before: &BTreeMap<ObjectKey, Live>, stranger: bool) {
        let after = self.server.snapshot();
        let mut touched: BTreeSet<ObjectKey> = before.keys().chain(after.keys()).cloned().collect();
        touched.retain(|key| before.get(key) != after.get(key));
        for key in &touched {
            let seen = after.get(key).cloned().unwrap_or_else(|| {
                let uid = before.get(key).map(|live| live.metadata().uid.clone());
                Live::Gone(uid.unwrap_or_default())
            });
            let mut taken = BTreeSet::new();
            if stranger {
                taken = before.get(key).into_iter().flat_map(Live::places).collect();
                for flight in &mut self.flights {
                    flight.wanted.retain(|place| !taken.contains(place));
                }
                for (_, wanted) in &mut self.ghosts {
                    wanted.retain(|place| !taken.contains(place));
                }
            }
            self.watch.push_back(Change { key: key.clone(), live: seen, taken });
        }
    }

    fn step(&mut self) {
        match self.below(100) {
            0..40 => self.dispatch(),
            40..60 => self.take_effect(),
            60..75 => self.answer(),
            75..90 => self.see(),
            90 => self.turn_gate(),
            91..97 => {
                let passed = Time::from_millis(1 << self.below(12));
                self.now += passed;
            }
            _ => self.haunt(),
        }
    }

    /// Another replica leads for a while, or a source is unknown; or that is over.
    fn turn_gate(&mut self) {
        let gate = [Gate::Open, Gate::GrowOnly, Gate::Closed, Gate::Open][self.below(4) as usize];
        self.log(format!("gate: {gate:?}"));
        self.gate = gate;
        if gate != Gate::Closed {
            self.catch_up();
        }
        self.publisher.set_gate(gate, self.now);
    }

    /// A list tells all that the watch has still to tell.
    fn catch_up(&mut self) {
        while !self.watch.is_empty() {
            self.see();
        }
    }

    fn dispatch(&mut self) {
        if self.flights.len() >= self.faults.concurrency {
            return;
        }
        let Some(request) = self.publisher.poll(self.now) else { return };
        self.ensure(self.gate != Gate::Closed, || "a request although the gate is closed".into());
        self.log(format!("request: {}", describe(&request)));
        if let Action::Write(write) = &request.action {
            let twice = self.flights.iter().any(|flight| subject(&flight.request) == Some(&write.key));
            self.ensure(!twice, || format!("two requests for {}", write.key));
        }
        self.take_off(request);
    }

    fn take_off(&mut self, request: Request) {
        let mut wanted = self.wanted();
        // Nobody can know yet what strangers took away.
        let taken: BTreeSet<&Place> = self.watch.iter().flat_map(|change| &change.taken).collect();
        wanted.retain(|place| !taken.contains(place));
        self.flights.push(Flight { request, answer: None, wanted });
    }

    /// A request reaches the server.
    fn take_effect(&mut self) {
        let waiting: Vec<usize> = (0..self.flights.len()).filter(|&at| self.flights[at].answer.is_none()).collect();
        if waiting.is_empty() {
            return;
        }
        let at = waiting[self.pick(waiting.len())];
        let fault = self.percent(self.faults.fail);
        let kind = self.below(8);
        let action = self.flights[at].request.action.clone();
        let wanted = self.flights[at].wanted.clone();
        let unknown = || Outcome::Failed(Failure::Unknown("timeout".into()));
        let answer = match (fault, kind) {
            (true, 0) => Outcome::Failed(Failure::NotDone("refused".into())),
            (true, 1) => Outcome::Failed(Failure::Busy(Some(Time::from_millis(50)))),
            (true, 2) => Outcome::Failed(Failure::Forbidden("no".into())),
            (true, 3) => Outcome::Failed(Failure::Rejected("quota".into())),
            // Lost on the way, or taking effect later, or the answer is lost.
            (true, 4) => unknown(),
            (true, 5) => {
                if let Action::Write(write) = &action {
                    self.ghosts.push((write.clone(), wanted));
                }
                unknown()
            }
            (true, _) => {
                let _ = self.execute(&action, &wanted);
                unknown()
            }
            (false, _) => self.execute(&action, &wanted),
        };
        self.log(format!("answer to {}: {}", describe(&self.flights[at].request), short(&answer)));
        self.flights[at].answer = Some(answer);
    }

    fn execute(&mut self, action: &Action, wanted: &BTreeSet<Place>) -> Outcome {
        match action {
            Action::Write(write) => match self.write(write, wanted) {
                Outcome::Slice(slice) if self.faults.thin => {
                    let digest = Digest::of(slice.destinations.iter().map(Into::into));
                    Outcome::ThinSlice(slice.metadata, digest)
                }
                outcome => outcome,
            },
            Action::ReadSlice(key) => self.server.read(key),
            Action::ReadPlacement(key) => {
                let found = self.oracle.placements().find(|(have, _)| *have == key);
                found.map_or(Outcome::Failed(Failure::NotFound), |(_, record)| Outcome::Placement {
                    uid: record.uid.clone(),
                })
            }
            Action::Status(_) => Outcome::StatusWritten,
        }
    }

    /// A write takes effect: nothing that was wanted all the time may vanish, and what is not ours is not touched.
    fn write(&mut self, write: &Write, wanted: &BTreeSet<Place>) -> Outcome {
        let before = self.server.snapshot();
        let outcome = self.server.execute(write, self.max);
        let after = self.server.snapshot();
        if before == after {
            return outcome;
        }
        self.writes += 1;
        let places =
            |state: &BTreeMap<ObjectKey, Live>| -> BTreeSet<Place> { state.values().flat_map(Live::places).collect() };
        let (had, has) = (places(&before), places(&after));
        let lost: Vec<&Place> = had.difference(&has).filter(|place| wanted.contains(*place)).collect();
        self.ensure(lost.is_empty(), || format!("{:?} {} loses {lost:?}", write.verb, write.key));
        self.tell(&before, false);
        outcome
    }

    /// The answer reaches the publisher.
    fn answer(&mut self) {
        let answered: Vec<usize> = (0..self.flights.len()).filter(|&at| self.flights[at].answer.is_some()).collect();
        if answered.is_empty() {
            return;
        }
        let at = answered[self.pick(answered.len())];
        let flight = self.flights.swap_remove(at);
        self.log(format!("outcome: {}", describe(&flight.request)));
        self.publisher.complete(flight.request.id, flight.answer.unwrap(), self.now);
    }

    /// The watch tells the next change.
    fn see(&mut self) {
        let Some(Change { key, live, .. }) = self.watch.pop_front() else { return };
        self.log(format!("watch: {key} {}", live.describe()));
        let seen = self.seen(live);
        self.publisher.observe_slice(&key, seen, self.now);
    }

    fn seen(&self, live: Live) -> Seen {
        match live {
            Live::Slice(slice) if self.faults.thin => {
                let digest = Digest::of(slice.destinations.iter().map(Into::into));
                Seen::Thin(slice.metadata, digest)
            }
            Live::Slice(slice) => Seen::Object(slice),
            Live::Garbled(metadata) => Seen::Unreadable(metadata),
            Live::Gone(uid) => Seen::Gone(Some(uid)),
        }
    }

    /// A request that nobody waits for any more takes effect.
    fn haunt(&mut self) {
        if self.ghosts.is_empty() {
            return;
        }
        let at = self.pick(self.ghosts.len());
        let (write, wanted) = self.ghosts.swap_remove(at);
        self.log(format!("late: {:?} {}", write.verb, write.key));
        let _ = self.write(&write, &wanted);
    }
}

fn mk_publisher(max: usize, keeps: bool) -> Publisher {
    let mut publisher = Publisher::new(Options::default().with_max_destinations_per_slice(max).unwrap());
    publisher.set_status_fields(StatusFields::All);
    if keeps { publisher.keeping_destinations() } else { publisher }
}

/// Whether some SyncTarget has no UID at some time, as in manifests. On API servers all have one.
fn lacks_uids(script: &Script) -> bool {
    let changes = script.ops.iter().flat_map(|op| match op {
        Op::Apply(change) => core::slice::from_ref(change),
        Op::Batch(changes) | Op::Interrupted { changes, .. } => changes,
        _ => &[],
    });
    let mut events = script.start.iter().chain(changes).map(super::Change::event);
    events.any(|event| matches!(event, Event::SyncTarget(_, Some(record)) if record.uid.is_empty()))
}

/// An event on one line.
fn brief(event: &Event) -> String {
    let matches =
        |selectors: &[crate::selector::Selector]| selectors.iter().map(|s| format!("[{s}]")).collect::<String>();
    match event {
        Event::SyncTarget(key, None) | Event::Location(key, None) | Event::EdgePlacement(key, None) => {
            format!("event: {} {key} gone", event.kind())
        }
        Event::SyncTarget(key, Some(record)) => format!("event: SyncTarget {key} {} {:?}", record.uid, record.labels),
        Event::Location(key, Some(record)) => {
            format!("event: Location {key} {:?} holds {:?}", record.labels, record.holds)
        }
        Event::EdgePlacement(key, Some(record)) => {
            let selectors = record.selectors.as_ref().map(|selectors| matches(selectors));
            format!("event: EdgePlacement {key} {} deleting={} {selectors:?}", record.uid, record.deleting)
        }
    }
}

fn is_going(slice: &SinglePlacementSlice) -> bool {
    slice.metadata.deletion_timestamp.is_some()
}
