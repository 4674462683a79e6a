//! What a slice holds for certain, and what a write may take away.

use alloc::vec::Vec;
use hashbrown::HashMap;

use super::Publisher;
use super::book::Flips;
use super::slot::{Content, Doing, Slot};
use crate::id::PlacementId;
use crate::index::DestinationRef;
use crate::object::{Destination, ObjectKey};
use crate::order::Position;
use crate::slices::{PlaceHash, Span};

/// A wanted destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    destination: DestinationRef<'a>,
    position: Position<'a>,
    hash: PlaceHash,
}

impl<'a> Wanted<'a> {
    fn new((destination, position): (DestinationRef<'a>, Position<'a>)) -> Self {
        Self { destination, position, hash: PlaceHash::of(destination) }
    }
}

impl Content {
    /// Whether it has a destination that is wanted now.
    fn has(&self, wanted: Wanted<'_>, flips: Option<&Flips>) -> bool {
        match self {
            Self::Nothing | Self::Unread => false,
            Self::Rows(rows) => rows.contains(&wanted.hash),
            Self::Range { span, at, extra } => {
                let in_range =
                    span.contains(wanted.position) && flips.is_none_or(|flips| flips.was_wanted(wanted.hash, *at));
                in_range || extra.iter().any(|row| same_place(row.into(), wanted.destination))
            }
        }
    }
}

fn same_place(a: DestinationRef<'_>, b: DestinationRef<'_>) -> bool {
    (a.cluster, a.location_name, a.sync_target_name) == (b.cluster, b.location_name, b.sync_target_name)
}

fn sorted<'a>(wanted: impl Iterator<Item = Wanted<'a>>) -> Vec<Destination> {
    let mut destinations: Vec<Destination> = wanted.map(|wanted| wanted.destination.into()).collect();
    destinations.sort_unstable();
    destinations.dedup();
    destinations
}

/// Whether a slice holds a wanted destination for certain, whatever becomes of what is in flight.
fn holds(slots: &HashMap<ObjectKey, Slot>, key: &ObjectKey, wanted: Wanted<'_>, flips: Option<&Flips>) -> bool {
    let Some(slot) = slots.get(key) else { return false };
    // What has to be read may be something else by now.
    if slot.tainted || slot.needs_read() || !slot.content.has(wanted, flips) {
        return false;
    }
    let flight = slot.flight.as_ref().is_none_or(|flight| match flight.doing {
        Doing::Create | Doing::Delete => false,
        Doing::Replace => flight.sent.has(wanted, flips),
        Doing::Read => true,
    });
    flight && slot.maybe.as_ref().is_none_or(|maybe| maybe.has(wanted, flips))
}

/// What stands in the way of a write.
#[derive(Debug)]
pub(super) enum Barrier {
    /// The slice's content has to be read first.
    Unread,
    /// This slice has to have a destination first.
    Slice(ObjectKey),
}

impl Publisher {
    /// The wanted destinations of EdgePlacement `id` that a slice has (or may have) and `span` has not.
    fn dropped<'a>(
        &'a self,
        id: PlacementId,
        key: &'a ObjectKey,
        span: Option<&'a Span>,
    ) -> impl Iterator<Item = Wanted<'a>> + 'a {
        let index = self.scheduler.index();
        let content = self.slots.get(key).map(|slot| &slot.content);
        let (range, extra) = match content {
            Some(Content::Range { span, at, extra }) => (Some((span, *at)), extra.as_slice()),
            _ => (None, &[][..]),
        };
        let rows = match content {
            Some(Content::Rows(_)) => self.published.get(key).map_or(&[][..], |slice| &slice.destinations),
            _ => &[],
        };
        let flips = self.flips.get(&id);
        let range = range.filter(|(have, _)| span.is_none_or(|span| !span.covers(have)));
        let from_range = range.into_iter().flat_map(move |(have, at)| {
            index
                .destinations_from(id, have.lower.place())
                .take_while(move |(_, position)| have.contains(*position))
                .map(Wanted::new)
                .filter(move |wanted| flips.is_none_or(|flips| flips.was_wanted(wanted.hash, at)))
        });
        let listed =
            extra.iter().chain(rows).filter_map(move |row| index.find_destination(id, row.into())).map(Wanted::new);
        from_range.chain(listed).filter(move |wanted| span.is_none_or(|span| !span.contains(wanted.position)))
    }

    /// Of what a slice would drop, what no other slice of the EdgePlacement holds.
    fn lost<'a>(
        &'a self,
        id: PlacementId,
        key: &'a ObjectKey,
        span: Option<&'a Span>,
    ) -> impl Iterator<Item = Wanted<'a>> + 'a {
        let flips = self.flips.get(&id);
        let mut dropped = self.dropped(id, key, span).peekable();
        let others: Vec<ObjectKey> = match dropped.peek() {
            Some(_) => self.own_slices(&self.scheduler.index().placement_key(id)),
            // As nearly always.
            None => Vec::new(),
        };
        dropped.filter(move |&wanted| {
            // Nearly always it is the slice whose range it is: never this one, whose own range it drops nothing of.
            let owner = self.owner(id, wanted.position);
            let owner = owner.filter(|owner| others.binary_search(owner).is_ok());
            let held = owner.as_ref().is_some_and(|owner| holds(&self.slots, owner, wanted, flips));
            !held && !others.iter().any(|other| other != key && holds(&self.slots, other, wanted, flips))
        })
    }

    /// The slice that should have a place.
    fn owner(&self, id: PlacementId, position: Position<'_>) -> Option<ObjectKey> {
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        slices.is_laid_out(id).then(|| slices.key(index, slices.find(index, id, position)))
    }

    /// What stands in the way of a slice of the EdgePlacement having only `span` from now on.
    pub(super) fn barrier(&self, id: PlacementId, key: &ObjectKey, span: Option<&Span>) -> Option<Barrier> {
        if matches!(self.slots.get(key).map(|slot| &slot.content), Some(Content::Unread)) {
            // If all others are as they should be, they have all that this one may not keep.
            return (!self.are_clean(id, Some(key))).then_some(Barrier::Unread);
        }
        let lost = self.lost(id, key, span).next()?;
        Some(Barrier::Slice(self.owner(id, lost.position)?))
    }

    /// Whether a slice has nothing that is wanted, for certain.
    pub(super) fn is_useless(&self, id: PlacementId, key: &ObjectKey) -> bool {
        let unread = matches!(self.slots.get(key).map(|slot| &slot.content), Some(Content::Unread));
        !unread && self.dropped(id, key, None).next().is_none()
    }

    /// Whether all slices of the layout, but for one, are as they should be.
    pub(super) fn are_clean(&self, id: PlacementId, but: Option<&ObjectKey>) -> bool {
        let (index, slices) = (self.scheduler.index(), self.scheduler.slices());
        let mut keys = slices.layout(id).iter().map(|&slice| slices.key(index, slice));
        keys.all(|key| but == Some(&key) || self.is_clean(&key))
    }

    pub(super) fn is_clean(&self, key: &ObjectKey) -> bool {
        self.slots
            .get(key)
            .is_some_and(|slot| slot.is_certain() && !slot.dirty && matches!(slot.content, Content::Range { .. }))
    }

    /// What a slice would drop and no other has, as it is to be written.
    pub(super) fn keep_lost(&self, id: PlacementId, key: &ObjectKey, span: Option<&Span>) -> Vec<Destination> {
        sorted(self.lost(id, key, span))
    }

    /// The same, but a slice that is to go keeps all that is wanted.
    pub(super) fn keep(&self, id: PlacementId, key: &ObjectKey, span: Option<&Span>) -> Vec<Destination> {
        if span.is_some() { self.keep_lost(id, key, span) } else { sorted(self.dropped(id, key, None)) }
    }

    /// Whether a slice is only to grow, as far as can be said.
    pub(super) fn only_grows(&self, id: PlacementId, key: &ObjectKey, span: Option<&Span>) -> bool {
        let Some(Content::Range { span: have, extra, .. }) = self.slots.get(key).map(|slot| &slot.content) else {
            return false;
        };
        let lost = self.flips.get(&id).is_some_and(|flips| flips.lost);
        !lost && extra.is_empty() && span.is_some_and(|span| span.covers(have))
    }
}
