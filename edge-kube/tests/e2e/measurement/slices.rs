//! The slices that the server has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::model::{Model, logical_cluster};
use crate::cluster::SLICE;

const LABEL: &str = "edge.kcp.io/source-placement";

/// One slice.
pub(super) struct Slice {
    /// Location and SyncTarget, sorted.
    rows: Vec<(u32, u32)>,
    /// Of its JSON, as the server shows it.
    bytes: usize,
}

/// The slices of each EdgePlacement, by name.
pub(super) struct Slices {
    of: Vec<BTreeMap<String, Slice>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    metadata: Metadata,
    #[serde(borrow)]
    destinations: Vec<Destination<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: HashMap<String, String>,
    #[serde(default)]
    annotations: HashMap<String, String>,
    #[serde(default)]
    owner_references: Value,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
struct Destination<'a> {
    cluster: &'a str,
    location_name: &'a str,
    sync_target_name: &'a str,
    #[serde(rename = "syncTargetUID")]
    sync_target_uid: &'a str,
}

impl Slices {
    /// What the server has now, and the version of the list.
    pub(super) fn read(api: &Api, model: &Model) -> (Self, String) {
        let mut slices = Self { of: model.placements.iter().map(|_| BTreeMap::new()).collect() };
        let version = api.list(SLICE, |text| _ = slices.observe(model, text));
        (slices, version)
    }

    /// Takes in a slice; returns its EdgePlacement.
    pub(super) fn observe(&mut self, model: &Model, text: &str) -> u32 {
        let (placement, name, slice) = parse(model, text).unwrap_or_else(|reason| panic!("{reason}: {text:.2000}"));
        self.of[placement as usize].insert(name, slice);
        placement
    }

    /// Takes in that a slice is gone; returns its EdgePlacement.
    pub(super) fn forget(&mut self, model: &Model, text: &str) -> u32 {
        let (placement, name, _) = parse(model, text).unwrap_or_else(|reason| panic!("{reason}: {text:.2000}"));
        self.of[placement as usize].remove(&name);
        placement
    }

    pub(super) fn count(&self) -> usize {
        self.of.iter().map(BTreeMap::len).sum()
    }

    /// Of the JSON of all.
    pub(super) fn bytes(&self) -> usize {
        self.of.iter().flat_map(BTreeMap::values).map(|slice| slice.bytes).sum()
    }

    /// The Locations through which an EdgePlacement has a SyncTarget.
    pub(super) fn locations_of(&self, model: &Model, placement: u32, target: u32) -> BTreeSet<u32> {
        let slices = &self.of[placement as usize];
        let has = |location: u32| slices.values().any(|slice| slice.rows.binary_search(&(location, target)).is_ok());
        model.locations_of(placement).filter(|location| has(*location)).collect()
    }

    /// Checks that the slices say just what the model does, and are as slices must be.
    pub(super) fn check(&self, model: &Model, max: usize) {
        for (id, (placement, slices)) in (0..).zip(model.placements.iter().zip(&self.of)) {
            let name = &placement.name;
            assert!(slices.contains_key(name), "EdgePlacement {name} has no slice of its name");
            let longest = slices.values().map(|slice| slice.rows.len()).max().unwrap_or_default();
            assert!(longest <= max, "a slice of EdgePlacement {name} has {longest} destinations");
            let mut rows: Vec<_> = slices.values().flat_map(|slice| &slice.rows).copied().collect();
            rows.sort_unstable();
            if !model.wanted(id).eq(rows.iter().copied()) {
                let wanted: BTreeSet<_> = model.wanted(id).collect();
                let have: BTreeSet<_> = rows.iter().copied().collect();
                panic!(
                    "EdgePlacement {name} has {} destinations, {} of them once, expected {}; {} are missing, {} should not be",
                    rows.len(),
                    have.len(),
                    wanted.len(),
                    wanted.difference(&have).count(),
                    have.difference(&wanted).count(),
                );
            }
        }
    }
}

/// The EdgePlacement and the name of a slice, and what it holds.
fn parse(model: &Model, text: &str) -> Result<(u32, String, Slice), String> {
    let Object { mut metadata, destinations } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let cluster = logical_cluster(&mut metadata.annotations);
    let label = metadata.labels.get(LABEL).ok_or("there is no label")?;
    let id = model.placement(&cluster, label).ok_or_else(|| format!("there is no EdgePlacement {label}"))?;
    let placement = &model.placements[id as usize];
    let owner = json!([{
        "apiVersion": "edge.kcp.io/v1alpha1", "kind": "EdgePlacement", "name": placement.name, "uid": placement.uid,
    }]);
    if metadata.owner_references != owner {
        return Err("the owner is wrong".into());
    }
    if !destinations.is_sorted_by(|a, b| a < b) {
        return Err("the destinations are not in order".into());
    }
    let rows = destinations.iter().map(|destination| {
        let Destination { cluster, location_name, sync_target_name, sync_target_uid } = destination;
        let location = model.location(cluster, location_name);
        let target = model.sync_target(cluster, sync_target_name);
        location
            .zip(target)
            .filter(|(_, target)| model.sync_targets[*target as usize].uid == *sync_target_uid)
            .ok_or_else(|| format!("no SyncTarget {sync_target_name} ({sync_target_uid}) in Location {location_name}"))
    });
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable();
    Ok((id, metadata.name, Slice { rows, bytes: text.len() }))
}
