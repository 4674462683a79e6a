//! The status of EdgePlacements.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::blocks::Access;
use super::book::backoff;
use super::slot::Slot;
use super::{Action, Failure, ObjectKey, Outcome, Publisher, Request, StatusFields, StatusWrite, Subject, Time, Timer};
use crate::event::EdgePlacementRecord;
use crate::id::PlacementId;
use crate::index::PlacementState;
use crate::object::{Condition, EdgePlacementStatus};
use crate::selector::Selector;

/// Changes of counts alone are written at most once in this time.
const COUNTS: Time = Time::from_secs(10);
/// The type of the condition that says whether the slices of an EdgePlacement are right, and what is in the way.
pub const RESOLVED: &str = "Resolved";
/// The API's limit for a condition's message is 32768 bytes; this is what people read.
const MESSAGE_MAX: usize = 1024;

/// What is known, and was written, of one status.
#[derive(Debug, Default)]
pub(super) struct StatusBook {
    /// As it was seen or written last.
    observed: EdgePlacementStatus,
    /// The UID of the last event: with another one all else that is known was another object's.
    uid: String,
    /// The generation of the last event, and what it selects.
    generation: i64,
    selectors: Option<Vec<Selector>>,
    /// Slices that were dirty when that came and have not been confirmed since; `None` until the layout has followed.
    awaiting: Option<BTreeSet<ObjectKey>>,
    /// The original's API: the spec changed, and no status said so since.
    spec_changed: bool,
    queued: bool,
    in_flight: Option<StatusWrite>,
    written: Option<Time>,
    attempts: u32,
    not_before: Time,
}

impl StatusBook {
    pub(super) fn observe(&mut self, status: EdgePlacementStatus) {
        self.observed = status;
    }

    /// All but what is under way was another object's.
    fn forget(&mut self) {
        let Self { queued, in_flight, .. } = core::mem::take(self);
        *self = Self { queued, in_flight, ..Self::default() };
    }

    /// The EdgePlacement changed, or went.
    pub(super) fn spec(&mut self, record: Option<&EdgePlacementRecord>) {
        let Some(record) = record else {
            self.forget();
            return;
        };
        if self.uid != record.uid {
            // The status that was seen is the new one's.
            let observed = core::mem::take(&mut self.observed);
            self.forget();
            (self.observed, self.uid) = (observed, record.uid.clone());
        }
        let selectors = record.selectors.as_ref().ok();
        if self.generation != record.generation {
            self.awaiting = None;
        }
        if self.generation != 0 && self.selectors.as_ref() != selectors {
            self.spec_changed = true;
        }
        self.generation = record.generation;
        self.selectors = selectors.cloned();
    }

    pub(super) fn confirmed(&mut self, key: &ObjectKey) {
        if let Some(awaiting) = &mut self.awaiting {
            awaiting.remove(key);
        }
    }
}

impl Publisher {
    /// The status of an EdgePlacement may have changed.
    pub(super) fn review_status(&mut self, placement: &ObjectKey) {
        if self.fields == StatusFields::Off || self.stands_by() {
            return;
        }
        let Some(book) = self.books.get_mut(placement) else { return };
        if !book.status.queued {
            book.status.queued = true;
            self.statuses.push_back(placement.clone());
        }
    }

    /// The next status to be written. The layouts are settled, and the gate is not closed.
    pub(super) fn next_status(&mut self, now: Time) -> Option<Request> {
        while let Some(placement) = self.statuses.pop_front() {
            if let Some(book) = self.books.get_mut(&placement) {
                book.status.queued = false;
            }
            if let Some(request) = self.write_status(&placement, now) {
                return Some(request);
            }
        }
        None
    }

    fn write_status(&mut self, placement: &ObjectKey, now: Time) -> Option<Request> {
        let Some(id) = self.scheduler.index().find_placement(placement) else {
            self.tidy(placement);
            return None;
        };
        let uid = self.scheduler.index().placements[id].uid.to_string();
        let status = &self.books.get(placement)?.status;
        if status.in_flight.is_some() {
            return None;
        }
        if now < status.not_before {
            self.timers.insert((status.not_before, Timer::Status(placement.clone())));
            return None;
        }
        let write = match self.fields {
            StatusFields::All => self.all_fields(placement, id, uid)?,
            StatusFields::Original => self.original_fields(placement, id, uid)?,
            StatusFields::Off => return None,
        };
        let status = &self.books.get(placement)?.status;
        let at_once = write.conditions.is_some() || write.spec_generation.is_some();
        if !at_once
            && let Some(next) = status.written.map(|written| written + COUNTS)
            && now < next
        {
            self.timers.insert((next, Timer::Status(placement.clone())));
            return None;
        }
        if let Some(time) = self.blocks.wait(placement, Access::Status, now) {
            self.timers.insert((time, Timer::Status(placement.clone())));
            return None;
        }
        let status = &mut self.book(placement).status;
        status.in_flight = Some(write.clone());
        status.spec_changed = false;
        Some(self.request(Subject::Status(placement.clone()), Action::Status(write), None))
    }

    /// What differs from what is known, by all fields; `None` if nothing does.
    fn all_fields(&mut self, placement: &ObjectKey, id: PlacementId, uid: String) -> Option<StatusWrite> {
        let state = &self.scheduler.index().placements[id].state;
        let active = *state == PlacementState::Active;
        if *state == PlacementState::Deleting {
            return None;
        }
        let answered = active && self.is_answered(placement, id);
        let problem = self.problem(placement, id);
        // Until the slices are as they should be, the last word stands.
        if problem.is_none() && !answered {
            return None;
        }
        let (status, reason, message) = match problem {
            Some((reason, message)) => ("False", reason, message),
            None => ("True", "Resolved", self.frozen_message(id)),
        };
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        let entry = &index.placements[id];
        let resolved = Condition {
            last_transition_time: None,
            message: cut(message),
            observed_generation: entry.generation,
            reason: reason.into(),
            status: status.into(),
            kind: RESOLVED.into(),
        };
        let observed = &self.books.get(placement)?.status.observed;
        let changed = |new: i32, old: Option<i32>| (old != Some(new)).then_some(new);
        // Before the first status 0 is said, too.
        let told = observed.spec_generation > 0 || observed.slice_count.is_some();
        let counted = told.then_some(observed.matching_location_count);
        let write = StatusWrite {
            key: placement.clone(),
            uid,
            spec_generation: changed(int(entry.generation), Some(observed.spec_generation)).filter(|_| answered),
            matching_location_count: changed(count(entry.selected), counted).filter(|_| active),
            destination_count: index
                .destination_count(placement)
                .and_then(|destinations| changed(count(destinations), observed.destination_count)),
            slice_count: changed(count(slices.count(id)), observed.slice_count).filter(|_| active),
            conditions: with_condition(&observed.conditions, resolved),
        };
        let nothing = write.spec_generation.is_none()
            && write.matching_location_count.is_none()
            && write.destination_count.is_none()
            && write.slice_count.is_none()
            && write.conditions.is_none();
        (!nothing).then_some(write)
    }

    /// The original's two fields, only when the spec changed or the count did: each write raises the generation.
    fn original_fields(&mut self, placement: &ObjectKey, id: PlacementId, uid: String) -> Option<StatusWrite> {
        let entry = &self.scheduler.index().placements[id];
        if entry.state != PlacementState::Active {
            return None;
        }
        let (generation, selected) = (int(entry.generation), count(entry.selected));
        if !self.is_answered(placement, id) {
            return None;
        }
        let status = &self.books.get(placement)?.status;
        let observed = &status.observed;
        // The write itself raised the generation by one.
        let told = observed.spec_generation > 0 && matches!(generation - observed.spec_generation, 0 | 1);
        if told && !status.spec_changed && observed.matching_location_count == selected {
            return None;
        }
        Some(StatusWrite {
            key: placement.clone(),
            uid,
            spec_generation: Some(generation),
            matching_location_count: Some(selected),
            destination_count: None,
            slice_count: None,
            conditions: None,
        })
    }

    /// Whether every slice that was dirty when the present generation came has been confirmed since.
    fn is_answered(&mut self, placement: &ObjectKey, id: PlacementId) -> bool {
        if !self.scheduler.slices().is_laid_out(id) {
            return false;
        }
        let Some(book) = self.books.get_mut(placement) else { return false };
        let awaiting = book.status.awaiting.get_or_insert_with(|| book.dirty.clone());
        awaiting.is_empty()
    }

    /// What keeps the slices from being as they should be: a reason and a message.
    fn problem(&self, placement: &ObjectKey, id: PlacementId) -> Option<(&'static str, String)> {
        let entry = &self.scheduler.index().placements[id];
        if let PlacementState::Held(invalid) = &entry.state {
            return Some(("InvalidSelector", format!("{invalid}")));
        }
        let book = self.books.get(placement)?;
        let slots = || book.dirty.iter().filter_map(|key| Some((key, self.slots.get(key)?)));
        if let Some((key, reason)) = slots().find_map(|(key, slot)| Some((key, &slot.parked.as_ref()?.reason))) {
            return Some(("SliceRejected", format!("SinglePlacementSlice {}: {reason}", key.name)));
        }
        let blocked = |slot: &Slot, key: &ObjectKey| self.blocks.reason(&key.cluster, slot.blocked?);
        if let Some((key, reason)) = slots().find_map(|(key, slot)| Some((key, blocked(slot, key)?))) {
            return Some(("WritesBlocked", format!("SinglePlacementSlice {}: {reason}", key.name)));
        }
        if let Some((key, _)) = slots().find(|(_, slot)| slot.repairs > 3) {
            let text = "what is written does not stay: somebody else changes it, or the server does";
            return Some(("SliceContested", format!("SinglePlacementSlice {}: {text}", key.name)));
        }
        if self.scheduler.slices().is_displaced(id) {
            let text =
                "exists and is not this EdgePlacement's, or is being deleted; another name is used until it is gone";
            return Some(("SliceConflict", format!("SinglePlacementSlice {}: {text}", placement.name)));
        }
        None
    }

    /// Names the selected Locations that cannot be resolved.
    fn frozen_message(&self, id: PlacementId) -> String {
        let frozen = self.scheduler.index().frozen_of(id);
        let mut message = String::new();
        for (key, invalid) in frozen {
            if !message.is_empty() {
                message.push_str("; ");
            }
            message.push_str(&format!("Location {key} keeps the destinations that it had: {invalid}"));
            if message.len() > MESSAGE_MAX {
                break;
            }
        }
        if message.is_empty() { "all SinglePlacementSlices are up to date".into() } else { message }
    }

    pub(super) fn complete_status(&mut self, placement: &ObjectKey, outcome: Outcome, now: Time) {
        let Some(book) = self.books.get_mut(placement) else { return };
        let status = &mut book.status;
        let Some(write) = status.in_flight.take() else { return };
        match outcome {
            Outcome::Failed(Failure::Forbidden(reason)) => {
                status.spec_changed = true;
                self.blocks.block(placement, Access::Status, &reason, None, now);
            }
            // What another one got says nothing of the one that is there now.
            _ if write.uid != status.uid => {}
            // It is gone, or another one: its event comes.
            Outcome::Failed(Failure::NotFound | Failure::Conflict) => {
                status.attempts += 1;
                status.not_before = now + backoff(placement, status.attempts + 3);
            }
            Outcome::Failed(failure) => {
                status.attempts += 1;
                let after = if let Failure::Busy(Some(after)) = failure { after } else { Time::ZERO };
                let rejected = matches!(failure, Failure::Rejected(_));
                status.not_before = now + after + backoff(placement, status.attempts + if rejected { 8 } else { 0 });
                status.spec_changed = true;
            }
            _ => {
                status.attempts = 0;
                status.written = Some(now);
                let observed = &mut status.observed;
                let StatusWrite { spec_generation, matching_location_count, .. } = write;
                observed.spec_generation = spec_generation.unwrap_or(observed.spec_generation);
                observed.matching_location_count = matching_location_count.unwrap_or(observed.matching_location_count);
                observed.destination_count = write.destination_count.or(observed.destination_count);
                observed.slice_count = write.slice_count.or(observed.slice_count);
                if let Some(conditions) = write.conditions {
                    observed.conditions = conditions;
                }
                for key in self.blocks.lift(&placement.cluster, Access::Status) {
                    self.review_status(&key);
                }
            }
        }
        self.review_status(placement);
        self.tidy(placement);
    }

    /// Forgets an EdgePlacement, if it is gone and nothing of it is left.
    pub(super) fn tidy(&mut self, placement: &ObjectKey) {
        if self.scheduler.index().find_placement(placement).is_some() {
            return;
        }
        let idle = self.books.get(placement).is_some_and(|book| {
            let at_work = book.in_flight > 0 || book.reading || book.status.in_flight.is_some();
            book.dirty.is_empty() && book.queued == 0 && !at_work && !book.stalled
        });
        if idle && self.published.slices_of(placement).next().is_none() {
            self.books.remove(placement);
        }
    }
}

/// All conditions with this one in place of the one of its type; `None` if it is there already.
fn with_condition(observed: &[Condition], mut new: Condition) -> Option<Vec<Condition>> {
    let (mut all, mut old): (Vec<Condition>, Option<Condition>) = (observed.to_vec(), None);
    if let Some(at) = all.iter().position(|condition| condition.kind == new.kind) {
        old = Some(all.remove(at));
    }
    if let Some(old) = old.filter(|old| old.status == new.status) {
        new.last_transition_time.clone_from(&old.last_transition_time);
        if old == new {
            return None;
        }
    }
    all.push(new);
    Some(all)
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Generations are 64 bits wide, the API's field 32.
fn int(generation: i64) -> i32 {
    i32::try_from(generation).unwrap_or(i32::MAX)
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_MAX {
        let mut end = MESSAGE_MAX;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}
