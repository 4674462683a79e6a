//! What an event about an EdgePlacement does.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{ALL_LOCATIONS, Index, PlacementEntry, PlacementState};
use crate::delta::{Change, PlacementChange};
use crate::event::EdgePlacementRecord;
use crate::id::{LocationId, PlacementId, SelectorId};
use crate::leaves::Leaves;
use crate::object::ObjectKey;
use crate::selector::Selector;
use crate::sorted;

impl Index {
    pub(crate) fn find_placement(&self, key: &ObjectKey) -> Option<PlacementId> {
        self.placements.find(self.clusters.find(&key.cluster)?, &key.name)
    }

    pub(super) fn apply_placement(&mut self, key: &ObjectKey, record: Option<&EdgePlacementRecord>) {
        let cluster = self.clusters.find(&key.cluster);
        let known = cluster.and_then(|cluster| self.placements.find(cluster, &key.name));
        match (known, record) {
            (None, None) => {}
            (Some(id), None) => self.remove_placement(id),
            (Some(id), Some(record)) => self.update_placement(id, record),
            (None, Some(record)) => {
                let cluster = self.clusters.acquire(cluster, &key.cluster, self.hash);
                let id = self.placements.insert(PlacementEntry {
                    cluster,
                    name: key.name.as_str().into(),
                    uid: record.uid.as_str().into(),
                    generation: record.generation,
                    state: PlacementState::Active,
                    clauses: Box::default(),
                    selected: 0,
                    occupied: Leaves::default(),
                });
                self.report(id, PlacementChange::Added);
                self.update_placement(id, record);
            }
        }
    }

    fn update_placement(&mut self, id: PlacementId, record: &EdgePlacementRecord) {
        let entry = &mut self.placements[id];
        entry.generation = record.generation;
        if *entry.uid != *record.uid {
            entry.uid = record.uid.as_str().into();
            self.report(id, PlacementChange::Renewed);
        }
        let was_active = self.placements[id].state == PlacementState::Active;
        let (state, selectors) = match &record.selectors {
            _ if record.deleting => (PlacementState::Deleting, &[][..]),
            Err(invalid) => (PlacementState::Held(invalid.clone()), &[][..]),
            Ok(selectors) => (PlacementState::Active, selectors.as_slice()),
        };
        match (was_active, state == PlacementState::Active) {
            (true, false) => self.report(id, PlacementChange::Suspended),
            (false, true) => self.report(id, PlacementChange::Resumed),
            _ => {}
        }
        self.placements[id].state = state;
        self.select(id, selectors);
    }

    fn report(&mut self, placement: PlacementId, change: PlacementChange) {
        self.changes.push(Change::Placement { placement, change });
    }

    /// The EdgePlacement has these selectors from now on.
    fn select(&mut self, id: PlacementId, selectors: &[Selector]) {
        let mut clauses: Vec<SelectorId> = Vec::with_capacity(selectors.len());
        for selector in selectors.iter().filter(|selector| selector.contradiction().is_none()) {
            let (clause, _) = self.location_selectors.selector(selector, ALL_LOCATIONS);
            clauses.push(clause);
        }
        clauses.sort_unstable();
        clauses.dedup();
        if self.placements[id].state != PlacementState::Active {
            // Whether it selects Locations without readable labels cannot be said any more, either.
            self.unpair_unlabelled(id);
        }
        if *clauses == *self.placements[id].clauses {
            return;
        }
        let old = core::mem::take(&mut self.placements[id].clauses);
        let before = self.selected_by(&old);
        let after = self.selected_by(&clauses);
        for &clause in &clauses {
            sorted::insert(&mut self.location_selectors.payload_mut(clause).placements, id);
        }
        self.placements[id].clauses = clauses.into();
        for location in self.without(&before, &after) {
            self.unpair(id, location);
        }
        for location in self.without(&after, &before) {
            self.pair(id, location);
        }
        self.occupy_all(id, after);
        self.release_clauses(id, &old);
    }

    /// The Locations of one list that are not in another; both in the order of [`Self::cmp_locations`].
    fn without(&self, list: &[LocationId], other: &[LocationId]) -> Vec<LocationId> {
        let is_new = |location: &LocationId| {
            other.is_empty() || other.binary_search_by(|&have| self.cmp_locations(have, *location)).is_err()
        };
        list.iter().copied().filter(is_new).collect()
    }

    /// The Locations that any of the clauses selects, in the order of [`Self::cmp_locations`].
    pub(super) fn selected_by(&self, clauses: &[SelectorId]) -> Vec<LocationId> {
        let mut selected: Vec<LocationId> = Vec::new();
        for &clause in clauses {
            selected.extend(self.location_selectors.items_matching(clause));
        }
        self.sort_locations(&mut selected);
        selected.dedup();
        selected
    }

    /// Lists anew which Locations hold something for the EdgePlacement, out of those that its selectors select. To look
    /// at each of them took longer already.
    fn occupy_all(&mut self, id: PlacementId, mut selected: Vec<LocationId>) {
        let unlabelled = self.unlabelled_of(id);
        if !unlabelled.is_empty() {
            selected.extend(unlabelled);
            self.sort_locations(&mut selected);
        }
        selected.retain(|&location| self.pair_len(id, location) > 0);
        self.placements[id].occupied = Leaves::from_sorted(&selected);
    }

    fn unpair_unlabelled(&mut self, id: PlacementId) {
        for location in self.unlabelled.clone() {
            self.vacate_and_unpair(id, location);
        }
    }

    fn release_clauses(&mut self, id: PlacementId, clauses: &[SelectorId]) {
        for &clause in clauses {
            let placements = &mut self.location_selectors.payload_mut(clause).placements;
            // Of an old selector that is among the new ones too, the EdgePlacement stays a user.
            if self.placements[id].clauses.binary_search(&clause).is_err() {
                sorted::remove(placements, &id);
            }
            if placements.is_empty() {
                self.location_selectors.remove_selector(clause);
            }
        }
    }

    fn remove_placement(&mut self, id: PlacementId) {
        let clauses = core::mem::take(&mut self.placements[id].clauses);
        for location in self.selected_by(&clauses) {
            self.unpair(id, location);
        }
        self.placements[id].occupied = Leaves::default();
        self.unpair_unlabelled(id);
        self.release_clauses(id, &clauses);
        self.report(id, PlacementChange::Removed);
        self.placements.retire(id);
        self.retired.placement = Some(id);
    }
}
