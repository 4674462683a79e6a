//! Where slices begin.
//!
//! A fence is names, and stays when the objects of these names go. Nearly all fences are at objects that exist: then ids
//! say it in eight bytes, and the index has the names and hashes. Before the index may lose one, the fence gets its own.

use core::cmp::Ordering;

use super::Slices;
use super::fence::{Fence, Span};
use crate::id::{FenceId, LocationId, SliceId, SyncTargetId, Table};
use crate::index::Index;
use crate::order::{Hashed, Position};

/// The fence of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// At a Location, or at a SyncTarget of it.
    ///
    /// **The Location is one of a pair with the slice's EdgePlacement, and the SyncTarget is one of those that the pair
    /// has.** So the change that ends this says which fences need names.
    At { location: LocationId, sync_target: Option<SyncTargetId> },
    /// At names that need not belong to anything.
    Named(FenceId),
}

impl Bound {
    /// The SyncTarget that it is at.
    pub(super) fn sync_target(self) -> Option<SyncTargetId> {
        match self {
            Self::At { sync_target, .. } => sync_target,
            Self::Named(_) => None,
        }
    }

    /// The name of the SyncTarget that it is at; empty if it is at a Location.
    pub(super) fn first_name<'a>(self, fences: &'a Table<FenceId, Fence>, index: &'a Index) -> Hashed<'a> {
        match self {
            Self::At { sync_target: None, .. } => Hashed::new(0, ""),
            Self::At { sync_target: Some(sync_target), .. } => index.hashed(sync_target),
            Self::Named(fence) => fences[fence].place().sync_target,
        }
    }

    pub(super) fn place<'a>(self, fences: &'a Table<FenceId, Fence>, index: &'a Index) -> Position<'a> {
        match self {
            Self::At { location, sync_target: None } => index.position(location),
            Self::At { location, sync_target: Some(sync_target) } => index.position_of(location, sync_target),
            Self::Named(fence) => fences[fence].place(),
        }
    }
}

impl Slices {
    /// The place where a slice begins.
    pub(super) fn place<'a>(&'a self, index: &'a Index, slice: SliceId) -> Position<'a> {
        self.slices[slice].bound.place(&self.fences, index)
    }

    /// The order of slices within an EdgePlacement.
    pub(super) fn cmp_fences(&self, index: &Index, a: SliceId, b: SliceId) -> Ordering {
        use Bound::At;
        match (self.slices[a].bound, self.slices[b].bound) {
            (At { location: a, sync_target: a_first }, At { location: b, sync_target: b_first }) => {
                index.cmp_locations(a, b).then_with(|| match (a_first, b_first) {
                    (Some(a), Some(b)) => index.cmp_sync_targets(a, b),
                    (a, b) => a.is_some().cmp(&b.is_some()),
                })
            }
            _ => self.place(index, a).cmp(&self.place(index, b)),
        }
    }

    /// The range of a slice.
    pub(crate) fn span(&self, index: &Index, slice: SliceId) -> Span {
        let fence = |slice| Fence::at(self.place(index, slice));
        Span { lower: fence(slice), upper: self.slices[slice].after.map(fence) }
    }

    /// Whether a slice begins before everything.
    pub(super) fn is_first(&self, slice: SliceId) -> bool {
        self.slices[slice].bound == Bound::Named(self.first)
    }

    /// Whether a slice has the name of its EdgePlacement.
    pub(super) fn has_first_name(&self, slice: SliceId) -> bool {
        self.is_first(slice) && self.slices[slice].attempt == 0
    }

    /// How a Location's run compares with the beginning of a slice: equal if the slice begins at it or inside.
    pub(super) fn cmp_run(&self, index: &Index, location: LocationId, slice: SliceId) -> Ordering {
        match self.slices[slice].bound {
            Bound::At { location: have, .. } => index.cmp_locations(location, have),
            Bound::Named(fence) => index.cmp_run(location, self.fences[fence].place()),
        }
    }

    /// The name of the SyncTarget at which a slice begins; empty if it begins at a Location.
    pub(super) fn first_name<'a>(&'a self, index: &'a Index, slice: SliceId) -> Hashed<'a> {
        self.slices[slice].bound.first_name(&self.fences, index)
    }

    /// Whether a slice begins at a Location or inside its run.
    pub(super) fn begins_in(&self, index: &Index, slice: SliceId, location: LocationId) -> bool {
        self.cmp_run(index, location, slice).is_eq()
    }

    /// Keeps names as a fence.
    pub(super) fn named_bound(&mut self, fence: Fence) -> Bound {
        Bound::Named(if fence.is_first() { self.first } else { self.fences.insert(fence) })
    }

    /// The fence gets names of its own if it is at this Location, and at one of these SyncTargets or none of them.
    pub(super) fn unbind(
        &mut self,
        index: &Index,
        slice: SliceId,
        location: LocationId,
        which: impl FnOnce(Option<SyncTargetId>) -> bool,
    ) {
        if let Bound::At { location: have, sync_target } = self.slices[slice].bound
            && have == location
            && which(sync_target)
        {
            let fence = Fence::at(self.place(index, slice));
            let bound = self.named_bound(fence);
            self.set_bound(slice, bound);
        }
    }

    /// The fence of a slice needs no names of its own: it is at a Location, or at a SyncTarget of it.
    pub(super) fn rebind(&mut self, slice: SliceId, location: LocationId, sync_target: Option<SyncTargetId>) {
        self.free_bound(slice);
        self.set_bound(slice, Bound::At { location, sync_target });
    }

    fn set_bound(&mut self, slice: SliceId, bound: Bound) {
        self.slices[slice].bound = bound;
        self.fills[slice].begins_at = bound.sync_target();
    }

    /// Forgets the names of a slice's fence.
    pub(super) fn free_bound(&mut self, slice: SliceId) {
        if let Bound::Named(fence) = self.slices[slice].bound
            && fence != self.first
        {
            self.fences.remove(fence);
        }
    }
}
