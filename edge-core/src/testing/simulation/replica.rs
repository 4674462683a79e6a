//! One scheduler: its publisher, its streams, its part in the election, and what that lets it write.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;

use super::script::Settings;
use super::server::{ApiServer, Shown};
use super::watch::{Stream, Told};
use super::{Place, place};
use crate::event::Event;
use crate::lease::{Action as LeaseAction, Config, Elector};
use crate::object::Kind;
use crate::publisher::{Action, Gate, Outcome, Publisher, Seen, Time};
use crate::scheduler::Options;
use crate::slices::Digest;
use crate::testing::server::Live;

/// See the module.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) publisher: Publisher,
    pub(super) elector: Option<Elector>,
    pub(super) max: usize,
    /// Lists show it digests of slices, and watches their metadata. One that keeps destinations is shown those.
    thin: bool,
    streams: [Stream; 4],
    /// Its clock shows so much more than the server's.
    pub(super) ahead: Time,
    pub(super) up: bool,
    pub(super) paused: bool,
    /// A source is not listed yet.
    pub(super) unknown: bool,
    /// Counts starts, and changes of leadership: what was sent in another term counts as a dead scheduler's.
    pub(super) term: u32,
    /// The term that it started in: it knows of no request from before.
    pub(super) born: u32,
    leads: bool,
    /// Lists that began before do not count.
    since: Option<Time>,
    opened: bool,
    pub(super) gate: Gate,
    /// What is wanted by the events that were applied; `None` if that has to be found out.
    wanted: Option<Rc<BTreeSet<Place>>>,
}

impl Replica {
    pub(super) fn new(index: usize, settings: &Settings, max: usize, term: u32) -> Self {
        let mut publisher = Publisher::new(Options::default().with_max_destinations_per_slice(max).unwrap());
        publisher.set_status_fields(settings.fields);
        if settings.unknown_uids {
            publisher = publisher.keeping_destinations();
        }
        let config = || {
            let (lease, renew, retry) = (Time::from_secs(15), Time::from_secs(10), Time::from_secs(2));
            Config::new(format!("{index}-{term}"), lease, renew, retry).unwrap()
        };
        Self {
            publisher,
            elector: (settings.replicas > 1).then(|| Elector::new(config())),
            max,
            thin: settings.thin && !settings.unknown_uids,
            streams: Kind::ALL.map(Stream::new),
            ahead: Time::from_secs(1000 * index as u64),
            up: true,
            paused: false,
            unknown: false,
            term,
            born: term,
            leads: false,
            since: None,
            opened: false,
            gate: Gate::Closed,
            wanted: None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.up && !self.paused
    }

    pub(super) fn leads(&self) -> bool {
        self.leads
    }

    pub(super) fn stream(&mut self, kind: Kind) -> &mut Stream {
        self.streams.iter_mut().zip(Kind::ALL).find(|(_, of)| *of == kind).unwrap().0
    }

    fn slices(&self) -> &Stream {
        self.streams.iter().zip(Kind::ALL).find(|(_, of)| *of == Kind::SinglePlacementSlice).unwrap().0
    }

    /// Whether all that happened is known.
    pub(super) fn is_current(&self, server: &ApiServer) -> bool {
        self.streams.iter().all(|stream| stream.is_current(server))
    }

    /// Slices are listed first.
    pub(super) fn can_list(&mut self, kind: Kind) -> bool {
        let slices_listed = self.slices().listed().is_some_and(|began| Some(began) >= self.since);
        kind == Kind::SinglePlacementSlice || slices_listed || !self.stream(kind).is_unlisted()
    }

    /// The next thing that a stream tells.
    pub(super) fn tell(&mut self, kind: Kind, server: &ApiServer, now: Time) -> Option<Told> {
        if !self.can_list(kind) {
            return None;
        }
        let local = now + self.ahead;
        let told = self.stream(kind).next(server, local)?;
        self.learn(told.clone(), now);
        Some(told)
    }

    /// Takes in what a stream told.
    pub(super) fn learn(&mut self, told: Told, now: Time) {
        let local = now + self.ahead;
        let (shown, listed) = match told {
            Told::Missing(key, list_began) => {
                self.publisher.observe_slice(&key, Seen::Missing { list_began }, local);
                return;
            }
            Told::Shown(shown) => (shown, true),
            Told::Changed(shown) => (shown, false),
        };
        match shown {
            Shown::Slice(key, live) => {
                let seen = match live {
                    live if self.thin && !listed => Seen::Metadata(live.metadata()),
                    Live::Slice(slice) if self.thin => {
                        let digest = Digest::of(slice.destinations.iter().map(Into::into));
                        Seen::Thin(slice.metadata, digest)
                    }
                    Live::Slice(slice) => Seen::Object(slice),
                    Live::Garbled(metadata) => Seen::Unreadable(metadata),
                };
                self.publisher.observe_slice(&key, seen, local);
            }
            Shown::Spec(event) => self.apply(&event, local),
            Shown::EdgePlacement(event, status) => {
                self.publisher.observe_status(event.key(), status);
                self.apply(&event, local);
            }
            Shown::Gone(kind, key, uid) => match kind {
                Kind::SyncTarget => self.apply(&Event::SyncTarget(key, None), local),
                Kind::Location => self.apply(&Event::Location(key, None), local),
                Kind::EdgePlacement => self.apply(&Event::EdgePlacement(key, None), local),
                Kind::SinglePlacementSlice => self.publisher.observe_slice(&key, Seen::Gone(uid), local),
            },
        }
    }

    /// An outcome of a write as this replica is told it.
    pub(super) fn outcome(&self, action: &Action, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Slice(slice) if self.thin && matches!(action, Action::Write(_)) => {
                let digest = Digest::of(slice.destinations.iter().map(Into::into));
                Outcome::ThinSlice(slice.metadata, digest)
            }
            outcome => outcome,
        }
    }

    fn apply(&mut self, event: &Event, local: Time) {
        self.publisher.apply(event, local);
        self.wanted = None;
    }

    /// Looks at the clock and at its lists: may it write, and what?
    pub(super) fn look(&mut self, now: Time) {
        let local = now + self.ahead;
        let leads =
            self.elector.as_ref().is_none_or(|elector| elector.leading_until().is_some_and(|until| local < until));
        if leads != self.leads {
            self.leads = leads;
            self.opened = false;
            self.term += 1;
            let begun = self.streams.iter().any(|stream| !stream.is_unlisted() || stream.listed().is_some());
            if leads && begun {
                self.since = Some(local);
                self.streams.iter_mut().for_each(Stream::relist);
            }
        }
        let complete = self.is_listed();
        self.opened |= leads && complete;
        let gate = match (leads && self.opened, complete && !self.unknown) {
            (false, _) => Gate::Closed,
            (true, false) => Gate::GrowOnly,
            (true, true) => Gate::Open,
        };
        if gate != self.gate {
            self.gate = gate;
            self.publisher.set_gate(gate, local);
            self.wanted = None;
        }
    }

    /// Whether all kinds have been listed since it came to lead.
    pub(super) fn is_listed(&self) -> bool {
        self.streams.iter().all(|stream| stream.listed().is_some_and(|began| Some(began) >= self.since))
    }

    /// What is wanted by the events that were applied.
    pub(super) fn wanted(&mut self) -> Rc<BTreeSet<Place>> {
        let scheduler = self.publisher.scheduler();
        if scheduler.index().has_unresolved() {
            // Slices tell what stays, not events.
            self.wanted = None;
        }
        let all = || {
            scheduler
                .placements()
                .flat_map(|key| {
                    let rows = scheduler.index().destinations(&key).into_iter().flatten();
                    rows.map(|row| place(&key, row)).collect::<alloc::vec::Vec<_>>()
                })
                .collect()
        };
        Rc::clone(self.wanted.get_or_insert_with(|| Rc::new(all())))
    }

    /// When it has something to do, by the server's clock.
    pub(super) fn wakeup(&self, now: Time) -> Option<Time> {
        let own = self.publisher.next_wakeup().filter(|_| self.leads);
        let election = self.elector.as_ref().map(|elector| match elector.clone().step(now + self.ahead) {
            LeaseAction::Wait(until) => until,
            _ => now + self.ahead,
        });
        own.into_iter().chain(election).min().map(|time| time.saturating_sub(self.ahead))
    }

    /// What somebody took away and this replica cannot know of yet.
    pub(super) fn untold<'a>(&self, server: &'a ApiServer) -> impl Iterator<Item = &'a Place> + use<'a> {
        server.history(Kind::SinglePlacementSlice)[self.slices().at()..].iter().flat_map(|entry| &entry.taken)
    }
}
