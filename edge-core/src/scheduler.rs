//! Index and slices together: from events to writes.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use crate::delta::{Delta, IdRow};
use crate::event::{Event, batch};
use crate::id::PlacementId;
use crate::index::Index;
use crate::object::{ObjectKey, SinglePlacementSlice};
use crate::selector::FieldError;
use crate::slices::{DEFAULT_DESTINATIONS_PER_SLICE, MAX_DESTINATIONS_PER_SLICE, Published, Settled, Slices, Write};

/// Settings of a [`Scheduler`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    max_destinations_per_slice: usize,
}

impl Default for Options {
    /// Slices of at most [`DEFAULT_DESTINATIONS_PER_SLICE`] destinations.
    fn default() -> Self {
        Self { max_destinations_per_slice: DEFAULT_DESTINATIONS_PER_SLICE }
    }
}

impl Options {
    /// Sets how many destinations a slice may hold: fewer make smaller writes, more make fewer objects.
    ///
    /// # Errors
    ///
    /// If it is not from 1 to [`MAX_DESTINATIONS_PER_SLICE`].
    pub fn with_max_destinations_per_slice(mut self, max: usize) -> Result<Self, FieldError> {
        if !(1..=MAX_DESTINATIONS_PER_SLICE).contains(&max) {
            return Err(FieldError {
                path: "maxDestinationsPerSlice".into(),
                reason: format!("Invalid value: {max}: must be from 1 to {MAX_DESTINATIONS_PER_SLICE}"),
            });
        }
        self.max_destinations_per_slice = max;
        Ok(self)
    }

    /// How many destinations a slice may hold.
    #[must_use]
    pub fn max_destinations_per_slice(&self) -> usize {
        self.max_destinations_per_slice
    }
}

/// Keeps the SinglePlacementSlices of all EdgePlacements in mind, without I/O.
///
/// Events go in one by one ([`Self::apply`]) or in batches ([`Self::apply_batch`]); [`Self::plan`] then lays out what
/// changed and tells the writes.
///
/// ```
/// use edge_core::event::Event;
/// use edge_core::object::{EdgePlacement, LabelSelector, ObjectKey};
/// use edge_core::scheduler::{Options, Scheduler};
/// use edge_core::slices::{Published, Verb};
///
/// let mut everywhere = EdgePlacement::default();
/// everywhere.spec.location_selectors.push(LabelSelector::default());
///
/// let mut scheduler = Scheduler::new(Options::default());
/// scheduler.apply_batch(&[Event::edge_placement(ObjectKey::new("ws1", "all2all"), everywhere)]);
/// let writes = scheduler.plan(&Published::default());
/// assert_eq!(writes[0].verb, Verb::Create); // no destination yet, but the first slice always exists
/// assert_eq!(writes[0].key.to_string(), "ws1/all2all");
/// ```
#[derive(Debug)]
pub struct Scheduler {
    index: Index,
    slices: Slices,
}

impl Scheduler {
    /// A scheduler that knows of no object yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { index: Index::new(), slices: Slices::new(options.max_destinations_per_slice) }
    }

    /// One that orders names by another hash than the published one: for tests that force collisions.
    #[doc(hidden)]
    #[must_use]
    pub fn with_hash(options: Options, hash: fn(&str) -> u64) -> Self {
        Self { index: Index::with_hash(hash), slices: Slices::new(options.max_destinations_per_slice) }
    }

    /// Takes in one event and tells what it changed. See [`Index::apply`] for the cost; each pair that changes adds the
    /// update of one count.
    #[must_use = "the delta is what downstream state has to follow"]
    pub fn apply(&mut self, event: &Event) -> Delta<'_> {
        let subject = self.index.apply(event).subject();
        self.slices.follow(&self.index);
        Delta::new(&self.index, subject)
    }

    /// Takes in many events as one change.
    ///
    /// [`batch`] says in which order. A start with a hundred thousand objects is one batch. For the delta of a batch see
    /// [`Index::apply_batch`].
    pub fn apply_batch<'e>(&mut self, events: impl IntoIterator<Item = &'e Event>) {
        let mut batch = batch(events);
        self.index.prepare(&mut batch);
        for event in batch {
            let _ = self.apply(event);
        }
    }

    /// Lays out what has changed: new EdgePlacements adopt their published slices, slices that are too full are split and
    /// slices that are too empty merged, and names that strangers took or gave back are followed.
    ///
    /// What cannot be resolved takes what it keeps from the published slices, when an EdgePlacement is new or valid
    /// again; these destinations are in no delta. Does nothing where nothing has changed. Cost: in the slices that changed
    /// and the objects of others, and `O(destinations)` for each new EdgePlacement with published slices.
    pub fn settle(&mut self, published: &Published) {
        self.slices.look_at_names(published);
        self.lay_out(published, &BTreeSet::new());
        self.slices.forget_touched();
    }

    /// [`Self::settle`], leaving some EdgePlacements for later; tells what it did.
    pub(crate) fn settle_but(&mut self, published: &Published, skip: &BTreeSet<PlacementId>) -> Settled {
        let (restored, laid_out) = self.lay_out(published, skip);
        let (touched, left) = self.slices.take_touched();
        Settled { touched, left, laid_out, restored }
    }

    fn lay_out(&mut self, published: &Published, skip: &BTreeSet<PlacementId>) -> (Vec<IdRow>, Vec<PlacementId>) {
        let mut restored = Vec::new();
        if self.index.has_unresolved() {
            for (placement, id) in self.slices.unsettled(&self.index) {
                if !skip.contains(&id) {
                    let destinations = published.slices_of(&placement).flat_map(|(_, slice)| &slice.destinations);
                    let rows = self.index.restore(&placement, destinations).id_rows();
                    restored.extend(rows.filter(|row| self.slices.is_laid_out(row.placement)));
                    self.slices.follow(&self.index);
                }
            }
        }
        (restored, self.slices.settle(&self.index, published, skip))
    }

    /// Forgets how destinations were cut: what is published will tell.
    pub(crate) fn forget_layouts(&mut self) {
        self.slices.forget(&self.index);
    }

    pub(crate) fn slices(&self) -> &Slices {
        &self.slices
    }

    /// The writes that make the published slices what they should be, in an order that is safe one by one; none if they
    /// are. Settles first. `O(destinations)`.
    #[must_use]
    pub fn plan(&mut self, published: &Published) -> Vec<Write> {
        self.writes(published).collect()
    }

    /// [`Self::plan`] write by write: they are made as they are taken, those of one EdgePlacement at a time.
    pub fn writes<'a>(&'a mut self, published: &'a Published) -> impl Iterator<Item = Write> + 'a {
        self.settle(published);
        self.slices.plan(&self.index, published)
    }

    /// The slices of an EdgePlacement as [`Self::plan`]'s writes leave them, by name; none if it does not exist. Tells
    /// what the last [`Self::settle`] laid out, so it wants one with the same published slices. `O(destinations)`.
    ///
    /// Those that are being deleted or invalid keep what they have published.
    #[must_use]
    pub fn resolve(&self, published: &Published, placement: &ObjectKey) -> Vec<SinglePlacementSlice> {
        match self.index.find_placement(placement) {
            Some(id) => self.slices.resolve(&self.index, published, placement.clone(), id),
            None => Vec::new(),
        }
    }

    /// The EdgePlacements that exist, by cluster and name.
    pub fn placements(&self) -> impl Iterator<Item = ObjectKey> {
        self.index.sorted_placements().into_iter().map(|(key, _)| key)
    }

    /// The index.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// How many slices an EdgePlacement has; 0 if it does not exist or its destinations are not known.
    #[must_use]
    pub fn slice_count(&self, placement: &ObjectKey) -> usize {
        self.index.find_placement(placement).map_or(0, |id| self.slices.count(id))
    }

    /// Whether an object that is not ours has the name of the EdgePlacement's first slice.
    #[must_use]
    pub fn has_slice_conflict(&self, placement: &ObjectKey) -> bool {
        self.index.find_placement(placement).is_some_and(|id| self.slices.is_displaced(id))
    }

    /// Panics if an invariant is broken. Everything has to be settled. `O(everything)`; for tests and fuzzing.
    #[doc(hidden)]
    pub fn internal_validate(&self) {
        self.index.internal_validate();
        self.slices.internal_validate(&self.index);
    }
}
