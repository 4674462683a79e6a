//! Which slices are looked at, on whose behalf, and what wakes those that wait.

use super::book::Book;
use super::slot::Slot;
use super::{Publisher, Time, Timer, Trigger};
use crate::object::{Kind, ObjectKey};

impl Publisher {
    pub(super) fn slot(&mut self, key: &ObjectKey) -> &mut Slot {
        self.slots.entry_ref(key).or_default()
    }

    pub(super) fn book(&mut self, placement: &ObjectKey) -> &mut Book {
        self.books.entry_ref(placement).or_default()
    }

    /// On whose behalf a slice is looked at.
    pub(super) fn home_of(&self, key: &ObjectKey) -> ObjectKey {
        let index = self.scheduler.index();
        let slices = self.scheduler.slices();
        let holder = slices.holder(index, key).map(|slice| index.placement_key(slices.placement_of(slice)));
        holder.or_else(|| self.published.placement(key)).unwrap_or_else(|| key.clone())
    }

    /// A slice may not be as it should be: it is looked at.
    pub(super) fn mark(&mut self, key: &ObjectKey, trigger: Option<Trigger>) {
        let slot = self.slot(key);
        if let Some(trigger) = trigger {
            match &mut slot.trigger {
                Some(have) => have.count = have.count.saturating_add(trigger.count),
                None => slot.trigger = Some(trigger),
            }
        }
        // A request in flight counts for whom it was made.
        if !slot.queued {
            self.rehome(key);
        }
        let slot = self.slot(key);
        let home = slot.home.clone();
        slot.dirty = true;
        self.book(&home).dirty.insert(key.clone());
        self.enqueue(key);
    }

    /// The slice counts for whom it is looked at now; returns for whom it counted, if that was another one.
    pub(super) fn rehome(&mut self, key: &ObjectKey) -> Option<ObjectKey> {
        let home = self.home_of(key);
        let slot = self.slots.get_mut(key).filter(|slot| slot.home != home && slot.flight.is_none())?;
        let old = core::mem::replace(&mut slot.home, home.clone());
        if old != ObjectKey::default() {
            // What came and went is remembered only for the slices that count for an EdgePlacement.
            slot.forget_ranges();
        }
        let dirty = slot.dirty;
        self.strike(&old, key);
        if dirty {
            self.book(&home).dirty.insert(key.clone());
        }
        Some(old)
    }

    /// A slice is looked at soon. One in flight is looked at when the answer is there.
    pub(super) fn enqueue(&mut self, key: &ObjectKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.queued || slot.flight.is_some() {
            return;
        }
        slot.queued = true;
        let home = slot.home.clone();
        self.queue.push_back(key.clone());
        let book = self.book(&home);
        book.queued += 1;
        book.barred.remove(key);
    }

    /// A slice is as it should be.
    pub(super) fn mark_clean(&mut self, key: &ObjectKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.dirty = false;
        slot.want_rows = false;
        slot.trigger = None;
        slot.parked = None;
        slot.blocked = None;
        let home = slot.home.clone();
        if slot.is_idle() {
            self.slots.remove(key);
        }
        self.strike(&home, key);
    }

    /// A slice is no longer among the dirty ones of an EdgePlacement.
    pub(super) fn strike(&mut self, placement: &ObjectKey, key: &ObjectKey) {
        let Some(book) = self.books.get_mut(placement) else { return };
        book.dirty.remove(key);
        book.barred.remove(key);
        book.status.confirmed(key);
        // What is left waits for the others to be clean.
        let only_barred = book.dirty.iter().all(|dirty| book.barred.contains(dirty));
        if book.dirty.is_empty() {
            (book.helper_failures, book.helper_not_before) = (0, Time::ZERO);
        }
        // Before the layout has followed, what an event touched is not marked yet.
        if !self.unsettled
            && book.dirty.is_empty()
            && book.in_flight == 0
            && let Some(id) = self.scheduler.index().find_placement(placement)
            && let Some(flips) = self.flips.get_mut(&id)
        {
            flips.clear();
        }
        if only_barred {
            self.wake_barred(placement);
        }
        self.review_status(placement);
    }

    /// Looks at all slices again that wait for others of an EdgePlacement.
    pub(super) fn wake_barred(&mut self, placement: &ObjectKey) {
        let Some(book) = self.books.get_mut(placement) else { return };
        for key in core::mem::take(&mut book.barred) {
            self.enqueue(&key);
        }
    }

    /// Looks again at the slices that wait for this one.
    pub(super) fn wake_waiters(&mut self, key: &ObjectKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        for waiter in core::mem::take(&mut slot.waiters) {
            self.enqueue(&waiter);
        }
    }

    /// If nothing of an EdgePlacement goes on by itself, what is barred needs help.
    pub(super) fn check_stalled(&mut self, placement: &ObjectKey) {
        let Some(book) = self.books.get_mut(placement) else { return };
        if book.queued == 0 && book.in_flight == 0 && !book.barred.is_empty() && !book.stalled {
            book.stalled = true;
            self.stalled.push_back(placement.clone());
        }
    }

    /// The slice is looked at again at this time.
    pub(super) fn wait_until(&mut self, key: &ObjectKey, time: Time) {
        self.timers.insert((time, Timer::Slice(key.clone())));
    }

    /// What an event was, for the log.
    pub(super) fn cause(&mut self, kind: Kind, key: &ObjectKey, now: Time) {
        let trigger = Trigger { kind, key: key.clone(), since: now, count: 1 };
        self.causes.insert(self.scheduler.slices().events(), trigger);
    }
}
