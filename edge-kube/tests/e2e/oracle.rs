//! Which destinations each EdgePlacement must have, from what the API server returns; it shares no code with the scheduler.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cluster::{Cluster, EDGE_PLACEMENT, LOCATION, Resource, SLICE, SYNC_TARGET, name, uid};
use crate::selector::matches;

const LABEL: &str = "edge.kcp.io/source-placement";

/// Cluster, Location, SyncTarget and its UID.
pub(crate) type Row = [String; 4];

/// An object and the logical cluster that it is in.
type Found = (String, Value);

/// The objects of the four kinds at some moment.
pub(crate) struct World {
    pub(crate) placements: Vec<Found>,
    pub(crate) locations: Vec<Found>,
    pub(crate) sync_targets: Vec<Found>,
    pub(crate) slices: Vec<Found>,
}

impl World {
    pub(crate) fn read(clusters: &[Cluster]) -> Result<Self, String> {
        let all = |resource: Resource| -> Result<Vec<Found>, String> {
            let mut found = Vec::new();
            for cluster in clusters {
                match cluster.try_list(resource) {
                    Ok(list) => found.extend(list.into_iter().map(|object| (cluster.name.clone(), object))),
                    // This cluster has no such API.
                    Err(error) if error.code == 404 => {}
                    Err(error) => return Err(format!("cannot list {} in {}: {error}", resource.plural, cluster.name)),
                }
            }
            Ok(found)
        };
        Ok(Self {
            placements: all(EDGE_PLACEMENT)?,
            locations: all(LOCATION)?,
            sync_targets: all(SYNC_TARGET)?,
            slices: all(SLICE)?,
        })
    }

    /// What an EdgePlacement must have, or `None` if that cannot be told: a selector is not valid.
    pub(crate) fn wanted(&self, placement: &Value) -> Option<BTreeSet<Row>> {
        let selectors = placement["spec"]["locationSelectors"].as_array().cloned().unwrap_or_default();
        let mut rows = BTreeSet::new();
        for (cluster, location) in &self.locations {
            let labels = &location["metadata"]["labels"];
            let selected: Option<Vec<bool>> = selectors.iter().map(|selector| matches(selector, labels)).collect();
            if !selected?.contains(&true) {
                continue;
            }
            let instances = &location["spec"]["instanceSelector"];
            for (home, target) in &self.sync_targets {
                if home == cluster && !instances.is_null() && matches(instances, &target["metadata"]["labels"])? {
                    rows.insert([cluster.clone(), name(location).into(), name(target).into(), uid(target).into()]);
                }
            }
        }
        Some(rows)
    }

    /// The slices of an EdgePlacement, by the label.
    pub(crate) fn slices_of(&self, cluster: &str, placement: &str) -> Vec<&Value> {
        let ours = |slice: &Value| slice["metadata"]["labels"][LABEL] == placement;
        self.slices.iter().filter(|(home, slice)| home == cluster && ours(slice)).map(|(_, slice)| slice).collect()
    }

    /// What is wrong with the slices, if anything is.
    pub(crate) fn check(&self, max: usize) -> Result<(), String> {
        let mut wrong = String::new();
        for (cluster, placement) in &self.placements {
            if let Err(reason) = self.check_one(cluster, placement, max) {
                let _ = writeln!(wrong, "EdgePlacement {cluster}/{}: {reason}", name(placement));
            }
        }
        let known: BTreeMap<_, _> =
            self.placements.iter().map(|(cluster, object)| ((cluster, name(object)), ())).collect();
        for (cluster, slice) in &self.slices {
            let owner = slice["metadata"]["labels"][LABEL].as_str();
            if owner.is_some_and(|owner| !known.contains_key(&(cluster, owner))) {
                let _ = writeln!(wrong, "SinglePlacementSlice {cluster}/{} has no EdgePlacement", name(slice));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn check_one(&self, cluster: &str, placement: &Value, max: usize) -> Result<(), String> {
        let slices = self.slices_of(cluster, name(placement));
        if !slices.iter().any(|slice| name(slice) == name(placement)) {
            return Err("there is no slice of its name".into());
        }
        let owner = json!([{
            "apiVersion": "edge.kcp.io/v1alpha1", "kind": "EdgePlacement", "name": name(placement), "uid": uid(placement),
        }]);
        let mut all = Vec::new();
        for slice in &slices {
            let rows = rows(slice)?;
            if slice["metadata"]["ownerReferences"] != owner {
                let owners = &slice["metadata"]["ownerReferences"];
                return Err(format!("slice {} has the owners {owners}, expected {owner}", name(slice)));
            }
            if rows.len() > max {
                return Err(format!("slice {} has {} destinations, more than {max}", name(slice), rows.len()));
            }
            if !rows.is_sorted_by(|a, b| a[..3] < b[..3]) {
                return Err(format!("slice {} is not in order: {rows:?}", name(slice)));
            }
            all.extend(rows);
        }
        let have: BTreeSet<Row> = all.iter().cloned().collect();
        if have.len() < all.len() {
            return Err(format!("{} destinations are in two slices", all.len() - have.len()));
        }
        // What an invalid selector keeps is not for this oracle to say.
        let Some(wanted) = self.wanted(placement) else { return Ok(()) };
        if have == wanted {
            return Ok(());
        }
        let missing: Vec<_> = wanted.difference(&have).take(5).collect();
        let surplus: Vec<_> = have.difference(&wanted).take(5).collect();
        Err(format!(
            "expected {} destinations, it has {}; missing: {missing:?} surplus: {surplus:?}",
            wanted.len(),
            have.len()
        ))
    }
}

/// The destinations of a slice, in its order.
pub(crate) fn rows(slice: &Value) -> Result<Vec<Row>, String> {
    let destinations = slice["destinations"].as_array().ok_or("`destinations` is no list")?;
    let fields = ["cluster", "locationName", "syncTargetName", "syncTargetUID"];
    destinations
        .iter()
        .map(|destination| {
            let row = fields.map(|field| destination[field].as_str().unwrap_or_default().to_owned());
            if row.iter().any(String::is_empty) {
                Err(format!("incomplete destination {destination}"))
            } else {
                Ok(row)
            }
        })
        .collect()
}

impl World {
    /// What is wrong with the status of a valid EdgePlacement, if anything is.
    pub(crate) fn check_status(&self, cluster: &str, placement: &Value) -> Result<(), String> {
        let status = &placement["status"];
        let slices = self.slices_of(cluster, name(placement));
        let selectors = placement["spec"]["locationSelectors"].as_array().cloned().unwrap_or_default();
        let selected = |location: &Value| {
            selectors.iter().any(|selector| matches(selector, &location["metadata"]["labels"]) == Some(true))
        };
        let expected = json!({
            "specGeneration": placement["metadata"]["generation"],
            "matchingLocationCount": self.locations.iter().filter(|(_, location)| selected(location)).count(),
            "destinationCount": self.wanted(placement).map(|rows| rows.len()),
            "sliceCount": slices.len(),
        });
        for (field, value) in expected.as_object().unwrap() {
            if status[field] != *value {
                return Err(format!(
                    "EdgePlacement {cluster}/{}: {field} is {}, not {value}",
                    name(placement),
                    status[field]
                ));
            }
        }
        match condition(placement, "Resolved") {
            Some(resolved) if resolved["status"] == "True" && resolved["reason"] == "Resolved" => Ok(()),
            other => Err(format!("EdgePlacement {cluster}/{}: the condition Resolved is {other:?}", name(placement))),
        }
    }
}

/// A condition by its type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}
