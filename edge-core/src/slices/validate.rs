//! The layout checked against itself and the index, for tests.

use super::{Slices, Slot};
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
            assert!(self.slices[first].fence.is_first(), "the first slice starts before everything");
            assert_eq!(
                self.displaced.contains(&id),
                self.slices[first].attempt > 0,
                "displaced first slices are listed"
            );
            assert!(layout.is_sorted_by(|&a, &b| self.slices[a].fence < self.slices[b].fence), "fences ascend");
            for (at, &slice) in layout.iter().enumerate() {
                let entry = &self.slices[slice];
                assert_eq!(entry.before, at.checked_sub(1).map(|at| layout[at]), "neighbour before");
                assert_eq!(entry.after, layout.get(at + 1).copied(), "neighbour after");
                assert_eq!(entry.placement, id);
                assert!(!entry.stale, "counts are taken");
                assert!(entry.count <= self.max, "no slice is too full");
                assert!(
                    entry.count > 0 || slice == first || !self.touched.contains_key(&slice),
                    "no empty further slice"
                );
                assert_eq!(
                    entry.count,
                    self.segments(index, slice).iter().map(|segment| segment.len).sum::<usize>(),
                    "count"
                );
                if !entry.has_first_name() {
                    further += 1;
                    assert_eq!(self.named(index, &self.key(index, slice)), Some(slice), "names are entered");
                }
            }
            let total: usize = layout.iter().map(|&slice| self.slices[slice].count).sum();
            let expected: usize =
                index.placements[id].occupied.iter().map(|location| index.pair_len(id, location)).sum();
            assert_eq!(total, expected, "every destination is in one slice");
        }
        assert_eq!(self.slices.len(), self.layouts.values().map(alloc::vec::Vec::len).sum::<usize>());
        assert_eq!(self.names.len(), further, "no name of the past is left");
        self.validate_slots(index);
    }

    fn validate_slots(&self, index: &Index) {
        for location in index.locations.ids() {
            let pairs = &index.locations[location].pairs;
            let slots = self.slots.get(&location).map_or(&[][..], alloc::vec::Vec::as_slice);
            assert_eq!(slots.len(), pairs.len(), "a slot for each pair");
            for (&placement, &slot) in pairs.iter().zip(slots) {
                let holders: alloc::vec::Vec<_> = self
                    .layout(placement)
                    .iter()
                    .copied()
                    .filter(|&slice| self.segments(index, slice).iter().any(|segment| segment.location == location))
                    .collect();
                match slot {
                    Slot::Empty => assert!(holders.is_empty(), "an empty slot has no destinations"),
                    Slot::In(slice) => assert_eq!(holders, [slice], "a slot names the only slice"),
                    Slot::Spans => assert!(!holders.is_empty(), "a run that is cut holds something"),
                }
            }
        }
    }
}
