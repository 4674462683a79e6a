//! What is to be done about one slice.

use alloc::vec::Vec;

use super::book::Live;
use super::presence::Barrier;
use super::slot::{Content, Doing, Slot};
use super::{Gate, Publisher, Request, Time};
use crate::id::{PlacementId, SliceId};
use crate::index::PlacementState;
use crate::object::{Destination, ObjectKey, SinglePlacementSlice};
use crate::slices::{Digest, Span, Write, has_other_owner, published_uids};

/// Written with another value where a slice needs a new version although nothing else changes.
const REVISION_ANNOTATION: &str = "edge.kcp.io/slice-revision";

/// What is wanted of a slice.
pub(super) enum Aim {
    /// It is a slice of the layout.
    Have(PlacementId, SliceId),
    /// It is the first slice of an invalid EdgePlacement that has none.
    HaveEmpty(PlacementId),
    /// It belongs to an invalid EdgePlacement: it stays, under the owner's present UID.
    Hold(PlacementId),
    /// It belongs to this EdgePlacement, which has no use for it.
    Remove(PlacementId),
    /// It belongs to an EdgePlacement that does not exist.
    Sweep(ObjectKey),
    /// Nothing.
    Leave,
    /// That is not known yet.
    Wait,
}

impl Publisher {
    /// The next request about a slice, or what it waits for.
    pub(super) fn dispatch(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        let slot = self.slots.get_mut(key)?;
        let home = slot.home.clone();
        if core::mem::take(&mut slot.queued)
            && let Some(book) = self.books.get_mut(&home)
        {
            book.queued = book.queued.saturating_sub(1);
        }
        let request = self.decide(key, now);
        self.check_stalled(&home);
        request
    }

    fn decide(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        if let Some(old) = self.rehome(key) {
            self.check_stalled(&old);
        }
        let slot = self.slots.get(key)?;
        if slot.flight.is_some() {
            return None;
        }
        if now < slot.not_before {
            let time = slot.not_before;
            self.wait_until(key, time);
            return None;
        }
        // Whatever others have does not count.
        let wants_rows = slot.want_rows && self.published.is_thin(key) && !self.published.is_foreign(key);
        if slot.needs_read() || wants_rows {
            return self.read(key, now);
        }
        match self.aim(key) {
            Aim::Have(id, slice) => self.have(key, id, slice, now),
            Aim::HaveEmpty(id) => self.have_empty(key, id, now),
            Aim::Hold(id) => self.hold(key, id, now),
            Aim::Remove(id) => self.remove(key, id, now),
            Aim::Sweep(placement) => self.sweep(key, &placement, now),
            Aim::Leave => {
                self.mark_clean(key);
                None
            }
            Aim::Wait => None,
        }
    }

    pub(super) fn aim(&self, key: &ObjectKey) -> Aim {
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        if self.published.is_foreign(key) {
            return Aim::Leave;
        }
        let owner = self.published.placement(key);
        if let Some(slice) = slices.holder(index, key) {
            let id = slices.placement_of(slice);
            return match owner {
                Some(owner) if owner != index.placement_key(id) => self.aim_at_other(owner),
                _ => Aim::Have(id, slice),
            };
        }
        match owner {
            Some(owner) => self.aim_at_other(owner),
            None => self.held_without_slice(key).map_or(Aim::Leave, Aim::HaveEmpty),
        }
    }

    /// What is wanted of a slice, for tests.
    pub(super) fn internal_aim(&self, key: &ObjectKey) -> &'static str {
        match self.aim(key) {
            Aim::Have(..) => "have",
            Aim::HaveEmpty(_) => "have empty",
            Aim::Hold(_) => "hold",
            Aim::Remove(_) => "remove",
            Aim::Sweep(_) => "sweep",
            Aim::Leave => "leave",
            Aim::Wait => "wait",
        }
    }

    /// What is wanted of a slice that the layout has no use for where it is.
    fn aim_at_other(&self, owner: ObjectKey) -> Aim {
        let index = self.scheduler.index();
        match index.find_placement(&owner) {
            None => Aim::Sweep(owner),
            Some(id) => match index.placements[id].state {
                PlacementState::Active if self.scheduler.slices().is_laid_out(id) => Aim::Remove(id),
                PlacementState::Active => Aim::Wait,
                PlacementState::Held(_) => Aim::Hold(id),
                PlacementState::Deleting => Aim::Leave,
            },
        }
    }

    /// The invalid EdgePlacement without slices whose first slice would have this name.
    fn held_without_slice(&self, key: &ObjectKey) -> Option<PlacementId> {
        let index = self.scheduler.index();
        let in_cluster = self.held.iter().filter(|placement| placement.cluster == key.cluster);
        in_cluster.filter_map(|placement| Some((placement, index.find_placement(placement)?))).find_map(
            |(placement, id)| {
                let none = self.published.slices_of(placement).next().is_none();
                let first = || self.scheduler.slices().empty_first(index, &self.published, id);
                (none && first().metadata.name == key.name).then_some(id)
            },
        )
    }

    // === What is wanted, case by case ===

    fn have(&mut self, key: &ObjectKey, id: PlacementId, slice: SliceId, now: Time) -> Option<Request> {
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        let held = self.published.held(key);
        let draft = slices.draft(index, slice, held, &published_uids(index, held.map(|held| held.slice)));
        let slot = self.slots.get(key)?;
        let certain = slot.is_certain();
        let span = slices.span(index, slice);
        let at = slices.events();
        if draft.current && certain {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.content = Content::Range { span, at, extra: Vec::new() };
                slot.attempts = 0;
            }
            self.make_thin(key);
            self.wake_waiters(key);
            self.mark_clean(key);
            return None;
        }
        let (digest, rewrite) = (draft.digest, draft.current);
        let mut object = SinglePlacementSlice::from(draft);
        if rewrite {
            // Whatever is still under way is for the old version.
            renew(&mut object);
        }
        if self.is_parked(key, digest, now) {
            return None;
        }
        let sent = Content::Range { span: span.clone(), at, extra: Vec::new() };
        if self.published.get(key).is_none() {
            return self.send(key, Doing::Create, Write::create(key.clone(), object), sent, Some(digest), now);
        }
        if self.needs_live(key, id) {
            return self.read_live(key, id, now);
        }
        if self.gate == Gate::GrowOnly && !self.only_grows(id, key, Some(&span)) {
            return self.grow(key, &span, object, now);
        }
        match self.barrier(id, key, Some(&span)) {
            None => self.send(key, Doing::Replace, Write::replace(key.clone(), object), sent, Some(digest), now),
            Some(barrier) => self.bar(key, id, barrier, now),
        }
    }

    /// While nothing may be taken away: the slice with what it should have beside all that it has, if that fits.
    fn grow(&mut self, key: &ObjectKey, span: &Span, mut object: SinglePlacementSlice, now: Time) -> Option<Request> {
        self.held_back.insert(key.clone());
        if self.published.is_thin(key) {
            self.slot(key).want_rows = true;
            return self.read(key, now);
        }
        let published = self.published.get(key)?;
        let is_desired = |row: &Destination| {
            object.destinations.binary_search_by(|desired| desired.place().cmp(&row.place())).is_ok()
        };
        let extra: Vec<Destination> = published.destinations.iter().filter(|row| !is_desired(row)).cloned().collect();
        let gains = object.destinations.len() + extra.len() > published.destinations.len();
        if !gains || object.destinations.len() + extra.len() > self.scheduler.slices().max() {
            return None;
        }
        object.destinations.extend(extra.iter().cloned());
        object.destinations.sort_unstable();
        let digest = Digest::of(object.destinations.iter().map(Into::into));
        if self.is_parked(key, digest, now) {
            return None;
        }
        let sent = Content::Range { span: span.clone(), at: self.scheduler.slices().events(), extra };
        self.send(key, Doing::Replace, Write::replace(key.clone(), object), sent, Some(digest), now)
    }

    fn have_empty(&mut self, key: &ObjectKey, id: PlacementId, now: Time) -> Option<Request> {
        let object = self.scheduler.slices().empty_first(self.scheduler.index(), &self.published, id);
        let digest = Digest::of([]);
        if self.is_parked(key, digest, now) {
            return None;
        }
        self.send(key, Doing::Create, Write::create(key.clone(), object), Content::Unread, Some(digest), now)
    }

    /// The slice of an invalid EdgePlacement stays as it is, but an owner of the past would have it collected as garbage.
    fn hold(&mut self, key: &ObjectKey, id: PlacementId, now: Time) -> Option<Request> {
        let index = self.scheduler.index();
        let uid = &*index.placements[id].uid;
        let outdated = self.published.get(key).is_some_and(|slice| has_other_owner(slice, uid));
        let certain = self.slots.get(key).is_some_and(Slot::is_certain);
        if !outdated && certain {
            self.make_thin(key);
            self.slot(key).content = Content::Unread;
            self.mark_clean(key);
            return None;
        }
        if self.needs_live(key, id) {
            return self.read_live(key, id, now);
        }
        if self.published.is_thin(key) {
            self.slot(key).want_rows = true;
            return self.read(key, now);
        }
        let slice = self.published.get(key)?;
        let metadata = self.scheduler.slices().metadata(self.scheduler.index(), id, key, Some(slice));
        let mut object = SinglePlacementSlice { metadata, destinations: slice.destinations.clone() };
        if !outdated {
            renew(&mut object);
        }
        let digest = Digest::of(object.destinations.iter().map(Into::into));
        if self.is_parked(key, digest, now) {
            return None;
        }
        self.send(key, Doing::Replace, Write::replace(key.clone(), object), Content::Unread, Some(digest), now)
    }

    /// The EdgePlacement has no use for the slice: it goes when others have what is wanted of it.
    fn remove(&mut self, key: &ObjectKey, id: PlacementId, now: Time) -> Option<Request> {
        if self.gate == Gate::GrowOnly {
            self.held_back.insert(key.clone());
            return None;
        }
        // Until all others are as they should be it may still help. But if its name is wanted, it goes as soon as it can.
        if !self.is_name_wanted(key) && !self.is_useless(id, key) && !self.are_clean(id, None) {
            self.note_barred(key, id);
            return None;
        }
        match self.barrier(id, key, None) {
            None => {
                let write = Write::delete(key.clone(), self.published.get(key)?);
                self.send(key, Doing::Delete, write, Content::Nothing, None, now)
            }
            Some(barrier) => self.bar(key, id, barrier, now),
        }
    }

    /// An orphan goes if its EdgePlacement is gone for certain.
    fn sweep(&mut self, key: &ObjectKey, placement: &ObjectKey, now: Time) -> Option<Request> {
        if self.gate == Gate::GrowOnly {
            self.held_back.insert(key.clone());
            return None;
        }
        if self.book(placement).live != Live::Absent {
            return self.ask_live(key, placement, now);
        }
        let write = Write::delete(key.clone(), self.published.get(key)?);
        self.send(key, Doing::Delete, write, Content::Nothing, None, now)
    }

    // === What may be in the way ===

    /// The server refused just this content a while ago.
    pub(super) fn is_parked(&mut self, key: &ObjectKey, digest: Digest, now: Time) -> bool {
        let parked = self.slots.get(key).and_then(|slot| slot.parked.as_ref());
        let Some(until) = parked.filter(|parked| parked.digest == digest && now < parked.until).map(|same| same.until)
        else {
            return false;
        };
        self.wait_until(key, until);
        true
    }

    /// What a slice waits for before it is written.
    fn bar(&mut self, key: &ObjectKey, id: PlacementId, barrier: Barrier, now: Time) -> Option<Request> {
        match barrier {
            Barrier::Unread => {
                self.slot(key).want_rows = true;
                self.read(key, now)
            }
            Barrier::Slice(other) => {
                let slot = self.slot(&other);
                if !slot.waiters.contains(key) {
                    slot.waiters.push(key.clone());
                }
                self.note_barred(key, id);
                None
            }
        }
    }

    /// The slice waits for others of the EdgePlacement that it belongs to, which need not be the one that wants its name.
    fn note_barred(&mut self, key: &ObjectKey, id: PlacementId) {
        let home = self.slot(key).home.clone();
        self.book(&home).barred.insert(key.clone());
        let owner = self.scheduler.index().placement_key(id);
        if owner != home {
            self.book(&owner).barred.insert(key.clone());
            self.check_stalled(&owner);
        }
    }
}

/// Makes the server give a slice a new version although nothing else changes.
pub(super) fn renew(object: &mut SinglePlacementSlice) {
    let revision = object.metadata.resource_version.clone();
    object.metadata.annotations.insert(REVISION_ANNOTATION.into(), revision);
}
