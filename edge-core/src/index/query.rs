//! Questions to the index.

use alloc::vec::Vec;

use super::{Index, PlacementState};
use crate::id::{GroupId, LocationId, PlacementId, SyncTargetId};
use crate::leaves::Leaves;
use crate::object::{Destination, ObjectKey};
use crate::order::{Hashed, Position};
use crate::selector::Invalid;

/// A destination whose texts belong to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationRef<'a> {
    /// Logical cluster of the Location and the SyncTarget.
    pub cluster: &'a str,
    /// Name of the Location.
    pub location_name: &'a str,
    /// Name of the SyncTarget.
    pub sync_target_name: &'a str,
    /// UID of the SyncTarget; empty means unknown.
    pub sync_target_uid: &'a str,
}

impl From<DestinationRef<'_>> for Destination {
    fn from(destination: DestinationRef<'_>) -> Self {
        Self {
            cluster: destination.cluster.into(),
            location_name: destination.location_name.into(),
            sync_target_name: destination.sync_target_name.into(),
            sync_target_uid: destination.sync_target_uid.into(),
        }
    }
}

impl<'a> From<&'a Destination> for DestinationRef<'a> {
    fn from(destination: &'a Destination) -> Self {
        Self {
            cluster: &destination.cluster,
            location_name: &destination.location_name,
            sync_target_name: &destination.sync_target_name,
            sync_target_uid: &destination.sync_target_uid,
        }
    }
}

/// A Location that an EdgePlacement selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocationRef<'a> {
    /// Its logical cluster.
    pub cluster: &'a str,
    /// Its name.
    pub name: &'a str,
    /// How many SyncTargets it holds for the EdgePlacement.
    pub sync_targets: usize,
    /// Why it is frozen, if it is.
    pub invalid: Option<&'a Invalid>,
}

/// How much of everything there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// SyncTargets that exist.
    pub sync_targets: usize,
    /// Locations that exist.
    pub locations: usize,
    /// EdgePlacements that exist.
    pub placements: usize,
    /// (EdgePlacement, Location) pairs, selected.
    pub pairs: usize,
    /// Different groups of SyncTargets.
    pub groups: usize,
    /// Different labels in use by objects and selectors; those of SyncTargets are counted in each logical cluster.
    pub labels: usize,
}

impl Index {
    /// The destinations of an EdgePlacement in the order of slices (by hash, see [`crate::order`]); `None` if it does not
    /// exist or its destinations are not known ([`Index::held`]).
    ///
    /// Lazy: `O(1)` for each destination that is taken.
    #[must_use]
    pub fn destinations(&self, placement: &ObjectKey) -> Option<impl Iterator<Item = DestinationRef<'_>>> {
        let id = self.find_placement(placement)?;
        (self.placements[id].state == PlacementState::Active).then(|| {
            self.placements[id].occupied.iter().flat_map(move |location| {
                let group = self.group_of(id, location);
                group
                    .map(|group| self.members(group))
                    .into_iter()
                    .flat_map(Leaves::iter)
                    .map(move |sync_target| self.destination(location, sync_target))
            })
        })
    }

    /// How many destinations an EdgePlacement has. `O(Locations that hold something)`.
    #[must_use]
    pub fn destination_count(&self, placement: &ObjectKey) -> Option<usize> {
        let id = self.find_placement(placement)?;
        let entry = &self.placements[id];
        (entry.state == PlacementState::Active)
            .then(|| entry.occupied.iter().map(|location| self.pair_len(id, location)).sum())
    }

    /// The Locations that an EdgePlacement selects, by cluster and name, those that hold nothing included; `None` if it
    /// does not exist or its destinations are not known.
    ///
    /// Cost: that of evaluating its selectors, `O(candidates)`.
    #[must_use]
    pub fn locations(&self, placement: &ObjectKey) -> Option<Vec<LocationRef<'_>>> {
        let id = self.find_placement(placement)?;
        if self.placements[id].state != PlacementState::Active {
            return None;
        }
        let mut selected = self.selected_by(&self.placements[id].clauses);
        selected.extend(self.unlabelled_of(id));
        let mut selected: Vec<LocationRef<'_>> = selected
            .into_iter()
            .map(|location| {
                let entry = &self.locations[location];
                LocationRef {
                    cluster: self.cluster(entry.cluster).name(),
                    name: &entry.name,
                    sync_targets: self.pair_len(id, location),
                    invalid: entry.frozen.as_ref().map(|frozen| &frozen.invalid),
                }
            })
            .collect();
        selected.sort_unstable_by_key(|location| (location.cluster, location.name));
        Some(selected)
    }

    /// How many Locations an EdgePlacement selects: its `matchingLocationCount`. `O(1)`.
    #[must_use]
    pub fn location_count(&self, placement: &ObjectKey) -> Option<usize> {
        let entry = &self.placements[self.find_placement(placement)?];
        (entry.state == PlacementState::Active).then_some(entry.selected)
    }

    /// The EdgePlacements that a SyncTarget is a destination of, with the Location that it is reached through; sorted by
    /// cluster and name of EdgePlacement, then Location.
    ///
    /// Cost: that of matching the SyncTarget's labels, and `O(n log n)` in the result.
    #[must_use]
    pub fn placements_of(&self, sync_target: &ObjectKey) -> Vec<(ObjectKey, ObjectKey)> {
        let Some(id) = self.find_sync_target(sync_target) else { return Vec::new() };
        let mut found = Vec::new();
        for group in self.groups_of(id) {
            self.visit_pairs(group, |placement, location, _| {
                let (placement, location) = (&self.placements[placement], &self.locations[location]);
                let key = |cluster, name: &str| ObjectKey::new(self.cluster(cluster).name(), name);
                found.push((key(placement.cluster, &placement.name), key(location.cluster, &location.name)));
            });
        }
        found.sort_unstable();
        found
    }

    /// Why the destinations of an EdgePlacement are not known, if they are not.
    #[must_use]
    pub fn held(&self, placement: &ObjectKey) -> Option<&Invalid> {
        match &self.placements[self.find_placement(placement)?].state {
            PlacementState::Held(invalid) => Some(invalid),
            PlacementState::Active | PlacementState::Deleting => None,
        }
    }

    /// How much of everything there is. `O(Locations)`.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            sync_targets: self.sync_targets.len(),
            locations: self.locations.len(),
            placements: self.placements.len(),
            pairs: self.locations.ids().map(|id| self.locations[id].pairs.len()).sum(),
            groups: self.groups.len(),
            labels: self.instance_selectors.labels() + self.location_selectors.labels(),
        }
    }

    pub(super) fn find_sync_target(&self, key: &ObjectKey) -> Option<SyncTargetId> {
        self.sync_targets.find(self.clusters.find(&key.cluster)?, &key.name)
    }

    pub(super) fn find_location(&self, key: &ObjectKey) -> Option<LocationId> {
        self.locations.find(self.clusters.find(&key.cluster)?, &key.name)
    }

    /// Locations without readable labels that published slices say the EdgePlacement selects.
    pub(super) fn unlabelled_of(&self, id: PlacementId) -> Vec<LocationId> {
        let paired = |location: &LocationId| self.locations[*location].pair_at(id).is_ok();
        self.unlabelled.iter().copied().filter(paired).collect()
    }

    pub(crate) fn destination(&self, location: LocationId, sync_target: SyncTargetId) -> DestinationRef<'_> {
        let (location, sync_target) = (&self.locations[location], &self.sync_targets[sync_target]);
        DestinationRef {
            cluster: self.cluster(location.cluster).name(),
            location_name: &location.name,
            sync_target_name: sync_target.name(),
            sync_target_uid: sync_target.uid(),
        }
    }

    pub(crate) fn old_uid(&self) -> Option<&str> {
        self.retired.old_uid.as_deref()
    }

    // === What the slices and the publisher ask ===

    /// The destination of an EdgePlacement that has these names, if it is wanted, and its place.
    pub(crate) fn find_destination<'a>(
        &'a self,
        placement: PlacementId,
        names: DestinationRef<'_>,
    ) -> Option<(DestinationRef<'a>, Position<'a>)> {
        let cluster = self.clusters.find(names.cluster)?;
        let location = self.locations.find(cluster, names.location_name)?;
        let sync_target = self.sync_targets.find(cluster, names.sync_target_name)?;
        self.locations[location].pair_at(placement).ok()?;
        let group = self.group_of(placement, location)?;
        let is_member = self.members(group).contains(|have| self.cmp_sync_targets(have, sync_target));
        is_member.then(|| (self.destination(location, sync_target), self.position_of(location, sync_target)))
    }

    /// The destinations of an EdgePlacement from a place on, in order.
    pub(crate) fn destinations_from<'a>(
        &'a self,
        placement: PlacementId,
        from: Position<'a>,
    ) -> impl Iterator<Item = (DestinationRef<'a>, Position<'a>)> {
        let occupied = &self.placements[placement].occupied;
        occupied.iter_from(move |have| self.cmp_run(have, from)).flat_map(move |location| {
            let inside = self.cmp_run(location, from).is_eq();
            let first = if inside { from.sync_target } else { Hashed::new(0, "") };
            let group = self.group_of(placement, location);
            let members = group.into_iter().flat_map(move |group| self.members_from(group, first));
            members.map(move |member| (self.destination(location, member), self.position_of(location, member)))
        })
    }

    /// The Locations that an EdgePlacement selects and that cannot be resolved, and why.
    pub(crate) fn frozen_of(&self, placement: PlacementId) -> Vec<(ObjectKey, &Invalid)> {
        let frozen = self.frozen.values().flatten().copied();
        let selected = frozen.filter(|&id| self.locations[id].pair_at(placement).is_ok());
        let mut found: Vec<_> = selected
            .filter_map(|id| {
                let entry = &self.locations[id];
                let key = ObjectKey::new(self.cluster(entry.cluster).name(), &*entry.name);
                Some((key, &entry.frozen.as_ref()?.invalid))
            })
            .collect();
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// The EdgePlacements that select a Location which cannot be resolved.
    pub(crate) fn placements_of_frozen(&self, location: &ObjectKey) -> Vec<PlacementId> {
        let id = self.find_location(location).filter(|&id| self.locations[id].frozen.is_some());
        id.map(|id| self.locations[id].pairs.clone()).unwrap_or_default()
    }

    /// Whether the destinations of an EdgePlacement are known.
    pub(crate) fn is_active(&self, id: PlacementId) -> bool {
        self.placements[id].state == PlacementState::Active
    }

    pub(crate) fn placement_key(&self, id: PlacementId) -> ObjectKey {
        let entry = &self.placements[id];
        ObjectKey::new(self.cluster(entry.cluster).name(), &*entry.name)
    }

    /// All EdgePlacements by cluster and name.
    pub(crate) fn sorted_placements(&self) -> Vec<(ObjectKey, PlacementId)> {
        let mut placements: Vec<_> = self.placements.ids().map(|id| (self.placement_key(id), id)).collect();
        placements.sort_unstable();
        placements
    }

    /// Whether every SyncTarget has a UID: on an API server all have, in manifests none may.
    pub(crate) fn all_uids_known(&self) -> bool {
        self.unknown_uids == 0
    }

    /// Whether something cannot be resolved, so that published slices have to tell.
    pub(crate) fn has_unresolved(&self) -> bool {
        !self.frozen.is_empty() || self.instance_selectors.items() < self.sync_targets.len()
    }

    /// The place where the Location's destinations begin.
    pub(crate) fn position(&self, location: LocationId) -> Position<'_> {
        let entry = &self.locations[location];
        Position {
            cluster: self.cluster(entry.cluster),
            location: Hashed::new(entry.hash, &entry.name),
            sync_target: Hashed::new(0, ""),
        }
    }

    /// The place of one destination.
    pub(crate) fn position_of(&self, location: LocationId, sync_target: SyncTargetId) -> Position<'_> {
        let entry = &self.sync_targets[sync_target];
        Position { sync_target: super::hashed(entry), ..self.position(location) }
    }

    /// A SyncTarget's name with its hash.
    pub(crate) fn hashed(&self, sync_target: SyncTargetId) -> Hashed<'_> {
        super::hashed(&self.sync_targets[sync_target])
    }

    /// Whether a SyncTarget is in a group. `O(log n)`.
    pub(crate) fn is_member(&self, group: GroupId, sync_target: SyncTargetId) -> bool {
        self.members(group).contains(|have| self.cmp_sync_targets(have, sync_target))
    }

    /// Where an EdgePlacement stands in the list of pairs of a Location, if both are a pair. `O(log n)`.
    pub(crate) fn pair_at(&self, placement: PlacementId, location: LocationId) -> Option<usize> {
        self.locations[location].pair_at(placement).ok()
    }

    /// Whether the pair at `at` has a group.
    pub(crate) fn pair_has(&self, location: LocationId, at: usize, group: GroupId) -> bool {
        self.group_of(self.locations[location].pairs[at], location) == Some(group)
    }

    /// How many members of a group are before a SyncTarget's name. `O(log n + leaves)`.
    pub(crate) fn rank(&self, group: GroupId, sync_target: Hashed<'_>) -> usize {
        self.members(group).rank(|have| self.cmp_sync_target(have, sync_target))
    }

    /// The members of a group from a SyncTarget's name on, in order.
    pub(crate) fn members_from(&self, group: GroupId, sync_target: Hashed<'_>) -> impl Iterator<Item = SyncTargetId> {
        self.members(group).iter_from(move |have| self.cmp_sync_target(have, sync_target))
    }
}
