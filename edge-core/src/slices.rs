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
//! No state per destination is kept: a slice is its fence and a count, and a pair knows the slice that it lies in, if it
//! lies in one. What a slice holds is read from the index.

mod adopt;
mod content;
mod fence;
mod follow;
mod interleave;
mod name;
mod names;
mod plan;
mod published;
mod sequence;
mod settle;
mod validate;

pub use name::SOURCE_PLACEMENT;
pub use plan::{Verb, Write};
pub use published::Published;

pub use fence::FENCE_ANNOTATION;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hashbrown::HashMap;
use indexmap::IndexSet;

use crate::id::{LocationId, PlacementId, SliceId, Table};
use crate::index::Index;
use crate::object::ObjectKey;
use crate::order::Position;
use fence::Fence;
use names::Names;

/// The most destinations that a slice may be told to hold: with the longest names that is 0.7 MB, and etcd refuses
/// requests above 1.5 MB.
pub const MAX_DESTINATIONS_PER_SLICE: usize = 1000;

/// A range of the destinations of one EdgePlacement.
#[derive(Debug)]
struct Slice {
    placement: PlacementId,
    fence: Fence,
    /// Which of its possible names it has.
    attempt: u32,
    count: usize,
    /// The count has to be taken again.
    stale: bool,
    /// Its neighbours in the order of fences: finding out that there is nothing to merge must not take a search.
    before: Option<SliceId>,
    after: Option<SliceId>,
}

impl Slice {
    /// Whether it has the name of its EdgePlacement.
    fn has_first_name(&self) -> bool {
        self.fence.is_first() && self.attempt == 0
    }
}

/// Which slice the destinations of a pair lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// There are none.
    Empty,
    /// All in this one.
    In(SliceId),
    /// The Location's run is cut by a fence.
    Spans,
}

/// The layout of all EdgePlacements.
#[derive(Debug)]
pub(crate) struct Slices {
    max: usize,
    slices: Table<SliceId, Slice>,
    /// The slices of each active EdgePlacement that has been laid out, by fence.
    layouts: HashMap<PlacementId, Vec<SliceId>>,
    /// For each Location, a slot for each of its pairs, in the index's order of pairs.
    slots: HashMap<LocationId, Vec<Slot>>,
    /// Further slices, found by the hash of their name.
    names: Names,
    /// Slices whose content changed since the last settling.
    touched: IndexSet<SliceId, hashbrown::DefaultHashBuilder>,
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
        Self {
            max,
            slices: Table::default(),
            layouts: HashMap::new(),
            slots: HashMap::new(),
            names: Names::default(),
            touched: IndexSet::default(),
            unsettled: BTreeSet::new(),
            newcomers: BTreeSet::new(),
            suspended: BTreeSet::new(),
            displaced: BTreeSet::new(),
        }
    }

    /// The slices of an EdgePlacement by fence; none before it is settled.
    fn layout(&self, placement: PlacementId) -> &[SliceId] {
        self.layouts.get(&placement).map_or(&[], Vec::as_slice)
    }

    /// Where a slice stands among those of its EdgePlacement.
    fn place_of(&self, slice: SliceId) -> usize {
        let entry = &self.slices[slice];
        self.layout(entry.placement).partition_point(|&other| self.slices[other].fence < entry.fence)
    }

    /// Makes a slice without neighbours, and enters its name.
    fn add(&mut self, index: &Index, placement: PlacementId, fence: Fence, attempt: u32) -> SliceId {
        let slice = Slice { placement, fence, attempt, count: 0, stale: false, before: None, after: None };
        let slice = self.slices.insert(slice);
        self.name(index, slice);
        slice
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

    /// The fence that ends a slice; `None` for the last one.
    fn upper(&self, slice: SliceId) -> Option<Position<'_>> {
        self.slices[slice].after.map(|after| self.slices[after].fence.place())
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
    fn key(&self, index: &Index, slice: SliceId) -> ObjectKey {
        let entry = &self.slices[slice];
        slice_key(index, entry.placement, &entry.fence, entry.attempt)
    }
}

fn slice_key(index: &Index, placement: PlacementId, fence: &Fence, attempt: u32) -> ObjectKey {
    let placement = &index.placements[placement];
    let cluster = index.cluster(placement.cluster).name();
    ObjectKey::new(cluster, name::slice_name(cluster, &placement.name, fence, attempt))
}
