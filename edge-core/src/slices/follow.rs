//! Counts follow the index's changes.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::Slices;
use super::bound::Bound;
use super::runs::{Lies, Slot};
use super::touched::ROOM;
use crate::delta::{Change, PairChange, PlacementChange};
use crate::id::{GroupId, LocationId, PlacementId, RunId, SliceId, SyncTargetId};
use crate::index::Index;
use crate::order::{Hashed, Position};
use crate::warm::warm;

impl Slices {
    /// Takes in what the last event changed. The index is as it was right after that event.
    pub(crate) fn follow(&mut self, index: &Index) {
        self.events += 1;
        // Of an EdgePlacement that goes, the pairs that went before it need no following.
        if let Some(&Change::Placement { placement, change: PlacementChange::Removed }) = index.changes.last() {
            self.drop_layout(index, placement);
        }
        for change in &index.changes {
            match *change {
                Change::Member { group, sync_target, joined } => self.follow_member(index, group, sync_target, joined),
                Change::Renewed { group, sync_target } => {
                    let name = index.hashed(sync_target);
                    index.visit_pairs(group, |placement, location, at| {
                        if let Some(slice) = self.slice_of(index, placement, location, at, name) {
                            self.touch(slice);
                        }
                    });
                }
                Change::Pair { placement, location, at, change } => {
                    self.follow_pair(index, placement, location, at, change);
                }
                Change::Placement { placement, change } => self.follow_placement(index, placement, change),
            }
        }
    }

    /// `O(1)` for each pair of the group, `O(log slices)` where the run is cut: this is what most events come to.
    fn follow_member(&mut self, index: &Index, group: GroupId, sync_target: SyncTargetId, joined: bool) {
        let name = index.hashed(sync_target);
        let all_found = self.find_within(index, group, name);
        let Self { fills, touched, events, within, .. } = &mut *self;
        warm(within.iter().map(|&slice| fills[slice].count()));
        let mut begun = Vec::new();
        for &slice in within.iter() {
            let fill = &mut fills[slice];
            fill.count_one(joined);
            touched.touch(slice, &mut fill.touched, *events);
            if !joined && fill.begins_at == Some(sync_target) {
                begun.push(slice);
            }
        }
        within.shrink_to(ROOM);
        for slice in begun {
            // It may begin at the SyncTarget as a member of another group.
            if let Bound::At { location, .. } = self.slices[slice].bound
                && index.holders(group).0.contains(&location)
            {
                self.unbind(index, slice, location, |_| true);
            }
        }
        if !all_found {
            // Those whose group was empty, and those of EdgePlacements without a layout.
            index.visit_pairs(group, |placement, location, at| {
                if self.slot(location, at) == Slot::EMPTY
                    && let Some(slice) = self.slice_of(index, placement, location, at, name)
                {
                    self.fills[slice].count_one(joined);
                    self.touch(slice);
                }
            });
        }
        if index.members(group).is_empty() {
            index.visit_pairs(group, |_, location, at| self.set_slot(location, at, Slot::EMPTY));
        }
    }

    /// Fills [`Slices::within`] with the slices that a SyncTarget's destinations are in, for the pairs of a group. Whether
    /// each pair is in one.
    ///
    /// What is looked at of each pair lies all over memory, one piece leading to the next. So it is done step by step, each
    /// step for all pairs: what they wait for, they wait for at once.
    fn find_within(&mut self, index: &Index, group: GroupId, name: Hashed<'_>) -> bool {
        let (locations, by_all) = index.holders(group);
        let Self { slots, slices, runs, fences, within, cut, .. } = &mut *self;
        within.clear();
        cut.clear();
        let mut all_found = true;
        for &location in locations {
            for (at, slot) in slots.get(location).iter().enumerate() {
                match slot.get() {
                    _ if !by_all && !index.pair_has(location, at, group) => {}
                    Lies::In(slice) => within.push(slice),
                    Lies::Cut(run) => cut.push(run),
                    Lies::Nowhere => all_found = false,
                }
            }
        }
        runs.warm(cut);
        let begins_after = |slice: SliceId| slices[slice].bound.first_name(fences, index) > name;
        within.extend(cut.iter().map(|&run| runs.find(run, name, begins_after)));
        cut.shrink_to(ROOM);
        all_found
    }

    fn follow_placement(&mut self, index: &Index, placement: PlacementId, change: PlacementChange) {
        match change {
            PlacementChange::Added | PlacementChange::Resumed => {
                if change == PlacementChange::Added {
                    self.newcomers.insert(placement);
                    self.names.placement_came(&index.placements[placement].name);
                }
                self.suspended.remove(&placement);
                self.unsettled.insert(placement);
                self.names_seen = None;
            }
            PlacementChange::Removed | PlacementChange::Suspended => {
                if change == PlacementChange::Removed {
                    self.newcomers.remove(&placement);
                    self.names.placement_went(&index.placements[placement].name);
                    self.suspended.remove(&placement);
                } else {
                    self.suspended.insert(placement);
                }
                self.names_seen = None;
                self.unsettled.remove(&placement);
                self.displaced.remove(&placement);
                self.drop_layout(index, placement);
            }
            // Every slice names its owner by UID.
            PlacementChange::Renewed => {
                for at in 0..self.count(placement) {
                    self.touch(self.layout(placement)[at]);
                }
            }
        }
    }

    fn follow_pair(
        &mut self,
        index: &Index,
        placement: PlacementId,
        location: LocationId,
        at: usize,
        change: PairChange,
    ) {
        if let PairChange::Added { .. } = change {
            self.slots.insert(location, at, Slot::EMPTY);
        }
        if self.is_laid_out(placement) {
            self.follow_run(index, placement, location, at, change);
        }
        if let PairChange::Removed { .. } = change {
            self.set_slot(location, at, Slot::EMPTY);
            self.slots.remove(location, at);
        }
    }

    /// The run of a pair has the members of another group from now on.
    fn follow_run(
        &mut self,
        index: &Index,
        placement: PlacementId,
        location: LocationId,
        at: usize,
        change: PairChange,
    ) {
        let (old, new, goes) = match change {
            PairChange::Added { new } => (None, new, false),
            PairChange::Removed { old } => (old, None, true),
            PairChange::Regrouped { old, new } => (old, new, false),
        };
        let len = |group: Option<GroupId>| group.map_or(0, |group| index.members(group).len());
        let (came, went) = (len(new), len(old));
        let mut slot = self.slot(location, at);
        if slot == Slot::EMPTY && came > 0 {
            slot = self.seek_slot(index, placement, location, at);
        }
        match slot.get() {
            Lies::Nowhere if goes => {
                let slice = self.find_run(index, placement, location);
                self.unbind(index, slice, location, |_| true);
            }
            Lies::Nowhere => {}
            Lies::In(slice) => {
                self.fills[slice].count_changes(came, went);
                self.touch(slice);
                self.unbind(index, slice, location, |_| goes);
            }
            Lies::Cut(run) => {
                self.recount_run(index, run, old, new);
                let stays = |sync_target: Option<SyncTargetId>| match (sync_target, new) {
                    (Some(sync_target), Some(group)) => index.is_member(group, sync_target),
                    (Some(_), None) => false,
                    (None, _) => true,
                };
                for part in self.parts(slot) {
                    self.unbind(index, part, location, |sync_target| goes || !stays(sync_target));
                }
            }
        }
        if came == 0 {
            self.set_slot(location, at, Slot::EMPTY);
        }
    }

    /// Each slice of a run has the members of another group from now on that are in its range.
    fn recount_run(&mut self, index: &Index, run: RunId, old: Option<GroupId>, new: Option<GroupId>) {
        let len = |group: Option<GroupId>| group.map_or(0, |group| index.members(group).len());
        let rank = |group: Option<GroupId>, name: Hashed<'_>| group.map_or(0, |group| index.rank(group, name));
        let mut from = (0, 0);
        for at in 0..self.runs[run].len() {
            let slice = self.runs[run][at].slice;
            let to = match self.runs[run].get(at + 1) {
                Some(next) => {
                    let name = self.first_name(index, next.slice);
                    (rank(new, name), rank(old, name))
                }
                None => (len(new), len(old)),
            };
            self.fills[slice].count_changes(to.0 - from.0, to.1 - from.1);
            self.touch(slice);
            from = to;
        }
    }

    /// The slice of one destination of a pair; `None` if the EdgePlacement has no layout.
    fn slice_of(
        &mut self,
        index: &Index,
        placement: PlacementId,
        location: LocationId,
        at: usize,
        sync_target: Hashed<'_>,
    ) -> Option<SliceId> {
        let mut slot = self.slot(location, at);
        if slot == Slot::EMPTY && self.is_laid_out(placement) {
            slot = self.seek_slot(index, placement, location, at);
        }
        match slot.get() {
            Lies::In(slice) => Some(slice),
            Lies::Cut(run) => Some(self.part_of(index, run, sync_target)),
            Lies::Nowhere => None,
        }
    }

    /// The slice whose range has a place. `O(log slices)`.
    pub(crate) fn find(&self, index: &Index, placement: PlacementId, place: Position<'_>) -> SliceId {
        let layout = self.layout(placement);
        layout[layout.partition_point(|&slice| self.place(index, slice) <= place).saturating_sub(1)]
    }

    /// The slice whose range has the beginning of a Location's run. `O(log slices)`.
    pub(super) fn find_run(&self, index: &Index, placement: PlacementId, location: LocationId) -> SliceId {
        let layout = self.layout(placement);
        let begins_before = |slice: SliceId| match self.cmp_run(index, location, slice) {
            Ordering::Less => false,
            Ordering::Equal => self.first_name(index, slice).name().is_empty(),
            Ordering::Greater => true,
        };
        layout[layout.partition_point(|&slice| begins_before(slice)).saturating_sub(1)]
    }

    /// The slices of an EdgePlacement are gone.
    pub(super) fn drop_layout(&mut self, index: &Index, placement: PlacementId) {
        for slice in self.layouts.take(placement) {
            self.drop_slice(index, slice);
        }
    }

    /// The slice is gone from its layout.
    pub(super) fn drop_slice(&mut self, index: &Index, slice: SliceId) {
        self.unname(index, slice);
        self.free_bound(slice);
        self.slices.remove(slice);
        self.touched.forget(slice, self.fills[slice].touched);
        self.fills.trim(&self.slices);
    }
}
