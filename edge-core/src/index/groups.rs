//! Groups of SyncTargets, and the pairs that hang on them.

use alloc::vec::Vec;

use super::{Index, SyncTargetEntry, hashed};
use crate::delta::{Change, PairChange};
use crate::id::{ClusterId, GroupId, Id, LocationId, PlacementId, SelectorId, SyncTargetId};
use crate::leaves::Leaves;
use crate::selector::Selector;
use crate::sorted;

/// A set of SyncTargets.
#[derive(Debug)]
pub(super) struct Group {
    /// In the order of [`crate::order`].
    pub(super) members: Leaves<SyncTargetId>,
    pub(super) users: Users,
}

/// Who holds a group.
#[derive(Debug)]
pub(super) enum Users {
    /// The Locations whose `instanceSelector` this is.
    Locations { selector: SelectorId, locations: Vec<LocationId> },
    /// This many pairs of one frozen Location.
    Frozen { location: LocationId, pairs: usize },
}

impl Index {
    /// The group of a selector in a cluster, made if there is none yet; `None` if nothing can match.
    ///
    /// A new group has no user: the caller adds one.
    pub(super) fn group_for(&mut self, selector: &Selector, cluster: ClusterId) -> Option<GroupId> {
        if selector.contradiction().is_some() {
            return None;
        }
        let (selector, new) = self.instance_selectors.selector(selector, scope(cluster));
        if new {
            let mut members: Vec<SyncTargetId> = self.instance_selectors.items_matching(selector).collect();
            self.sort_sync_targets(&mut members);
            let members = Leaves::from_sorted(&members);
            let users = Users::Locations { selector, locations: Vec::new() };
            *self.instance_selectors.payload_mut(selector) = Some(self.groups.insert(Group { members, users }));
        }
        *self.instance_selectors.payload(selector)
    }

    pub(super) fn use_group(&mut self, group: Option<GroupId>, location: LocationId) {
        let Some(group) = group else { return };
        if let Users::Locations { locations, .. } = &mut self.groups[group].users {
            sorted::insert(locations, location);
        }
    }

    /// A group without users is retired: the delta may still read it.
    pub(super) fn release_group(&mut self, group: Option<GroupId>, location: LocationId) {
        let Some(group) = group else { return };
        let unused = match &mut self.groups[group].users {
            Users::Locations { selector, locations } => {
                sorted::remove(locations, &location);
                if locations.is_empty() {
                    self.instance_selectors.remove_selector(*selector);
                    for groups in self.vouched.values_mut() {
                        groups.retain(|&have| have != group);
                    }
                }
                locations.is_empty()
            }
            Users::Frozen { pairs, .. } => {
                *pairs -= 1;
                *pairs == 0
            }
        };
        if unused {
            self.retired.groups.push(group);
        }
    }

    /// Whether the SyncTarget was not a member before.
    pub(super) fn join(&mut self, group: GroupId, sync_target: SyncTargetId) -> bool {
        let mut members = core::mem::take(&mut self.groups[group].members);
        let joined = members.insert(sync_target, |have| self.cmp_sync_targets(have, sync_target));
        let first = members.len() == 1;
        self.groups[group].members = members;
        if joined {
            self.changes.push(Change::Member { group, sync_target, joined: true });
            if first {
                self.each_pair(group, |index, placement, location| index.occupy(placement, location));
            }
        }
        joined
    }

    /// Whether the SyncTarget was a member.
    pub(super) fn leave(&mut self, group: GroupId, sync_target: SyncTargetId) -> bool {
        let mut members = core::mem::take(&mut self.groups[group].members);
        let left = members.remove(|have| self.cmp_sync_targets(have, sync_target));
        let last = members.is_empty();
        self.groups[group].members = members;
        if left {
            self.changes.push(Change::Member { group, sync_target, joined: false });
            if last {
                self.each_pair(group, |index, placement, location| index.vacate(placement, location));
            }
        }
        left
    }

    fn each_pair(&mut self, group: GroupId, mut act: impl FnMut(&mut Self, PlacementId, LocationId)) {
        let mut pairs = Vec::new();
        self.visit_pairs(group, |placement, location, _| pairs.push((placement, location)));
        for (placement, location) in pairs {
            act(self, placement, location);
        }
    }

    /// The Locations that hold a group, and whether all of their pairs have it.
    pub(crate) fn holders(&self, group: GroupId) -> (&[LocationId], bool) {
        match &self.groups[group].users {
            Users::Locations { locations, .. } => (locations, true),
            Users::Frozen { location, .. } => (core::slice::from_ref(location), false),
        }
    }

    /// Every pair that has the group, with its place in the Location's list.
    pub(crate) fn visit_pairs(&self, group: GroupId, mut visit: impl FnMut(PlacementId, LocationId, usize)) {
        match &self.groups[group].users {
            Users::Locations { locations, .. } => {
                for &location in locations {
                    for (at, &placement) in self.locations[location].pairs.iter().enumerate() {
                        visit(placement, location, at);
                    }
                }
            }
            Users::Frozen { location, .. } => {
                let entry = &self.locations[*location];
                for (at, &placement) in entry.pairs.iter().enumerate() {
                    if self.group_of(placement, *location) == Some(group) {
                        visit(placement, *location, at);
                    }
                }
            }
        }
    }

    /// The Location holds something for the EdgePlacement from now on.
    pub(super) fn occupy(&mut self, placement: PlacementId, location: LocationId) {
        let mut occupied = core::mem::take(&mut self.placements[placement].occupied);
        occupied.insert(location, |have| self.cmp_locations(have, location));
        self.placements[placement].occupied = occupied;
    }

    /// The Location holds nothing for the EdgePlacement any more.
    pub(super) fn vacate(&mut self, placement: PlacementId, location: LocationId) {
        let mut occupied = core::mem::take(&mut self.placements[placement].occupied);
        occupied.remove(|have| self.cmp_locations(have, location));
        self.placements[placement].occupied = occupied;
    }

    /// The EdgePlacement selects the Location from now on. Where both were not a pair before. The list of occupied
    /// Locations is left to the caller.
    pub(super) fn pair(&mut self, placement: PlacementId, location: LocationId) {
        let Err(at) = self.locations[location].pair_at(placement) else { return };
        self.locations[location].pairs.insert(at, placement);
        self.placements[placement].selected += 1;
        let new = self.group_of(placement, location);
        self.changes.push(Change::Pair { placement, location, at, change: PairChange::Added { new } });
    }

    /// The EdgePlacement selects the Location no more.
    pub(super) fn vacate_and_unpair(&mut self, placement: PlacementId, location: LocationId) {
        if self.pair_len(placement, location) > 0 {
            self.vacate(placement, location);
        }
        self.unpair(placement, location);
    }

    /// The same, leaving the list of occupied Locations to the caller.
    pub(super) fn unpair(&mut self, placement: PlacementId, location: LocationId) {
        let Ok(at) = self.locations[location].pair_at(placement) else { return };
        let old = self.group_of(placement, location);
        let entry = &mut self.locations[location];
        entry.pairs.remove(at);
        if entry.pairs.capacity() > 16 && entry.pairs.len() < entry.pairs.capacity() / 4 {
            entry.pairs.shrink_to_fit();
        }
        let kept = entry.frozen.as_mut().and_then(|frozen| frozen.kept.remove(&placement));
        self.placements[placement].selected -= 1;
        self.changes.push(Change::Pair { placement, location, at, change: PairChange::Removed { old } });
        self.release_group(kept, location);
    }

    /// The pair at `at` has another group from now on. The caller has already put the new one in place.
    pub(super) fn regroup(&mut self, location: LocationId, at: usize, old: Option<GroupId>, new: Option<GroupId>) {
        let placement = self.locations[location].pairs[at];
        let len = |index: &Self, group: Option<GroupId>| group.map_or(0, |group| index.members(group).len());
        match (len(self, old) > 0, len(self, new) > 0) {
            (false, true) => self.occupy(placement, location),
            (true, false) => self.vacate(placement, location),
            _ => {}
        }
        self.changes.push(Change::Pair { placement, location, at, change: PairChange::Regrouped { old, new } });
    }

    /// Whether both hold the same SyncTargets.
    pub(super) fn same_members(&self, a: Option<GroupId>, b: Option<GroupId>) -> bool {
        let members =
            |group: Option<GroupId>| group.map(|group| self.members(group)).into_iter().flat_map(Leaves::iter);
        a == b || members(a).eq(members(b))
    }

    /// The selector that a group is of; a frozen Location's group has none.
    pub(super) fn selector_of(&self, group: GroupId) -> Option<SelectorId> {
        match self.groups[group].users {
            Users::Locations { selector, .. } => Some(selector),
            Users::Frozen { .. } => None,
        }
    }

    pub(super) fn has_member(&self, group: GroupId, entry: &SyncTargetEntry) -> bool {
        let name = hashed(entry);
        self.members(group).contains(|have| self.cmp_sync_target(have, name))
    }
}

/// Selectors of Locations see the SyncTargets of their own cluster.
#[allow(clippy::cast_possible_truncation)] // ids are 32 bits wide
pub(super) fn scope(cluster: ClusterId) -> super::Scope {
    cluster.index() as super::Scope
}
