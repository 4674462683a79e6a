//! What an event about a Location does.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::heads::LocationHead;
use super::{ALL_LOCATIONS, Index, LocationEntry};
use crate::event::{Holds, LocationRecord};
use crate::id::{GroupId, LocationId, PlacementId};
use crate::object::ObjectKey;
use crate::selector::Labels;
use crate::sorted;

impl Index {
    pub(super) fn apply_location(&mut self, key: &ObjectKey, record: Option<&LocationRecord>) {
        let cluster = self.clusters.find(&key.cluster);
        let known = cluster.and_then(|cluster| self.locations.find(cluster, &key.name));
        match (known, record) {
            (None, None) => {}
            (Some(id), None) => self.remove_location(id),
            (Some(id), Some(record)) => self.update_location(id, record),
            (None, Some(record)) => {
                let cluster = self.clusters.acquire(cluster, &key.cluster, self.hash);
                let (name, hash) = (Box::from(key.name.as_str()), self.hash.hash(&key.name));
                let head = LocationHead::new(cluster, self.cluster(cluster).hash(), hash);
                let entry = LocationEntry { cluster, name, hash, pairs: Vec::new(), group: None, frozen: None };
                let id = self.locations.insert(entry);
                self.location_heads.set(id, head);
                self.update_location(id, record);
            }
        }
    }

    fn update_location(&mut self, id: LocationId, record: &LocationRecord) {
        // Pairs go with the group that they had, and come with the one that the Location has then.
        let added = self.reselect(id, record.labels.as_ref());
        if self.location_selectors.contains(id) {
            sorted::remove(&mut self.unlabelled, &id);
        } else {
            sorted::insert(&mut self.unlabelled, id);
        }
        match &record.holds {
            Err(invalid) => self.freeze(id, invalid),
            Ok(Holds::Nothing) => self.thaw(id, None),
            Ok(Holds::Matching(selector)) => {
                let group = self.group_for(selector, self.locations[id].cluster);
                self.thaw(id, group);
            }
        }
        for placement in added {
            self.pair(placement, id);
            if self.pair_len(placement, id) > 0 {
                self.occupy(placement, id);
            }
        }
    }

    /// Takes in new labels: ends the pairs of those that select the Location no more, and returns who selects it newly.
    ///
    /// Labels that cannot be read stay as they were.
    fn reselect(&mut self, id: LocationId, labels: Option<&Labels>) -> Vec<PlacementId> {
        let Some(labels) = labels else { return Vec::new() };
        if self.location_selectors.has_labels(id, labels) {
            return Vec::new();
        }
        let were_known = self.location_selectors.contains(id);
        let mut moves = core::mem::take(&mut self.moves);
        self.location_selectors.set_labels(id, ALL_LOCATIONS, Some(labels), &mut moves);
        let clauses = moves.left.iter().chain(&moves.joined);
        let mut concerned: Vec<PlacementId> =
            clauses.flat_map(|&clause| &self.location_selectors.payload(clause).placements).copied().collect();
        self.moves = moves;
        if !were_known {
            // Pairs that were restored from published slices: now it can be said whether they are right.
            concerned.extend(&self.locations[id].pairs);
        }
        concerned.sort_unstable();
        concerned.dedup();
        concerned.retain(|&placement| {
            let clauses = &self.placements[placement].clauses;
            let selected = clauses.iter().any(|&clause| self.location_selectors.matches(clause, id));
            if !selected {
                self.vacate_and_unpair(placement, id);
            }
            selected && self.locations[id].pair_at(placement).is_err()
        });
        concerned
    }

    /// The Location is valid and holds `group`.
    fn thaw(&mut self, id: LocationId, group: Option<GroupId>) {
        let Some(frozen) = self.locations[id].frozen.take() else {
            let old = self.locations[id].group;
            if old == group {
                return;
            }
            self.locations[id].group = group;
            self.use_group(group, id);
            if !self.same_members(old, group) {
                for at in 0..self.locations[id].pairs.len() {
                    self.regroup(id, at, old, group);
                }
            }
            self.release_group(old, id);
            return;
        };
        self.unlist_frozen(id);
        self.locations[id].group = group;
        self.use_group(group, id);
        for at in 0..self.locations[id].pairs.len() {
            let old = frozen.kept.get(&self.locations[id].pairs[at]).copied();
            if !self.same_members(old, group) {
                self.regroup(id, at, old, group);
            }
        }
        for &kept in frozen.kept.values() {
            self.release_group(Some(kept), id);
        }
    }

    fn remove_location(&mut self, id: LocationId) {
        // From the end, so that no removal shifts the rest.
        for placement in self.locations[id].pairs.clone().into_iter().rev() {
            self.vacate_and_unpair(placement, id);
        }
        if self.locations[id].frozen.take().is_some() {
            self.unlist_frozen(id);
        }
        sorted::remove(&mut self.unlabelled, &id);
        let group = self.locations[id].group.take();
        self.release_group(group, id);
        let mut moves = core::mem::take(&mut self.moves);
        self.location_selectors.set_labels(id, ALL_LOCATIONS, None, &mut moves);
        self.moves = moves;
        self.locations.retire(id);
        self.retired.location = Some(id);
    }
}
