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
    let limit = 200_u64.saturating_mul(1 << attempts.min(20)).min(30_000);
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
