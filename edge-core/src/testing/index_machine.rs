//! Runs a script on an [`Index`] and compares it with the [`Oracle`] after every event.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Change, Op, Oracle, Script, Wanted, shuffle};
use crate::delta::{OwnedRow, consolidate};
use crate::event::{Event, Holds};
use crate::index::{ClauseWhy, DestinationRef, Index, LocationWhy, PlacementWhy, SelectorWhy, SyncTargetWhy};
use crate::object::{Destination, Kind, ObjectKey};
use crate::selector::Labels;

type Rows = BTreeMap<ObjectKey, BTreeSet<Destination>>;

/// An index, its oracle, and the destinations that slices would name.
#[derive(Debug)]
pub struct IndexMachine {
    hash: Option<fn(&str) -> u64>,
    index: Index,
    oracle: Oracle,
    /// What is published for each EdgePlacement that exists: its destinations, as long as they are known.
    published: Rows,
    steps: usize,
    /// The labels of the Location of the last event before that event.
    labels_before: Option<Labels>,
}

impl IndexMachine {
    /// Without objects; `hash` replaces the published order of names.
    #[must_use]
    pub fn new(hash: Option<fn(&str) -> u64>) -> Self {
        let index = hash.map_or_else(Index::new, Index::with_hash);
        Self { hash, index, oracle: Oracle::default(), published: Rows::new(), steps: 0, labels_before: None }
    }

    /// Runs the whole script, then deletes every object and checks that nothing is left.
    pub fn run(hash: Option<fn(&str) -> u64>, script: &Script) {
        let mut machine = Self::new(hash);
        for change in &script.start {
            machine.apply(&change.event());
        }
        for op in &script.ops {
            machine.step(op);
        }
        machine.clear(script.ops.len());
    }

    /// The index.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The oracle.
    #[must_use]
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// One step of a script.
    pub fn step(&mut self, op: &Op) {
        match op {
            Op::Apply(change) => {
                self.apply(&change.event());
            }
            Op::Batch(changes) | Op::Interrupted { changes, .. } => self.batch(changes),
            Op::Restart { seed, meanwhile, .. } => self.restart(usize::from(*seed), meanwhile),
            // Without slices there are no strangers.
            Op::Strangers { .. } | Op::Usurp { .. } | Op::Abdicate { .. } => {}
        }
    }

    /// The rows of several events, netted, are the difference between the states before and after.
    fn batch(&mut self, changes: &[Change]) {
        let before = self.known_rows();
        let mut always_known: BTreeSet<ObjectKey> = before.keys().cloned().collect();
        let mut net = Vec::new();
        for change in changes {
            net.extend(self.apply(&change.event()));
            let known = self.known_rows();
            always_known.retain(|key| known.contains_key(key));
        }
        let after = self.known_rows();
        net.retain(|row| always_known.contains(&row.0));
        consolidate(&mut net);
        let expected = difference(&before, &after, &always_known);
        assert_eq!(net, expected, "rows of a batch");
    }

    /// Applies one event; returns its rows.
    pub fn apply(&mut self, event: &Event) -> Vec<OwnedRow> {
        if self.is_unknowable(event) {
            return Vec::new();
        }
        self.steps += 1;
        let nothing_new = self.oracle.knows(event);
        let before = self.known_rows();
        let location = |(key, ..): &(&ObjectKey, _, _)| event.kind() == Kind::Location && *key == event.key();
        self.labels_before = self.oracle.locations().find(location).and_then(|(.., labels)| labels.cloned());
        self.oracle.apply(event);
        let wanted = self.wanted();

        let delta = self.index.apply(event);
        let is_empty = delta.is_empty();
        let mut rows: Vec<OwnedRow> = delta.rows().map(Into::into).collect();
        assert!(!nothing_new || is_empty, "nothing new is an empty delta");
        assert!(!is_empty || rows.is_empty(), "an empty delta has no rows");
        self.index.internal_validate();
        // An EdgePlacement that was not known to the index before needs what its slices say.
        for key in wanted.keys().filter(|key| !before.contains_key(key)) {
            rows.extend(restore(&mut self.index, key, self.published.get(key)));
            self.index.internal_validate();
        }
        self.check_rows(&before, &wanted, &rows);
        if self.is_same_location(event) {
            assert!(is_empty || !rows.is_empty(), "a Location that holds the same as before is an empty delta");
        }
        self.publish(wanted);
        for (key, rows) in &self.published {
            assert_eq!(restore(&mut self.index, key, Some(rows)), [], "what is known needs no restoring");
        }
        self.check_queries();
        rows
    }

    /// A SyncTarget whose labels nobody ever knew is not in the oracle's scope.
    fn is_unknowable(&self, event: &Event) -> bool {
        let Event::SyncTarget(key, Some(record)) = event else { return false };
        record.labels.is_none() && !self.oracle.sync_targets().any(|(have, ..)| have == key)
    }

    /// Whether an event, which the oracle knows already, left the labels of a Location as they were.
    fn is_same_location(&self, event: &Event) -> bool {
        let Event::Location(key, Some(_)) = event else { return false };
        let labels = self.oracle.locations().find(|(have, ..)| *have == key).and_then(|(.., labels)| labels);
        labels.is_some() && labels == self.labels_before.as_ref()
    }

    fn restart(&mut self, seed: usize, meanwhile: &[Change]) {
        self.make_readable();
        for change in meanwhile {
            let event = change.event();
            if !self.is_unknowable(&event) {
                self.oracle.apply(&event);
            }
        }
        self.make_readable();
        self.oracle.restart();
        let wanted = self.wanted();
        self.index = self.hash.map_or_else(Index::new, Index::with_hash);
        let mut events = self.oracle.events();
        shuffle(&mut events, seed);
        for event in &events {
            let _ = self.index.apply(event);
        }
        let mut placements: Vec<&ObjectKey> = wanted.keys().collect();
        shuffle(&mut placements, seed);
        let mut rows: Vec<OwnedRow> = Vec::new();
        for key in placements {
            let known: Vec<Destination> = self.index.destinations(key).unwrap().map(Into::into).collect();
            rows.extend(known.into_iter().map(|row| (key.clone(), row, 1)));
            rows.extend(restore(&mut self.index, key, self.published.get(key)));
        }
        self.index.internal_validate();
        self.check_rows(&Rows::new(), &wanted, &rows);
        self.publish(wanted);
        self.check_queries();
    }

    /// Labels of SyncTargets become readable before a restart forgets them.
    fn make_readable(&mut self) {
        let garbled = self.oracle.sync_targets().filter(|(_, record, _)| record.labels.is_none());
        let readable: Vec<Event> = garbled
            .map(|(key, record, labels)| {
                let mut record = record.clone();
                record.labels = labels.cloned();
                Event::SyncTarget(key.clone(), Some(record))
            })
            .collect();
        readable.iter().for_each(|event| self.oracle.apply(event));
    }

    /// The destinations of the EdgePlacements for which they are known.
    fn wanted(&self) -> Rows {
        let published = |key: &ObjectKey| self.published.get(key).into_iter().flatten().cloned().collect();
        let rows = |(key, wanted)| match wanted {
            Wanted::Rows(rows) => Some((key, rows)),
            Wanted::AsPublished => None,
        };
        self.oracle.wanted(&published).into_iter().filter_map(rows).collect()
    }

    /// What the index said last.
    fn known_rows(&self) -> Rows {
        let known = |(key, _): &(&ObjectKey, _)| self.oracle.selected(key, &[]).is_some();
        self.published.iter().filter(known).map(|(key, rows)| (key.clone(), rows.clone())).collect()
    }

    fn publish(&mut self, wanted: Rows) {
        self.published.extend(wanted);
        self.published.retain(|key, _| self.oracle.placements().any(|(have, _)| have == key));
    }

    // === What must hold ===

    fn check_rows(&self, before: &Rows, after: &Rows, rows: &[OwnedRow]) {
        for (key, _) in self.oracle.placements() {
            let rows = self.index.destinations(key).map(|rows| rows.map(Destination::from).collect::<Vec<_>>());
            assert_eq!(
                rows.as_ref().map(|rows| rows.iter().cloned().collect()),
                after.get(key).cloned(),
                "destinations of {key}"
            );
            assert_eq!(rows.map(|rows| rows.len()), after.get(key).map(BTreeSet::len), "no destination twice");
        }
        let mut rows = rows.to_vec();
        consolidate(&mut rows);
        // One whose destinations stay as published has no rows; one that is gone loses its own.
        let suspended =
            |key: &&ObjectKey| !after.contains_key(*key) && self.oracle.placements().any(|(have, _)| have == *key);
        let mut concerned: BTreeSet<ObjectKey> = before.keys().filter(|key| !suspended(key)).cloned().collect();
        concerned.extend(after.keys().cloned());
        assert_eq!(rows, difference(before, after, &concerned), "rows of the delta");
    }

    fn check_queries(&self) {
        let mut pairs = 0;
        for (key, record) in self.oracle.placements() {
            let published: Vec<Destination> = self.published.get(key).into_iter().flatten().cloned().collect();
            let selected = self.oracle.selected(key, &published);
            let locations = self.index.locations(key);
            assert_eq!(locations.is_some(), selected.is_some());
            assert_eq!(self.index.destination_count(key), selected.is_some().then_some(published.len()));
            assert_eq!(self.index.location_count(key), locations.as_ref().map(Vec::len));
            let held = record.selectors.as_ref().err().filter(|_| !record.deleting);
            assert_eq!(self.index.held(key), held);
            for location in locations.into_iter().flatten() {
                let name = ObjectKey::new(location.cluster, location.name);
                pairs += 1;
                let of_location = |row: &&Destination| row.cluster == name.cluster && row.location_name == name.name;
                assert_eq!(location.sync_targets, published.iter().filter(of_location).count());
                let (_, record, labels) = self.oracle.locations().find(|(key, ..)| **key == name).unwrap();
                assert_eq!(location.invalid, record.holds.as_ref().err());
                // Whether one without labels is still selected once nothing is published through it does not matter.
                assert!(labels.is_none() || selected.as_ref().unwrap().contains(&name), "{key} selects {name}");
            }
            for location in selected.into_iter().flatten() {
                let found = self
                    .index
                    .locations(key)
                    .unwrap()
                    .iter()
                    .any(|l| (l.cluster, l.name) == (&*location.cluster, &*location.name));
                assert!(found, "{key} selects {location}");
            }
        }
        let counts = self.index.counts();
        let (sync_targets, locations) = (self.oracle.sync_targets().count(), self.oracle.locations().count());
        assert_eq!((counts.sync_targets, counts.locations, counts.pairs), (sync_targets, locations, pairs));
        assert_eq!(counts.placements, self.oracle.placements().count());
        if self.steps.is_multiple_of(8) {
            self.check_why();
        }
    }

    /// The questions about single objects, for all of them.
    fn check_why(&self) {
        let known = self.known_rows();
        let mut placements_of: BTreeMap<&ObjectKey, Vec<(ObjectKey, ObjectKey)>> = BTreeMap::new();
        for (placement, _) in self.oracle.placements() {
            let rows = known.get(placement);
            for (location, ..) in self.oracle.locations() {
                let selected = self.check_why_selected(placement, location);
                for (sync_target, record, labels) in self.oracle.sync_targets() {
                    let destination = Destination {
                        cluster: location.cluster.clone(),
                        location_name: location.name.clone(),
                        sync_target_name: sync_target.name.clone(),
                        sync_target_uid: record.uid.clone(),
                    };
                    let same_cluster = location.cluster == sync_target.cluster;
                    let is_destination = same_cluster && rows.is_some_and(|rows| rows.contains(&destination));
                    let why = self.index.why(placement, location, sync_target).unwrap();
                    assert_eq!(why.is_destination, is_destination, "{placement} {location} {sync_target}");
                    assert_eq!(Some(&why.location), selected.as_ref());
                    assert_eq!(why.placement, self.placement_why(placement));
                    let selector = self.selector_why(location, labels);
                    if let SelectorWhy::Clause(clause) = &selector {
                        assert_eq!(clause.matches && same_cluster && why.location.selected, is_destination);
                    }
                    assert_eq!(
                        why.sync_target,
                        SyncTargetWhy { same_cluster, labels_known: labels.is_some(), selector }
                    );
                    if is_destination {
                        placements_of.entry(sync_target).or_default().push((placement.clone(), location.clone()));
                    }
                }
            }
        }
        for (sync_target, ..) in self.oracle.sync_targets() {
            assert_eq!(self.index.placements_of(sync_target), placements_of.remove(sync_target).unwrap_or_default());
        }
    }

    fn check_why_selected(&self, placement: &ObjectKey, location: &ObjectKey) -> Option<LocationWhy> {
        let why = self.index.why_selected(placement, location);
        let (_, record) = self.oracle.placements().find(|(key, _)| *key == placement)?;
        let (.., labels) = self.oracle.locations().find(|(key, ..)| *key == location)?;
        let selectors = record.selectors.iter().flatten().filter(|_| !record.deleting);
        let consistent = selectors.filter(|selector| selector.contradiction().is_none());
        let evaluate = |selector| ClauseWhy::evaluate(selector, labels.unwrap_or(&Labels::default()));
        let clauses: BTreeSet<ClauseWhy> = consistent.map(evaluate).collect();
        let selected = match labels {
            Some(_) => clauses.iter().any(|clause| clause.matches),
            // What its slices said.
            None => why.as_ref()?.selected,
        };
        let expected = LocationWhy { selected, labels_known: labels.is_some(), clauses: clauses.into_iter().collect() };
        assert_eq!(why.as_ref(), Some(&expected), "{placement} {location}");
        why
    }

    fn placement_why(&self, placement: &ObjectKey) -> PlacementWhy {
        let (_, record) = self.oracle.placements().find(|(key, _)| *key == placement).unwrap();
        match &record.selectors {
            _ if record.deleting => PlacementWhy::Deleting,
            Err(invalid) => PlacementWhy::Invalid(invalid.clone()),
            Ok(_) => PlacementWhy::Active,
        }
    }

    fn selector_why(&self, location: &ObjectKey, labels: Option<&Labels>) -> SelectorWhy {
        let (_, record, _) = self.oracle.locations().find(|(key, ..)| *key == location).unwrap();
        match &record.holds {
            Err(invalid) => SelectorWhy::Frozen(invalid.clone()),
            Ok(Holds::Matching(selector)) if selector.contradiction().is_none() => {
                SelectorWhy::Clause(ClauseWhy::evaluate(selector, labels.unwrap_or(&Labels::default())))
            }
            Ok(_) => SelectorWhy::Nothing,
        }
    }

    /// Deletes everything, in an order that depends on `seed`: nothing may be left.
    pub fn clear(&mut self, seed: usize) {
        let mut events = self.oracle.events();
        shuffle(&mut events, seed);
        for event in events {
            self.apply(&match event {
                Event::SyncTarget(key, _) => Event::SyncTarget(key, None),
                Event::Location(key, _) => Event::Location(key, None),
                Event::EdgePlacement(key, _) => Event::EdgePlacement(key, None),
            });
        }
        assert!(self.index.internal_is_empty(), "deletes free everything");
    }

    /// The destinations of an EdgePlacement in the index's order.
    #[must_use]
    pub fn in_order(&self, placement: &ObjectKey) -> Vec<Destination> {
        self.index.destinations(placement).into_iter().flatten().map(|row: DestinationRef<'_>| row.into()).collect()
    }
}

/// Tells the index what is published, everything twice, as while slices change places.
fn restore(index: &mut Index, placement: &ObjectKey, published: Option<&BTreeSet<Destination>>) -> Vec<OwnedRow> {
    let published = published.into_iter().flatten();
    index.restore(placement, published.clone().chain(published)).rows().map(OwnedRow::from).collect()
}

/// The rows that lead from one state to the other, for some EdgePlacements.
fn difference(before: &Rows, after: &Rows, placements: &BTreeSet<ObjectKey>) -> Vec<OwnedRow> {
    let none = BTreeSet::new();
    let mut rows = Vec::new();
    for key in placements {
        let (old, new) = (before.get(key).unwrap_or(&none), after.get(key).unwrap_or(&none));
        rows.extend(old.difference(new).map(|row| (key.clone(), row.clone(), -1)));
        rows.extend(new.difference(old).map(|row| (key.clone(), row.clone(), 1)));
    }
    rows.sort();
    rows
}
