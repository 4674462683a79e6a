//! What is to be done about one slice.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::blocks::Access;
use super::book::{Live, backoff};
use super::presence::Barrier;
use super::slot::{Content, Doing, Flight};
use super::{Action, Gate, Publisher, Request, Subject, Time};
use crate::id::{PlacementId, SliceId};
use crate::index::PlacementState;
use crate::object::{Destination, ObjectKey, SinglePlacementSlice};
use crate::slices::{Digest, FENCE_ANNOTATION, Span, Write, has_other_owner, helper_name, published_uids};

/// Written with another value where a slice needs a new version although nothing else changes.
const REVISION_ANNOTATION: &str = "edge.kcp.io/slice-revision";

/// What is wanted of a slice.
enum Aim {
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
        self.rehome(key);
        let slot = self.slots.get(key)?;
        if slot.flight.is_some() {
            return None;
        }
        if now < slot.not_before && slot.parked.is_none() {
            let time = slot.not_before;
            self.wait_until(key, time);
            return None;
        }
        if slot.must_read || (slot.want_rows && self.published.is_thin(key)) {
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

    /// The slice counts for whom it is looked at now.
    fn rehome(&mut self, key: &ObjectKey) {
        let home = self.home_of(key);
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.home == home || slot.flight.is_some() {
            return;
        }
        let old = core::mem::replace(&mut slot.home, home.clone());
        let dirty = slot.dirty;
        self.strike(&old, key);
        self.check_stalled(&old);
        if dirty {
            self.book(&home).dirty.insert(key.clone());
        }
    }

    fn aim(&self, key: &ObjectKey) -> Aim {
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
        let certain = !slot.tainted && slot.maybe.is_none();
        let span = slices.span(slice);
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
        let digest = Digest::of(draft.destinations.iter().copied());
        let rewrite = draft.current;
        let mut object = SinglePlacementSlice::from(draft);
        if rewrite {
            // Whatever is still under way is for the old version.
            let revision = object.metadata.resource_version.clone();
            object.metadata.annotations.insert(REVISION_ANNOTATION.into(), revision);
        }
        if self.is_parked(key, digest, now) {
            return None;
        }
        let sent = Content::Range { span: span.clone(), at, extra: Vec::new() };
        if self.published.get(key).is_none() {
            return self.send(key, Doing::Create, Write::create(key.clone(), object), sent, Some(digest), now);
        }
        if self.needs_live(key, id, now) {
            return self.read_live(key, id, now);
        }
        if self.gate == Gate::GrowOnly && !self.only_grows(id, key, Some(&span)) {
            self.held_back.push(key.clone());
            return None;
        }
        match self.barrier(id, key, Some(&span)) {
            None => self.send(key, Doing::Replace, Write::replace(key.clone(), object), sent, Some(digest), now),
            Some(barrier) => self.bar(key, id, barrier, now),
        }
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
        let tainted = self.slots.get(key).is_some_and(|slot| slot.tainted || slot.maybe.is_some());
        if !outdated && !tainted {
            self.make_thin(key);
            self.slot(key).content = Content::Unread;
            self.mark_clean(key);
            return None;
        }
        if self.needs_live(key, id, now) {
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
            let revision = object.metadata.resource_version.clone();
            object.metadata.annotations.insert(REVISION_ANNOTATION.into(), revision);
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
            self.held_back.push(key.clone());
            return None;
        }
        // Until all others are as they should be it may still help. But if its name is wanted, it goes as soon as it can.
        if !self.is_name_wanted(key) && !self.is_useless(id, key) && !self.is_layout_clean(id) {
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
            self.held_back.push(key.clone());
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
    fn is_parked(&mut self, key: &ObjectKey, digest: Digest, now: Time) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let Some((refused, _)) = &slot.parked else { return false };
        if *refused == digest && now < slot.not_before {
            let time = slot.not_before;
            self.wait_until(key, time);
            return true;
        }
        false
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

    /// Whether a write would replace the UID of an owner: that needs to be certain.
    fn needs_live(&self, key: &ObjectKey, id: PlacementId, _now: Time) -> bool {
        let index = self.scheduler.index();
        let uid = &*index.placements[id].uid;
        let outdated = self.published.get(key).is_some_and(|slice| has_other_owner(slice, uid));
        let live = self.books.get(&index.placement_key(id)).map(|book| &book.live);
        outdated && !matches!(live, Some(Live::Uid(have)) if *have == *uid)
    }

    fn read_live(&mut self, key: &ObjectKey, id: PlacementId, now: Time) -> Option<Request> {
        let placement = self.scheduler.index().placement_key(id);
        self.ask_live(key, &placement, now)
    }

    /// Reads an EdgePlacement itself; the slice waits for that.
    fn ask_live(&mut self, key: &ObjectKey, placement: &ObjectKey, now: Time) -> Option<Request> {
        let book = self.book(placement);
        if !book.awaiting_live.contains(key) {
            book.awaiting_live.push(key.clone());
        }
        if book.reading {
            return None;
        }
        if let Some(time) = self.blocks.wait(placement, Access::Read, now) {
            self.timers.insert((time, super::Timer::Live(placement.clone())));
            return None;
        }
        self.book(placement).reading = true;
        let subject = Subject::Placement(placement.clone());
        Some(self.request(subject, Action::ReadPlacement(placement.clone()), None))
    }

    /// What waited for an EdgePlacement to be read is looked at again.
    pub(super) fn recheck_live(&mut self, placement: &ObjectKey) {
        let waiting = core::mem::take(&mut self.book(placement).awaiting_live);
        waiting.iter().for_each(|key| self.enqueue(key));
    }

    /// The read of an EdgePlacement brought no certainty.
    pub(super) fn retry_live(&mut self, placement: &ObjectKey, now: Time) {
        let book = self.book(placement);
        book.live_attempts += 1;
        let time = now + backoff(placement, book.live_attempts);
        self.timers.insert((time, super::Timer::Live(placement.clone())));
    }

    // === Requests ===

    pub(super) fn read(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        if let Some(time) = self.blocks.wait(key, Access::Read, now) {
            self.wait_until(key, time);
            return None;
        }
        let id = self.take_off(key, Doing::Read, Content::Nothing, None, None);
        Some(Request { id, action: Action::ReadSlice(key.clone()), trigger: None })
    }

    fn send(
        &mut self,
        key: &ObjectKey,
        doing: Doing,
        write: Write,
        sent: Content,
        digest: Option<Digest>,
        now: Time,
    ) -> Option<Request> {
        let access = match doing {
            Doing::Create => Access::Create,
            Doing::Replace => Access::Update,
            Doing::Delete => Access::Delete,
            Doing::Read => Access::Read,
        };
        if let Some(time) = self.blocks.wait(key, access, now) {
            self.wait_until(key, time);
            return None;
        }
        let id = self.take_off(key, doing, sent, digest, Some(&write));
        let trigger = self.slots.get_mut(key).and_then(|slot| slot.trigger.take());
        Some(Request { id, action: Action::Write(write), trigger })
    }

    fn take_off(
        &mut self,
        key: &ObjectKey,
        doing: Doing,
        sent: Content,
        digest: Option<Digest>,
        write: Option<&Write>,
    ) -> super::RequestId {
        let id = super::RequestId(self.next_id);
        self.next_id += 1;
        self.requests.insert(id, Subject::Slice(key.clone()));
        let metadata = write.and_then(|write| write.object.as_ref()).map(|object| object.metadata.clone());
        let version = self.known(key).map(|known| known.resource_version.to_string());
        let flight = Flight {
            doing,
            sent,
            digest,
            metadata: metadata.unwrap_or_default(),
            version: version.unwrap_or_default(),
            dead: Vec::new(),
        };
        let slot = self.slot(key);
        slot.flight = Some(flight);
        let home = slot.home.clone();
        self.book(&home).in_flight += 1;
        id
    }

    // === When nothing goes on by itself ===

    /// What is barred, and what it should be.
    fn barred_aim(&self, key: &ObjectKey) -> Option<(PlacementId, Option<SliceId>)> {
        match self.aim(key) {
            Aim::Have(id, slice) => Some((id, Some(slice))),
            Aim::Remove(id) => Some((id, None)),
            _ => None,
        }
    }

    /// The slice as it should be, and what it would drop that no other slice has: if that fits, and changes something.
    pub(super) fn write_union(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        let (id, slice) = self.barred_aim(key)?;
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        let slot = self.slots.get(key)?;
        if slot.flight.is_some() || now < slot.not_before {
            return None;
        }
        let held = self.published.held(key)?;
        let span = slice.map(|slice| slices.span(slice));
        let extra = self.keep(id, key, span.as_ref());
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
        if same || destinations.len() > slices.max() || self.is_parked(key, digest, now) {
            return None;
        }
        let object = SinglePlacementSlice { metadata, destinations };
        let sent = match span {
            Some(span) => Content::Range { span, at: self.scheduler.slices().events(), extra },
            None => Content::Range { span: nowhere(), at: 0, extra },
        };
        self.forget_bar(key);
        self.send(key, Doing::Replace, Write::replace(key.clone(), object), sent, Some(digest), now)
    }

    /// A helper slice with what a slice would drop, if that slice has something to gain or to drop.
    pub(super) fn write_helper(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        let (id, slice) = self.barred_aim(key)?;
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        let slot = self.slots.get(key)?;
        if slot.flight.is_some() || now < slot.not_before {
            return None;
        }
        let span = slice.map(|slice| slices.span(slice));
        let extra = self.keep_lost(id, key, span.as_ref());
        let fits = slice.is_some_and(|slice| slices.len(slice) + extra.len() <= slices.max());
        let waits = slice.is_none() && !self.is_name_wanted(key);
        if extra.is_empty() || fits || waits {
            return None;
        }
        let placement = index.placement_key(id);
        let names = (0..).map(|number| helper_name(&placement.cluster, &placement.name, number));
        let mut names = names.map(|name| ObjectKey::new(placement.cluster.as_str(), name));
        let helper = names.find(|name| {
            let idle = self.slots.get(name).is_none_or(super::slot::Slot::is_idle);
            idle && self.published.is_name_free(name) && slices.is_free(index, &self.published, id, name)
        })?;
        let mut metadata = slices.metadata(index, id, &helper, None);
        metadata.annotations.remove(FENCE_ANNOTATION);
        let destinations: Vec<Destination> = extra.into_iter().take(slices.max()).collect();
        let digest = Digest::of(destinations.iter().map(Into::into));
        let sent = Content::Range { span: nowhere(), at: 0, extra: destinations.clone() };
        let object = SinglePlacementSlice { metadata, destinations };
        let slot = self.slot(&helper);
        slot.waiters.push(key.clone());
        slot.home = placement.clone();
        slot.dirty = true;
        self.book(&placement).dirty.insert(helper.clone());
        self.send(&helper, Doing::Create, Write::create(helper.clone(), object), sent, Some(digest), now)
    }

    /// Whether the layout has a slice of this name.
    fn is_name_wanted(&self, key: &ObjectKey) -> bool {
        self.scheduler.slices().holder(self.scheduler.index(), key).is_some()
    }

    fn forget_bar(&mut self, key: &ObjectKey) {
        let home = self.slot(key).home.clone();
        self.book(&home).barred.remove(key);
    }
}

/// A range without any place.
fn nowhere() -> Span {
    let first = crate::slices::Fence::first();
    Span { lower: first.clone(), upper: Some(first) }
}
