//! What is done when nothing goes on by itself: slices wait for each other, or for one that the server refuses.

use alloc::vec::Vec;

use super::dispatch::{Aim, renew};
use super::slot::{Content, Doing, Slot};
use super::{Gate, Publisher, Request, Time};
use crate::id::{PlacementId, SliceId};
use crate::object::{Destination, ObjectKey, SinglePlacementSlice};
use crate::slices::{Digest, FENCE_ANNOTATION, Fence, Span, Write, helper_name, published_uids};

impl Publisher {
    /// Nothing of an EdgePlacement goes on by itself: slices wait for each other, or for one that the server refuses. One of
    /// them is written with what it would drop, so that what nobody wants goes; if that is too much, a helper holds it.
    ///
    /// Its turn comes when the queue is empty.
    pub(super) fn unblock(&mut self, placement: &ObjectKey, now: Time) -> Option<Request> {
        let book = self.books.get_mut(placement)?;
        book.stalled = false;
        if book.in_flight > 0 {
            return None;
        }
        let barred: Vec<ObjectKey> = book.barred.iter().cloned().collect();
        if self.gate == Gate::GrowOnly {
            // What is written below takes away what nobody wants as far as is known.
            self.held_back.extend(barred);
            return None;
        }
        let mut known = Vec::new();
        for key in barred {
            let Some(slot) = self.slots.get(&key).filter(|slot| slot.flight.is_none()) else { continue };
            let time = slot.rests_until();
            if now < time {
                self.wait_until(&key, time);
            } else if !matches!(slot.content, Content::Unread) {
                known.push(key);
            } else if let Some(request) = self.read_barred(&key, now) {
                return Some(request);
            }
        }
        for key in &known {
            if let Some(request) = self.write_union(key, now) {
                return Some(request);
            }
        }
        known.iter().find_map(|key| self.write_helper(key, now))
    }

    /// What is barred, and what it should be.
    fn barred_aim(&self, key: &ObjectKey) -> Option<(PlacementId, Option<SliceId>)> {
        match self.aim(key) {
            Aim::Have(id, slice) => Some((id, Some(slice))),
            Aim::Remove(id) => Some((id, None)),
            _ => None,
        }
    }

    /// What a slice would drop is not known before it has been read.
    fn read_barred(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        self.barred_aim(key)?;
        self.slot(key).want_rows = true;
        self.read(key, now)
    }

    /// The slice as it should be, and what it would drop that no other slice has: if that fits, and changes something.
    fn write_union(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        let (id, slice) = self.barred_aim(key)?;
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        let held = self.published.held(key)?;
        let span = slice.map(|slice| slices.span(index, slice));
        let mut extra = self.keep(id, key, span.as_ref());
        if extra.len() > slices.max() {
            extra = self.keep_lost(id, key, span.as_ref());
        }
        let desired = slice.map(|slice| slices.draft(index, slice, Some(held), &published_uids(index, [held.slice])));
        let mut destinations = extra.clone();
        let metadata = match desired {
            Some(draft) => {
                destinations.extend(draft.destinations.into_iter().map(Destination::from));
                draft.metadata
            }
            None => held.slice.metadata.clone(),
        };
        destinations.sort_unstable();
        destinations.dedup();
        let digest = Digest::of(destinations.iter().map(Into::into));
        let same = self.published.digest(key) == Some(digest) && held.slice.metadata == metadata;
        // What was written under a higher maximum may stay above this one as long as it shrinks.
        let fits = destinations.len() <= slices.max() || destinations.len() < held.slice.destinations.len();
        let uncertain = self.slots.get(key).is_some_and(|slot| !slot.is_certain());
        let helps = if same { uncertain } else { fits };
        if !helps || self.is_parked(key, digest, now) {
            return None;
        }
        let mut object = SinglePlacementSlice { metadata, destinations };
        if same {
            // Whatever may still be under way is for the old version.
            renew(&mut object);
        }
        let sent = match span {
            Some(span) => Content::Range { span, at: self.scheduler.slices().events(), extra },
            None => Content::Range { span: nowhere(), at: 0, extra },
        };
        self.send(key, Doing::Replace, Write::replace(key.clone(), object), sent, Some(digest), now)
    }

    /// A helper slice with what a slice would drop, if that slice can go on then.
    fn write_helper(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        let (id, slice) = self.barred_aim(key)?;
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        let span = slice.map(|slice| slices.span(index, slice));
        let extra = self.keep_lost(id, key, span.as_ref());
        let fits = slice.is_some_and(|slice| slices.len(slice) + extra.len() <= slices.max());
        // It stays until the others are as they should be, whoever has what it holds.
        let waits = slice.is_none() && !self.is_name_wanted(key);
        if extra.is_empty() || fits || waits {
            return None;
        }
        let placement = index.placement_key(id);
        let book = self.books.get(&placement);
        let (failures, not_before) =
            book.map(|book| (book.helper_failures, book.helper_not_before)).unwrap_or_default();
        if now < not_before {
            self.wait_until(key, not_before);
            return None;
        }
        let names = (0..).map(|number| helper_name(&placement.cluster, &placement.name, number));
        let mut names = names.map(|name| ObjectKey::new(placement.cluster.as_str(), name));
        let helper = names.find(|name| {
            let idle = self.slots.get(name).is_none_or(Slot::is_idle);
            idle && self.published.is_name_free(name) && slices.is_free(index, &self.published, id, name)
        })?;
        let mut metadata = slices.metadata(index, id, &helper, None);
        metadata.annotations.remove(FENCE_ANNOTATION);
        let destinations: Vec<Destination> = extra.into_iter().take(slices.max()).collect();
        let digest = Digest::of(destinations.iter().map(Into::into));
        let sent = Content::Range { span: nowhere(), at: 0, extra: destinations.clone() };
        let object = SinglePlacementSlice { metadata, destinations };
        let slot = self.slot(&helper);
        slot.helper = true;
        slot.attempts = failures;
        slot.home = placement.clone();
        let write = Write::create(helper.clone(), object);
        let request = self.send(&helper, Doing::Create, write, sent, Some(digest), now)?;
        let slot = self.slot(&helper);
        slot.waiters.push(key.clone());
        slot.dirty = true;
        self.book(&placement).dirty.insert(helper);
        Some(request)
    }

    /// A creation came to an end: if it was a helper's, the next one, of whatever name, knows how often it failed.
    pub(super) fn note_helper(&mut self, key: &ObjectKey, placement: &ObjectKey) {
        let Some(slot) = self.slots.get(key).filter(|slot| slot.helper) else { return };
        let (failures, not_before) = (slot.attempts, slot.rests_until());
        let book = self.book(placement);
        (book.helper_failures, book.helper_not_before) = (failures, not_before);
    }

    /// Whether the layout has a slice of this name.
    pub(super) fn is_name_wanted(&self, key: &ObjectKey) -> bool {
        self.scheduler.slices().holder(self.scheduler.index(), key).is_some()
    }
}

/// A range without any place.
fn nowhere() -> Span {
    let first = Fence::first();
    Span { lower: first.clone(), upper: Some(first) }
}
