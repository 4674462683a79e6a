//! Which destinations each EdgePlacement has, by the rules alone: brute force over all objects.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::event::{EdgePlacementRecord, Event, Holds, LocationRecord, SyncTargetRecord};
use crate::object::{Destination, ObjectKey};
use crate::selector::{Labels, Selector};

/// The destinations that an EdgePlacement shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Exactly these.
    Rows(BTreeSet<Destination>),
    /// Those that its slices name, since it is invalid or being deleted.
    AsPublished,
}

/// The objects that exist. See [`Oracle::wanted`].
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    sync_targets: BTreeMap<ObjectKey, (SyncTargetRecord, Option<Labels>)>,
    locations: BTreeMap<ObjectKey, (LocationRecord, Option<Labels>)>,
    placements: BTreeMap<ObjectKey, EdgePlacementRecord>,
}

impl Oracle {
    /// Takes in one event. Labels that cannot be read stay as they were.
    pub fn apply(&mut self, event: &Event) {
        match event.clone() {
            Event::SyncTarget(key, Some(record)) => {
                let known = record.labels.clone().or_else(|| self.sync_targets.remove(&key)?.1);
                self.sync_targets.insert(key, (record, known));
            }
            Event::Location(key, Some(record)) => {
                let known = record.labels.clone().or_else(|| self.locations.remove(&key)?.1);
                self.locations.insert(key, (record, known));
            }
            Event::EdgePlacement(key, Some(record)) => drop(self.placements.insert(key, record)),
            Event::SyncTarget(key, None) => drop(self.sync_targets.remove(&key)),
            Event::Location(key, None) => drop(self.locations.remove(&key)),
            Event::EdgePlacement(key, None) => drop(self.placements.remove(&key)),
        }
    }

    /// What every EdgePlacement shall have, given what its own slices named before the objects changed.
    pub fn wanted(&self, published: &dyn Fn(&ObjectKey) -> Vec<Destination>) -> BTreeMap<ObjectKey, Wanted> {
        let wanted = |key: &ObjectKey| self.selected(key, &published(key)).map(|locations| (locations, published(key)));
        self.placements
            .keys()
            .map(|key| match wanted(key) {
                None => (key.clone(), Wanted::AsPublished),
                Some((locations, published)) => {
                    let rows = locations.iter().flat_map(|location| self.held(location, &published)).collect();
                    (key.clone(), Wanted::Rows(rows))
                }
            })
            .collect()
    }

    /// The Locations that an EdgePlacement selects; `None` if it is invalid or being deleted.
    pub fn selected(&self, placement: &ObjectKey, published: &[Destination]) -> Option<BTreeSet<ObjectKey>> {
        let placement = self.placements.get(placement)?;
        let selectors = placement.selectors.as_ref().ok().filter(|_| !placement.deleting)?;
        let names = |key: &ObjectKey, row: &Destination| row.cluster == key.cluster && row.location_name == key.name;
        let selects = |(key, (_, labels)): &(&ObjectKey, &(LocationRecord, Option<Labels>))| match labels {
            Some(labels) => selectors.iter().any(|selector: &Selector| selector.matches(labels)),
            // Nobody ever knew its labels: only the slices can tell.
            None => published.iter().any(|row| names(key, row)),
        };
        Some(self.locations.iter().filter(selects).map(|(key, _)| key.clone()).collect())
    }

    /// The destinations through one Location.
    pub(super) fn held(&self, location: &ObjectKey, published: &[Destination]) -> Vec<Destination> {
        let row = |(key, (sync_target, _)): (&ObjectKey, &(SyncTargetRecord, Option<Labels>))| Destination {
            cluster: location.cluster.clone(),
            location_name: location.name.clone(),
            sync_target_name: key.name.clone(),
            sync_target_uid: sync_target.uid.clone(),
        };
        let same_place = |a: &Destination, b: &Destination| {
            (&a.cluster, &a.location_name, &a.sync_target_name) == (&b.cluster, &b.location_name, &b.sync_target_name)
        };
        let in_cluster = self.sync_targets.iter().filter(|(key, _)| key.cluster == location.cluster);
        match &self.locations[location].0.holds {
            Ok(Holds::Nothing) => Vec::new(),
            Ok(Holds::Matching(selector)) => in_cluster
                .filter(|(_, (_, labels))| labels.as_ref().is_some_and(|labels| selector.matches(labels)))
                .map(row)
                .collect(),
            // It cannot be resolved: what was published stays, as far as the SyncTargets still exist.
            Err(_) => in_cluster.map(row).filter(|row| published.iter().any(|have| same_place(have, row))).collect(),
        }
    }
}

// === For the machines ===

impl Oracle {
    /// The scheduler restarted: it no longer knows the labels that cannot be read now.
    pub fn restart(&mut self) {
        self.sync_targets.values_mut().for_each(|(record, known)| known.clone_from(&record.labels));
        self.locations.values_mut().for_each(|(record, known)| known.clone_from(&record.labels));
    }

    /// What a list of all objects gives.
    pub fn events(&self) -> Vec<Event> {
        let sync_targets =
            self.sync_targets.iter().map(|(key, (record, _))| Event::SyncTarget(key.clone(), Some(record.clone())));
        let locations =
            self.locations.iter().map(|(key, (record, _))| Event::Location(key.clone(), Some(record.clone())));
        let placements =
            self.placements.iter().map(|(key, record)| Event::EdgePlacement(key.clone(), Some(record.clone())));
        sync_targets.chain(locations).chain(placements).collect()
    }

    /// The SyncTargets, and the labels that are known of them.
    pub fn sync_targets(&self) -> impl Iterator<Item = (&ObjectKey, &SyncTargetRecord, Option<&Labels>)> {
        self.sync_targets.iter().map(|(key, (record, labels))| (key, record, labels.as_ref()))
    }

    /// The Locations, and the labels that are known of them.
    pub fn locations(&self) -> impl Iterator<Item = (&ObjectKey, &LocationRecord, Option<&Labels>)> {
        self.locations.iter().map(|(key, (record, labels))| (key, record, labels.as_ref()))
    }

    /// The EdgePlacements.
    pub fn placements(&self) -> impl Iterator<Item = (&ObjectKey, &EdgePlacementRecord)> {
        self.placements.iter()
    }

    /// Whether an event tells nothing new.
    pub fn knows(&self, event: &Event) -> bool {
        match event {
            Event::SyncTarget(key, record) => self.sync_targets.get(key).map(|(record, _)| record) == record.as_ref(),
            Event::Location(key, record) => self.locations.get(key).map(|(record, _)| record) == record.as_ref(),
            Event::EdgePlacement(key, record) => self.placements.get(key) == record.as_ref(),
        }
    }
}
