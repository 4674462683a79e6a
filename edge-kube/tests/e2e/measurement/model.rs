//! What the slices must hold, computed from lists of the other kinds; it shares no code with the scheduler.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::api::Api;
use crate::cluster::{EDGE_PLACEMENT, LOCATION, Resource, SYNC_TARGET};
use crate::selector::matches;

/// Where objects are that do not name their logical cluster.
const CLUSTER: &str = "default";

pub(super) struct SyncTarget {
    pub(super) cluster: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) labels: Value,
}

struct Location {
    cluster: String,
    labels: Value,
    selector: Value,
}

pub(super) struct Placement {
    pub(super) cluster: String,
    pub(super) name: String,
    pub(super) uid: String,
    selectors: Vec<Value>,
    /// The Locations that it selects, in their order.
    locations: Vec<u32>,
}

/// Names of objects to their numbers, by cluster.
type Ids = HashMap<String, HashMap<String, u32>>;

/// All objects but the slices. Numbers count the objects of a kind.
pub(super) struct Model {
    pub(super) sync_targets: Vec<SyncTarget>,
    locations: Vec<Location>,
    pub(super) placements: Vec<Placement>,
    sync_target_ids: Ids,
    location_ids: Ids,
    placement_ids: Ids,
    /// The SyncTargets of each Location, in their order.
    members: Vec<Vec<u32>>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    uid: String,
    #[serde(default)]
    labels: Value,
    #[serde(default)]
    annotations: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    instance_selector: Value,
    location_selectors: Vec<Value>,
}

impl Model {
    pub(super) fn read(api: &Api) -> Self {
        let (mut sync_target_ids, mut location_ids, mut placement_ids) = (Ids::new(), Ids::new(), Ids::new());
        let sync_targets: Vec<_> = read(api, SYNC_TARGET, &mut sync_target_ids, |cluster, Object { metadata, .. }| {
            SyncTarget { cluster, name: metadata.name, uid: metadata.uid, labels: metadata.labels }
        });
        let locations = read(api, LOCATION, &mut location_ids, |cluster, Object { metadata, spec }| Location {
            cluster,
            labels: metadata.labels,
            selector: spec.instance_selector,
        });
        let mut placements = read(api, EDGE_PLACEMENT, &mut placement_ids, |cluster, Object { metadata, spec }| {
            let (name, uid, selectors) = (metadata.name, metadata.uid, spec.location_selectors);
            Placement { cluster, name, uid, selectors, locations: Vec::new() }
        });
        for placement in &mut placements {
            let selected = |location: &Location| {
                placement.selectors.iter().any(|selector| matches(selector, &location.labels) == Some(true))
            };
            placement.locations = (0..).zip(&locations).filter(|(_, location)| selected(location)).map(first).collect();
        }
        let members = locations.iter().map(|location| {
            let held = |target: &SyncTarget| holds(location, &target.cluster, &target.labels);
            (0..).zip(&sync_targets).filter(|(_, target)| held(target)).map(first).collect()
        });
        let members = members.collect();
        Self { sync_targets, locations, placements, sync_target_ids, location_ids, placement_ids, members }
    }

    /// All destinations.
    pub(super) fn destinations(&self) -> usize {
        self.placements
            .iter()
            .flat_map(|placement| &placement.locations)
            .map(|id| self.members[*id as usize].len())
            .sum()
    }

    /// The destinations of an EdgePlacement: Location and SyncTarget, in order.
    pub(super) fn wanted(&self, placement: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let locations = &self.placements[placement as usize].locations;
        locations.iter().flat_map(|id| self.members[*id as usize].iter().map(|target| (*id, *target)))
    }

    /// The Locations through which an EdgePlacement has a SyncTarget.
    pub(super) fn wanted_of(&self, placement: u32, target: u32) -> BTreeSet<u32> {
        let holds = |id: &&u32| self.members[**id as usize].binary_search(&target).is_ok();
        self.placements[placement as usize].locations.iter().filter(holds).copied().collect()
    }

    /// The Locations that an EdgePlacement selects.
    pub(super) fn locations_of(&self, placement: u32) -> impl Iterator<Item = u32> + '_ {
        self.placements[placement as usize].locations.iter().copied()
    }

    /// The EdgePlacements whose destinations differ when a SyncTarget gets other labels, and by how many.
    pub(super) fn affected(&self, target: u32, labels: &Value) -> Vec<(u32, usize)> {
        let changed: Vec<u32> = self.toggled(target, labels).collect();
        let count =
            |placement: &Placement| changed.iter().filter(|id| placement.locations.binary_search(id).is_ok()).count();
        (0..).zip(&self.placements).map(|(id, placement)| (id, count(placement))).filter(|(_, n)| *n > 0).collect()
    }

    /// Gives a SyncTarget other labels.
    pub(super) fn relabel(&mut self, target: u32, labels: Value) {
        let changed: Vec<u32> = self.toggled(target, &labels).collect();
        for location in changed {
            let members = &mut self.members[location as usize];
            match members.binary_search(&target) {
                Ok(at) => drop(members.remove(at)),
                Err(at) => members.insert(at, target),
            }
        }
        self.sync_targets[target as usize].labels = labels;
    }

    /// The Locations that hold a SyncTarget with one of the old and the new labels only.
    fn toggled(&self, target: u32, labels: &Value) -> impl Iterator<Item = u32> {
        let SyncTarget { cluster, labels: old, .. } = &self.sync_targets[target as usize];
        let locations = (0..).zip(&self.locations);
        locations.filter(|(_, location)| holds(location, cluster, old) != holds(location, cluster, labels)).map(first)
    }

    pub(super) fn placement(&self, cluster: &str, name: &str) -> Option<u32> {
        id(&self.placement_ids, cluster, name)
    }

    pub(super) fn location(&self, cluster: &str, name: &str) -> Option<u32> {
        id(&self.location_ids, cluster, name)
    }

    pub(super) fn sync_target(&self, cluster: &str, name: &str) -> Option<u32> {
        id(&self.sync_target_ids, cluster, name)
    }
}

fn holds(location: &Location, cluster: &str, labels: &Value) -> bool {
    location.cluster == cluster && !location.selector.is_null() && matches(&location.selector, labels) == Some(true)
}

fn read<T>(api: &Api, resource: Resource, ids: &mut Ids, make: impl Fn(String, Object) -> T) -> Vec<T> {
    let mut all = Vec::new();
    api.list(resource, |text| {
        let mut object: Object = serde_json::from_str(text).unwrap();
        let cluster = logical_cluster(&mut object.metadata.annotations);
        let number = u32::try_from(all.len()).unwrap();
        ids.entry(cluster.clone()).or_default().insert(object.metadata.name.clone(), number);
        all.push(make(cluster, object));
    });
    all
}

/// Where an object is.
pub(super) fn logical_cluster(annotations: &mut HashMap<String, String>) -> String {
    annotations.remove("kcp.io/cluster").unwrap_or_else(|| CLUSTER.into())
}

fn id(ids: &Ids, cluster: &str, name: &str) -> Option<u32> {
    ids.get(cluster)?.get(name).copied()
}

fn first<T>((id, _): (u32, T)) -> u32 {
    id
}
