//! The order of Locations and SyncTargets, as far as halves of hashes tell, which is nearly always.
//!
//! A search compares rows all over memory. The upper halves of their hashes are in a few bytes each, close together, so that
//! most comparisons need no row.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Index, hashed};
use crate::id::{ClusterId, LocationId, SyncTargetId};
use crate::order::{Hashed, Position, upper_half};

/// What tells where a Location stands among others.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocationHead {
    cluster_half: u32,
    cluster: ClusterId,
    half: u32,
}

impl LocationHead {
    pub(super) fn new(cluster: ClusterId, cluster_hash: u64, hash: u64) -> Self {
        Self { cluster_half: upper_half(cluster_hash), cluster, half: upper_half(hash) }
    }

    /// Equal if rows have to be compared. Halves of Locations tell only within one cluster.
    fn cmp(self, other: Self) -> Ordering {
        match self.cluster == other.cluster {
            true => self.half.cmp(&other.half),
            false => self.cluster_half.cmp(&other.cluster_half),
        }
    }
}

impl Index {
    /// The order of Locations within an EdgePlacement.
    pub(crate) fn cmp_locations(&self, a: LocationId, b: LocationId) -> Ordering {
        let halves = self.location_heads[a].cmp(self.location_heads[b]);
        halves.then_with(|| self.cmp_location_rows(a, b))
    }

    fn cmp_location_rows(&self, a: LocationId, b: LocationId) -> Ordering {
        let (a, b) = (&self.locations[a], &self.locations[b]);
        let clusters = match a.cluster == b.cluster {
            true => Ordering::Equal,
            false => self.cluster(a.cluster).cmp(&self.cluster(b.cluster)),
        };
        clusters.then_with(|| Hashed::new(a.hash, &a.name).cmp(&Hashed::new(b.hash, &b.name)))
    }

    /// Brings Locations into the order of [`Self::cmp_locations`].
    pub(super) fn sort_locations(&self, locations: &mut [LocationId]) {
        let mut keyed: Vec<(LocationHead, LocationId)> =
            locations.iter().map(|&id| (self.location_heads[id], id)).collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(b.0).then_with(|| self.cmp_location_rows(a.1, b.1)));
        locations.iter_mut().zip(keyed).for_each(|(id, (_, sorted))| *id = sorted);
    }

    /// How the Location's run compares with a place: equal if the place is in the run.
    pub(crate) fn cmp_run(&self, location: LocationId, place: Position<'_>) -> Ordering {
        let halves = self.location_heads[location].cluster_half.cmp(&upper_half(place.cluster.hash()));
        halves.then_with(|| {
            let run = self.position(location);
            (run.cluster, run.location).cmp(&(place.cluster, place.location))
        })
    }

    /// The order of SyncTargets within a group.
    pub(crate) fn cmp_sync_targets(&self, a: SyncTargetId, b: SyncTargetId) -> Ordering {
        let halves = self.sync_target_heads[a].cmp(&self.sync_target_heads[b]);
        halves.then_with(|| hashed(&self.sync_targets[a]).cmp(&hashed(&self.sync_targets[b])))
    }

    /// How a SyncTarget compares with a name.
    pub(crate) fn cmp_sync_target(&self, sync_target: SyncTargetId, name: Hashed<'_>) -> Ordering {
        let halves = self.sync_target_heads[sync_target].cmp(&upper_half(name.hash()));
        halves.then_with(|| hashed(&self.sync_targets[sync_target]).cmp(&name))
    }

    /// Brings SyncTargets into the order of [`Self::cmp_sync_targets`].
    pub(super) fn sort_sync_targets(&self, sync_targets: &mut [SyncTargetId]) {
        let mut keyed: Vec<(u32, SyncTargetId)> =
            sync_targets.iter().map(|&id| (self.sync_target_heads[id], id)).collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.cmp_sync_targets(a.1, b.1)));
        sync_targets.iter_mut().zip(keyed).for_each(|(id, (_, sorted))| *id = sorted);
    }
}
