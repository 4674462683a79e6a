//! Which objects each source has shown, so that a list is a difference to what was there before.
//!
//! **An object is gone only if its source says so, or ends a list without it.** A list that is interrupted proves
//! nothing: the next one starts over, and what the first had not come to is still there.
//!
//! An object costs its cluster and name and about 50 bytes.

use std::collections::{BTreeMap, HashMap};

use edge_core::object::{Kind, ObjectKey};
use tokio::time::Instant;

use super::backend::SourceId;

/// What the sources have shown.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    shelves: BTreeMap<(SourceId, Kind), Shelf>,
    /// Which source showed EdgePlacements or slices of a logical cluster last.
    homes: HashMap<Box<str>, SourceId>,
    /// Of which sources something has never been read, and why.
    incomplete: BTreeMap<SourceId, String>,
}

/// The objects of one kind of one source.
#[derive(Debug, Default)]
struct Shelf {
    /// With the number of the list during or after which the object was last seen.
    keys: HashMap<Packed, u32>,
    /// Slices that were to be created and have not been shown yet, with the number of the list before or during that.
    sent: HashMap<Packed, u32>,
    /// Counts the lists that have begun.
    list: u32,
    /// The list that goes on, if one does: when it began.
    listing: Option<Instant>,
    /// When the last list that came to its end began.
    listed: Option<Instant>,
    failing: Option<String>,
}

/// Cluster and name in one string; neither can hold the separator.
type Packed = Box<str>;

const SEPARATOR: char = '\0';

fn pack(key: &ObjectKey) -> Packed {
    let mut packed = String::with_capacity(key.cluster.len() + key.name.len() + 1);
    packed.push_str(&key.cluster);
    packed.push(SEPARATOR);
    packed.push_str(&key.name);
    packed.into_boxed_str()
}

fn unpack(packed: &str) -> ObjectKey {
    let (cluster, name) = packed.split_once(SEPARATOR).unwrap_or(("", packed));
    ObjectKey::new(cluster, name)
}

impl Inventory {
    /// A source will show these kinds.
    pub(crate) fn add(&mut self, source: SourceId, kinds: &[Kind]) {
        for &kind in kinds {
            self.shelves.entry((source, kind)).or_default();
        }
    }

    /// The source is no more. Returns what only it had, by kind.
    #[must_use]
    pub(crate) fn remove(&mut self, source: SourceId) -> Vec<(Kind, ObjectKey)> {
        let mut gone = Vec::new();
        for kind in Kind::ALL {
            let Some(shelf) = self.shelves.remove(&(source, kind)) else { continue };
            let all = shelf.keys.into_keys().chain(shelf.sent.into_keys());
            let only = all.filter(|key| !self.is_shown(kind, key));
            gone.extend(only.map(|key| (kind, unpack(&key))));
        }
        self.homes.retain(|_, home| *home != source);
        self.incomplete.remove(&source);
        gone
    }

    /// A list begins. One that was going on before is abandoned.
    pub(crate) fn begin(&mut self, source: SourceId, kind: Kind, began: Instant) {
        if let Some(shelf) = self.shelves.get_mut(&(source, kind)) {
            shelf.list = shelf.list.wrapping_add(1);
            shelf.listing = Some(began);
        }
    }

    /// An object was shown. False if the source is not, or no longer, known: then the object does not count.
    #[must_use]
    pub(crate) fn see(&mut self, source: SourceId, kind: Kind, key: &ObjectKey) -> bool {
        let Some(shelf) = self.shelves.get_mut(&(source, kind)) else { return false };
        let packed = pack(key);
        if !shelf.sent.is_empty() {
            shelf.sent.remove(&packed);
        }
        shelf.keys.insert(packed, shelf.list);
        let slices = matches!(kind, Kind::EdgePlacement | Kind::SinglePlacementSlice);
        if slices && self.homes.get(key.cluster.as_str()) != Some(&source) {
            self.homes.insert(key.cluster.as_str().into(), source);
        }
        true
    }

    /// A source says that an object is gone. True if no other source shows it.
    #[must_use]
    pub(crate) fn forget(&mut self, source: SourceId, kind: Kind, key: &ObjectKey) -> bool {
        let Some(shelf) = self.shelves.get_mut(&(source, kind)) else { return false };
        let packed = pack(key);
        shelf.keys.remove(&packed);
        !self.is_shown(kind, &packed)
    }

    /// A list has ended. Returns when it began, and what was there before and is not now.
    #[must_use]
    pub(crate) fn end(&mut self, source: SourceId, kind: Kind) -> Option<(Instant, Vec<ObjectKey>)> {
        let shelf = self.shelves.get_mut(&(source, kind))?;
        let began = shelf.listing.take()?;
        shelf.listed = Some(began);
        shelf.failing = None;
        let list = shelf.list;
        let shown = shelf.keys.extract_if(|_, seen| *seen != list);
        let sent = shelf.sent.extract_if(|_, before| *before != list);
        let missing: Vec<Packed> = shown.chain(sent).map(|(key, _)| key).collect();
        let gone = missing.iter().filter(|key| !self.is_shown(kind, key)).map(|key| unpack(key)).collect();
        Some((began, gone))
    }

    /// The watch of a kind fails, or, with `None`, goes on.
    pub(crate) fn set_failing(&mut self, source: SourceId, kind: Kind, reason: Option<String>) {
        if let Some(shelf) = self.shelves.get_mut(&(source, kind)) {
            shelf.failing = reason;
        }
    }

    /// A slice is about to be created: a list that begins later and ends without it may tell that it is gone again, even
    /// before the answer is there.
    pub(crate) fn sends(&mut self, key: &ObjectKey) {
        let packed = pack(key);
        if let Some(shelf) = self.unshown(&packed, key) {
            shelf.sent.entry(packed).or_insert(shelf.list);
        }
    }

    /// A slice that was written, or read, exists, though no source may have shown it yet: so a list that began later than
    /// the request and does not show it tells that it is gone.
    pub(crate) fn wrote(&mut self, key: &ObjectKey) {
        let packed = pack(key);
        if let Some(shelf) = self.unshown(&packed, key) {
            let seen = shelf.sent.remove(&packed).unwrap_or(shelf.list);
            shelf.keys.insert(packed, seen);
        }
    }

    /// Where a slice will be shown that has not been yet.
    fn unshown(&mut self, packed: &str, key: &ObjectKey) -> Option<&mut Shelf> {
        let kind = Kind::SinglePlacementSlice;
        if self.is_shown(kind, packed) {
            return None;
        }
        let of_kind = |&&(_, of): &&(SourceId, Kind)| of == kind;
        let home = self.homes.get(key.cluster.as_str()).map(|&source| (source, kind));
        let at = home.or_else(|| self.shelves.keys().find(of_kind).copied())?;
        self.shelves.get_mut(&at)
    }

    fn is_shown(&self, kind: Kind, key: &str) -> bool {
        self.shelves.iter().any(|((_, of), shelf)| *of == kind && shelf.keys.contains_key(key))
    }

    /// How many objects of a kind there are.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.shelves.iter().filter(|((_, of), _)| *of == kind).map(|(_, shelf)| shelf.keys.len()).sum()
    }

    /// Whether a source for this kind is known.
    pub(crate) fn has_source(&self, kind: Kind) -> bool {
        self.shelves.keys().any(|(_, of)| *of == kind)
    }

    /// The sources and kinds without a complete list that began at `since` or later (`None`: at any time).
    pub(crate) fn unlisted(&self, since: Option<Instant>) -> impl Iterator<Item = (SourceId, Kind)> {
        self.shelves
            .iter()
            .filter(move |(_, shelf)| shelf.listed.is_none_or(|began| Some(began) < since))
            .map(|(&at, _)| at)
    }

    /// Whether some source's list of a kind has never come to its end, or there is no source.
    pub(crate) fn is_unlisted(&self, kind: Kind) -> bool {
        let mut shelves = self.shelves.iter().filter(|((_, of), _)| *of == kind).peekable();
        shelves.peek().is_none() || shelves.any(|(_, shelf)| shelf.listed.is_none())
    }

    /// Whether a list of anything has begun.
    pub(crate) fn is_begun(&self) -> bool {
        self.shelves.values().any(|shelf| shelf.listed.is_some() || shelf.listing.is_some())
    }

    /// Something of a source has never been read, or, with `None`, all has.
    pub(crate) fn set_incomplete(&mut self, source: SourceId, reason: Option<String>) {
        match reason {
            Some(reason) => self.incomplete.insert(source, reason),
            None => self.incomplete.remove(&source),
        };
    }

    /// Why something has never been read, if that is so.
    pub(crate) fn incomplete(&self) -> Option<&str> {
        self.incomplete.values().next().map(String::as_str)
    }

    /// The sources and kinds whose watch fails, with the reason.
    pub(crate) fn failing(&self) -> impl Iterator<Item = (SourceId, Kind, &str)> {
        self.shelves.iter().filter_map(|(&(source, kind), shelf)| Some((source, kind, shelf.failing.as_deref()?)))
    }
}

#[cfg(test)]
mod tests;
