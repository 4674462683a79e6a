//! The write side: what to ask an API server for next, and what its answers mean.
mod request;

pub use request::{Action, Failure, Outcome, Request, RequestId, StatusWrite, Trigger};

use alloc::string::String;
use alloc::vec::Vec;

use crate::event::Event;
use crate::object::{EdgePlacementStatus, ObjectKey, ObjectMeta, SinglePlacementSlice};
use crate::scheduler::{Options, Scheduler};

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
    /// Slices that are, or may be, not as they should be.
    pub dirty: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// Slices that wait for a time to pass.
    pub waiting: usize,
}

/// The scheduler and what is published.
#[derive(Debug)]
pub struct Publisher {
    scheduler: Scheduler,
}

impl Publisher {
    /// A publisher that knows of nothing; its gate is closed.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { scheduler: Scheduler::new(options) }
    }

    /// What matching says.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Says what may be written from now on.
    pub fn set_gate(&mut self, _gate: Gate, _now: Time) {}

    /// Says which fields of a status the API has.
    pub fn set_status_fields(&mut self, _fields: StatusFields) {}

    /// Takes in an event.
    pub fn apply(&mut self, event: &Event, _now: Time) {
        let _ = self.scheduler.apply(event);
    }

    /// Takes in the status that an EdgePlacement was seen with; call it before [`Self::apply`] for the same event.
    pub fn observe_status(&mut self, _placement: &ObjectKey, _status: EdgePlacementStatus) {}

    /// Takes in what was seen of a slice.
    pub fn observe_slice(&mut self, _key: &ObjectKey, _seen: Seen, _now: Time) {}

    /// The next request, if there is something to do now. The caller bounds how many are in flight.
    #[must_use]
    pub fn poll(&mut self, _now: Time) -> Option<Request> {
        None
    }

    /// Takes in what became of a request.
    pub fn complete(&mut self, _id: RequestId, _outcome: Outcome, _now: Time) {}

    /// When [`Self::poll`] may have something although nothing else happened.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Time> {
        None
    }

    /// Whether nothing is in flight and nothing is left to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        true
    }

    /// How much of everything there is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// What holds writes up at the moment.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle> {
        Vec::new()
    }
}
