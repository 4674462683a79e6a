//! The order of destinations: by hash of cluster, Location and SyncTarget, names breaking ties.
//!
//! Slices are ranges of this order, so it must be the same for ever and everywhere: the hash is SipHash-2-4 with 64 bits
//! and an all-zero key (Aumasson and Bernstein, 2012; not the hasher of any standard library, which may change). Hashing
//! spreads names that count up over the whole range, so that slices fill evenly; the names keep the order total, so that
//! names made to collide cost speed and nothing else. A Location is always one contiguous run.

use core::hash::Hasher;
use siphasher::sip::SipHasher24;

/// The version of [`NameHash`] that fences in annotations refer to.
pub(crate) const HASH_VERSION: &str = "v1";

/// How names are hashed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameHash(fn(&str) -> u64);

impl Default for NameHash {
    fn default() -> Self {
        Self(siphash)
    }
}

impl NameHash {
    pub(crate) fn new(hash: fn(&str) -> u64) -> Self {
        Self(hash)
    }

    /// The empty name stands for "before every name" and hashes to the least value.
    pub(crate) fn hash(self, name: &str) -> u64 {
        if name.is_empty() { 0 } else { (self.0)(name) }
    }

    pub(crate) fn hashed(self, name: &str) -> Hashed<'_> {
        Hashed::new(self.hash(name), name)
    }
}

fn siphash(text: &str) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// What an order by hash can be told from nearly always.
pub(crate) fn upper_half(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}

/// A name with its hash; ordered by hash, then name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hashed<'a> {
    hash: u64,
    name: &'a str,
}

impl<'a> Hashed<'a> {
    pub(crate) const fn new(hash: u64, name: &'a str) -> Self {
        Self { hash, name }
    }

    pub(crate) fn name(self) -> &'a str {
        self.name
    }

    pub(crate) fn hash(self) -> u64 {
        self.hash
    }
}

/// A place in the order of destinations. With empty names it stands before all that begin with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position<'a> {
    pub(crate) cluster: Hashed<'a>,
    pub(crate) location: Hashed<'a>,
    pub(crate) sync_target: Hashed<'a>,
}
