//! What an event changed, factorised: one entry for a group or a pair, however many destinations hang on it.
//!
//! [`Delta::rows`] spells the destinations out, lazily; [`consolidate`] nets the rows of several deltas.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::iter;

use crate::id::{GroupId, LocationId, PlacementId, SyncTargetId};
use crate::index::{DestinationRef, Index};
use crate::leaves::Leaves;
use crate::object::{Destination, ObjectKey};

/// One change. Changes are in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A SyncTarget joined or left a group, and so every pair that has the group.
    Member { group: GroupId, sync_target: SyncTargetId, joined: bool },
    /// A member of a group has a new UID.
    Renewed { group: GroupId, sync_target: SyncTargetId },
    /// A pair came, went, or has another group. `at` is its place in the Location's list at that moment.
    Pair { placement: PlacementId, location: LocationId, at: usize, change: PairChange },
    /// An EdgePlacement came, went, or changed state.
    Placement { placement: PlacementId, change: PlacementChange },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PairChange {
    Added { new: Option<GroupId> },
    Removed { old: Option<GroupId> },
    Regrouped { old: Option<GroupId>, new: Option<GroupId> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlacementChange {
    Added,
    Removed,
    /// It has another UID.
    Renewed,
    /// Its destinations are no longer known: what is published stays. Its pairs go without a change of destinations.
    Suspended,
    /// Its destinations are known again; all of its pairs come anew.
    Resumed,
}

/// What one event changed in the destinations.
#[derive(Debug)]
pub struct Delta<'a> {
    index: &'a Index,
    /// The SyncTarget that the event is about: what goes has the UID that it had before.
    subject: Option<SyncTargetId>,
}

/// A destination of an EdgePlacement that came (`diff` is 1) or went (-1).
///
/// A new UID is one row that goes and one that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row<'a> {
    /// Logical cluster of the EdgePlacement.
    pub placement_cluster: &'a str,
    /// Name of the EdgePlacement.
    pub placement: &'a str,
    /// The destination.
    pub destination: DestinationRef<'a>,
    /// 1 or -1.
    pub diff: i8,
}

impl<'a> Delta<'a> {
    pub(crate) fn new(index: &'a Index, subject: Option<SyncTargetId>) -> Self {
        Self { index, subject }
    }

    pub(crate) fn subject(&self) -> Option<SyncTargetId> {
        self.subject
    }

    /// Whether the event changed nothing: no destination, no UID, no EdgePlacement's state.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.changes.is_empty()
    }

    /// The destinations that came and went, in an order that depends on nothing but the history of events.
    ///
    /// An EdgePlacement that becomes invalid, or starts to be deleted, has no rows: its published destinations stay. One
    /// that is valid again starts from none. Cost: `O(rows)`, for a changed selector `O(destinations before and after)`.
    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> {
        let (index, subject) = (self.index, self.subject);
        self.id_rows().map(move |row| row.named(index, subject))
    }

    /// [`Self::rows`] by id.
    pub(crate) fn id_rows(&self) -> impl Iterator<Item = IdRow> + use<'a> {
        let index = self.index;
        let suspended = index.changes.iter().find_map(|change| match change {
            Change::Placement { placement, change: PlacementChange::Suspended } => Some(*placement),
            _ => None,
        });
        index.changes.iter().flat_map(move |change| rows_of(index, suspended, change))
    }
}

/// A destination of an EdgePlacement that came or went, by id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdRow {
    pub(crate) placement: PlacementId,
    pub(crate) location: LocationId,
    pub(crate) sync_target: SyncTargetId,
    pub(crate) diff: i8,
}

fn rows_of<'a>(
    index: &'a Index,
    suspended: Option<PlacementId>,
    change: &'a Change,
) -> Box<dyn Iterator<Item = IdRow> + 'a> {
    let row = |(placement, location), sync_target, diff| IdRow { placement, location, sync_target, diff };
    match *change {
        Change::Member { group, sync_target, joined } => {
            let diff = if joined { 1 } else { -1 };
            Box::new(pairs(index, group).into_iter().map(move |pair| row(pair, sync_target, diff)))
        }
        Change::Renewed { group, sync_target } => Box::new(
            pairs(index, group).into_iter().flat_map(move |pair| [-1, 1].map(|diff| row(pair, sync_target, diff))),
        ),
        Change::Pair { placement, .. } if suspended == Some(placement) => Box::new(iter::empty()),
        Change::Pair { placement, location, change, .. } => {
            let (old, new) = match change {
                PairChange::Added { new } => (None, new),
                PairChange::Removed { old } => (old, None),
                PairChange::Regrouped { old, new } => (old, new),
            };
            Box::new(difference(index, old, new).map(move |(member, diff)| row((placement, location), member, diff)))
        }
        Change::Placement { .. } => Box::new(iter::empty()),
    }
}

fn pairs(index: &Index, group: GroupId) -> Vec<(PlacementId, LocationId)> {
    let mut pairs = Vec::new();
    index.visit_pairs(group, |placement, location, _| pairs.push((placement, location)));
    pairs
}

impl IdRow {
    fn named(self, index: &Index, subject: Option<SyncTargetId>) -> Row<'_> {
        let Self { placement, location, sync_target, diff } = self;
        let mut destination = index.destination(location, sync_target);
        // What goes has the UID that it had.
        if diff < 0
            && subject == Some(sync_target)
            && let Some(uid) = index.old_uid()
        {
            destination.sync_target_uid = uid;
        }
        let entry = &index.placements[placement];
        Row { placement_cluster: index.cluster(entry.cluster).name(), placement: &entry.name, destination, diff }
    }
}

/// The members that only one of two groups has, by merging both.
fn difference<'a>(
    index: &'a Index,
    old: Option<GroupId>,
    new: Option<GroupId>,
) -> impl Iterator<Item = (SyncTargetId, i8)> + 'a {
    let members = |group: Option<GroupId>| group.map(|group| index.members(group)).into_iter().flat_map(Leaves::iter);
    let (mut old, mut new) = (members(old).peekable(), members(new).peekable());
    iter::from_fn(move || {
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(&a), Some(&b)) => index.cmp_sync_targets(a, b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            match order {
                Ordering::Less => return old.next().map(|sync_target| (sync_target, -1)),
                Ordering::Greater => return new.next().map(|sync_target| (sync_target, 1)),
                Ordering::Equal => {
                    old.next();
                    new.next();
                }
            }
        }
    })
}

/// A destination of an EdgePlacement, owned, and how often it came (or, if negative, went).
pub type OwnedRow = (ObjectKey, Destination, i32);

impl From<Row<'_>> for OwnedRow {
    fn from(row: Row<'_>) -> Self {
        (ObjectKey::new(row.placement_cluster, row.placement), row.destination.into(), i32::from(row.diff))
    }
}

/// Nets rows: sorts them, adds up equal ones and drops those that cancel out.
///
/// The rows of a batch of events may come and go several times; what is left is the difference between the states before
/// and after the batch. `O(n log n)`.
pub fn consolidate(rows: &mut Vec<OwnedRow>) {
    rows.sort_unstable();
    rows.dedup_by(|next, kept| {
        let same = next.0 == kept.0 && next.1 == kept.1;
        if same {
            kept.2 += next.2;
        }
        same
    });
    rows.retain(|row| row.2 != 0);
}
