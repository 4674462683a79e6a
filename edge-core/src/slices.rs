//! How the destinations of an EdgePlacement are cut into SinglePlacementSlices.
//!
//! The destinations are ordered by hash (see [`crate::order`]), and a slice is a half-open range of that order. Its lower
//! bound is its *fence*; its upper bound is the next slice's fence. **A fence never changes during a slice's life**: a
//! split makes a new slice of the upper half, a merge keeps the lower slice. The first slice has the EdgePlacement's own
//! name and starts before everything. So one change rewrites one slice, no insertion shifts the others, and no two slices
//! ever exchange ranges.
//!
//! ```text
//!   follow   counts follow the index's changes, slice by slice        O(1) for each pair that changes
//!   settle   new EdgePlacements get a layout (from published slices if
//!            there are any); what is too full is split, what is too empty is merged
//!   plan     what is to be written, in an order that is safe one by one
//! ```
//!
//! No state per destination is kept: a slice is its fence and a count, and a pair knows the slice that it lies in, or those
//! that a cut run reaches into (`slices/runs.rs`). What a slice holds is read from the index, and so are the names of fences
//! as long as the index has them (`slices/bound.rs`).

mod adopt;
mod bound;
mod content;
mod digest;
mod fence;
mod fill;
mod follow;
mod interleave;
mod name;
mod names;
mod plan;
mod published;
mod runs;
mod sequence;
mod settle;
mod touched;
mod validate;

pub(crate) use content::published_uids;
pub(crate) use digest::PlaceHash;
pub use digest::{Digest, Digester};
pub use name::SOURCE_PLACEMENT;
pub(crate) use name::helper_name;
pub(crate) use plan::has_other_owner;
pub use plan::{Verb, Write};
pub use published::Published;

pub use fence::FENCE_ANNOTATION;
pub(crate) use fence::{Fence, Span};
pub(crate) use touched::Touch;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::delta::IdRow;
use crate::id::{Column, FenceId, LocationId, PlacementId, RunId, SliceId, Table};
use crate::index::Index;
use crate::lists::Lists;
use crate::object::ObjectKey;
use crate::order::Position;
use bound::Bound;
use fill::Fill;
use names::{Name, Names};
use runs::{Runs, Slot};
use touched::Touched;

/// The most destinations that a slice may be told to hold: with the longest names that is 0.7 MB, and etcd refuses
/// requests above 1.5 MB.
pub const MAX_DESTINATIONS_PER_SLICE: usize = 1000;

/// The most destinations that a slice holds if nobody says otherwise.
///
/// What a change costs an API server goes with the bytes of the slices that it rewrites, and what all slices cost with their
/// number. On Kubernetes, with 100 000 SyncTargets and a million destinations, an event is written in a third of the time
/// that slices of 250 take; the README has the figures. It is also what the EndpointSlice controller takes by default
/// (kube-controller-manager's `--max-endpoints-per-slice`).
pub const DEFAULT_DESTINATIONS_PER_SLICE: usize = 100;

/// A range of the destinations of one EdgePlacement.
#[derive(Debug)]
struct Slice {
    placement: PlacementId,
    bound: Bound,
    /// Which of its possible names it has.
    attempt: u32,
    /// Its neighbours in the order of fences: finding out that there is nothing to merge must not take a search.
    before: Option<SliceId>,
    after: Option<SliceId>,
}

/// What a settling did.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Slices that may have to be written.
    pub(crate) touched: Vec<(SliceId, Touch)>,
    /// Names that no slice has any more, unless one took it.
    pub(crate) left: Vec<ObjectKey>,
    /// EdgePlacements that have a layout from now on.
    pub(crate) laid_out: Vec<PlacementId>,
    /// What came and went in others that had one, since published slices told what cannot be resolved.
    pub(crate) restored: Vec<IdRow>,
}

/// The layout of all EdgePlacements.
#[derive(Debug)]
pub(crate) struct Slices {
    max: usize,
    slices: Table<SliceId, Slice>,
    /// Of each slice what nearly every event looks at.
    fills: Column<SliceId, Fill>,
    /// Fences whose names the index has not got, or may lose.
    fences: Table<FenceId, Fence>,
    /// The fence of all first slices.
    first: FenceId,
    /// The slices of each active EdgePlacement that has been laid out, by fence.
    layouts: Lists<PlacementId, SliceId>,
    /// For each Location, a slot for each of its pairs, in the index's order of pairs.
    slots: Lists<LocationId, Slot>,
    /// The slices of Locations that are cut.
    runs: Runs,
    /// Further slices, found by the hash of their name.
    names: Names,
    /// For one member that comes or goes: the slices that its destinations are in, and the runs that are cut.
    within: Vec<SliceId>,
    cut: Vec<RunId>,
    /// How many events were followed.
    events: u64,
    /// Slices whose content changed since the last settling.
    touched: Touched,
    /// Names that slices no longer have, since the last settling.
    left: Vec<ObjectKey>,
    /// Which names others have was looked at when this was [`Published::names_version`].
    names_seen: Option<u64>,
    /// Active EdgePlacements without a layout.
    unsettled: BTreeSet<PlacementId>,
    /// EdgePlacements, of whatever state, that came since the last settling: their names outrank those of further slices.
    newcomers: BTreeSet<PlacementId>,
    /// EdgePlacements that are not active: what they have published stays where it is.
    suspended: BTreeSet<PlacementId>,
    /// EdgePlacements whose first slice has not the EdgePlacement's name, since a stranger has it.
    displaced: BTreeSet<PlacementId>,
}

impl Slices {
    pub(crate) fn new(max: usize) -> Self {
        let mut fences = Table::default();
        let first = fences.insert(Fence::first());
        Self {
            max,
            slices: Table::default(),
            fills: Column::default(),
            fences,
            first,
            layouts: Lists::default(),
            slots: Lists::default(),
            runs: Runs::default(),
            names: Names::default(),
            within: Vec::new(),
            cut: Vec::new(),
            events: 0,
            touched: Touched::default(),
            left: Vec::new(),
            names_seen: None,
            unsettled: BTreeSet::new(),
            newcomers: BTreeSet::new(),
            suspended: BTreeSet::new(),
            displaced: BTreeSet::new(),
        }
    }

    /// Notes that the last event changed what a slice should hold.
    fn touch(&mut self, slice: SliceId) {
        self.touched.touch(slice, &mut self.fills[slice].touched, self.events);
    }

    /// Which slices changed since this was asked last, and which names no slice has any more.
    pub(crate) fn take_touched(&mut self) -> (Vec<(SliceId, Touch)>, Vec<ObjectKey>) {
        (self.touched.take(), core::mem::take(&mut self.left))
    }

    /// The same, if nobody wants to know.
    pub(crate) fn forget_touched(&mut self) {
        self.touched.clear();
        self.left = Vec::new();
    }

    /// The number of the last event.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// The slices of an EdgePlacement by fence; none before it is settled.
    pub(crate) fn layout(&self, placement: PlacementId) -> &[SliceId] {
        self.layouts.get(placement)
    }

    /// Whether an EdgePlacement has a layout.
    pub(crate) fn is_laid_out(&self, placement: PlacementId) -> bool {
        !self.layout(placement).is_empty()
    }

    /// Where a slice stands among those of its EdgePlacement.
    fn place_of(&self, index: &Index, slice: SliceId) -> usize {
        let layout = self.layout(self.slices[slice].placement);
        layout.partition_point(|&other| self.cmp_fences(index, other, slice).is_lt())
    }

    /// Makes a slice without neighbours, and enters its name.
    fn add(&mut self, placement: PlacementId, bound: Bound, name: Name) -> SliceId {
        let slice = self.slices.insert(Slice { placement, bound, attempt: 0, before: None, after: None });
        self.fills.set(slice, Fill::empty(bound.sync_target()));
        self.name(slice, name);
        slice
    }

    /// Forgets all layouts: they are made anew, from what is published. Another scheduler may have cut it differently.
    pub(crate) fn forget(&mut self, index: &Index) {
        let placements: Vec<PlacementId> = self.layouts.iter().map(|(placement, _)| placement).collect();
        for placement in placements {
            self.unsettled.insert(placement);
            self.drop_layout(index, placement);
        }
        self.displaced.clear();
        self.slots.values_mut().for_each(|slot| *slot = Slot::EMPTY);
        self.runs = Runs::default();
    }

    /// Makes `after` the neighbour after `before`.
    fn link(&mut self, before: Option<SliceId>, after: Option<SliceId>) {
        if let Some(slice) = before {
            self.slices[slice].after = after;
        }
        if let Some(slice) = after {
            self.slices[slice].before = before;
        }
    }

    /// The EdgePlacement that a slice belongs to.
    pub(crate) fn placement_of(&self, slice: SliceId) -> PlacementId {
        self.slices[slice].placement
    }

    /// How many destinations a slice should hold.
    pub(crate) fn len(&self, slice: SliceId) -> usize {
        self.fills[slice].count()
    }

    /// How many slices there are.
    pub(crate) fn total(&self) -> usize {
        self.slices.len()
    }

    /// How many destinations there are, as of the last settling. `O(slices)`.
    pub(crate) fn destination_count(&self) -> usize {
        self.slices.iter().map(|(slice, _)| self.len(slice)).sum()
    }

    /// How many destinations a slice may hold.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// The slice that should have this name.
    pub(crate) fn holder(&self, index: &Index, key: &ObjectKey) -> Option<SliceId> {
        let own = index.find_placement(key).and_then(|placement| self.layout(placement).first().copied());
        own.filter(|&slice| self.slices[slice].attempt == 0).or_else(|| self.named(index, key))
    }

    /// How many slices an EdgePlacement has.
    pub(crate) fn count(&self, placement: PlacementId) -> usize {
        self.layout(placement).len()
    }

    /// Whether a stranger has the name of the EdgePlacement's first slice.
    pub(crate) fn is_displaced(&self, placement: PlacementId) -> bool {
        self.displaced.contains(&placement)
    }

    /// The cluster and name of a slice.
    pub(crate) fn key(&self, index: &Index, slice: SliceId) -> ObjectKey {
        let Slice { placement, attempt, .. } = self.slices[slice];
        slice_key(index, placement, self.place(index, slice), attempt)
    }
}

fn slice_key(index: &Index, placement: PlacementId, fence: Position<'_>, attempt: u32) -> ObjectKey {
    let placement = &index.placements[placement];
    let cluster = index.cluster(placement.cluster).name();
    ObjectKey::new(cluster, name::slice_name(cluster, &placement.name, fence, attempt))
}
