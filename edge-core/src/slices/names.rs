//! Who has which name.
//!
//! A first slice has the name of its EdgePlacement, so the index knows it. Names of further slices are hashes; that two
//! of them are equal, or equal to an EdgePlacement's name, takes intent, but must not break anything: whoever comes later
//! takes its next name, and a first name outranks further ones.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use core::hash::BuildHasher;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::name::{Stem, suffix_of, with_suffix};
use super::{Published, Slice, Slices, slice_key};
use crate::id::{PlacementId, SliceId};
use crate::index::{Index, PlacementState};
use crate::object::ObjectKey;
use crate::order::Position;

/// Which of its possible names a slice has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) attempt: u32,
    /// What the name ends with, as a number; of no use for a first name.
    suffix: u64,
}

/// Further slices by the number that their name ends with.
#[derive(Debug, Default)]
pub(super) struct Names {
    hasher: DefaultHashBuilder,
    /// With half a hash of the number: strangers choose names, but not this hash.
    slices: HashTable<(u32, SliceId)>,
    /// How many EdgePlacements have a name that ends as those of slices do, by that number: hardly any.
    alike: BTreeMap<u64, usize>,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.slices.len()
    }

    fn tag(&self, suffix: u64) -> u32 {
        u32::try_from(self.hasher.hash_one(suffix) >> 32).unwrap_or(u32::MAX)
    }

    fn hash(tag: u32) -> u64 {
        u64::from(tag) << 32 | u64::from(tag)
    }

    fn insert(&mut self, suffix: u64, slice: SliceId) {
        let tag = self.tag(suffix);
        self.slices.insert_unique(Self::hash(tag), (tag, slice), |&(tag, _)| Self::hash(tag));
    }

    fn remove(&mut self, suffix: u64, slice: SliceId) {
        let hash = Self::hash(self.tag(suffix));
        if let Ok(entry) = self.slices.find_entry(hash, |&(_, have)| have == slice) {
            entry.remove();
        }
        crate::intern::shrink(&mut self.slices, |&(tag, _)| Self::hash(tag));
    }

    /// The slice that has the number and `is` it.
    fn find(&self, suffix: u64, is: impl Fn(SliceId) -> bool) -> Option<SliceId> {
        let tag = self.tag(suffix);
        self.slices.find(Self::hash(tag), |&(have, slice)| have == tag && is(slice)).map(|&(_, slice)| slice)
    }

    /// An EdgePlacement of this name came.
    pub(super) fn placement_came(&mut self, name: &str) {
        if let Some(suffix) = suffix_of(name) {
            *self.alike.entry(suffix).or_default() += 1;
        }
    }

    /// An EdgePlacement of this name went.
    pub(super) fn placement_went(&mut self, name: &str) {
        let Some(suffix) = suffix_of(name) else { return };
        if let Some(count) = self.alike.get_mut(&suffix) {
            *count -= 1;
            if *count == 0 {
                self.alike.remove(&suffix);
            }
        }
    }

    /// Whether no slice that is laid out, and no EdgePlacement, can have a name that ends so.
    fn is_unheard(&self, suffix: u64) -> bool {
        self.find(suffix, |_| true).is_none() && !self.alike.contains_key(&suffix)
    }
}

impl Names {
    /// Panics unless these are the names of the EdgePlacements that exist.
    pub(super) fn validate_alike<'a>(&self, placements: impl Iterator<Item = &'a str>) {
        let mut alike: BTreeMap<u64, usize> = BTreeMap::new();
        placements.filter_map(suffix_of).for_each(|suffix| *alike.entry(suffix).or_default() += 1);
        assert_eq!(self.alike, alike, "EdgePlacements whose names are like those of slices");
    }
}

impl Slices {
    /// The further slice that has a name.
    pub(crate) fn named(&self, index: &Index, key: &ObjectKey) -> Option<SliceId> {
        self.names.find(suffix_of(&key.name)?, |slice| self.key(index, slice) == *key)
    }

    /// What the names of an EdgePlacement's slices have in common.
    pub(super) fn stem(index: &Index, placement: PlacementId) -> Stem {
        let entry = &index.placements[placement];
        Stem::new(index.cluster(entry.cluster).name(), &entry.name)
    }

    /// The name of a slice that is to be, at an attempt.
    pub(super) fn name_at(index: &Index, placement: PlacementId, fence: Position<'_>, attempt: u32) -> Name {
        Name { attempt, suffix: Self::stem(index, placement).suffix(fence, attempt) }
    }

    /// Gives a slice a name; a further one can be found by it.
    pub(super) fn name(&mut self, slice: SliceId, name: Name) {
        self.slices[slice].attempt = name.attempt;
        if !self.has_first_name(slice) {
            self.names.insert(name.suffix, slice);
        }
    }

    /// Takes a slice's name back, and tells it: no slice has it any more, unless one takes it.
    pub(super) fn unname(&mut self, index: &Index, slice: SliceId) {
        let Slice { placement, attempt, .. } = self.slices[slice];
        let entry = &index.placements[placement];
        let cluster = index.cluster(entry.cluster).name();
        let name = if self.has_first_name(slice) {
            entry.name.to_string()
        } else {
            let suffix = Self::name_at(index, placement, self.place(index, slice), attempt).suffix;
            self.names.remove(suffix, slice);
            with_suffix(&entry.name, suffix)
        };
        self.left.push(ObjectKey::new(cluster, name));
    }

    /// The first name, from attempt `from` on, that nobody else has or keeps.
    pub(super) fn free_name(
        &self,
        index: &Index,
        published: &Published,
        placement: PlacementId,
        stem: &Stem,
        fence: Position<'_>,
        from: u32,
    ) -> Name {
        let mut attempt = from;
        loop {
            let suffix = stem.suffix(fence, attempt);
            // Without anything published there is no need to spell the name.
            if (published.is_empty() && self.names.is_unheard(suffix))
                || self.is_free(index, published, placement, &slice_key(index, placement, fence, attempt))
            {
                return Name { attempt, suffix };
            }
            attempt += 1;
        }
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
        self.unname(index, slice);
        let Slice { placement, attempt, .. } = self.slices[slice];
        let (stem, fence) = (Self::stem(index, placement), self.place(index, slice));
        let name = self.free_name(index, published, placement, &stem, fence, attempt + 1);
        self.name(slice, name);
        self.touch(slice);
        if self.is_first(slice) {
            self.displaced.insert(placement);
        }
    }
}
