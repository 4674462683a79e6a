//! Objects of the four kinds, as tests create them.

use serde_json::{Value, json};

/// An EdgePlacement with these `locationSelectors`.
pub(crate) fn edge_placement(name: &str, selectors: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"locationSelectors": selectors}})
}

/// A Location of SyncTargets.
pub(crate) fn location(name: &str, labels: &Value, instance_selector: &Value) -> Value {
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "resource": {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"},
            "instanceSelector": instance_selector,
        },
    })
}

pub(crate) fn sync_target(name: &str, labels: &Value) -> Value {
    json!({"metadata": {"name": name, "labels": labels}, "spec": {"cells": {"foo": "bar"}}})
}

/// A SinglePlacementSlice as the original writes it: an owner, and that is all.
pub(crate) fn original_slice(placement: &Value, destinations: &Value) -> Value {
    let metadata = &placement["metadata"];
    let owner = json!({
        "apiVersion": "edge.kcp.io/v1alpha1", "kind": "EdgePlacement", "name": metadata["name"], "uid": metadata["uid"],
    });
    json!({"metadata": {"name": metadata["name"], "ownerReferences": [owner]}, "destinations": destinations})
}
