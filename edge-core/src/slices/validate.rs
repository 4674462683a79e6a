//! The layout checked against itself and the index, for tests.

use alloc::vec::Vec;

use super::Slices;
use super::bound::Bound;
use super::runs::Lies;
use crate::id::SliceId;
use crate::index::{Index, PlacementState};

impl Slices {
    /// Panics if an invariant is broken. Everything has to be settled.
    pub(crate) fn internal_validate(&self, index: &Index) {
        let mut further = 0;
        for id in index.placements.ids() {
            let active = index.placements[id].state == PlacementState::Active;
            assert_ne!(self.suspended.contains(&id), active, "those that are not active are listed");
            let layout = self.layout(id);
            assert_eq!(!layout.is_empty(), active, "active EdgePlacements have a layout");
            let Some(&first) = layout.first() else { continue };
            assert!(self.is_first(first), "the first slice starts before everything");
            assert_eq!(
                self.displaced.contains(&id),
                self.slices[first].attempt > 0,
                "displaced first slices are listed"
            );
            assert!(layout.is_sorted_by(|&a, &b| self.place(index, a) < self.place(index, b)), "fences ascend");
            for (at, &slice) in layout.iter().enumerate() {
                let entry = &self.slices[slice];
                assert_eq!(entry.before, at.checked_sub(1).map(|at| layout[at]), "neighbour before");
                assert_eq!(entry.after, layout.get(at + 1).copied(), "neighbour after");
                assert_eq!(entry.placement, id);
                assert!(self.len(slice) <= self.max, "no slice is too full");
                assert!(self.len(slice) > 0 || slice == first, "no empty further slice");
                self.validate_bound(index, slice);
                assert_eq!(
                    self.len(slice),
                    self.segments(index, slice).iter().map(|segment| segment.len).sum::<usize>(),
                    "count"
                );
                if !self.has_first_name(slice) {
                    further += 1;
                    assert_eq!(self.named(index, &self.key(index, slice)), Some(slice), "names are entered");
                }
            }
            let total: usize = layout.iter().map(|&slice| self.len(slice)).sum();
            let expected: usize =
                index.placements[id].occupied.iter().map(|location| index.pair_len(id, location)).sum();
            assert_eq!(total, expected, "every destination is in one slice");
        }
        assert_eq!(self.slices.len(), self.layouts.iter().map(|(_, layout)| layout.len()).sum::<usize>());
        assert_eq!(self.names.len(), further, "no name of the past is left");
        let names = index.placements.ids().map(|id| &*index.placements[id].name);
        self.names.validate_alike(names);
        self.validate_slots(index);
    }

    /// Ids of fences are of what the index has.
    fn validate_bound(&self, index: &Index, slice: SliceId) {
        assert_eq!(
            self.fills[slice].begins_at,
            self.slices[slice].bound.sync_target(),
            "where it begins is said twice"
        );
        let Bound::At { location, sync_target } = self.slices[slice].bound else { return };
        let placement = self.slices[slice].placement;
        assert!(index.pair_at(placement, location).is_some(), "a fence is at a Location of a pair");
        if let Some(sync_target) = sync_target {
            let group = index.group_of(placement, location);
            assert!(group.is_some_and(|group| index.is_member(group, sync_target)), "a fence is at a member");
        }
    }

    fn validate_slots(&self, index: &Index) {
        let (mut slots, mut runs) = (0, 0);
        for location in index.locations.ids() {
            let pairs = &index.locations[location].pairs;
            let have = self.slots.get(location);
            assert_eq!(have.len(), pairs.len(), "a slot for each pair");
            slots += have.len();
            for (&placement, &slot) in pairs.iter().zip(have) {
                let holds =
                    |slice: &SliceId| self.segments(index, *slice).iter().any(|segment| segment.location == location);
                let holders: Vec<SliceId> = self.layout(placement).iter().copied().filter(holds).collect();
                assert_eq!(self.parts(slot), holders, "a slot names the slices that the run reaches into");
                if let Lies::Cut(run) = slot.get() {
                    runs += 1;
                    assert!(self.runs[run].len() > 1, "a run that is cut is in several slices");
                    for part in &self.runs[run][1..] {
                        let place = self.place(index, part.slice);
                        assert_eq!(self.part_of(index, run, place.sync_target), part.slice, "parts are found");
                    }
                }
            }
        }
        assert_eq!(
            self.slots.iter().map(|(_, slots)| slots.len()).sum::<usize>(),
            slots,
            "no slot of the past is left"
        );
        assert_eq!(self.runs.len(), runs, "no run of the past is left");
        let named =
            self.slices.iter().filter(|(id, slice)| matches!(slice.bound, Bound::Named(_)) && !self.is_first(*id));
        assert_eq!(self.fences.len(), named.count() + 1, "no fence of the past is left");
    }
}
