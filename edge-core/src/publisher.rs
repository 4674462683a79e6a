//! The write side: what to ask an API server for next, and what its answers mean.
//!
//! What should be (the layout of [`crate::slices`]) and what is published are separate. What is published changes only when
//! the server answered or a watch event said so. Slices that may differ are *dirty*; the difference is made when one is
//! dispatched, so that nothing is stored that could be outdated.
//!
//! ```text
//!  events ──► Scheduler ──touched──► dirty slices ──► poll ──► Request ──► API server
//!                                        ▲                                   │
//!  watched slices ──► observe ───────────┴──────── complete ◄── Outcome ◄────┘
//! ```
//!
//! * **No write takes a wanted destination away that no other slice holds for certain** (`presence`). What is in flight, or
//!   has an unknown outcome, holds only what it holds either way. A slice that would do so is *barred* until the one that
//!   is to have the destination has it. What is not wanted by anybody goes nevertheless.
//! * At most one request is in flight for a slice, and each carries the version that it replaces.
//! * A slice's destinations are not kept: a digest tells whether they are as they should be, and a range and a time which
//!   they are. Only those that somebody else wrote are listed, until they are overwritten.
//! * Nothing is dropped after a number of tries. It waits: for another slice, for a time, for a logical cluster.
//!
//! Time is what the caller says it is, and what looks random is a hash: a run can be repeated.

mod blocks;
mod book;
mod complete;
mod dispatch;
mod flight;
mod live;
mod marks;
mod observe;
mod presence;
mod request;
mod settle;
mod slot;
mod status;
mod unblock;

pub use request::{Action, Failure, Outcome, Request, RequestId, StatusWrite, Trigger};
pub use status::RESOLVED;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hashbrown::HashMap;

use crate::event::{Event, batch};
use crate::id::PlacementId;
use crate::object::{EdgePlacementStatus, Kind, ObjectKey, ObjectMeta, SinglePlacementSlice};
use crate::scheduler::{Options, Scheduler};
use crate::slices::{Digest, Published};
use blocks::Blocks;
use book::{Book, Flips};
use slot::Slot;

/// A point in time, since an epoch of the caller's choice that never changes. Must not go backwards.
pub type Time = core::time::Duration;

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing: not all is known yet, or another replica leads.
    Closed,
    /// Only what takes nothing away: objects of some source are still unknown.
    GrowOnly,
    /// Everything.
    Open,
}

/// How the status of EdgePlacements is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFields {
    /// All fields: the API has a status subresource.
    All,
    /// The original's two (`specGeneration`, `matchingLocationCount`): each write raises `metadata.generation`.
    Original,
    /// None.
    Off,
}

/// What was seen of a SinglePlacementSlice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It exists and looks like this.
    Object(SinglePlacementSlice),
    /// It exists; a digest stands for its destinations, which are read when they are needed. Not for a publisher that
    /// [keeps destinations](Publisher::keeping_destinations).
    Thin(ObjectMeta, Digest),
    /// It came, or changed, and has this metadata; its destinations were not shown. They are read, unless the version is one
    /// that an answer told.
    Metadata(ObjectMeta),
    /// It exists, but its destinations cannot be read.
    Unreadable(ObjectMeta),
    /// It is gone: the one of this UID, or, if that is not known, whichever was there.
    Gone(Option<String>),
    /// It is not in a list that began at this time.
    Missing {
        /// When the list began.
        list_began: Time,
    },
}

/// Something that holds the publisher up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The logical cluster whose writes wait, or the slice that does.
    pub cluster: String,
    /// The slice, if only that one waits.
    pub name: Option<String>,
    /// What the server said.
    pub reason: String,
    /// When it is tried again.
    pub until: Time,
}

/// How much of everything there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Slices that should exist.
    pub desired: usize,
    /// Slices of ours that exist.
    pub published: usize,
    /// Destinations of all EdgePlacements.
    pub destinations: usize,
    /// Slices that are, or may be, not as they should be.
    pub dirty: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// Slices that wait for a time to pass, or for another slice.
    pub waiting: usize,
}

/// What a request in flight is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Slice(ObjectKey),
    Placement(ObjectKey),
    Status(ObjectKey),
}

/// What happens when a time comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Slice(ObjectKey),
    Doubt(ObjectKey),
    Live(ObjectKey),
    Status(ObjectKey),
}

/// The scheduler, what is published, and what is being done about the difference.
///
/// ```
/// use edge_core::event::Event;
/// use edge_core::object::{EdgePlacement, ObjectKey};
/// use edge_core::publisher::{Action, Gate, Outcome, Publisher, Time};
/// use edge_core::scheduler::Options;
///
/// let mut publisher = Publisher::new(Options::default());
/// let now = Time::ZERO;
/// publisher.apply(&Event::edge_placement(ObjectKey::new("ws1", "everywhere"), EdgePlacement::default()), now);
/// assert_eq!(publisher.poll(now), None); // not all is known yet
/// publisher.set_gate(Gate::Open, now);
/// let request = publisher.poll(now).unwrap();
/// let Action::Write(write) = &request.action else { panic!() };
/// assert_eq!(write.key.to_string(), "ws1/everywhere");
/// let answer = write.object.clone().unwrap(); // a server would add a UID and a version
/// publisher.complete(request.id, Outcome::Slice(answer), now);
/// ```
#[derive(Debug)]
pub struct Publisher {
    scheduler: Scheduler,
    published: Published,
    slots: HashMap<ObjectKey, Slot>,
    books: HashMap<ObjectKey, Book>,
    /// Of EdgePlacements that have a layout.
    flips: HashMap<PlacementId, Flips>,
    gate: Gate,
    /// The gate was open once: then events are followed one by one.
    opened: bool,
    /// Locations that came before that. Which of them are frozen with what only the last of each tells.
    locations: BTreeMap<ObjectKey, Event>,
    /// EdgePlacements that are invalid and may lack their first slice.
    held: BTreeSet<ObjectKey>,
    /// The layout may have to change.
    unsettled: bool,
    /// Destinations are never dropped for a digest.
    keep_rows: bool,
    fields: StatusFields,
    /// What each event since the last settling was, by its number.
    causes: BTreeMap<u64, Trigger>,
    queue: VecDeque<ObjectKey>,
    stalled: VecDeque<ObjectKey>,
    statuses: VecDeque<ObjectKey>,
    /// What may go on only when the gate is wide open.
    held_back: BTreeSet<ObjectKey>,
    timers: BTreeSet<(Time, Timer)>,
    blocks: Blocks,
    requests: HashMap<RequestId, Subject>,
    next_id: u64,
    turn: u32,
    /// What is known of slices that cannot be read.
    unreadable: HashMap<ObjectKey, ObjectMeta>,
    /// UIDs of slices that are gone although the watch may not say so yet, and since when.
    graves: HashMap<ObjectKey, (String, Time)>,
}

impl Publisher {
    /// A publisher that knows of nothing; its gate is closed.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            scheduler: Scheduler::new(options),
            published: Published::default(),
            slots: HashMap::new(),
            books: HashMap::new(),
            flips: HashMap::new(),
            gate: Gate::Closed,
            opened: false,
            locations: BTreeMap::new(),
            held: BTreeSet::new(),
            unsettled: true,
            keep_rows: false,
            fields: StatusFields::Off,
            causes: BTreeMap::new(),
            queue: VecDeque::new(),
            stalled: VecDeque::new(),
            statuses: VecDeque::new(),
            held_back: BTreeSet::new(),
            timers: BTreeSet::new(),
            blocks: Blocks::default(),
            requests: HashMap::new(),
            next_id: 0,
            turn: 0,
            unreadable: HashMap::new(),
            graves: HashMap::new(),
        }
    }

    /// Keeps the published destinations in memory: needed where SyncTargets have no UIDs, and published ones are kept.
    #[must_use]
    pub fn keeping_destinations(mut self) -> Self {
        self.keep_rows = true;
        self
    }

    /// What matching says.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// What is published, as far as that is known. Most slices are thin.
    #[must_use]
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// Says what may be written from now on. When it opens, everything must have been listed since it was closed: another
    /// replica may have written until then, and how it has cut the destinations is adopted.
    pub fn set_gate(&mut self, gate: Gate, now: Time) {
        match (core::mem::replace(&mut self.gate, gate), gate) {
            // Be it for months: no more is kept than what there is.
            (_, Gate::Closed) => self.forget_layouts(),
            (Gate::Closed, _) => self.set_out(now),
            _ => {}
        }
        if gate == Gate::Open {
            for key in core::mem::take(&mut self.held_back) {
                self.enqueue(&key);
            }
        }
    }

    /// Something may be written from now on.
    fn set_out(&mut self, now: Time) {
        if !self.opened {
            self.opened = true;
            let locations = core::mem::take(&mut self.locations);
            for event in batch(locations.values()) {
                self.take_in(event, now);
            }
        }
        self.unsettled = true;
        // Slices of EdgePlacements that have a layout are looked at when it is made.
        let is_active = |owner: &ObjectKey| {
            let index = self.scheduler.index();
            index.find_placement(owner).is_some_and(|id| index.is_active(id))
        };
        let slices = self.published.iter().map(|(key, _)| key);
        let others = slices.filter(|key| self.published.placement(key).is_some_and(|owner| !is_active(&owner)));
        let outdated = self.slots.iter().filter(|(_, slot)| slot.dirty || slot.needs_read()).map(|(key, _)| key);
        let keys: BTreeSet<ObjectKey> = others.chain(outdated).cloned().collect();
        keys.iter().for_each(|key| self.mark(key, None));
        self.review_statuses();
    }

    /// Whether what happens leads to nothing: before all is known, and while another replica leads.
    fn stands_by(&self) -> bool {
        self.gate == Gate::Closed
    }

    /// Says which fields of a status the API has.
    pub fn set_status_fields(&mut self, fields: StatusFields) {
        if self.fields != fields {
            self.fields = fields;
            self.review_statuses();
        }
    }

    fn review_statuses(&mut self) {
        let keys: Vec<ObjectKey> = self.scheduler.placements().collect();
        keys.iter().for_each(|key| self.review_status(key));
    }

    /// Takes in an event.
    ///
    /// Cost: that of matching, and `O(rows)` in the destinations of published EdgePlacements that come or go.
    pub fn apply(&mut self, event: &Event, now: Time) {
        match event {
            Event::Location(key, _) if !self.opened => drop(self.locations.insert(key.clone(), event.clone())),
            _ => self.take_in(event, now),
        }
    }

    /// The next request, if there is something to do now. The caller bounds how many are in flight.
    ///
    /// Cost: `O(N)` in the destinations of the slice that is written, and of those that turn out to be right.
    #[must_use]
    pub fn poll(&mut self, now: Time) -> Option<Request> {
        if self.stands_by() {
            return None;
        }
        self.expire(now);
        loop {
            if self.unsettled {
                self.settle(now);
            }
            self.turn = self.turn.wrapping_add(1);
            let status_first = self.turn.is_multiple_of(8);
            if status_first && let Some(request) = self.next_status(now) {
                return Some(request);
            }
            if let Some(key) = self.queue.pop_front() {
                if let Some(request) = self.dispatch(&key, now) {
                    return Some(request);
                }
            } else if let Some(placement) = self.stalled.pop_front() {
                if let Some(request) = self.unblock(&placement, now) {
                    return Some(request);
                }
            } else {
                return self.next_status(now);
            }
        }
    }

    /// When [`Self::poll`] may have something although nothing else happened.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// Whether nothing is in flight and nothing is left to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let at_rest = |book: &Book| book.dirty.is_empty() && !book.reading;
        self.requests.is_empty()
            && !self.unsettled
            && self.statuses.is_empty()
            && self.queue.is_empty()
            && self.books.values().all(at_rest)
            && !self.timers.iter().any(|(_, timer)| matches!(timer, Timer::Status(_)))
    }

    /// How much of everything there is. `O(EdgePlacements)`.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let dirty: usize = self.books.values().map(|book| book.dirty.len()).sum();
        let queued: usize = self.books.values().map(|book| book.queued).sum();
        let in_flight: usize = self.books.values().map(|book| book.in_flight).sum();
        Counts {
            desired: self.scheduler.slices().total() + self.held.len(),
            published: self.published.owned_count(),
            destinations: self.scheduler.slices().destination_count(),
            dirty,
            in_flight: self.requests.len(),
            waiting: dirty.saturating_sub(queued + in_flight),
        }
    }

    /// What holds writes up at the moment. `O(slices)`.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let blocks = self.blocks.iter().map(|(cluster, verb, block)| Obstacle {
            cluster: cluster.to_string(),
            name: None,
            reason: format!("cannot {verb}: {}", block.reason),
            until: block.until,
        });
        let parked = self.slots.iter().filter_map(|(key, slot)| {
            let parked = slot.parked.as_ref()?;
            let (cluster, name) = (key.cluster.clone(), Some(key.name.clone()));
            Some(Obstacle { cluster, name, reason: parked.reason.clone(), until: parked.until })
        });
        let mut obstacles: Vec<Obstacle> = blocks.chain(parked).collect();
        obstacles.sort_unstable_by(|a, b| (&a.cluster, &a.name).cmp(&(&b.cluster, &b.name)));
        obstacles
    }

    /// Slices that are not known to be as they should be, and what is known of them; for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn internal_dirty(&self) -> Vec<String> {
        let index = self.scheduler.index();
        let unclean = |home: &ObjectKey| -> Vec<ObjectKey> {
            let layout = index.find_placement(home).map_or(&[][..], |id| self.scheduler.slices().layout(id));
            let keys = layout.iter().map(|&slice| self.scheduler.slices().key(index, slice));
            keys.filter(|key| !self.is_clean(key)).collect()
        };
        let describe = |(home, book): (&ObjectKey, &Book)| -> Vec<String> {
            let barred = |key: &ObjectKey| if book.barred.contains(key) { "barred" } else { "not barred" };
            let aim = |key: &ObjectKey| self.internal_aim(key);
            let slots = book.dirty.iter();
            slots
                .map(|key| format!("{key} {} {} {:?} {:?}", barred(key), aim(key), unclean(home), self.slots.get(key)))
                .collect()
        };
        self.books.iter().flat_map(describe).collect()
    }

    fn request(&mut self, subject: Subject, action: Action, trigger: Option<Trigger>) -> Request {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.requests.insert(id, subject);
        Request { id, action, trigger }
    }

    /// What was put off until now.
    fn expire(&mut self, now: Time) {
        while let Some((time, _)) = self.timers.first()
            && *time <= now
            && let Some((_, timer)) = self.timers.pop_first()
        {
            match timer {
                Timer::Slice(key) => self.enqueue(&key),
                Timer::Doubt(key) => self.check_doubt(&key, now),
                Timer::Live(placement) => self.recheck_live(&placement),
                Timer::Status(placement) => self.review_status(&placement),
            }
        }
        if self.graves.len() > 1024 {
            self.graves.retain(|_, (_, since)| now.saturating_sub(*since) < Time::from_secs(300));
        }
    }

    /// Takes in the status that an EdgePlacement was seen with; call it before [`Self::apply`] for the same event.
    pub fn observe_status(&mut self, placement: &ObjectKey, status: EdgePlacementStatus) {
        self.book(placement).status.observe(status);
        self.review_status(placement);
    }
}
