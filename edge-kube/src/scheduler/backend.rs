//! What stands between the engine and the place where objects live.
//!
//! A backend watches: its tasks send [`Input`]s to the engine. And it acts: [`Backend::perform`] carries out one request.

use std::future::Future;

use edge_core::event::Event;
use edge_core::object::{EdgePlacementStatus, Kind, ObjectKey};
use edge_core::publisher::{Action, Outcome, Seen, StatusFields};
use tokio::time::Instant;

/// Where objects come from: a shard's virtual workspace of one APIExport, a cluster, a folder. Never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceId(pub(crate) u32);

/// What a backend tells the engine.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the largest: objects")]
pub(crate) enum Input {
    /// There is a source for objects of these kinds: nothing is complete before it has been listed.
    SourceAdded { source: SourceId, name: String, kinds: Vec<Kind> },
    /// The source is no more, and that is certain: its objects are gone.
    SourceRemoved { source: SourceId },
    /// Whether the sources themselves are known, and if not, what is waited for. A backend without any source yet says so.
    Sources(Result<(), String>),
    /// A list begins: what it does not show until it ends is gone. `began` is a time before its first request.
    Listing { source: SourceId, kind: Kind, began: Instant },
    /// An object exists, from a list or a watch.
    Object { source: SourceId, object: Observed },
    /// An object is gone.
    Gone { source: SourceId, kind: Kind, key: ObjectKey, uid: Option<String> },
    /// The list has ended.
    Listed { source: SourceId, kind: Kind },
    /// The watch or list of a kind fails at present, with the reason; it goes on by itself. Over with `Listed` or `Watching`.
    Failing { source: SourceId, kind: Kind, reason: String },
    /// The watch of a kind goes on after it was `Failing`, and nothing was missed.
    Watching { source: SourceId, kind: Kind },
    /// Something of a listed source has never been read, for this reason: nothing may be taken away as long as that is so.
    /// Comes before the last `Listed` of the source. `None` says that all is known now.
    Incomplete { source: SourceId, reason: Option<String> },
    /// The status of an EdgePlacement, which is kept apart from it, is this.
    Status { placement: ObjectKey, status: EdgePlacementStatus },
    /// Which fields of a status the API has.
    StatusFields(StatusFields),
}

/// An object as it was observed.
#[derive(Debug)]
pub(crate) enum Observed {
    /// A SyncTarget or a Location; the event is never a deletion.
    Spec(Event),
    /// An EdgePlacement, with its status.
    EdgePlacement(Event, EdgePlacementStatus),
    /// A SinglePlacementSlice: `Seen::Thin`, `Seen::Metadata`, `Seen::Object` or `Seen::Unreadable`.
    Slice(ObjectKey, Seen),
}

/// Carries out requests. The watch tasks end when the receiver of their [`Input`]s is dropped.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Carries out one request and says what became of it. Does not fail, does not retry, and comes to an end in about 30 s.
    fn perform(&self, action: Action) -> impl Future<Output = Outcome> + Send;

    /// Lists everything once more, SinglePlacementSlices first: another replica has written until now. Needed only where
    /// several replicas may write.
    fn relist(&self) {}
}
