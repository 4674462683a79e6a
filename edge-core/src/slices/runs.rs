//! In which slices the destinations of a pair lie.
//!
//! A Location's destinations are one run in the order of an EdgePlacement's destinations. Most lie in one slice; a run that
//! fences cut has a list of the slices that it reaches into, by the hashes of the fences, so that the slice of one
//! destination is found without a look at any other slice.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Index;

use super::Slices;
use crate::id::{Either, EitherId, LocationId, PlacementId, RunId, SliceId, Table};
use crate::order::{Hashed, upper_half};
use crate::warm::warm;

/// Which slice the destinations of a pair lie in, in four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(EitherId<SliceId, RunId>);

/// What a [`Slot`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lies {
    /// There are no destinations.
    Nowhere,
    /// All in this one.
    In(SliceId),
    /// The run is cut.
    Cut(RunId),
}

impl Slot {
    pub(super) const EMPTY: Self = Self(EitherId::NONE);

    pub(super) fn inside(slice: SliceId) -> Self {
        Self(EitherId::first(slice))
    }

    fn cut(run: RunId) -> Self {
        Self(EitherId::second(run))
    }

    pub(super) fn get(self) -> Lies {
        match self.0.get() {
            None => Lies::Nowhere,
            Some(Either::First(slice)) => Lies::In(slice),
            Some(Either::Second(run)) => Lies::Cut(run),
        }
    }
}

/// A slice that a run reaches into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The upper half of the hash of the SyncTarget that the slice begins at. That of the first part does not matter: the run
    /// begins inside it.
    hash: u32,
    pub(super) slice: SliceId,
}

/// The runs that are cut, each with the slices that it reaches into.
#[derive(Debug, Default)]
pub(super) struct Runs(Table<RunId, Box<[Part]>>);

impl Runs {
    /// The slice of a SyncTarget. `begins_after` compares where a slice begins: hashes tell nearly always.
    /// `O(log slices of the run)`.
    pub(super) fn find(&self, run: RunId, sync_target: Hashed<'_>, begins_after: impl Fn(SliceId) -> bool) -> SliceId {
        let parts = &self.0[run];
        let hash = upper_half(sync_target.hash());
        let mut at = parts[1..].partition_point(|part| part.hash < hash);
        while let Some(next) = parts.get(at + 1).filter(|next| next.hash == hash)
            && !begins_after(next.slice)
        {
            at += 1;
        }
        parts[at].slice
    }

    /// Reads what [`Self::find`] begins with.
    pub(super) fn warm(&self, runs: &[RunId]) {
        warm(runs.iter().map(|&run| self.0[run][1].hash as usize));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Index<RunId> for Runs {
    type Output = [Part];
    fn index(&self, run: RunId) -> &[Part] {
        &self.0[run]
    }
}

impl Slices {
    pub(super) fn slot(&self, location: LocationId, at: usize) -> Slot {
        self.slots.get(location).get(at).copied().unwrap_or(Slot::EMPTY)
    }

    /// Puts a pair into other slices.
    pub(super) fn set_slot(&mut self, location: LocationId, at: usize, slot: Slot) {
        let Some(have) = self.slots.get_mut(location).get_mut(at) else { return };
        if let Lies::Cut(run) = have.get()
            && *have != slot
        {
            self.runs.0.remove(run);
        }
        *have = slot;
    }

    /// The slice of a SyncTarget in a run that is cut.
    pub(super) fn part_of(&self, index: &super::Index, run: RunId, sync_target: Hashed<'_>) -> SliceId {
        self.runs.find(run, sync_target, |slice| self.first_name(index, slice) > sync_target)
    }

    /// The slices that a pair lies in.
    pub(super) fn parts(&self, slot: Slot) -> Vec<SliceId> {
        match slot.get() {
            Lies::Nowhere => Vec::new(),
            Lies::In(slice) => alloc::vec![slice],
            Lies::Cut(run) => self.runs[run].iter().map(|part| part.slice).collect(),
        }
    }

    /// Finds the slices that a Location's run reaches into by comparing fences, and puts the pair into them.
    pub(super) fn seek_slot(
        &mut self,
        index: &super::Index,
        placement: PlacementId,
        location: LocationId,
        at: usize,
    ) -> Slot {
        let mut parts = alloc::vec![self.part(index, self.find_run(index, placement, location))];
        while let Some(after) = parts.last().and_then(|last| self.slices[last.slice].after)
            && self.begins_in(index, after, location)
        {
            parts.push(self.part(index, after));
        }
        self.put(location, at, parts)
    }

    /// In the slices of a pair, `others` take the place of `slice`.
    pub(super) fn replace_in_slot(
        &mut self,
        index: &super::Index,
        location: LocationId,
        at: usize,
        slice: SliceId,
        others: &[SliceId],
    ) {
        let slot = self.slot(location, at);
        let Lies::Cut(run) = slot.get() else {
            match *others {
                [only] => self.set_slot(location, at, Slot::inside(only)),
                _ => {
                    let parts = others.iter().map(|&other| self.part(index, other)).collect();
                    self.put(location, at, parts);
                }
            }
            return;
        };
        let have = &self.runs[run];
        let Some(place) = have.iter().position(|part| part.slice == slice) else { return };
        let mut parts = Vec::with_capacity(have.len() + others.len() - 1);
        parts.extend_from_slice(&have[..place]);
        parts.extend(others.iter().map(|&other| self.part(index, other)));
        parts.extend_from_slice(&have[place + 1..]);
        self.put(location, at, parts);
    }

    fn part(&self, index: &super::Index, slice: SliceId) -> Part {
        Part { hash: upper_half(self.first_name(index, slice).hash()), slice }
    }

    fn put(&mut self, location: LocationId, at: usize, parts: Vec<Part>) -> Slot {
        let slot = match *parts {
            [] => Slot::EMPTY,
            [part] => Slot::inside(part.slice),
            _ => Slot::cut(self.runs.0.insert(parts.into_boxed_slice())),
        };
        self.set_slot(location, at, slot);
        slot
    }
}
