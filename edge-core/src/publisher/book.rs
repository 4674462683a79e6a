//! What the publisher knows of one EdgePlacement.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::Time;
use super::status::StatusBook;
use crate::object::ObjectKey;
use crate::slices::PlaceHash;

/// What a live read said of an EdgePlacement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Live {
    #[default]
    Unknown,
    Absent,
    Uid(String),
}

#[derive(Debug, Default)]
pub(super) struct Book {
    /// Slices that are not known to be as they should be.
    pub(super) dirty: BTreeSet<ObjectKey>,
    /// How many of those are in the queue.
    pub(super) queued: usize,
    pub(super) in_flight: usize,
    /// Slices that cannot drop what no other slice has yet.
    pub(super) barred: BTreeSet<ObjectKey>,
    /// It may be that nothing goes on by itself.
    pub(super) stalled: bool,
    /// How often in a row a helper slice could not be created, and when that may be tried again.
    pub(super) helper_failures: u32,
    pub(super) helper_not_before: Time,
    pub(super) live: Live,
    /// It is being read.
    pub(super) reading: bool,
    /// Slices that wait for that.
    pub(super) awaiting_live: Vec<ObjectKey>,
    pub(super) live_attempts: u32,
    pub(super) status: StatusBook,
}

/// Which destinations came and went since all slices of an EdgePlacement were as they should be: what a slice holds that was
/// sent at some time is what is wanted now, but for those that changed since.
#[derive(Debug, Default)]
pub(super) struct Flips {
    /// The numbers of the events, ascending.
    flips: HashMap<PlaceHash, VecDeque<u64>>,
    /// Some destination went.
    pub(super) lost: bool,
    /// How many there were after the last trimming.
    trimmed: usize,
}

impl Flips {
    pub(super) fn push(&mut self, place: PlaceHash, event: u64, went: bool) {
        self.lost |= went;
        let flips = self.flips.entry(place).or_default();
        // Twice in one event is as if not at all: a new UID is the same destination.
        if flips.back() == Some(&event) {
            flips.pop_back();
        } else {
            flips.push_back(event);
        }
    }

    /// Whether what is wanted now was wanted after event `at`.
    pub(super) fn was_wanted(&self, place: PlaceHash, at: u64) -> bool {
        let since = |flips: &VecDeque<u64>| flips.iter().rev().take_while(|&&event| event > at).count();
        self.flips.get(&place).is_none_or(|flips| since(flips) % 2 == 0)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether trimming would pay: each time it takes twice as many as were left.
    pub(super) fn is_long(&self) -> bool {
        self.flips.len() > 16 + 2 * self.trimmed
    }

    /// Forgets what happened until event `at`.
    pub(super) fn trim(&mut self, at: u64) {
        self.flips.retain(|_, flips| {
            flips.retain(|&event| event > at);
            !flips.is_empty()
        });
        self.trimmed = self.flips.len();
    }
}

/// When something that failed is tried again: after a random part of a limit that doubles from 200 ms to 30 s, "full
/// jitter".
pub(super) fn backoff(what: &ObjectKey, attempts: u32) -> Time {
    pause(what, attempts, 30_000)
}

/// The same for a server that says it is busy, up to 1.6 s: it says so soon enough if it still is.
pub(super) fn busy_backoff(what: &ObjectKey, attempts: u32) -> Time {
    pause(what, attempts, 1_600)
}

fn pause(what: &ObjectKey, attempts: u32, longest: u64) -> Time {
    let limit = 200_u64.saturating_mul(1 << attempts.min(20)).min(longest);
    Time::from_millis(20 + chance(what, attempts) % limit)
}

/// When content that the server refused is tried again, if it does not change before: after a time that doubles from 1 s to
/// 5 minutes, less at most a half. Nothing tells when a quota or a policy has changed.
pub(super) fn patience(what: &ObjectKey, attempts: u32) -> Time {
    let limit = 500_u64.saturating_mul(1 << attempts.min(20)).min(300_000);
    Time::from_millis(limit - chance(what, attempts) % (limit / 2))
}

/// What looks random is a hash of what failed and how often, so that a run can be repeated.
fn chance(what: &ObjectKey, attempts: u32) -> u64 {
    use core::hash::Hasher;
    let mut hasher = siphasher::sip::SipHasher24::new_with_keys(u64::from(attempts), 0);
    hasher.write(what.cluster.as_bytes());
    hasher.write_u8(0xff);
    hasher.write(what.name.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::index::DestinationRef;

    fn place(name: &str) -> PlaceHash {
        let (cluster, location_name, sync_target_uid) = ("ws", "l", "");
        PlaceHash::of(DestinationRef { cluster, location_name, sync_target_name: name, sync_target_uid })
    }

    /// `a` went in event 1 and came back in 3, `b` came in 1.
    fn flips() -> Flips {
        let mut flips = Flips::default();
        flips.push(place("a"), 1, true);
        flips.push(place("b"), 1, false);
        flips.push(place("a"), 3, false);
        flips
    }

    #[test]
    fn what_is_wanted_now_was_wanted_if_it_flipped_twice_since() {
        let flips = flips();
        assert_eq!([0, 1, 2, 3].map(|at| flips.was_wanted(place("a"), at)), [true, false, false, true]);
        assert_eq!([0, 1].map(|at| flips.was_wanted(place("b"), at)), [false, true]);
        assert!(flips.was_wanted(place("c"), 0));
    }

    #[test]
    fn trimming_forgets_what_was_until_then_and_nothing_else() {
        let mut flips = flips();
        flips.trim(1);
        assert_eq!([1, 2, 3].map(|at| flips.was_wanted(place("a"), at)), [false, false, true]);
        assert_eq!(flips.flips.len(), 1, "nothing is left of b");
        flips.trim(3);
        assert_eq!(flips.flips.len(), 0);
    }

    #[test]
    fn trimming_pays_when_there_is_twice_as_much_as_the_last_one_left() {
        let mut flips = Flips::default();
        let mut long = Vec::new();
        for number in 1..=51 {
            flips.push(place(&format!("{number}")), number, false);
            if flips.is_long() {
                long.push(number);
                flips.trim(0);
            }
        }
        assert_eq!(long, [17, 51]);
    }
}
