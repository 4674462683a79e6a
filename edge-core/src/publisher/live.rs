//! EdgePlacements that are read from the server itself, before an orphan is deleted or an owner replaced.

use super::blocks::Access;
use super::book::{Live, backoff};
use super::{Action, Failure, Outcome, Publisher, Request, Subject, Time, Timer};
use crate::id::PlacementId;
use crate::object::ObjectKey;
use crate::slices::has_other_owner;

impl Publisher {
    /// Whether a write would replace the UID of an owner: that needs to be certain.
    pub(super) fn needs_live(&self, key: &ObjectKey, id: PlacementId) -> bool {
        let index = self.scheduler.index();
        let uid = &*index.placements[id].uid;
        let outdated = self.published.get(key).is_some_and(|slice| has_other_owner(slice, uid));
        let live = self.books.get(&index.placement_key(id)).map(|book| &book.live);
        outdated && !matches!(live, Some(Live::Uid(have)) if *have == *uid)
    }

    pub(super) fn read_live(&mut self, key: &ObjectKey, id: PlacementId, now: Time) -> Option<Request> {
        let placement = self.scheduler.index().placement_key(id);
        self.ask_live(key, &placement, now)
    }

    /// Reads an EdgePlacement itself; the slice waits for that.
    pub(super) fn ask_live(&mut self, key: &ObjectKey, placement: &ObjectKey, now: Time) -> Option<Request> {
        let book = self.book(placement);
        if !book.awaiting_live.contains(key) {
            book.awaiting_live.push(key.clone());
        }
        if book.reading {
            return None;
        }
        if let Some(time) = self.blocks.wait(placement, Access::Read, now) {
            self.timers.insert((time, Timer::Live(placement.clone())));
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
    fn retry_live(&mut self, placement: &ObjectKey, now: Time) {
        let book = self.book(placement);
        book.live_attempts += 1;
        let time = now + backoff(placement, book.live_attempts);
        self.timers.insert((time, Timer::Live(placement.clone())));
    }

    pub(super) fn complete_live(&mut self, placement: &ObjectKey, outcome: Outcome, now: Time) {
        self.book(placement).reading = false;
        let known = self.scheduler.index().find_placement(placement);
        let known = known.map(|id| self.scheduler.index().placements[id].uid.clone());
        let live = match outcome {
            Outcome::Placement { uid } => Live::Uid(uid),
            Outcome::Failed(Failure::NotFound) => Live::Absent,
            Outcome::Failed(Failure::Forbidden(reason)) => {
                self.block(placement, Access::Read, &reason, None, now);
                self.retry_live(placement, now);
                return;
            }
            _ => {
                self.retry_live(placement, now);
                return;
            }
        };
        self.lift(&placement.cluster, Access::Read);
        let agrees = match (&live, &known) {
            (Live::Absent, None) => true,
            (Live::Uid(uid), Some(known)) => **uid == **known,
            _ => false,
        };
        let book = self.book(placement);
        book.live = live;
        if agrees {
            book.live_attempts = 0;
            self.recheck_live(placement);
        } else {
            // The watch will tell.
            book.live = Live::Unknown;
            self.retry_live(placement, now);
        }
    }
}
