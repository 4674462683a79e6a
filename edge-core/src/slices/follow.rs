//! Counts follow the index's changes.

use alloc::vec::Vec;

use super::{Slices, Slot};
use crate::delta::{Change, PairChange, PlacementChange};
use crate::id::{GroupId, LocationId, PlacementId, SliceId};
use crate::index::Index;
use crate::order::Position;

impl Slices {
    /// Takes in what the last event changed. The index is as it was right after that event.
    pub(crate) fn follow(&mut self, index: &Index) {
        self.events += 1;
        for change in &index.changes {
            match *change {
                Change::Member { group, sync_target, joined } => {
                    let emptied = index.members(group).is_empty();
                    index.visit_pairs(group, |placement, location, at| {
                        let Some(slice) =
                            self.slice_of(index, placement, location, at, || index.position_of(location, sync_target))
                        else {
                            return;
                        };
                        let count = &mut self.slices[slice].count;
                        *count = if joined { *count + 1 } else { count.saturating_sub(1) };
                        self.touch(slice);
                        if emptied {
                            self.set_slot(location, at, Slot::Empty);
                        }
                    });
                }
                Change::Renewed { group, sync_target } => index.visit_pairs(group, |placement, location, at| {
                    let place = || index.position_of(location, sync_target);
                    if let Some(slice) = self.slice_of(index, placement, location, at, place) {
                        self.touch(slice);
                    }
                }),
                Change::Pair { placement, location, at, change } => {
                    self.follow_pair(index, placement, location, at, change);
                }
                Change::Placement { placement, change } => self.follow_placement(index, placement, change),
            }
        }
    }

    fn follow_placement(&mut self, index: &Index, placement: PlacementId, change: PlacementChange) {
        match change {
            PlacementChange::Added | PlacementChange::Resumed => {
                if change == PlacementChange::Added {
                    self.newcomers.insert(placement);
                }
                self.suspended.remove(&placement);
                self.unsettled.insert(placement);
                self.names_seen = None;
            }
            PlacementChange::Removed | PlacementChange::Suspended => {
                if change == PlacementChange::Removed {
                    self.newcomers.remove(&placement);
                    self.suspended.remove(&placement);
                } else {
                    self.suspended.insert(placement);
                }
                self.names_seen = None;
                self.unsettled.remove(&placement);
                self.displaced.remove(&placement);
                for slice in self.layouts.remove(&placement).unwrap_or_default() {
                    self.drop_slice(index, slice);
                }
            }
            // Every slice names its owner by UID.
            PlacementChange::Renewed => {
                let slices: Vec<SliceId> = self.layout(placement).to_vec();
                slices.into_iter().for_each(|slice| self.touch(slice));
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
        let len = |group: Option<GroupId>| group.map_or(0, |group| index.members(group).len());
        let (old, new) = match change {
            PairChange::Added { new } => {
                self.slots.entry(location).or_default().insert(at, Slot::Empty);
                (0, len(new))
            }
            PairChange::Removed { old } => (len(old), 0),
            PairChange::Regrouped { old, new } => (len(old), len(new)),
        };
        if self.layouts.contains_key(&placement) {
            if self.slot(location, at) == Slot::Empty && new > 0 {
                let slot = self.find_slot(index, placement, location);
                self.set_slot(location, at, slot);
            }
            match self.slot(location, at) {
                Slot::Empty => {}
                Slot::In(slice) => {
                    let count = &mut self.slices[slice].count;
                    *count = (*count + new).saturating_sub(old);
                    self.touch(slice);
                }
                Slot::Spans => self.recount_run(index, placement, location),
            }
            if new == 0 {
                self.set_slot(location, at, Slot::Empty);
            }
        }
        if let PairChange::Removed { .. } = change {
            self.remove_slot(location, at);
        }
    }

    /// The slice of one destination of a pair; `None` if the EdgePlacement has no layout.
    fn slice_of<'a>(
        &mut self,
        index: &Index,
        placement: PlacementId,
        location: LocationId,
        at: usize,
        place: impl FnOnce() -> Position<'a>,
    ) -> Option<SliceId> {
        if self.slot(location, at) == Slot::Empty {
            if !self.layouts.contains_key(&placement) {
                return None;
            }
            let slot = self.find_slot(index, placement, location);
            self.set_slot(location, at, slot);
        }
        match self.slot(location, at) {
            Slot::In(slice) => Some(slice),
            Slot::Spans => Some(self.find(placement, place())),
            Slot::Empty => None,
        }
    }

    /// The slice whose range has a place.
    pub(crate) fn find(&self, placement: PlacementId, place: Position<'_>) -> SliceId {
        let layout = self.layout(placement);
        layout[layout.partition_point(|&slice| self.slices[slice].fence.place() <= place).saturating_sub(1)]
    }

    fn find_slot(&self, index: &Index, placement: PlacementId, location: LocationId) -> Slot {
        let slice = self.find(placement, index.position(location));
        let cut = self.upper(slice).is_some_and(|upper| index.cmp_run(location, upper).is_eq());
        if cut { Slot::Spans } else { Slot::In(slice) }
    }

    /// All slices that a Location's run reaches into have to be counted again.
    fn recount_run(&mut self, index: &Index, placement: PlacementId, location: LocationId) {
        let mut next = Some(self.find(placement, index.position(location)));
        while let Some(slice) = next {
            self.slices[slice].stale = true;
            self.touch(slice);
            next = self.slices[slice]
                .after
                .filter(|_| self.upper(slice).is_some_and(|upper| index.cmp_run(location, upper).is_eq()));
        }
    }

    fn slot(&self, location: LocationId, at: usize) -> Slot {
        self.slots.get(&location).and_then(|slots| slots.get(at)).copied().unwrap_or(Slot::Empty)
    }

    pub(super) fn set_slot(&mut self, location: LocationId, at: usize, slot: Slot) {
        if let Some(have) = self.slots.get_mut(&location).and_then(|slots| slots.get_mut(at)) {
            *have = slot;
        }
    }

    fn remove_slot(&mut self, location: LocationId, at: usize) {
        let Some(slots) = self.slots.get_mut(&location) else { return };
        slots.remove(at);
        if slots.is_empty() {
            self.slots.remove(&location);
            if self.slots.capacity() > 64 && self.slots.len() < self.slots.capacity() / 4 {
                self.slots.shrink_to_fit();
            }
        } else if slots.capacity() > 16 && slots.len() < slots.capacity() / 4 {
            slots.shrink_to_fit();
        }
    }

    /// The slice is gone from its layout.
    pub(super) fn drop_slice(&mut self, index: &Index, slice: SliceId) {
        self.touched.swap_remove(&slice);
        self.left.push(self.key(index, slice));
        self.unname(index, slice);
        self.slices.remove(slice);
    }
}
