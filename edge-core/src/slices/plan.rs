//! The writes that turn what is published into what should be, in an order that is safe one by one.
//!
//! **No write drops a destination that is wanted unless another slice has it.** So slices are created first; a slice that
//! loses a destination to another is written after that one; what is left over is deleted last. Where slices wait for each
//! other in a circle, one of them keeps what it would drop for the time being, or, if that is too much for it, a helper
//! slice does.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::content::{Held, published_uids};
use super::fence::{Fence, annotation};
use super::interleave::Interleave;
use super::published::{Published, is_placement};
use super::sequence::sequence;
use super::{FENCE_ANNOTATION, Slices, slice_key};
use crate::id::PlacementId;
use crate::index::{Index, PlacementState};
use crate::object::{ObjectKey, SinglePlacementSlice};

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Makes a slice whose name must be free.
    Create,
    /// Replaces a slice as a whole.
    Replace,
    /// Deletes a slice.
    Delete,
}

impl Verb {
    /// In lower case: `create`, `replace`, `delete`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }
}

/// One write of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What is done.
    pub verb: Verb,
    /// To which slice.
    pub key: ObjectKey,
    /// The whole object as it is written; `None` for a deletion. A replacement carries the UID and the resourceVersion of
    /// what it replaces, if they are known.
    pub object: Option<SinglePlacementSlice>,
    /// The UID that the slice must have, if it is known.
    pub uid: Option<String>,
    /// The resourceVersion that the slice must have, if it is known.
    pub resource_version: Option<String>,
}

impl Write {
    pub(crate) fn create(key: ObjectKey, object: SinglePlacementSlice) -> Self {
        Self { verb: Verb::Create, key, object: Some(object), uid: None, resource_version: None }
    }

    /// `object` has the identity and version of what it replaces.
    pub(crate) fn replace(key: ObjectKey, mut object: SinglePlacementSlice) -> Self {
        let metadata = &mut object.metadata;
        // The server's own: it ignores what a client says of them.
        metadata.creation_timestamp = None;
        metadata.generation = 0;
        let (uid, resource_version) = (known(&metadata.uid), known(&metadata.resource_version));
        Self { verb: Verb::Replace, key, object: Some(object), uid, resource_version }
    }

    pub(crate) fn delete(key: ObjectKey, slice: &SinglePlacementSlice) -> Self {
        let metadata = &slice.metadata;
        let (uid, resource_version) = (known(&metadata.uid), known(&metadata.resource_version));
        Self { verb: Verb::Delete, key, object: None, uid, resource_version }
    }
}

/// A UID or version, if it is known.
fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

/// Whether a slice names an EdgePlacement of another UID among its owners.
pub(crate) fn has_other_owner(slice: &SinglePlacementSlice, uid: &str) -> bool {
    let mut owners = slice.metadata.owner_references.iter().filter(|owner| is_placement(owner));
    !uid.is_empty() && owners.any(|owner| owner.uid != *uid)
}

/// What is to become of the slices of one EdgePlacement.
pub(super) struct Target<'a> {
    pub(super) placement: ObjectKey,
    /// Its slices as they are published, by name.
    pub(super) before: BTreeMap<&'a str, &'a SinglePlacementSlice>,
    /// What they should be, by name; `None` is what they are already.
    pub(super) after: BTreeMap<String, Option<SinglePlacementSlice>>,
}

impl Slices {
    /// The writes for all EdgePlacements, made as they are taken. Everything has to be settled with the same published
    /// slices.
    pub(crate) fn plan<'a>(&'a self, index: &'a Index, published: &'a Published) -> impl Iterator<Item = Write> + 'a {
        // Orphans belong to nobody who exists; going first they free their names.
        let orphans = published
            .placements()
            .filter(|placement| index.find_placement(placement).is_none())
            .flat_map(|placement| published.slices_of(placement).map(move |(name, slice)| (placement, name, slice)))
            .map(|(placement, name, slice)| Write::delete(ObjectKey::new(placement.cluster.as_str(), name), slice));
        let sequences = index.sorted_placements().into_iter().filter_map(move |(key, id)| {
            let max = match index.placements[id].state {
                PlacementState::Active => self.max,
                PlacementState::Held(_) => usize::MAX,
                PlacementState::Deleting => return None,
            };
            let is_free = |name: &ObjectKey| published.is_name_free(name) && self.is_free(index, published, id, name);
            Some(sequence(self.target(index, published, key, id), max, is_free))
        });
        Interleave::new(published, core::iter::once(orphans.collect()).chain(sequences))
    }

    /// The slices of an EdgePlacement as they should be, by name.
    pub(crate) fn resolve(
        &self,
        index: &Index,
        published: &Published,
        key: ObjectKey,
        id: PlacementId,
    ) -> Vec<SinglePlacementSlice> {
        let Target { before, after, .. } = self.target(index, published, key, id);
        after
            .into_iter()
            .filter_map(|(name, slice)| {
                let before = before.get(name.as_str()).copied();
                match slice {
                    None => before.cloned(),
                    // Its version is the server's to say.
                    Some(mut slice) => {
                        slice.metadata.resource_version.clear();
                        slice.metadata.generation = 0;
                        Some(slice)
                    }
                }
            })
            .collect()
    }

    fn target<'a>(&self, index: &Index, published: &'a Published, key: ObjectKey, id: PlacementId) -> Target<'a> {
        let before = published.slices_of(&key).collect();
        let target = Target { placement: key, before, after: BTreeMap::new() };
        match index.placements[id].state {
            PlacementState::Active => self.active_target(index, id, target),
            PlacementState::Held(_) => self.held_target(index, published, id, target),
            PlacementState::Deleting => {
                let after = target.before.keys().map(|&name| (name.into(), None)).collect();
                Target { after, ..target }
            }
        }
    }

    fn active_target<'a>(&self, index: &Index, id: PlacementId, mut target: Target<'a>) -> Target<'a> {
        let uids = published_uids(index, target.before.values().copied());
        for &slice in self.layout(id) {
            let name = self.key(index, slice).name;
            let before = target.before.get(name.as_str()).copied();
            let before = before.map(|slice| Held { slice, digest: None });
            let desired = self.desired(index, slice, before, &uids);
            target.after.insert(name, desired);
        }
        target
    }

    /// An invalid EdgePlacement keeps its slices as they are. Only an owner of the past is replaced, or its slices would
    /// be collected as garbage; and without any slice it gets its empty first one.
    fn held_target<'a>(
        &self,
        index: &Index,
        published: &Published,
        id: PlacementId,
        mut target: Target<'a>,
    ) -> Target<'a> {
        let uid = &*index.placements[id].uid;
        for (&name, &slice) in &target.before {
            let renewed = has_other_owner(slice, uid).then(|| {
                let key = ObjectKey::new(target.placement.cluster.as_str(), name);
                let metadata = self.metadata(index, id, &key, Some(slice));
                SinglePlacementSlice { metadata, destinations: slice.destinations.clone() }
            });
            target.after.insert(name.into(), renewed);
        }
        if target.before.is_empty() {
            let first = self.empty_first(index, published, id);
            target.after.insert(first.metadata.name.clone(), Some(first));
        }
        target
    }

    /// The empty first slice of an EdgePlacement that is invalid and has none.
    pub(crate) fn empty_first(&self, index: &Index, published: &Published, id: PlacementId) -> SinglePlacementSlice {
        let (first, own) = (Fence::first(), index.placement_key(id));
        let first = first.place();
        let attempt = u32::from(!self.is_free(index, published, id, &own));
        let stem = Self::stem(index, id);
        let attempt = self.free_name(index, published, id, &stem, first, attempt).attempt;
        let key = slice_key(index, id, first, attempt);
        let mut metadata = self.metadata(index, id, &key, None);
        if attempt > 0 {
            metadata.annotations.insert(FENCE_ANNOTATION.into(), annotation(first, attempt));
        }
        SinglePlacementSlice { metadata, destinations: Vec::new() }
    }
}
