//! What the publisher asks for, and what it is told about it.

use alloc::string::String;
use alloc::vec::Vec;

use super::Time;
use crate::object::{Condition, Kind, ObjectKey, ObjectMeta, SinglePlacementSlice};
use crate::slices::{Digest, Write};

/// Names a request among those in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// One request to an API server. Each is answered by one call of [`super::Publisher::complete`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To be given back with the outcome.
    pub id: RequestId,
    /// What is to be done.
    pub action: Action,
    /// What led to it: the first of its triggers, and how many there were.
    pub trigger: Option<Trigger>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
// Writes are what most actions are: boxing them would cost an allocation each, and save nothing.
#[allow(clippy::large_enum_variant)]
pub enum Action {
    /// Create, replace or delete a SinglePlacementSlice. Replacements and deletions carry UID and resourceVersion: both
    /// are preconditions.
    Write(Write),
    /// Get a SinglePlacementSlice, as a consistent read.
    ReadSlice(ObjectKey),
    /// Get an EdgePlacement, as a consistent read: only its UID matters.
    ReadPlacement(ObjectKey),
    /// Merge a status into an EdgePlacement.
    Status(StatusWrite),
}

/// A status to be merged into that of an EdgePlacement; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusWrite {
    /// Of which EdgePlacement.
    pub key: ObjectKey,
    /// The UID that it must have.
    pub uid: String,
    /// Its new `status.specGeneration`.
    pub spec_generation: Option<i32>,
    /// Its new `status.matchingLocationCount`.
    pub matching_location_count: Option<i32>,
    /// Its new `status.destinationCount`; `None` as well where the API has no such field.
    pub destination_count: Option<i32>,
    /// Its new `status.sliceCount`; as above.
    pub slice_count: Option<i32>,
    /// All its conditions, or `None` where the API has no such field. A condition without `lastTransitionTime` has changed
    /// its status: the time is now.
    pub conditions: Option<Vec<Condition>>,
}

/// What made a slice dirty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The kind of the object of the first event.
    pub kind: Kind,
    /// That object.
    pub key: ObjectKey,
    /// When its event came in.
    pub since: Time,
    /// How many events led to the request.
    pub count: u32,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum Outcome {
    /// 200 or 201 with a slice: of a creation, a replacement or a read; of a deletion if the slice waits for finalizers.
    Slice(SinglePlacementSlice),
    /// The same, where a digest stands for the destinations; not of a read, which asks for them.
    ThinSlice(ObjectMeta, Digest),
    /// 200 of a read, but the destinations cannot be read.
    Unreadable(ObjectMeta),
    /// The deletion took effect.
    Deleted,
    /// The EdgePlacement that was read has this UID.
    Placement {
        /// Its `metadata.uid`.
        uid: String,
    },
    /// The status was written, or needed no write.
    StatusWritten,
    /// Something went wrong.
    Failed(Failure),
}

/// Why a request had no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// 409 with reason `Conflict`: another version or UID.
    Conflict,
    /// 409 with reason `AlreadyExists`.
    AlreadyExists,
    /// 404, or 410 of an object.
    NotFound,
    /// 401 or 403, with the server's message.
    Forbidden(String),
    /// 400, 413, 422: the server will not have it, with its message.
    Rejected(String),
    /// 429, or 503 with Retry-After: not before this much time.
    Busy(Option<Time>),
    /// The request did not take effect: it was refused with 5xx at the door, or never sent.
    NotDone(String),
    /// Nobody knows whether it took effect: a timeout, a lost connection, a 5xx.
    Unknown(String),
}
