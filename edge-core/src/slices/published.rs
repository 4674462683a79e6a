//! The SinglePlacementSlices that exist.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::content::Held;
use super::digest::Digest;
use super::name::SOURCE_PLACEMENT;
use super::plan::{Verb, Write};
use crate::index::DestinationRef;
use crate::object::{EDGE_GROUP, Kind, ObjectKey, ObjectMeta, OwnerReference, SinglePlacementSlice};

/// SinglePlacementSlices as an API server holds them, each under its cluster and name, and whose they are.
///
/// A slice is *ours* if it has an owner reference to an EdgePlacement, or our label. It belongs to the EdgePlacement of
/// the owner's name, else of the annotation, else of the label. What is not ours is never touched. Nor is a slice that is
/// being deleted: its destinations do not count, and until it is gone its name is as good as another's.
///
/// A slice may be *thin*: then a [`Digest`] stands for its destinations, and the list itself is empty here.
#[derive(Debug, Clone, Default)]
pub struct Published {
    slices: BTreeMap<ObjectKey, SinglePlacementSlice>,
    /// The digests of thin slices.
    thin: HashMap<ObjectKey, Digest>,
    /// Goes up with each change of who has which name.
    names_version: u64,
    /// Names of slices by EdgePlacement.
    owned: BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Names that others have.
    foreign: BTreeSet<ObjectKey>,
}

impl Published {
    /// Takes in a slice, in place of the one of its name. A slice without the annotation `kcp.io/cluster` counts as being
    /// in the logical cluster with the empty name.
    pub fn insert(&mut self, slice: SinglePlacementSlice) {
        let key = ObjectKey::new(slice.metadata.cluster().unwrap_or_default(), slice.metadata.name.as_str());
        let owner = belongs_to(&slice.metadata);
        if self.slices.get(&key).map(|known| belongs_to(&known.metadata)) != Some(owner) {
            self.names_version += 1;
        }
        self.forget(&key);
        match owner {
            Some(name) => {
                let placement = ObjectKey::new(key.cluster.as_str(), name);
                self.owned.entry(placement).or_default().insert(key.name.clone());
            }
            None => {
                self.foreign.insert(key.clone());
            }
        }
        self.slices.insert(key, slice);
    }

    /// A slice of this name exists but cannot be read: nothing is known of it, so it is left alone.
    pub fn insert_unreadable(&mut self, key: ObjectKey) {
        self.remove(&key);
        self.foreign.insert(key);
    }

    /// Takes in a slice as [`insert`](Self::insert) does, but of its destinations only a digest.
    pub fn insert_thin(&mut self, metadata: ObjectMeta, digest: Digest) {
        let key = ObjectKey::new(metadata.cluster().unwrap_or_default(), metadata.name.as_str());
        self.insert(SinglePlacementSlice { metadata, destinations: Vec::new() });
        self.thin.insert(key, digest);
    }

    /// Keeps only a digest of a slice's destinations.
    pub fn make_thin(&mut self, key: &ObjectKey) {
        if let Some(slice) = self.slices.get_mut(key)
            && !self.thin.contains_key(key)
        {
            self.thin.insert(key.clone(), Digest::of(slice.destinations.iter().map(DestinationRef::from)));
            slice.destinations = Default::default();
        }
    }

    /// Whether only a digest of a slice's destinations is kept.
    #[must_use]
    pub fn is_thin(&self, key: &ObjectKey) -> bool {
        self.thin.contains_key(key)
    }

    /// The digest of a slice's destinations. `O(1)` for a thin one, else `O(bytes)`.
    #[must_use]
    pub fn digest(&self, key: &ObjectKey) -> Option<Digest> {
        let computed = || Some(Digest::of(self.slices.get(key)?.destinations.iter().map(DestinationRef::from)));
        self.thin.get(key).copied().or_else(computed)
    }

    /// A slice, and its digest if it is thin.
    pub(crate) fn held(&self, key: &ObjectKey) -> Option<Held<'_>> {
        Some(Held { slice: self.slices.get(key)?, digest: self.thin.get(key).copied() })
    }

    /// Goes up with each change of who has which name.
    pub(super) fn names_version(&self) -> u64 {
        self.names_version
    }

    /// Forgets a slice and returns it.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<SinglePlacementSlice> {
        self.names_version += 1;
        self.forget(key)
    }

    fn forget(&mut self, key: &ObjectKey) -> Option<SinglePlacementSlice> {
        self.foreign.remove(key);
        self.thin.remove(key);
        let slice = self.slices.remove(key)?;
        if let Some(name) = belongs_to(&slice.metadata) {
            let placement = ObjectKey::new(key.cluster.as_str(), name);
            if let Some(names) = self.owned.get_mut(&placement) {
                names.remove(&key.name);
                if names.is_empty() {
                    self.owned.remove(&placement);
                }
            }
        }
        Some(slice)
    }

    /// The slice of this name.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&SinglePlacementSlice> {
        self.slices.get(key)
    }

    /// All slices, by cluster and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &SinglePlacementSlice)> {
        self.slices.iter()
    }

    /// The slices that belong to an EdgePlacement, by name.
    pub fn slices_of(&self, placement: &ObjectKey) -> impl Iterator<Item = (&str, &SinglePlacementSlice)> + use<'_> {
        let names = self.owned.get_key_value(placement);
        names.into_iter().flat_map(|(key, names)| names.iter().map(move |name| (key, name))).filter_map(
            |(key, name)| {
                let slice = self.slices.get(&ObjectKey::new(key.cluster.as_str(), name.as_str()))?;
                Some((name.as_str(), slice))
            },
        )
    }

    /// The EdgePlacements that slices belong to, whether they exist or not.
    pub fn placements(&self) -> impl Iterator<Item = &ObjectKey> {
        self.owned.keys()
    }

    /// How many slices belong to EdgePlacements. `O(EdgePlacements)`.
    #[must_use]
    pub fn owned_count(&self) -> usize {
        self.owned.values().map(BTreeSet::len).sum()
    }

    /// Names that others have.
    pub fn foreign(&self) -> impl Iterator<Item = &ObjectKey> {
        self.foreign.iter()
    }

    /// Whether nobody has any name.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.foreign.is_empty()
    }

    /// Whether nobody has this name.
    pub(crate) fn is_name_free(&self, key: &ObjectKey) -> bool {
        !self.slices.contains_key(key) && !self.foreign.contains(key)
    }

    /// Whether somebody else has this name.
    #[must_use]
    pub fn is_foreign(&self, key: &ObjectKey) -> bool {
        self.foreign.contains(key)
    }

    /// The name of the EdgePlacement that a slice belongs to, in the slice's cluster; `None` if the slice is not ours.
    #[must_use]
    pub fn placement_name(slice: &SinglePlacementSlice) -> Option<&str> {
        placement_of(&slice.metadata)
    }

    /// Whether a slice of this metadata is not ours, or is being deleted.
    pub(crate) fn is_others(metadata: &ObjectMeta) -> bool {
        belongs_to(metadata).is_none()
    }

    /// The EdgePlacement that the slice of this name belongs to, if it is ours.
    #[must_use]
    pub fn placement(&self, key: &ObjectKey) -> Option<ObjectKey> {
        self.slices
            .get(key)
            .and_then(|slice| belongs_to(&slice.metadata))
            .map(|name| ObjectKey::new(key.cluster.as_str(), name))
    }

    /// Carries out a write, as a server without anybody else would. The resourceVersion and generation that the server
    /// would give are unknown.
    pub fn apply(&mut self, write: &Write) {
        let before = self.remove(&write.key);
        if let (Verb::Create | Verb::Replace, Some(object)) = (write.verb, &write.object) {
            let mut object = object.clone();
            object.metadata.resource_version.clear();
            object.metadata.creation_timestamp = before.and_then(|slice| slice.metadata.creation_timestamp);
            self.insert(object);
        }
    }
}

impl FromIterator<SinglePlacementSlice> for Published {
    fn from_iter<T: IntoIterator<Item = SinglePlacementSlice>>(slices: T) -> Self {
        let mut published = Self::default();
        for slice in slices {
            published.insert(slice);
        }
        published
    }
}

/// Whether the owner is an EdgePlacement, of whatever version.
pub(crate) fn is_placement(owner: &OwnerReference) -> bool {
    owner.kind == Kind::EdgePlacement.as_str()
        && owner.api_version.split_once('/').is_some_and(|(group, _)| group == EDGE_GROUP)
}

/// The name of the EdgePlacement that a slice belongs to; `None` if it is not ours, or is being deleted.
fn belongs_to(metadata: &ObjectMeta) -> Option<&str> {
    let timestamp = metadata.deletion_timestamp.as_ref();
    if timestamp.is_some_and(|timestamp| !timestamp.is_empty()) { None } else { placement_of(metadata) }
}

/// The name of the EdgePlacement that a slice names; `None` if it names none.
fn placement_of(metadata: &ObjectMeta) -> Option<&str> {
    if let Some(owner) = metadata.owner_references.iter().find(|owner| is_placement(owner)) {
        return Some(&owner.name);
    }
    let label = metadata.labels.get(SOURCE_PLACEMENT)?;
    let full = metadata.annotations.get(SOURCE_PLACEMENT);
    Some(full.unwrap_or(label))
}
