//! What the schemas of the CustomResourceDefinitions say besides the fields.

use std::collections::BTreeMap;

use edge_core::object::SyncTargetSpec;
use edge_kube::input;
use serde_json::{Value, json};

use super::{documents, text};

/// The schema of a kind.
pub(super) fn schema(kind: &str) -> Value {
    let crds = documents(&["crds"]);
    let crd = crds.iter().find(|crd| text(crd, "/spec/names/kind") == kind).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

const KINDS: [&str; 4] = ["EdgePlacement", "SinglePlacementSlice", "Location", "SyncTarget"];

/// Calls `visit` with the path and the schema of every value that an object may have.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(format!("{path}.{name}").trim_start_matches('.'), property, visit);
    }
    if let Some(items) = schema.get("items") {
        walk(&format!("{path}[]"), items, visit);
    }
    if let Some(values) = schema.get("additionalProperties") {
        walk(&format!("{path}{{}}"), values, visit);
    }
}

/// What the schemas say under `keyword`, by kind and path.
fn all(keyword: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for kind in KINDS {
        walk("", &schema(kind), &mut |path, schema| {
            if let Some(value) = schema.get(keyword) {
                found.insert(format!("{kind} {path}"), value.clone());
            }
        });
    }
    found
}

fn expected<const N: usize>(entries: [(&str, Value); N]) -> BTreeMap<String, Value> {
    entries.into_iter().map(|(path, value)| (path.to_owned(), value)).collect()
}

#[test]
fn required_fields() {
    let selectors = [
        "EdgePlacement spec.locationSelectors[]",
        "EdgePlacement spec.namespaceSelector",
        "EdgePlacement spec.nonNamespacedObjects[].labelSelectors[]",
        "Location spec.instanceSelector",
    ];
    let mut required = expected([
        ("EdgePlacement status.conditions[]", json!(["lastTransitionTime", "message", "reason", "status", "type"])),
        ("Location spec", json!(["resource"])),
        ("Location spec.availableSelectorLabels[]", json!(["key", "values"])),
        ("Location spec.resource", json!(["resource", "version"])),
        ("SinglePlacementSlice ", json!(["destinations"])),
        ("SinglePlacementSlice destinations[]", json!(["cluster", "locationName", "syncTargetName", "syncTargetUID"])),
        ("SyncTarget spec.supportedAPIExports[]", json!(["export"])),
        ("SyncTarget status.conditions[]", json!(["lastTransitionTime", "status", "type"])),
        ("SyncTarget status.syncedResources[]", json!(["resource", "versions"])),
        ("SyncTarget status.virtualWorkspaces[]", json!(["syncerURL", "upsyncerURL"])),
    ]);
    required.extend(selectors.map(|path| (format!("{path}.matchExpressions[]"), json!(["key", "operator"]))));
    assert_eq!(all("required"), required);
}

/// A selector that means nothing is data: the scheduler reports it, and keeps what is published.
#[test]
fn the_schemas_check_nothing_but_the_structure_of_selectors() {
    for keyword in ["enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "x-kubernetes-validations"] {
        for path in all(keyword).keys() {
            assert!(!path.contains("elector.match") && !path.contains("electors[].match"), "{path}: {keyword}");
        }
    }
    // Slices of others may be of any size.
    assert_eq!(all("maxItems"), BTreeMap::new());
}

#[test]
fn defaults_are_those_that_are_applied_without_a_server() {
    let defaults = expected([
        ("Location spec.instanceSelector", json!({})),
        ("Location spec.resource.group", json!("workload.kcp.io")),
        // Not read by the scheduler; kcp's.
        ("SyncTarget spec.supportedAPIExports", json!([{ "export": "kubernetes" }])),
        ("SyncTarget spec.unschedulable", json!(false)),
        ("SyncTarget status.syncedResources[].state", json!("Pending")),
    ]);
    assert_eq!(all("default"), defaults);

    let read = |selector: &str| {
        let manifest = format!(
            "apiVersion: scheduling.kcp.io/v1alpha1\nkind: Location\nmetadata: {{name: l}}\n\
             spec: {{resource: {{version: v1alpha1, resource: synctargets}}{selector}}}\n"
        );
        let options = input::Options { default_cluster: "default".into() };
        input::parse("location", manifest.into_bytes(), &options).unwrap()
    };
    assert_eq!(read(""), read(", instanceSelector: {}"));
    assert_eq!(read(", instanceSelector: null"), read(", instanceSelector: {}"));
    assert_ne!(read(", instanceSelector: {matchLabels: {a: b}}"), read(", instanceSelector: {}"));
    assert_eq!(SyncTargetSpec::default().unschedulable, defaults["SyncTarget spec.unschedulable"]);
}

/// What a person reads in `kubectl explain`.
#[test]
fn everything_is_described() {
    for kind in KINDS {
        walk("", &schema(kind), &mut |path, schema| {
            let value = path.ends_with("{}") || path.ends_with("[]") && schema["type"] == "string";
            assert!(value || path == "metadata" || schema["description"].is_string(), "{kind} {path}: no description");
        });
    }
}

#[test]
fn columns_and_subresources() {
    let crds = documents(&["crds"]);
    let version = |kind: &str| {
        let crd = crds.iter().find(|crd| text(crd, "/spec/names/kind") == kind).unwrap();
        crd["spec"]["versions"][0].clone()
    };
    let columns = |kind: &str, wide: bool| -> Vec<String> {
        let columns = version(kind)["additionalPrinterColumns"].as_array().unwrap().clone();
        let shown = columns.iter().filter(|column| wide || column.get("priority").is_none());
        shown.map(|column| text(column, "/name").to_owned()).collect()
    };
    assert_eq!(columns("EdgePlacement", false), ["Locations", "Destinations", "Slices", "Resolved", "Age"]);
    assert_eq!(
        columns("EdgePlacement", true),
        ["Locations", "Destinations", "Slices", "Resolved", "Reason", "Message", "Age"]
    );
    assert_eq!(columns("SinglePlacementSlice", false), ["Placement", "First Location", "First SyncTarget", "Age"]);
    assert_eq!(columns("Location", false), ["Resource", "Available", "Instances", "Labels", "Age"]);
    assert_eq!(columns("SyncTarget", false), ["Age"]);
    for kind in ["EdgePlacement", "Location", "SyncTarget"] {
        assert_eq!(version(kind)["subresources"], json!({ "status": {} }), "{kind}");
    }
    assert_eq!(version("SinglePlacementSlice").get("subresources"), None);
}
