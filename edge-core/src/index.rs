//! Which destinations each EdgePlacement has, kept up to date event by event.
//!
//! ```text
//!  SyncTarget ──labels──► selectors of its cluster ──► groups ──► Locations ──► pairs ──► EdgePlacements
//!  Location ──labels──► clauses (locationSelectors) ──► EdgePlacements that select it
//! ```
//!
//! * A **group** is a set of SyncTargets that an `instanceSelector` matches, ordered by name hash. Locations of one
//!   cluster with equal selectors share a group.
//! * A **clause** is a `locationSelector`; equal ones of all EdgePlacements are one clause.
//! * A **pair** says that an EdgePlacement selects a Location. The destinations of an EdgePlacement are the members of
//!   its pairs' groups. **No row per destination is ever stored**: 27 million of them cost nothing, and adding an
//!   EdgePlacement is work in the number of its Locations, not of its destinations.
//!
//! [`Index::apply`] does work in proportion to what changes in the output (see [`crate::delta`]); finding out that nothing
//! changed costs a few table look-ups.
//!
//! **What cannot be resolved stays as it was.** A Location whose selector is invalid is *frozen*: its pairs keep a copy
//! of the group that they had, out of which SyncTargets leave but which none joins. An invalid EdgePlacement is *held*: the
//! index has no destinations for it, and those that are published stay.
//!
//! **Deletes free everything.** What an event removed stays readable until the next event, since the delta refers to it;
//! then it goes.

mod anchors;
mod clusters;
mod directory;
mod frozen;
mod groups;
mod heads;
mod holders;
mod locations;
mod matcher;
mod placements;
mod postings;
mod query;
mod rules;
mod sync_targets;
mod validate;
mod why;

pub use query::{Counts, DestinationRef, LocationRef};
pub use why::{ClauseWhy, LocationWhy, PlacementWhy, RequirementWhy, SelectorWhy, SyncTargetWhy, Why};

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hashbrown::HashMap;

use crate::delta::{Change, Delta, OwnedRow, consolidate};
use crate::event::{Event, batch, gather};
use crate::id::{ClusterId, Column, GroupId, LocationId, PlacementId, SelectorId, SyncTargetId, Table};
use crate::leaves::Leaves;
use crate::order::{Hashed, NameHash};
use crate::selector::Invalid;
use clusters::Clusters;
use directory::{Directory, Keyed};
use groups::Group;
use heads::LocationHead;
use matcher::{Matcher, Moves, Scope};

/// All EdgePlacements select among the Locations of all clusters.
const ALL_LOCATIONS: Scope = 0;

/// A SyncTarget.
#[derive(Debug)]
pub(crate) struct SyncTargetEntry {
    pub(crate) cluster: ClusterId,
    pub(crate) hash: u64,
    /// Where the UID begins.
    uid_at: u32,
    /// Name and UID, one after the other: what a hundred thousand of are kept of had better be one piece.
    texts: Box<str>,
}

impl SyncTargetEntry {
    fn new(cluster: ClusterId, hash: u64, name: &str, uid: &str) -> Self {
        let uid_at = u32::try_from(name.len()).unwrap_or(u32::MAX);
        Self { cluster, hash, uid_at, texts: [name, uid].concat().into() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.texts[..self.uid_at as usize]
    }

    pub(crate) fn uid(&self) -> &str {
        &self.texts[self.uid_at as usize..]
    }
}

/// A Location.
#[derive(Debug)]
pub(crate) struct LocationEntry {
    pub(crate) cluster: ClusterId,
    pub(crate) name: Box<str>,
    pub(crate) hash: u64,
    /// Who holds it; sorted by EdgePlacement.
    pub(crate) pairs: Vec<PlacementId>,
    /// The SyncTargets that it holds; `None` for none, and while frozen.
    group: Option<GroupId>,
    frozen: Option<Box<Frozen>>,
}

impl LocationEntry {
    /// Where an EdgePlacement stands among the pairs, or would. The latest one is mostly the last.
    fn pair_at(&self, placement: PlacementId) -> Result<usize, usize> {
        match self.pairs.last() {
            Some(&last) if last < placement => Err(self.pairs.len()),
            Some(&last) if last == placement => Ok(self.pairs.len() - 1),
            _ => self.pairs.binary_search(&placement),
        }
    }
}

/// A Location that cannot be resolved.
#[derive(Debug)]
struct Frozen {
    invalid: Invalid,
    /// What each pair had when the Location became invalid. A pair that is not here came later and has nothing.
    kept: BTreeMap<PlacementId, GroupId>,
}

/// An EdgePlacement.
#[derive(Debug)]
pub(crate) struct PlacementEntry {
    pub(crate) cluster: ClusterId,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
    pub(crate) generation: i64,
    pub(crate) state: PlacementState,
    /// Its `locationSelectors`, sorted; empty unless it is active.
    clauses: Box<[SelectorId]>,
    /// How many Locations it selects.
    pub(crate) selected: usize,
    /// Those that hold something for it, in the order of [`crate::order`].
    pub(crate) occupied: Leaves<LocationId>,
}

/// Whether the destinations of an EdgePlacement are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlacementState {
    /// They are.
    Active,
    /// They are not, since it is invalid: what is published stays.
    Held(Invalid),
    /// It is being deleted: nothing is written for it any more.
    Deleting,
}

/// What holds a Location.
#[derive(Debug, Default)]
struct Clause {
    placements: Vec<PlacementId>,
}

/// The incremental index. See the [module](self) for how it works.
#[derive(Debug, Default)]
pub struct Index {
    hash: NameHash,
    clusters: Clusters,
    pub(crate) sync_targets: Directory<SyncTargetId, SyncTargetEntry>,
    /// The upper half of each name's hash.
    sync_target_heads: Column<SyncTargetId, u32>,
    pub(crate) locations: Directory<LocationId, LocationEntry>,
    location_heads: Column<LocationId, LocationHead>,
    pub(crate) placements: Directory<PlacementId, PlacementEntry>,
    groups: Table<GroupId, Group>,
    /// `instanceSelector`s against SyncTargets; the payload is the selector's group.
    instance_selectors: Matcher<SyncTargetId, Option<GroupId>>,
    /// `locationSelectors` against Locations.
    location_selectors: Matcher<LocationId, Clause>,
    /// Frozen Locations by cluster: SyncTargets leave them too.
    frozen: HashMap<ClusterId, Vec<LocationId>>,
    /// Locations whose labels cannot be read: only published slices can say who selects them.
    unlabelled: Vec<LocationId>,
    /// SyncTargets whose labels cannot be read, in the groups that published slices say they are in.
    vouched: HashMap<SyncTargetId, Vec<GroupId>>,
    /// How many SyncTargets have no known UID.
    unknown_uids: usize,
    /// What the last event did, and what it removed.
    pub(crate) changes: Vec<Change>,
    retired: Retired,
    moves: Moves,
}

/// What the last event removed; freed when the next one begins.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    sync_target: Option<SyncTargetId>,
    location: Option<LocationId>,
    placement: Option<PlacementId>,
    groups: Vec<GroupId>,
    /// The UID that the SyncTarget of the event had before.
    pub(crate) old_uid: Option<Box<str>>,
}

impl Retired {
    fn is_empty(&self) -> bool {
        let Self { sync_target, location, placement, groups, old_uid } = self;
        sync_target.is_none() && location.is_none() && placement.is_none() && groups.is_empty() && old_uid.is_none()
    }
}

impl Index {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty index that orders names by another hash than the published one: for tests that force collisions.
    #[doc(hidden)]
    #[must_use]
    pub fn with_hash(hash: fn(&str) -> u64) -> Self {
        Self { hash: NameHash::new(hash), ..Self::default() }
    }

    /// Takes in one event and tells what it changed.
    ///
    /// A deletion of what does not exist and an upsert that changes nothing give an empty delta. Cost: see the
    /// [module](self).
    #[must_use = "the delta is what downstream state has to follow"]
    pub fn apply(&mut self, event: &Event) -> Delta<'_> {
        self.begin();
        let subject = match event {
            Event::SyncTarget(key, record) => self.apply_sync_target(key, record.as_ref()),
            Event::Location(key, record) => {
                self.apply_location(key, record.as_ref());
                None
            }
            Event::EdgePlacement(key, record) => {
                self.apply_placement(key, record.as_ref());
                None
            }
        };
        Delta::new(self, subject)
    }

    /// Takes in many events as one change and tells which destinations came and went, netted.
    ///
    /// [`batch`] says in which order they are applied. Cost: as for each of them, and `O(n log n)` in the rows.
    #[must_use = "the delta is what downstream state has to follow"]
    pub fn apply_batch<'e>(&mut self, events: impl IntoIterator<Item = &'e Event>) -> Vec<OwnedRow> {
        let mut rows = Vec::new();
        let mut batch = batch(events);
        self.prepare(&mut batch);
        for event in batch {
            rows.extend(self.apply(event).rows().map(OwnedRow::from));
        }
        consolidate(&mut rows);
        rows
    }

    /// Makes room for a start, which is one large batch: tables that grow while it is taken in end up larger than need be.
    /// Later batches are brought into an order in which they are quicker.
    pub(crate) fn prepare(&mut self, batch: &mut [&Event]) {
        if self.sync_targets.rows() > 0 {
            return gather(batch);
        }
        let count = batch.iter().filter(|event| matches!(event, Event::SyncTarget(_, Some(_)))).count();
        self.sync_targets.reserve(count);
        self.sync_target_heads.reserve(count);
        self.instance_selectors.reserve_items(count);
    }

    /// Frees what the last event removed.
    fn begin(&mut self) {
        self.changes.clear();
        if self.retired.is_empty() {
            return;
        }
        let retired = core::mem::take(&mut self.retired);
        for group in retired.groups {
            self.groups.remove(group);
        }
        if let Some(id) = retired.sync_target {
            let entry = self.sync_targets.free(id);
            self.sync_targets.trim(&mut self.sync_target_heads);
            self.clusters.release(entry.cluster);
        }
        if let Some(id) = retired.location {
            let entry = self.locations.free(id);
            self.locations.trim(&mut self.location_heads);
            self.clusters.release(entry.cluster);
        }
        if let Some(id) = retired.placement {
            let entry = self.placements.free(id);
            self.clusters.release(entry.cluster);
        }
    }

    pub(crate) fn name_hash(&self) -> NameHash {
        self.hash
    }

    pub(crate) fn cluster(&self, id: ClusterId) -> Hashed<'_> {
        self.clusters.name(id)
    }

    /// The members of the group of a pair; `None` for none.
    pub(crate) fn group_of(&self, placement: PlacementId, location: LocationId) -> Option<GroupId> {
        let location = &self.locations[location];
        match &location.frozen {
            Some(frozen) => frozen.kept.get(&placement).copied(),
            None => location.group,
        }
    }

    pub(crate) fn members(&self, group: GroupId) -> &Leaves<SyncTargetId> {
        &self.groups[group].members
    }

    /// How many destinations a pair stands for.
    pub(crate) fn pair_len(&self, placement: PlacementId, location: LocationId) -> usize {
        self.group_of(placement, location).map_or(0, |group| self.groups[group].members.len())
    }
}

pub(crate) fn hashed(entry: &SyncTargetEntry) -> Hashed<'_> {
    Hashed::new(entry.hash, entry.name())
}

impl Keyed for SyncTargetEntry {
    fn cluster(&self) -> ClusterId {
        self.cluster
    }
    fn name(&self) -> &str {
        self.name()
    }
}

macro_rules! keyed {
    ($($entry:ty)*) => {$(
        impl Keyed for $entry {
            fn cluster(&self) -> ClusterId {
                self.cluster
            }
            fn name(&self) -> &str {
                &self.name
            }
        }
    )*};
}
keyed!(LocationEntry PlacementEntry);
