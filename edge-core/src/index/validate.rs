//! The index checked against itself, for tests.

use alloc::vec::Vec;

use super::groups::Users;
use super::{Index, PlacementState};
use crate::id::{LocationId, SyncTargetId};

impl Index {
    /// Panics if an invariant is broken. `O(everything)`; for tests and fuzzing.
    #[doc(hidden)]
    pub fn internal_validate(&self) {
        self.instance_selectors.internal_validate();
        self.location_selectors.internal_validate();
        for id in self.placements.ids() {
            self.validate_placement(id);
        }
        for id in self.locations.ids() {
            let entry = &self.locations[id];
            assert!(entry.pairs.is_sorted(), "pairs are sorted");
            assert!(entry.group.is_none() || entry.frozen.is_none(), "a frozen Location has no group of its own");
            let listed = self.frozen.get(&entry.cluster).is_some_and(|list| list.contains(&id));
            assert_eq!(listed, entry.frozen.is_some(), "frozen Locations are listed");
            for placement in entry.frozen.iter().flat_map(|frozen| frozen.kept.keys()) {
                assert!(entry.pairs.contains(placement), "what is kept belongs to a pair");
            }
        }
        for (id, group) in self.groups.iter() {
            group.members.internal_validate(|a, b| self.cmp_sync_targets(a, b));
            if self.retired.groups.contains(&id) {
                continue;
            }
            match &group.users {
                Users::Frozen { location, pairs } => {
                    let kept = self.locations[*location].frozen.iter().flat_map(|frozen| frozen.kept.values());
                    assert_eq!(kept.filter(|&&kept| kept == id).count(), *pairs, "pairs of a frozen group");
                }
                Users::Locations { selector, locations } => {
                    assert!(!locations.is_empty(), "a group has a user");
                    assert!(locations.iter().all(|&location| self.locations[location].group == Some(id)));
                    let mut expected: Vec<SyncTargetId> = self
                        .sync_targets
                        .ids()
                        .filter(|&sync_target| {
                            let vouched = self.vouched.get(&sync_target).is_some_and(|groups| groups.contains(&id));
                            self.sync_targets[sync_target].cluster == self.locations[locations[0]].cluster
                                && (vouched || self.instance_selectors.matches(*selector, sync_target))
                        })
                        .collect();
                    expected.sort_unstable_by(|&a, &b| self.cmp_sync_targets(a, b));
                    assert!(group.members.iter().eq(expected), "a group has the SyncTargets that its selector matches");
                }
            }
        }
    }

    fn validate_placement(&self, id: crate::id::PlacementId) {
        let entry = &self.placements[id];
        entry.occupied.internal_validate(|a, b| self.cmp_locations(a, b));
        let mut selected = self.selected_by(&entry.clauses);
        selected.extend(self.unlabelled_of(id));
        selected.sort_unstable();
        let mut paired: Vec<LocationId> =
            self.locations.ids().filter(|&location| self.locations[location].pairs.contains(&id)).collect();
        paired.sort_unstable();
        assert_eq!(selected, paired, "an EdgePlacement is paired with what it selects");
        assert_eq!(entry.selected, paired.len(), "count of pairs");
        assert!(entry.state == PlacementState::Active || paired.is_empty(), "only active EdgePlacements have pairs");
        let mut occupied: Vec<LocationId> = entry.occupied.iter().collect();
        occupied.sort_unstable();
        paired.retain(|&location| self.pair_len(id, location) > 0);
        assert_eq!(occupied, paired, "occupied Locations are those that hold something");
    }

    /// Whether no trace of any object is left, except what the last event removed: deletes free everything.
    #[doc(hidden)]
    #[must_use]
    pub fn internal_is_empty(&self) -> bool {
        self.sync_targets.rows() <= 1
            && self.locations.rows() <= 1
            && self.placements.rows() <= 1
            && self.clusters.len() <= 1
            && self.groups.len() <= self.retired.groups.len()
            && self.instance_selectors.is_empty()
            && self.location_selectors.is_empty()
            && self.frozen.is_empty()
            && self.vouched.is_empty()
    }
}
