//! Several replicas and a model server, with slow, lost and unanswered requests, pauses and releases.

use alloc::collections::BinaryHeap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cmp::Reverse;

use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::*;

fn ms(count: u64) -> Time {
    Duration::from_millis(count)
}

/// SplitMix64: the seed is the whole test case.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// In the order of time. The number of the replica and of its request make a late answer known as such.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Wake(usize),
    Arrive(usize, u64),
    Answer(usize, u64),
    Timeout(usize, u64),
    Resume(usize),
}

struct Replica {
    elector: Elector,
    /// Its clock shows so much more than the model's.
    ahead: Time,
    paused: bool,
    /// What came in during a pause.
    backlog: Vec<Event>,
    request: u64,
    /// The request that has not come to an end, for this replica.
    waiting: Option<u64>,
    answers: Vec<(u64, Answer)>,
    actions: Vec<(u64, Action)>,
}

struct Model {
    random: Random,
    now: Time,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    serial: u64,
    record: Option<Record>,
    version: u64,
    replicas: Vec<Replica>,
    faults: bool,
    overlap: bool,
    terms: u64,
}

impl Model {
    fn new(seed: u64, replicas: usize, config: impl Fn(usize) -> Config) -> Self {
        let mut model = Self {
            random: Random(seed),
            now: Time::ZERO,
            events: BinaryHeap::new(),
            serial: 0,
            record: None,
            version: 0,
            replicas: Vec::new(),
            faults: true,
            overlap: false,
            terms: 0,
        };
        for index in 0..replicas {
            let ahead = ms(model.random.below(1_000_000));
            model.replicas.push(Replica {
                elector: Elector::new(config(index)),
                ahead,
                paused: false,
                backlog: Vec::new(),
                request: 0,
                waiting: None,
                answers: Vec::new(),
                actions: Vec::new(),
            });
            let start = ms(model.random.below(3_000));
            model.at(start, Event::Wake(index));
        }
        model
    }

    fn at(&mut self, time: Time, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((time.max(self.now), self.serial, event)));
    }

    /// How long a message is on its way.
    fn delay(&mut self) -> Time {
        let bound = if self.faults && self.random.chance(10) { 12_000 } else { 50 };
        ms(1 + self.random.below(bound))
    }

    fn leaders(&self) -> Vec<usize> {
        let leads =
            |replica: &Replica| replica.elector.leading_until().is_some_and(|until| self.now + replica.ahead < until);
        (0..self.replicas.len()).filter(|index| leads(&self.replicas[*index])).collect()
    }

    fn run_until(&mut self, end: Time) {
        while let Some(Reverse((time, ..))) = self.events.peek() {
            if *time > end {
                break;
            }
            let Some(Reverse((time, _, event))) = self.events.pop() else { break };
            self.now = time;
            self.handle(event);
            self.overlap |= self.leaders().len() > 1;
        }
        self.now = end;
    }

    fn handle(&mut self, event: Event) {
        let (Event::Wake(index)
        | Event::Arrive(index, _)
        | Event::Answer(index, _)
        | Event::Timeout(index, _)
        | Event::Resume(index)) = event;
        if let Event::Arrive(_, request) = event {
            return self.serve(index, request);
        }
        if event == Event::Resume(index) {
            self.replicas[index].paused = false;
            let backlog = core::mem::take(&mut self.replicas[index].backlog);
            backlog.into_iter().for_each(|event| self.handle(event));
            return;
        }
        if self.replicas[index].paused {
            return self.replicas[index].backlog.push(event);
        }
        if self.faults && self.random.chance(1) {
            self.replicas[index].paused = true;
            self.replicas[index].backlog.push(event);
            let pause = ms(self.random.below(40_000));
            let end = self.now + pause;
            return self.at(end, Event::Resume(index));
        }
        let replica = &mut self.replicas[index];
        let local = self.now + replica.ahead;
        match event {
            Event::Answer(_, request) if replica.waiting == Some(request) => {
                let position = replica.answers.iter().position(|(id, _)| *id == request);
                let (_, answer) = replica.answers.swap_remove(position.unwrap());
                replica.waiting = None;
                let led = replica.elector.leading_until();
                replica.elector.answer(answer, local);
                self.terms += u64::from(led.is_none() && replica.elector.leading_until().is_some());
            }
            Event::Timeout(_, request) if replica.waiting == Some(request) => {
                replica.waiting = None;
                replica.elector.answer(Answer::Failed, local);
            }
            Event::Wake(_) => {}
            _ => return,
        }
        self.step(index);
    }

    fn step(&mut self, index: usize) {
        let replica = &mut self.replicas[index];
        if replica.waiting.is_some() {
            return;
        }
        let ahead = replica.ahead;
        let action = replica.elector.step(self.now + ahead);
        match action {
            Action::Released => {}
            Action::Wait(until) => self.at(until.saturating_sub(ahead), Event::Wake(index)),
            request => {
                replica.request += 1;
                let id = replica.request;
                replica.waiting = Some(id);
                replica.actions.push((id, request));
                let timeout = self.now + replica.elector.config.request_timeout();
                self.at(timeout, Event::Timeout(index, id));
                // Lost on the way there, now and then.
                if !(self.faults && self.random.chance(5)) {
                    let arrival = self.now + self.delay();
                    self.at(arrival, Event::Arrive(index, id));
                }
            }
        }
    }

    fn serve(&mut self, index: usize, id: u64) {
        let position = self.replicas[index].actions.iter().position(|(known, _)| *known == id).unwrap();
        let (_, action) = self.replicas[index].actions.swap_remove(position);
        let answer = self.perform(action);
        self.replicas[index].answers.push((id, answer));
        // Lost on the way back, now and then.
        if !(self.faults && self.random.chance(5)) {
            let arrival = self.now + self.delay();
            self.at(arrival, Event::Answer(index, id));
        }
    }

    fn perform(&mut self, action: Action) -> Answer {
        if self.faults && self.random.chance(3) {
            return Answer::Failed;
        }
        let claim = match (action, &self.record) {
            (Action::Get, Some(record)) => return Answer::Record(record.clone()),
            (Action::Get | Action::Update { .. }, None) => return Answer::NotFound,
            (Action::Create(_), Some(_)) => return Answer::Conflict,
            (Action::Update { resource_version, .. }, Some(record)) if resource_version != record.resource_version => {
                return Answer::Conflict;
            }
            (Action::Create(claim) | Action::Update { claim, .. }, _) => claim,
            (Action::Wait(_) | Action::Released, _) => unreachable!(),
        };
        self.version += 1;
        let version = self.version.to_string();
        let record = Record {
            holder: claim.holder,
            duration_seconds: claim.duration_seconds,
            transitions: claim.transitions,
            acquire_time: String::new(),
            renew_time: version.clone(),
            resource_version: version,
        };
        self.record = Some(record.clone());
        Answer::Record(record)
    }

    fn release(&mut self, index: usize) {
        let local = self.now + self.replicas[index].ahead;
        self.replicas[index].elector.release(local);
        self.step(index);
    }
}

fn config(index: usize) -> Config {
    Config::new(index.to_string(), ms(15_000), ms(10_000), ms(2_000)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is late, lost or paused: a check of the clock shows one leader at most. And when all is well again, one leads.
    #[test]
    fn never_two_leaders(seed in any::<u64>(), replicas in 2_usize..=3) {
        let mut model = Model::new(seed, replicas, config);
        model.run_until(ms(400_000));
        prop_assert!(!model.overlap, "two replicas led at once");
        model.faults = false;
        // Pauses end within 40 s, then requests in flight within 12 s, then a lease within 15 s and a poll.
        model.run_until(ms(475_000));
        prop_assert!(!model.overlap, "two replicas led at once");
        prop_assert_eq!(model.leaders().len(), 1);
    }

    /// A leader that shuts down is followed within a second, as long as the server answers in 50 ms.
    #[test]
    fn a_release_is_followed_at_once(seed in any::<u64>(), replicas in 2_usize..=3) {
        let mut model = Model::new(seed, replicas, config);
        model.faults = false;
        model.run_until(ms(20_000));
        let first = model.leaders();
        prop_assert_eq!(first.len(), 1);
        model.release(first[0]);
        prop_assert!(model.leaders().is_empty());
        let released = model.now;
        model.run_until(released + ms(1_000));
        let second = model.leaders();
        prop_assert_eq!(second.len(), 1);
        prop_assert!(first != second && !model.overlap);
    }
}

/// The model can find an overlap: with a renew deadline beyond the lease duration there are some.
#[test]
fn the_model_sees_two_leaders_where_there_are() {
    let wrong = |index: usize| Config { renew_deadline: ms(30_000), ..config(index) };
    let overlaps = (0..50).filter(|seed| {
        let mut model = Model::new(*seed, 2, wrong);
        model.run_until(ms(400_000));
        model.overlap
    });
    assert!(overlaps.count() > 5);
}

/// Faults do move the Lease about: otherwise the property above would say little.
#[test]
fn leadership_changes_in_the_model() {
    let terms: Vec<u64> = (0..50)
        .map(|seed| {
            let mut model = Model::new(seed, 3, config);
            model.run_until(ms(400_000));
            model.terms
        })
        .collect();
    assert!(terms.iter().sum::<u64>() > 150, "{terms:?}");
}
