//! The status of each EdgePlacement, in a file of its own beside its slices.
//!
//! Manifests belong to people, so nothing is written to them. What they say of a status does not count. The file has not
//! the extension of a manifest: whoever reads OUT as manifests finds slices only.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use edge_core::object::{CLUSTER_ANNOTATION, Condition, EdgePlacement, EdgePlacementStatus, ObjectKey, ObjectMeta};
use edge_core::publisher::{Failure, Outcome, StatusWrite};
use k8s_openapi::jiff::{Timestamp, Unit};

use super::content::Content;
use super::files::{self, Draft};
use super::layout::Layout;
use crate::input::{self, is_hidden};
use crate::yaml;

/// The status of an EdgePlacement with this UID; empty if there is none yet.
pub(super) fn read(layout: &Layout, key: &ObjectKey, uid: &str) -> EdgePlacementStatus {
    let stored = layout.status(key).ok().and_then(|path| Content::read(&path).ok());
    let stored = stored.and_then(|content| input::placement(content.bytes));
    stored.filter(|stored| stored.metadata.uid == uid).map(|stored| stored.status).unwrap_or_default()
}

/// Merges a status into that of the EdgePlacement, which has this UID now. Writes nothing if nothing changes.
pub(super) fn write(layout: &Layout, write: StatusWrite, uid: &str) -> Outcome {
    if write.uid != uid {
        return Outcome::Failed(Failure::NotFound);
    }
    let path = match layout.status(&write.key) {
        Ok(path) => path,
        Err(reason) => return Outcome::Failed(Failure::Rejected(reason)),
    };
    let before = read(layout, &write.key, uid);
    let status = merge(&before, &write);
    if status == before && path.exists() {
        return Outcome::StatusWritten;
    }
    let metadata = ObjectMeta {
        name: write.key.name,
        annotations: [(CLUSTER_ANNOTATION.to_owned(), write.key.cluster)].into(),
        uid: write.uid,
        ..ObjectMeta::default()
    };
    let placement = EdgePlacement { metadata, status, ..EdgePlacement::default() };
    let done = serde_json::to_value(&placement).map_err(Into::into).and_then(|value| {
        let mut text = Vec::new();
        yaml::write(&value, &mut text)?;
        Draft::write(&path, &text)?.replace(&path)?;
        files::sync_folder(&path)
    });
    match done {
        Ok(()) => Outcome::StatusWritten,
        // It is written again, whether or not it took effect.
        Err(error) => Outcome::Failed(Failure::NotDone(format!("{}: {error}", path.display()))),
    }
}

fn merge(before: &EdgePlacementStatus, write: &StatusWrite) -> EdgePlacementStatus {
    let conditions = match &write.conditions {
        Some(conditions) => conditions.iter().map(|condition| dated(condition, &before.conditions)).collect(),
        None => before.conditions.clone(),
    };
    EdgePlacementStatus {
        conditions,
        destination_count: write.destination_count.or(before.destination_count),
        matching_location_count: write.matching_location_count.unwrap_or(before.matching_location_count),
        slice_count: write.slice_count.or(before.slice_count),
        spec_generation: write.spec_generation.unwrap_or(before.spec_generation),
    }
}

/// The condition with a time: that of the same condition before, if its status is the same; else now.
fn dated(condition: &Condition, before: &[Condition]) -> Condition {
    if condition.last_transition_time.is_some() {
        return condition.clone();
    }
    let same = before.iter().find(|before| before.kind == condition.kind && before.status == condition.status);
    let time = same.and_then(|before| before.last_transition_time.clone());
    let now = || Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now()).to_string();
    Condition { last_transition_time: Some(time.unwrap_or_else(now)), ..condition.clone() }
}

/// The EdgePlacement is gone, and so is its status.
pub(super) fn remove(layout: &Layout, key: &ObjectKey) {
    let Ok(path) = layout.status(key) else { return };
    if fs::remove_file(&path).is_ok() {
        files::remove_empty_folder(layout.root(), &path);
    }
}

/// Removes the status of all EdgePlacements but these.
pub(super) fn sweep<'k>(layout: &Layout, placements: impl Iterator<Item = &'k ObjectKey>) {
    let wanted: HashSet<PathBuf> = placements.filter_map(|key| layout.status(key).ok()).collect();
    let folders = fs::read_dir(layout.root()).into_iter().flatten().flatten();
    for folder in folders.filter(|folder| !is_hidden(&folder.file_name())) {
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if Layout::is_status(&file) && !wanted.contains(&file) && fs::remove_file(&file).is_ok() {
                tracing::info!(file = %file.display(), "removed the status of an EdgePlacement that is no more");
                files::remove_empty_folder(layout.root(), &file);
            }
        }
    }
}
