//! What cannot be resolved stays as it was: frozen Locations, and what a restart has to learn from published slices.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::groups::{Group, Users};
use super::{Frozen, Index, PlacementState};
use crate::delta::Delta;
use crate::id::{LocationId, PlacementId, SyncTargetId};
use crate::leaves::Leaves;
use crate::object::{Destination, ObjectKey};
use crate::selector::Invalid;
use crate::sorted;

impl Index {
    /// The Location cannot be resolved: its pairs keep what they have. No destination changes.
    pub(super) fn freeze(&mut self, id: LocationId, invalid: &Invalid) {
        if let Some(frozen) = &mut self.locations[id].frozen {
            frozen.invalid = invalid.clone();
            return;
        }
        let group = self.locations[id].group.take();
        let pairs = self.locations[id].pairs.clone();
        let mut kept = BTreeMap::new();
        if let Some(group) = group
            && !pairs.is_empty()
            && !self.members(group).is_empty()
        {
            let users = Users::Frozen { location: id, pairs: pairs.len() };
            let copy = self.groups.insert(Group { members: self.members(group).clone(), users });
            kept = pairs.into_iter().map(|placement| (placement, copy)).collect();
        }
        self.release_group(group, id);
        let entry = &mut self.locations[id];
        entry.frozen = Some(Box::new(Frozen { invalid: invalid.clone(), kept }));
        sorted::insert(self.frozen.entry(entry.cluster).or_default(), id);
    }

    pub(super) fn unlist_frozen(&mut self, id: LocationId) {
        let cluster = self.locations[id].cluster;
        if let Some(list) = self.frozen.get_mut(&cluster) {
            sorted::remove(list, &id);
            if list.is_empty() {
                self.frozen.remove(&cluster);
            }
        }
    }

    /// Tells which destinations the slices of an EdgePlacement name: after a start, and when the EdgePlacement is valid
    /// again after it was not.
    ///
    /// Only what cannot be resolved is taken from them: destinations through a frozen Location that the EdgePlacement
    /// selects (or may select, if the Location's labels cannot be read), and SyncTargets whose labels cannot be read.
    /// SyncTargets that no longer exist are left out, and UIDs are those of the SyncTargets that exist. Cost:
    /// `O(destinations)`.
    #[must_use = "the delta is what downstream state has to follow"]
    pub fn restore<'d>(
        &mut self,
        placement: &ObjectKey,
        published: impl IntoIterator<Item = &'d Destination>,
    ) -> Delta<'_> {
        self.begin();
        if let Some(id) = self.find_placement(placement)
            && self.placements[id].state == PlacementState::Active
        {
            let mut through: BTreeMap<LocationId, Vec<SyncTargetId>> = BTreeMap::new();
            for destination in published {
                if let Some((location, sync_target)) = self.find_unresolved(destination) {
                    through.entry(location).or_default().push(sync_target);
                }
            }
            for (location, sync_targets) in through {
                match self.locations[location].frozen {
                    Some(_) => self.restore_frozen(id, location, sync_targets),
                    None => self.vouch(id, location, sync_targets),
                }
            }
        }
        Delta::new(self, None)
    }

    /// The objects that a destination names, if they exist and one of them cannot be resolved.
    fn find_unresolved(&self, destination: &Destination) -> Option<(LocationId, SyncTargetId)> {
        let cluster = self.clusters.find(&destination.cluster)?;
        let location = self.locations.find(cluster, &destination.location_name)?;
        let sync_target = self.sync_targets.find(cluster, &destination.sync_target_name)?;
        let unresolved = self.locations[location].frozen.is_some() || !self.instance_selectors.contains(sync_target);
        unresolved.then_some((location, sync_target))
    }

    fn restore_frozen(&mut self, placement: PlacementId, location: LocationId, mut members: Vec<SyncTargetId>) {
        let paired = self.locations[location].pair_at(placement);
        // Whether an EdgePlacement selects a Location without readable labels, only its slices can say.
        if paired.is_err() && self.location_selectors.contains(location) {
            return;
        }
        if self.group_of(placement, location).is_some() {
            return;
        }
        self.sort_sync_targets(&mut members);
        members.dedup();
        let users = Users::Frozen { location, pairs: 1 };
        let group = self.groups.insert(Group { members: Leaves::from_sorted(&members), users });
        if let Some(frozen) = &mut self.locations[location].frozen {
            frozen.kept.insert(placement, group);
        }
        match paired {
            Ok(at) => self.regroup(location, at, None, Some(group)),
            Err(_) => {
                self.pair(placement, location);
                self.occupy(placement, location);
            }
        }
    }

    /// A slice says that the Location held these SyncTargets when their labels could be read, so its selector did match.
    fn vouch(&mut self, placement: PlacementId, location: LocationId, sync_targets: Vec<SyncTargetId>) {
        let Some(group) = self.group_of(placement, location) else { return };
        if self.locations[location].pair_at(placement).is_err() {
            return;
        }
        for sync_target in sync_targets {
            if self.join(group, sync_target) {
                self.vouched.entry(sync_target).or_default().push(group);
            }
        }
    }
}
