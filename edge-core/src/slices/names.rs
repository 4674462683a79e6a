//! Who has which name.
//!
//! A first slice has the name of its EdgePlacement, so the index knows it. Names of further slices are hashes; that two
//! of them are equal, or equal to an EdgePlacement's name, takes intent, but must not break anything: whoever comes later
//! takes its next name, and a first name outranks further ones.

use core::hash::BuildHasher;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::{Published, Slices, slice_key};
use crate::id::{PlacementId, SliceId};
use crate::index::{Index, PlacementState};
use crate::object::ObjectKey;
use crate::slices::fence::Fence;

/// Further slices by the hash of their name.
#[derive(Debug, Default)]
pub(super) struct Names {
    hasher: DefaultHashBuilder,
    slices: HashTable<(u64, SliceId)>,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.slices.len()
    }
}

impl Slices {
    /// The further slice that has a name.
    pub(crate) fn named(&self, index: &Index, key: &ObjectKey) -> Option<SliceId> {
        let hash = self.names.hasher.hash_one(key);
        let is = |(have, slice): &(u64, SliceId)| *have == hash && self.key(index, *slice) == *key;
        self.names.slices.find(hash, is).map(|&(_, slice)| slice)
    }

    /// Enters a slice's name, if it is not the EdgePlacement's.
    pub(super) fn name(&mut self, index: &Index, slice: SliceId) {
        if self.slices[slice].has_first_name() {
            return;
        }
        let hash = self.names.hasher.hash_one(self.key(index, slice));
        self.names.slices.insert_unique(hash, (hash, slice), |&(hash, _)| hash);
    }

    /// Takes a slice's name back.
    pub(super) fn unname(&mut self, index: &Index, slice: SliceId) {
        if self.slices[slice].has_first_name() {
            return;
        }
        let hash = self.names.hasher.hash_one(self.key(index, slice));
        if let Ok(entry) = self.names.slices.find_entry(hash, |&(_, have)| have == slice) {
            entry.remove();
        }
        crate::intern::shrink(&mut self.names.slices, |&(hash, _)| hash);
    }

    /// The first attempt, from `from` on, whose name nobody else has or keeps.
    pub(super) fn free_attempt(
        &self,
        index: &Index,
        published: &Published,
        placement: PlacementId,
        fence: &Fence,
        from: u32,
    ) -> u32 {
        let mut attempt = from;
        while !self.is_free(index, published, placement, &slice_key(index, placement, fence, attempt)) {
            attempt += 1;
        }
        attempt
    }

    /// Whether a slice of the EdgePlacement may have this name.
    pub(crate) fn is_free(
        &self,
        index: &Index,
        published: &Published,
        placement: PlacementId,
        key: &ObjectKey,
    ) -> bool {
        if published.is_foreign(key) {
            return false;
        }
        // What an EdgePlacement that is held or being deleted has published stays.
        let owner = published.placement(key).and_then(|owner| index.find_placement(&owner));
        if owner.is_some_and(|owner| index.placements[owner].state != PlacementState::Active) {
            return false;
        }
        match index.find_placement(key) {
            Some(namesake) => namesake == placement,
            None => self.named(index, key).is_none_or(|slice| self.slices[slice].placement == placement),
        }
    }

    /// Gives the slice the next name that is free.
    pub(super) fn rename(&mut self, index: &Index, published: &Published, slice: SliceId) {
        self.left.push(self.key(index, slice));
        self.unname(index, slice);
        let entry = &self.slices[slice];
        let (placement, fence, from) = (entry.placement, entry.fence.clone(), entry.attempt + 1);
        self.slices[slice].attempt = self.free_attempt(index, published, placement, &fence, from);
        self.name(index, slice);
        self.touch(slice);
        if fence.is_first() {
            self.displaced.insert(placement);
        }
    }
}
