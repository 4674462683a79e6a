//! The whole scheduler against a model of its surroundings, in one thread with virtual time.
//!
//! ```text
//!  users, strangers, garbage collector ──► server ──history──► streams of each replica ──► Publisher
//!                                            ▲  (list, watch, 410, breaks, each kind for itself)  │
//!                                            └──────── requests: late, lost, refused ◄────────────┘
//! ```
//!
//! * A run is a [`Script`]: one act after the other, each out of a few bytes. A seed gives one, [`Script::shrunk`] leaves out
//!   what does not matter, and its text is a test.
//! * `server` has versions, preconditions, finalizers, a history that can be compacted, and a Lease. `watch` is what a
//!   replica is told, `replica` what it makes of that; they follow edge-kube's engine.
//! * `invariants` says what must hold when a write takes effect, and when all has come to rest.
//!
//! **What is modelled is what API servers do**: a watch is in order for one kind and says nothing about the order of two;
//! lists are consistent; a request that timed out may take effect later.

mod invariants;
mod outage;
mod replica;
mod rest;
mod script;
mod server;
mod watch;

pub use script::Script;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Change;
use super::act::nth_of;
use super::server::{Live, owner_of};
use crate::index::DestinationRef;
use crate::lease::{Action as LeaseAction, Answer as LeaseAnswer};
use crate::object::{Kind, ObjectKey};
use crate::publisher::{Action, Failure, Gate, Outcome, Request, Time};
use crate::slices::{Verb, Write};
use replica::Replica;
use script::{Act, Fate, Settings, Trouble};
use server::{ApiServer, Shown};
use watch::Told;

/// A destination without its UID, of an EdgePlacement.
type Place = (ObjectKey, String, String, String);

fn place(placement: &ObjectKey, row: DestinationRef<'_>) -> Place {
    (placement.clone(), row.cluster.into(), row.location_name.into(), row.sync_target_name.into())
}

/// What a slice has for its EdgePlacement.
fn places(live: &Live) -> Vec<Place> {
    let Some((owner, rows)) = live.rows() else { return Vec::new() };
    rows.iter().map(|row| place(&owner, row.into())).collect()
}

/// What was asked.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the largest")]
enum Call {
    Request(Request),
    Lease(LeaseAction),
}

/// What came of it.
#[derive(Debug)]
enum Answer {
    Outcome(Outcome),
    Lease(LeaseAnswer),
}

/// Who sent a write, and what it must not take away.
#[derive(Debug, Clone)]
struct Sender {
    replica: usize,
    term: u32,
    /// How many destinations it puts into a slice.
    max: usize,
    /// Nothing at all may be taken away.
    only_grows: bool,
    /// What was wanted at dispatch and ever since, and that nobody else has touched.
    wanted: Rc<BTreeSet<Place>>,
}

/// A request on its way.
#[derive(Debug)]
struct Flight {
    call: Call,
    sender: Sender,
    answer: Option<Answer>,
}

/// How much happened in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Writes of slices that took effect.
    pub writes: usize,
    /// Writes of status that were carried out.
    pub statuses: usize,
    /// Terms of leadership that began, and starts.
    pub terms: u32,
    /// Writes that took effect although who sent them was dead or led no more.
    pub orphaned: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Simulation {
    settings: Settings,
    server: ApiServer,
    replicas: Vec<Replica>,
    flights: Vec<Flight>,
    /// Writes that were given up on, and that may take effect nevertheless.
    ghosts: Vec<(Write, Sender)>,
    now: Time,
    tally: Tally,
    trace: Vec<String>,
}

impl Simulation {
    /// Runs a script, lets everything come to rest, and starts the scheduler again.
    ///
    /// # Panics
    ///
    /// If something does not hold that must; the message ends with what happened before.
    pub fn run(script: &Script) -> Tally {
        let settings = script.settings();
        let mut simulation = Self {
            settings,
            server: ApiServer::new(settings.unknown_uids),
            replicas: (0..settings.replicas).map(|index| Replica::new(index, &settings, settings.max, 0)).collect(),
            flights: Vec::new(),
            ghosts: Vec::new(),
            now: Time::ZERO,
            tally: Tally::default(),
            trace: Vec::new(),
        };
        for act in script.acts() {
            simulation.act(&act);
        }
        simulation.come_to_rest();
        simulation.tally.terms = simulation.replicas.iter().map(|replica| replica.term).sum();
        simulation.tally
    }

    fn log(&mut self, line: impl FnOnce() -> String) {
        if self.trace.len() > 600 {
            self.trace.drain(..300);
        }
        self.trace.push(line().replace("---", "").chars().take(260).collect());
    }

    #[track_caller]
    fn ensure(&self, holds: bool, what: impl FnOnce() -> String) {
        assert!(holds, "{}\n  {}", what(), self.trace.join("\n  "));
    }

    // === What happens ===

    fn act(&mut self, act: &Act) {
        let replicas = self.replicas.len();
        self.log(|| format!("{act:?}"));
        match act {
            Act::Work { replica, steps, seed } => self.work(replica % replicas, *steps, *seed),
            Act::Tell { replica, kind, count } => (0..*count).for_each(|_| self.tell(replica % replicas, *kind)),
            Act::Dispatch { replica } => self.dispatch(replica % replicas),
            Act::Arrive { nth, fate } => self.arrive(*nth, *fate),
            Act::Answer { nth } => self.answer(*nth),
            Act::Haunt { nth } => self.haunt(*nth),
            Act::Pass(time) => self.now += *time,
            Act::Outage { fate, time } => self.outage(*fate, *time),
            Act::Users(changes) => changes.iter().map(Change::event).for_each(|event| self.server.change(event)),
            Act::Usurp { nth, selectors } => {
                let further = self.server.slices().published().iter();
                let further = further.filter(|(key, slice)| owner_of(slice) != Some(&key.name));
                if let Some(key) = nth_of(further.map(|(key, _)| key.clone()), *nth) {
                    let usurper = Change::PutPlacement { key, uid: 0, selectors: selectors.clone(), deleting: false };
                    self.server.change(usurper.event());
                }
            }
            Act::Stranger(meddling) => {
                let taken = self.server.meddle(|slices| meddling.act(slices));
                self.excuse(&taken);
            }
            Act::Collect { nth } => {
                self.server.collect(*nth);
                self.others_did();
            }
            Act::Release { nth } => {
                self.server.release(*nth);
                self.others_did();
            }
            Act::Stream { replica, kind, trouble } => self.trouble(replica % replicas, *kind, *trouble),
            Act::Crash { replica } => {
                let replica = &mut self.replicas[replica % replicas];
                replica.up = false;
                replica.term += 1;
            }
            Act::Start { replica, max } => {
                let index = replica % replicas;
                let (up, term, old) = (self.replicas[index].up, self.replicas[index].term, self.replicas[index].max);
                if !up {
                    self.replicas[index] = Replica::new(index, &self.settings, max.unwrap_or(old), term + 1);
                }
            }
            Act::Pause { replica } => self.replicas[replica % replicas].paused = true,
            Act::Resume { replica } => self.replicas[replica % replicas].paused = false,
            Act::Unknown { replica, unknown } => self.replicas[replica % replicas].unknown = *unknown,
            Act::Refuse { nth } => {
                let flown = self.flights.iter().filter_map(|flight| Some(write_of(&flight.call)?.key.clone()));
                let names: BTreeSet<ObjectKey> = flown.chain(self.server.live().keys().cloned()).collect();
                self.server.refused.extend(nth_of(names.into_iter(), *nth));
            }
            Act::Permit => self.server.refused.clear(),
        }
    }

    fn work(&mut self, replica: usize, steps: u8, seed: u8) {
        let mut random = u64::from(seed) ^ 0x9E37_79B9_7F4A_7C15;
        let mut below = |n: u8| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random.to_be_bytes()[0] % n
        };
        for _ in 0..steps {
            match below(8) {
                0..3 => (0..3).for_each(|_| self.tell(replica, Kind::ALL[usize::from(below(4))])),
                3..5 => self.dispatch(replica),
                5..7 => {
                    let fails = below(100) < self.settings.fail;
                    let fate = if fails { Fate::failure(below(64)) } else { Fate::Done };
                    self.arrive(below(64), fate);
                }
                _ => {
                    self.answer(below(64));
                    self.now += Time::from_millis(below(20).into());
                }
            }
        }
    }

    fn tell(&mut self, index: usize, kind: Kind) {
        let replica = &mut self.replicas[index];
        if !replica.is_running() {
            return;
        }
        replica.look(self.now);
        let told = replica.tell(kind, &self.server, self.now);
        replica.look(self.now);
        if let Some(told) = told {
            self.told(index, &told);
        }
    }

    /// What is under way need not keep what is not wanted any more.
    fn told(&mut self, index: usize, told: &Told) {
        self.log(|| format!("{index} is told: {}", brief(told)));
        let under_way = self.senders().any(|sender| sender.replica == index && !sender.wanted.is_empty());
        if matches!(told.shown(), None | Some(Shown::Slice(..))) || !under_way {
            return;
        }
        let wanted = self.replicas[index].wanted();
        for sender in self.senders().filter(|sender| sender.replica == index) {
            if !sender.wanted.is_subset(&wanted) {
                sender.wanted = Rc::new(sender.wanted.intersection(&wanted).cloned().collect());
            }
        }
    }

    fn senders(&mut self) -> impl Iterator<Item = &mut Sender> {
        let flights = self.flights.iter_mut().map(|flight| &mut flight.sender);
        flights.chain(self.ghosts.iter_mut().map(|(_, sender)| sender))
    }

    /// What others took away is no concern of requests that are under way.
    fn excuse(&mut self, taken: &BTreeSet<Place>) {
        for sender in self.senders() {
            if !sender.wanted.is_disjoint(taken) {
                sender.wanted = Rc::new(sender.wanted.difference(taken).cloned().collect());
            }
        }
    }

    fn others_did(&mut self) {
        let taken = self.server.record(true);
        self.excuse(&taken);
    }

    fn trouble(&mut self, index: usize, kind: Kind, trouble: Trouble) {
        match trouble {
            Trouble::Expire => self.server.compact(kind),
            Trouble::Break => self.replicas[index].stream(kind).break_off(),
            Trouble::Repeat => {
                if self.replicas[index].is_running()
                    && let Some(told) = self.replicas[index].stream(kind).repeat()
                {
                    self.replicas[index].learn(told.clone(), self.now);
                    self.told(index, &told);
                }
            }
        }
    }

    /// A replica sends what it has to send next: about its Lease, or about slices.
    fn dispatch(&mut self, index: usize) {
        let replica = &mut self.replicas[index];
        if !replica.is_running() {
            return;
        }
        replica.look(self.now);
        let local = self.now + replica.ahead;
        if let Some(elector) = &mut replica.elector {
            let action = elector.step(local);
            if !matches!(action, LeaseAction::Wait(_) | LeaseAction::Released) {
                self.take_off(index, Call::Lease(action));
            }
        }
        let busy = self.flights.iter().filter(|flight| {
            let alive = self.replicas[index].term == flight.sender.term && flight.sender.replica == index;
            alive && matches!(flight.call, Call::Request(_))
        });
        if busy.count() >= self.settings.concurrency {
            return;
        }
        let replica = &mut self.replicas[index];
        let Some(request) = replica.publisher.poll(local) else { return };
        self.check_dispatch(index, &request);
        self.take_off(index, Call::Request(request));
    }

    fn take_off(&mut self, replica: usize, call: Call) {
        self.log(|| format!("{replica} asks: {}", describe(&call)));
        let sender = &mut self.replicas[replica];
        if let Some(write) = write_of(&call).filter(|write| write.verb == Verb::Create) {
            sender.stream(Kind::SinglePlacementSlice).sends(&write.key);
        }
        let (term, max, only_grows) = (sender.term, sender.max, sender.gate == Gate::GrowOnly);
        let mut wanted = if write_of(&call).is_some() { sender.wanted() } else { Rc::default() };
        let untold: BTreeSet<&Place> = sender.untold(&self.server).filter(|place| wanted.contains(*place)).collect();
        if !untold.is_empty() {
            wanted = Rc::new(wanted.iter().filter(|place| !untold.contains(place)).cloned().collect());
        }
        self.flights.push(Flight { call, sender: Sender { replica, term, max, only_grows, wanted }, answer: None });
    }

    /// A request reaches the server.
    fn arrive(&mut self, nth: u8, fate: Fate) {
        let waiting = (0..self.flights.len()).filter(|&at| self.flights[at].answer.is_none());
        let Some(at) = nth_of(waiting, nth) else { return };
        let (call, sender) = (self.flights[at].call.clone(), self.flights[at].sender.clone());
        let carried_out = matches!(fate, Fate::Done | Fate::Unanswered);
        let done = carried_out.then(|| self.execute(&call, &sender));
        if fate == Fate::Late
            && let Some(write) = write_of(&call)
        {
            self.ghosts.push((write.clone(), sender));
        }
        let answer = match (call, done) {
            (_, Some(answer)) if fate == Fate::Done => answer,
            (Call::Lease(_), _) => Answer::Lease(LeaseAnswer::Failed),
            (Call::Request(request), _) => Answer::Outcome(Outcome::Failed(failure(fate, &request.action))),
        };
        self.log(|| format!("the server, {fate:?}: {}", brief_answer(&answer)));
        self.flights[at].answer = Some(answer);
    }

    fn execute(&mut self, call: &Call, sender: &Sender) -> Answer {
        let action = match call {
            Call::Lease(action) => return Answer::Lease(self.server.lease(action)),
            Call::Request(request) => &request.action,
        };
        Answer::Outcome(match action {
            Action::Write(write) => self.write(write, sender),
            Action::ReadSlice(key) => self.server.slices().read(key),
            Action::ReadPlacement(key) => self.server.read_placement(key),
            Action::Status(status) => {
                self.tally.statuses += 1;
                let now = self.now.as_millis().to_string();
                self.server.write_status(status, self.settings.fields, &now)
            }
        })
    }

    /// A write takes effect.
    fn write(&mut self, write: &Write, sender: &Sender) -> Outcome {
        let before = self.server.live().get(&write.key).cloned();
        let outcome = self.server.write(write, sender.max);
        let replica = &self.replicas[sender.replica];
        let alive = replica.term == sender.term && replica.up;
        let taken = self.server.record(!alive);
        self.excuse(&taken);
        if self.server.live().get(&write.key) != before.as_ref() {
            self.tally.writes += 1;
            self.tally.orphaned += usize::from(!alive);
            if alive {
                self.check_write(write, before.as_ref(), sender);
            }
        }
        outcome
    }

    /// The answer reaches who asked, if they are still there.
    fn answer(&mut self, nth: u8) {
        let answered = (0..self.flights.len()).filter(|&at| {
            let replica = &self.replicas[self.flights[at].sender.replica];
            self.flights[at].answer.is_some() && !(replica.up && replica.paused)
        });
        let Some(at) = nth_of(answered, nth) else { return };
        let Flight { call, sender, answer } = self.flights.remove(at);
        self.log(|| format!("{} is answered: {}", sender.replica, describe(&call)));
        let replica = &mut self.replicas[sender.replica];
        let local = self.now + replica.ahead;
        if !replica.up || sender.term < replica.born {
            return;
        }
        match (call, answer) {
            (Call::Request(request), Some(Answer::Outcome(outcome))) => {
                let exists = match &request.action {
                    Action::Write(write) if write.verb != Verb::Delete => Some(&write.key),
                    Action::ReadSlice(key) => Some(key),
                    _ => None,
                };
                if let (Some(key), Outcome::Slice(_)) = (exists, &outcome) {
                    replica.stream(Kind::SinglePlacementSlice).wrote(key);
                }
                let outcome = replica.outcome(&request.action, outcome);
                replica.publisher.complete(request.id, outcome, local);
            }
            (Call::Lease(_), Some(Answer::Lease(answer))) => {
                if let Some(elector) = &mut replica.elector {
                    elector.answer(answer, local);
                }
                replica.look(self.now);
            }
            _ => {}
        }
    }

    /// A write that was given up on takes effect.
    fn haunt(&mut self, nth: u8) {
        if self.ghosts.is_empty() {
            return;
        }
        let (write, sender) = self.ghosts.swap_remove(usize::from(nth) % self.ghosts.len());
        self.log(|| format!("late: {:?} {}", write.verb, write.key));
        let _ = self.write(&write, &sender);
    }
}

fn write_of(call: &Call) -> Option<&Write> {
    if let Call::Request(Request { action: Action::Write(write), .. }) = call { Some(write) } else { None }
}

fn failure(fate: Fate, action: &Action) -> Failure {
    let creates = matches!(action, Action::Write(write) if write.verb == Verb::Create);
    match fate {
        Fate::Refused => Failure::NotDone("503".into()),
        Fate::Busy => Failure::Busy(Some(Time::from_millis(50))),
        Fate::Forbidden => Failure::Forbidden("no".into()),
        Fate::Rejected if matches!(action, Action::Write(_) | Action::Status(_)) => Failure::Rejected("quota".into()),
        Fate::Away if creates => Failure::NotFound,
        _ => Failure::Unknown("timeout".into()),
    }
}

// === For people ===

fn describe(call: &Call) -> String {
    let Some(write) = write_of(call) else {
        return match call {
            Call::Request(request) => format!("{:?}", request.action),
            Call::Lease(action) => format!("{action:?}"),
        };
    };
    let rows = write.object.iter().flat_map(|object| &object.destinations);
    let rows: Vec<String> =
        rows.map(|row| format!("{}/{}/{}", row.cluster, row.location_name, row.sync_target_name)).collect();
    format!("{:?} {} @{:?} {rows:?}", write.verb, write.key, write.resource_version)
}

fn brief(told: &Told) -> String {
    match told.shown() {
        Some(Shown::Slice(key, Live::Slice(slice))) => {
            format!("{key} @{} {} rows", slice.metadata.resource_version, slice.destinations.len())
        }
        _ => format!("{told:?}"),
    }
}

fn brief_answer(answer: &Answer) -> String {
    match answer {
        Answer::Outcome(Outcome::Slice(slice)) => format!("ok @{}", slice.metadata.resource_version),
        other => format!("{other:?}"),
    }
}
