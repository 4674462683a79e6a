//! From events to dirty slices.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::book::{Flips, Live};
use super::slot::{Content, Slot};
use super::{Publisher, StatusFields, Time, Trigger};
use crate::delta::{Change, Delta, IdRow, PairChange, PlacementChange};
use crate::event::{EdgePlacementRecord, Event};
use crate::id::PlacementId;
use crate::index::{Index, PlacementState};
use crate::object::{Kind, ObjectKey};
use crate::slices::{PlaceHash, Touch};

impl Publisher {
    /// The index follows an event, and so do the records of what came and went.
    pub(super) fn take_in(&mut self, event: &Event, now: Time) {
        let frozen = match event {
            Event::Location(key, _) => self.scheduler.index().placements_of_frozen(key),
            _ => Vec::new(),
        };
        if let Event::EdgePlacement(key, record) = event {
            self.before_placement(key, record.as_ref());
        }
        let delta = self.scheduler.apply(event);
        let changed = !delta.is_empty();
        if changed {
            let number = self.scheduler.slices().events();
            for row in Delta::new(self.scheduler.index(), None).id_rows() {
                note_flip(self.scheduler.index(), &mut self.flips, row, number);
            }
            if self.stands_by() {
                // All that is laid out then is laid out after the last one.
                self.causes.clear();
            }
            self.cause(event.kind(), event.key(), now);
            self.follow_placements();
            self.follow_counts();
            self.unsettled = true;
        }
        if let Event::Location(key, _) = event {
            let index = self.scheduler.index();
            let affected: BTreeSet<PlacementId> = frozen.into_iter().chain(index.placements_of_frozen(key)).collect();
            let affected: Vec<ObjectKey> = affected.into_iter().map(|id| index.placement_key(id)).collect();
            affected.iter().for_each(|placement| self.review_status(placement));
        }
        if let Event::EdgePlacement(key, _) = event {
            self.after_placement(key);
        }
    }

    fn before_placement(&mut self, key: &ObjectKey, record: Option<&EdgePlacementRecord>) {
        let book = self.book(key);
        book.live = Live::Unknown;
        book.status.spec(record);
    }

    fn after_placement(&mut self, key: &ObjectKey) {
        let waiting = core::mem::take(&mut self.book(key).awaiting_live);
        waiting.iter().for_each(|slice| self.enqueue(slice));
        self.review_status(key);
        let index = self.scheduler.index();
        let held =
            index.find_placement(key).is_some_and(|id| matches!(index.placements[id].state, PlacementState::Held(_)));
        if held && self.held.insert(key.clone()) && !self.stands_by() {
            // The index tells no change if it was not active before, either: it was being deleted.
            self.unsettled = true;
            self.own_slices(key).iter().for_each(|slice| self.mark(slice, None));
        } else if !held {
            self.held.remove(key);
        }
        if self.stands_by() {
            self.tidy(key);
        }
    }

    /// What is published for an EdgePlacement that came, went or changed state is looked at.
    fn follow_placements(&mut self) {
        let index = self.scheduler.index();
        let changes: Vec<(PlacementId, PlacementChange)> = index
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Placement { placement, change } => Some((*placement, *change)),
                _ => None,
            })
            .collect();
        for (id, change) in changes {
            let key = self.scheduler.index().placement_key(id);
            if matches!(change, PlacementChange::Removed | PlacementChange::Suspended) {
                self.flips.remove(&id);
                // The ranges that the slices have, or are to get, are no longer known.
                let mut slices = self.own_slices(&key);
                slices.extend(self.books.get(&key).into_iter().flat_map(|book| book.dirty.iter().cloned()));
                for slice in slices {
                    if let Some(slot) = self.slots.get_mut(&slice) {
                        slot.forget_ranges();
                    }
                }
            }
            let own: Vec<ObjectKey> = self.own_slices(&key);
            for slice in own {
                if !self.stands_by() {
                    self.mark(&slice, None);
                }
            }
        }
    }

    /// An EdgePlacement may select another number of Locations although it has the destinations that it had.
    fn follow_counts(&mut self) {
        if self.fields == StatusFields::Off {
            return;
        }
        let index = self.scheduler.index();
        let counted: BTreeSet<PlacementId> = index
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Pair { placement, change: PairChange::Added { .. } | PairChange::Removed { .. }, .. } => {
                    Some(*placement)
                }
                _ => None,
            })
            .collect();
        let keys: Vec<ObjectKey> = counted.into_iter().map(|id| index.placement_key(id)).collect();
        keys.iter().for_each(|key| self.review_status(key));
    }

    /// What is published tells the layouts, as at a start.
    pub(super) fn forget_layouts(&mut self) {
        self.scheduler.forget_layouts();
        self.flips.clear();
        self.slots.values_mut().for_each(Slot::forget_ranges);
        self.unsettled = true;
    }

    /// The slices that are published for an EdgePlacement.
    pub(super) fn own_slices(&self, placement: &ObjectKey) -> Vec<ObjectKey> {
        let own = self.published.slices_of(placement);
        own.map(|(name, _)| ObjectKey::new(placement.cluster.as_str(), name)).collect()
    }

    /// Lays out what changed, and finds what has to be written.
    pub(super) fn settle(&mut self, now: Time) {
        let skip = self.unread_placements();
        let before = self.scheduler.slices().events();
        let settled = self.scheduler.settle_but(&self.published, &skip);
        for row in settled.restored {
            note_flip(self.scheduler.index(), &mut self.flips, row, before + 1);
        }
        let touched: BTreeSet<ObjectKey> = settled
            .touched
            .iter()
            .map(|(slice, _)| self.scheduler.slices().key(self.scheduler.index(), *slice))
            .collect();
        for id in settled.laid_out {
            self.adopt(id, &touched);
        }
        for (slice, touch) in settled.touched {
            let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
            let (key, placement) = (slices.key(index, slice), index.placement_key(slices.placement_of(slice)));
            let trigger = self.trigger(touch, &placement, now);
            self.mark(&key, Some(trigger));
            self.wake_barred(&placement);
        }
        for key in settled.left {
            if self.published.get(&key).is_some() || self.slots.contains_key(&key) {
                self.mark(&key, None);
                self.wake_waiters(&key);
            }
        }
        // By now all that is not as it should be is marked.
        self.unsettled = false;
        self.trim_flips();
        self.causes.clear();
        let held: Vec<ObjectKey> = self.held.iter().cloned().collect();
        for placement in held {
            self.check_held(&placement, now);
        }
    }

    /// Forgets what came and went before the oldest content that is known of an EdgePlacement's slices.
    fn trim_flips(&mut self) {
        let now = self.scheduler.slices().events();
        let long: Vec<PlacementId> =
            self.flips.iter().filter(|(_, flips)| flips.is_long()).map(|(&id, _)| id).collect();
        for id in long {
            let placement = self.scheduler.index().placement_key(id);
            let mut keys: BTreeSet<ObjectKey> = self.own_slices(&placement).into_iter().collect();
            keys.extend(self.books.get(&placement).into_iter().flat_map(|book| book.dirty.iter().cloned()));
            let mut oldest = now;
            for key in keys {
                let clean = self.is_clean(&key);
                let Some(slot) = self.slots.get_mut(&key) else { continue };
                let sent = slot.flight.as_mut().map(|flight| &mut flight.sent);
                for content in [&mut slot.content].into_iter().chain(sent).chain(&mut slot.maybe) {
                    if let Content::Range { at, .. } = content {
                        // What is as it should be is as it is wanted now.
                        *at = if clean { now } else { *at };
                        oldest = oldest.min(*at);
                    }
                }
            }
            if let Some(flips) = self.flips.get_mut(&id) {
                flips.trim(oldest);
            }
        }
    }

    fn trigger(&self, touch: Touch, placement: &ObjectKey, now: Time) -> Trigger {
        let cause = self.causes.range(touch.first..).next().map(|(_, trigger)| trigger.clone());
        let unknown = || Trigger { kind: Kind::EdgePlacement, key: placement.clone(), since: now, count: 1 };
        let mut trigger = cause.unwrap_or_else(unknown);
        trigger.count = touch.events;
        trigger
    }

    /// EdgePlacements that cannot be laid out before their slices have been read: what cannot be resolved stays as it is
    /// published.
    fn unread_placements(&mut self) -> BTreeSet<PlacementId> {
        let mut unread = BTreeSet::new();
        if !self.scheduler.index().has_unresolved() {
            return unread;
        }
        for (placement, id) in self.scheduler.slices().unsettled(self.scheduler.index()) {
            for slice in self.own_slices(&placement) {
                if self.published.is_thin(&slice) {
                    unread.insert(id);
                    self.slot(&slice).want_rows = true;
                    self.mark(&slice, None);
                }
            }
        }
        unread
    }

    /// An EdgePlacement has a layout from now on: its published slices either are as they should be, or have to be written.
    fn adopt(&mut self, id: PlacementId, touched: &BTreeSet<ObjectKey>) {
        self.flips.insert(id, Flips::default());
        let placement = self.scheduler.index().placement_key(id);
        let at = self.scheduler.slices().events();
        for key in self.own_slices(&placement) {
            let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
            let holder = slices.holder(index, &key).filter(|&slice| slices.placement_of(slice) == id);
            match holder.filter(|_| !touched.contains(&key)) {
                Some(slice) => {
                    let span = slices.span(index, slice);
                    self.slot(&key).content = Content::Range { span, at, extra: Vec::new() };
                    self.make_thin(&key);
                    // A read for another reason may be under way.
                    self.mark_settled(&key, &placement);
                }
                None => {
                    self.list_rows(&key);
                    self.mark(&key, None);
                }
            }
        }
        self.review_status(&placement);
    }

    /// What a slice was marked for before is answered by the layout.
    fn mark_settled(&mut self, key: &ObjectKey, placement: &ObjectKey) {
        let slot = self.slot(key);
        if slot.dirty {
            self.mark(key, None);
            return;
        }
        slot.home = placement.clone();
    }

    /// The content of a slice is what is published, if that is at hand.
    pub(super) fn list_rows(&mut self, key: &ObjectKey) {
        let content = if self.published.is_thin(key) {
            Content::Unread
        } else {
            let slice = self.published.get(key);
            let rows = slice.into_iter().flat_map(|slice| &slice.destinations);
            Content::Rows(rows.map(|row| PlaceHash::of(row.into())).collect())
        };
        self.slot(key).content = content;
    }

    pub(super) fn make_thin(&mut self, key: &ObjectKey) {
        if !self.keep_rows {
            self.published.make_thin(key);
        }
    }

    /// An invalid EdgePlacement without any slice gets its empty first one.
    fn check_held(&mut self, placement: &ObjectKey, now: Time) {
        let Some(id) = self.scheduler.index().find_placement(placement) else { return };
        if self.published.slices_of(placement).next().is_some() {
            return;
        }
        let first = self.scheduler.slices().empty_first(self.scheduler.index(), &self.published, id);
        let key = ObjectKey::new(placement.cluster.as_str(), first.metadata.name);
        let slot = self.slot(&key);
        if !slot.dirty {
            let trigger = Trigger { kind: Kind::EdgePlacement, key: placement.clone(), since: now, count: 1 };
            self.mark(&key, Some(trigger));
        }
    }
}

/// Notes that a destination came or went, if something is published for its EdgePlacement.
fn note_flip(index: &Index, flips: &mut HashMap<PlacementId, Flips>, row: IdRow, number: u64) {
    if let Some(flips) = flips.get_mut(&row.placement) {
        flips.push(PlaceHash::of(index.destination(row.location, row.sync_target)), number, row.diff < 0);
    }
}
