//! What the answers mean.

use alloc::string::String;

use super::blocks::Access;
use super::book::{backoff, busy_backoff, patience};
use super::observe::{By, Sighting};
use super::slot::{Doing, Flight, Parked};
use super::{Failure, ObjectKey, Outcome, Publisher, RequestId, Seen, Subject, Time};

impl Publisher {
    /// Takes in what became of a request. An answer to one that is not in flight is ignored.
    pub fn complete(&mut self, id: RequestId, outcome: Outcome, now: Time) {
        match self.requests.remove(&id) {
            None => {}
            Some(Subject::Slice(key)) => self.complete_slice(&key, outcome, now),
            Some(Subject::Placement(placement)) => self.complete_live(&placement, outcome, now),
            Some(Subject::Status(placement)) => self.complete_status(&placement, outcome, now),
        }
    }

    /// A request was answered by the server itself: what waited for that may go.
    pub(super) fn lift(&mut self, cluster: &str, access: Access) {
        for key in self.blocks.lift(cluster, access) {
            self.enqueue(&key);
            if self.books.contains_key(&key) {
                self.recheck_live(&key);
                self.review_status(&key);
            }
        }
    }

    pub(super) fn block(&mut self, key: &ObjectKey, access: Access, reason: &str, after: Option<Time>, now: Time) {
        self.blocks.block(key, access, reason, after, now);
    }

    fn complete_slice(&mut self, key: &ObjectKey, outcome: Outcome, now: Time) {
        let Some(flight) = self.slots.get_mut(key).and_then(|slot| slot.flight.take()) else { return };
        let home = self.slot(key).home.clone();
        if let Some(book) = self.books.get_mut(&home) {
            book.in_flight = book.in_flight.saturating_sub(1);
        }
        let (access, creates) = (flight.doing.access(), flight.doing == Doing::Create);
        let blocks = match &outcome {
            Outcome::Failed(Failure::Forbidden(_) | Failure::Busy(_) | Failure::NotDone(_) | Failure::Unknown(_)) => {
                true
            }
            Outcome::Failed(Failure::NotFound) => flight.doing == Doing::Create,
            _ => false,
        };
        if !blocks {
            self.slot(key).blocked = None;
            self.lift(&key.cluster, access);
        }
        match outcome {
            Outcome::Slice(slice) => self.answered(key, flight, slice.into(), now),
            Outcome::ThinSlice(metadata, digest) => self.answered(key, flight, (metadata, digest).into(), now),
            Outcome::Unreadable(metadata) => {
                if !flight.dead.contains(&metadata.uid) {
                    self.slot(key).must_read = flight.again;
                    self.observe_slice(key, Seen::Unreadable(metadata), now);
                }
            }
            Outcome::Deleted => self.deleted(key, &flight, now),
            Outcome::Failed(failure) => self.failed(key, flight, failure, access, now),
            // Not an answer to what was asked.
            Outcome::Placement { .. } | Outcome::StatusWritten => {
                self.failed(key, flight, Failure::Unknown(String::from("unexpected answer")), access, now);
            }
        }
        if self.slot(key).home != home {
            // What was sent tells nothing without the record of what came and went since.
            self.slot(key).forget_ranges();
        }
        if creates {
            self.note_helper(key, &home);
        }
        self.wake_waiters(key);
        self.mark(key, None);
        self.check_stalled(&home);
    }

    fn answered(&mut self, key: &ObjectKey, flight: Flight, seen: Sighting, now: Time) {
        let slot = self.slot(key);
        slot.confirmed = Some(now);
        if flight.dead.contains(&seen.metadata().uid) {
            return;
        }
        match flight.doing {
            Doing::Read => {
                self.slot(key).must_read = flight.again;
                // With another version than the request was for, nothing that is still under way can take effect.
                let moved = self.published.get(key).is_none_or(|known| {
                    known.metadata.uid != seen.metadata().uid
                        || known.metadata.resource_version != seen.metadata().resource_version
                });
                self.observe_object(key, seen, By::Read, now);
                if moved {
                    let slot = self.slot(key);
                    slot.maybe = None;
                    slot.tainted = false;
                }
                self.slot(key).attempts = 0;
            }
            Doing::Create | Doing::Replace => {
                let as_sent = flight.digest == Some(seen.digest) && flight.has_marks_of(seen.metadata());
                let unchanged = seen.metadata().resource_version == flight.version && !flight.version.is_empty();
                self.observe_object(key, seen, By::Write, now);
                if as_sent {
                    // What was seen meanwhile may be newer than this answer, and another's.
                    let known = self.published.get(key);
                    let is_sent = known.is_some_and(|slice| flight.has_marks_of(&slice.metadata));
                    let ours = is_sent && !self.published.is_foreign(key);
                    if ours && flight.digest == self.published.digest(key) {
                        let slot = self.slot(key);
                        slot.content = flight.sent;
                        slot.attempts = 0;
                        slot.not_before = slot.not_before.min(now);
                        slot.parked = None;
                        self.make_thin(key);
                    }
                } else {
                    // The server keeps something else than what was sent: trying again at once would not help.
                    let slot = self.slot(key);
                    slot.attempts += 1;
                    slot.repairs += 1;
                    slot.repaired = now;
                    slot.not_before = now + backoff(key, slot.attempts + 2);
                    let home = self.slot(key).home.clone();
                    self.review_status(&home);
                }
                let slot = self.slot(key);
                slot.maybe = None;
                // A version that did not move leaves room for what is still under way.
                if !unchanged {
                    slot.tainted = false;
                }
            }
            Doing::Delete => self.observe_object(key, seen, By::Write, now),
        }
    }

    fn deleted(&mut self, key: &ObjectKey, flight: &Flight, now: Time) {
        let slot = self.slot(key);
        slot.attempts = 0;
        slot.confirmed = Some(now);
        if flight.doing != Doing::Delete {
            return;
        }
        // Another one of the name may have been seen since.
        if self.published.get(key).is_some_and(|known| known.metadata.uid == flight.uid) {
            self.graves.insert(key.clone(), (flight.uid.clone(), now));
            self.forget_slice(key, Some(&flight.uid), now);
        }
    }

    fn failed(&mut self, key: &ObjectKey, flight: Flight, failure: Failure, access: Access, now: Time) {
        match failure {
            Failure::Conflict | Failure::AlreadyExists => self.slot(key).must_read = true,
            Failure::NotFound => match flight.doing {
                Doing::Create => {
                    let reason = "the workspace, or the API, does not exist";
                    self.block(key, Access::Create, reason, None, now);
                }
                Doing::Replace | Doing::Read | Doing::Delete => {
                    // What was seen meanwhile may be newer than this answer.
                    let seen = self.known(key).map(|known| known.resource_version.as_str()).unwrap_or_default();
                    let moved = seen != flight.version || flight.overtaken;
                    self.slot(key).must_read = moved;
                    if moved {
                        return;
                    }
                    let uid = self.published.get(key).map(|known| known.metadata.uid.clone());
                    if let Some(uid) = &uid {
                        self.graves.insert(key.clone(), (uid.clone(), now));
                    }
                    self.forget_slice(key, uid.as_deref(), now);
                }
            },
            Failure::Forbidden(reason) => self.block(key, access, &reason, None, now),
            Failure::Rejected(reason) => {
                let slot = self.slot(key);
                slot.attempts += 1;
                match flight.digest {
                    // Other content may be tried at once.
                    Some(digest) => {
                        let until = now + patience(key, slot.attempts);
                        slot.parked = Some(Parked { digest, reason, until });
                    }
                    None => slot.not_before = now + backoff(key, slot.attempts),
                }
                let home = slot.home.clone();
                self.review_status(&home);
            }
            Failure::Busy(after) => {
                let slot = self.slot(key);
                slot.attempts += 1;
                let attempts = slot.attempts;
                let after = after.unwrap_or(Time::ZERO) + busy_backoff(key, attempts);
                self.slot(key).not_before = now + after;
            }
            Failure::NotDone(_) => self.try_later(key, now),
            Failure::Unknown(_) => {
                let slot = self.slot(key);
                slot.must_read = true;
                match flight.doing {
                    Doing::Replace => slot.maybe = Some(flight.sent),
                    Doing::Delete => slot.tainted = true,
                    Doing::Create | Doing::Read => {}
                }
                self.try_later(key, now);
            }
        }
    }

    fn try_later(&mut self, key: &ObjectKey, now: Time) {
        let slot = self.slot(key);
        slot.attempts += 1;
        slot.not_before = now + backoff(key, slot.attempts);
    }
}
