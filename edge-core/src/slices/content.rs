//! What a slice should look like.

use alloc::string::ToString;
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::Slices;
use super::digest::Digest;
use super::fence::{FENCE_ANNOTATION, annotation};
use super::name::{SOURCE_PLACEMENT, label_value};
use super::published::{Published, is_placement};
use crate::id::{PlacementId, SliceId};
use crate::index::{DestinationRef, Index};
use crate::object::{
    CLUSTER_ANNOTATION, Destination, Kind, ObjectKey, ObjectMeta, OwnerReference, SinglePlacementSlice,
};
use crate::order::Hashed;

/// A destination's identity: its cluster, Location and SyncTarget. A new UID is the same destination.
pub(crate) type DestinationKey<'a> = (&'a str, &'a str, &'a str);

pub(super) fn destination_key(destination: &Destination) -> DestinationKey<'_> {
    (&destination.cluster, &destination.location_name, &destination.sync_target_name)
}

/// The UIDs that are published for destinations.
pub(crate) type Uids<'a> = HashMap<DestinationKey<'a>, &'a str>;

/// A published slice; if it is thin, with the digest that stands for its destinations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) slice: &'a SinglePlacementSlice,
    pub(crate) digest: Option<Digest>,
}

impl Held<'_> {
    /// Whether its destinations are just these, which have this digest.
    fn has(self, destinations: &[DestinationRef<'_>], digest: Digest) -> bool {
        match self.digest {
            Some(have) => have == digest,
            None => self.slice.destinations.iter().map(DestinationRef::from).eq(destinations.iter().copied()),
        }
    }
}

/// What a slice should be.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) metadata: ObjectMeta,
    /// In the order of slices' entries.
    pub(crate) destinations: Vec<DestinationRef<'a>>,
    pub(crate) digest: Digest,
    /// It is published just so.
    pub(crate) current: bool,
}

impl From<Draft<'_>> for SinglePlacementSlice {
    fn from(draft: Draft<'_>) -> Self {
        let destinations = draft.destinations.into_iter().map(Destination::from).collect();
        Self { metadata: draft.metadata, destinations }
    }
}

impl Slices {
    /// The destinations of a slice, by cluster, Location and SyncTarget. SyncTargets whose UID is unknown keep the
    /// published one.
    fn destinations<'a>(&self, index: &'a Index, slice: SliceId, uids: &Uids<'a>) -> Vec<DestinationRef<'a>> {
        let placement = self.slices[slice].placement;
        let mut destinations = Vec::with_capacity(self.len(slice));
        for segment in self.segments(index, slice) {
            let Some(group) = index.group_of(placement, segment.location) else { continue };
            let inside = self.begins_in(index, slice, segment.location);
            let from = if inside { self.first_name(index, slice) } else { Hashed::new(0, "") };
            let members = index.members_from(group, from).take(segment.len);
            destinations.extend(members.map(|member| {
                let mut destination = index.destination(segment.location, member);
                if destination.sync_target_uid.is_empty() {
                    let DestinationRef { cluster, location_name, sync_target_name, .. } = destination;
                    let uid = uids.get(&(cluster, location_name, sync_target_name));
                    destination.sync_target_uid = uid.copied().unwrap_or_default();
                }
                destination
            }));
        }
        destinations.sort_unstable();
        destinations
    }

    /// The object that a slice should be, given what is published under its name; `None` if that is just so.
    pub(super) fn desired(
        &self,
        index: &Index,
        slice: SliceId,
        published: Option<Held<'_>>,
        uids: &Uids<'_>,
    ) -> Option<SinglePlacementSlice> {
        let desired = self.draft(index, slice, published, uids);
        (!desired.current).then(|| desired.into())
    }

    /// What a slice should be, given what is published under its name.
    pub(crate) fn draft<'a>(
        &self,
        index: &'a Index,
        slice: SliceId,
        published: Option<Held<'_>>,
        uids: &Uids<'a>,
    ) -> Draft<'a> {
        let entry = &self.slices[slice];
        let destinations = self.destinations(index, slice, uids);
        let digest = Digest::of(destinations.iter().copied());
        let before = published.map(|held| held.slice);
        let mut metadata = self.metadata(index, entry.placement, &self.key(index, slice), before);
        // The range of the first slice needs no telling, and what is there is not believed.
        if !self.has_first_name(slice) {
            let fence = annotation(self.place(index, slice), entry.attempt);
            metadata.annotations.insert(FENCE_ANNOTATION.into(), fence);
        }
        let current = published.is_some_and(|have| have.slice.metadata == metadata && have.has(&destinations, digest));
        Draft { metadata, destinations, digest, current }
    }

    /// The metadata of a slice of an EdgePlacement: ours on top of what others have put there.
    pub(crate) fn metadata(
        &self,
        index: &Index,
        placement: PlacementId,
        key: &ObjectKey,
        published: Option<&SinglePlacementSlice>,
    ) -> ObjectMeta {
        let entry = &index.placements[placement];
        let mut metadata = published.map(|slice| slice.metadata.clone()).unwrap_or_default();
        metadata.name.clone_from(&key.name);
        metadata.annotations.insert(CLUSTER_ANNOTATION.into(), key.cluster.clone());
        let (label, cut) = label_value(&entry.name);
        metadata.labels.insert(SOURCE_PLACEMENT.into(), label);
        if cut {
            metadata.annotations.insert(SOURCE_PLACEMENT.into(), entry.name.to_string());
        } else if metadata.annotations.get(SOURCE_PLACEMENT).is_some_and(|name| **name != *entry.name) {
            metadata.annotations.remove(SOURCE_PLACEMENT);
        }
        set_owner(&mut metadata.owner_references, &entry.name, &entry.uid);
        metadata
    }
}

/// Exactly one owner reference to the EdgePlacement, without flags; those of other kinds stay.
///
/// An unknown UID leaves what is there: an owner reference with a wrong UID would have the slice collected as garbage.
fn set_owner(owners: &mut Vec<OwnerReference>, name: &str, uid: &str) {
    if uid.is_empty() {
        return;
    }
    let ours = OwnerReference {
        api_version: Kind::EdgePlacement.api_version().into(),
        kind: Kind::EdgePlacement.as_str().into(),
        name: name.into(),
        uid: uid.into(),
        ..OwnerReference::default()
    };
    let at = owners.iter().position(is_placement).unwrap_or(0);
    owners.retain(|owner| !is_placement(owner));
    owners.insert(at.min(owners.len()), ours);
}

/// The UIDs that an EdgePlacement's slices have for destinations, where some SyncTarget's own is unknown.
pub(crate) fn published_uids<'a>(
    index: &Index,
    slices: impl IntoIterator<Item = &'a SinglePlacementSlice>,
) -> Uids<'a> {
    if index.all_uids_known() {
        return HashMap::new();
    }
    let destinations = slices.into_iter().flat_map(|slice| &slice.destinations);
    destinations
        .filter(|destination| !destination.sync_target_uid.is_empty())
        .map(|destination| (destination_key(destination), destination.sync_target_uid.as_str()))
        .collect()
}

/// Whether a slice is published as it should be.
pub(super) fn is_current(slices: &Slices, index: &Index, published: &Published, slice: SliceId) -> bool {
    let key = slices.key(index, slice);
    let placement = index.placement_key(slices.slices[slice].placement);
    let held = published.held(&key).filter(|_| published.placement(&key) == Some(placement));
    // A published UID is looked for only where the SyncTarget's is unknown; an unchanged slice has it itself.
    held.is_some_and(|held| slices.desired(index, slice, Some(held), &published_uids(index, [held.slice])).is_none())
}
