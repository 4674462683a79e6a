//! The schemas of the CustomResourceDefinitions have the fields of edge-core's types, and no others.

use edge_core::object::{
    AvailableSelectorLabel, Condition, Destination, EdgePlacement, EdgePlacementSpec, EdgePlacementStatus,
    LabelSelector, LabelSelectorRequirement, Location, LocationSpec, LocationStatus, NonNamespacedObjectReferenceSet,
    ObjectMeta, ResourceRef, SinglePlacementSlice, SupportedApiExport, SyncTarget, SyncTargetSpec, UpsyncSet,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::schemas::schema;

// What the types write, the schemas have.

fn selector() -> LabelSelector {
    LabelSelector {
        match_expressions: vec![LabelSelectorRequirement {
            key: "k".into(),
            operator: "In".into(),
            values: vec!["v".into()],
        }],
        match_labels: [("k".into(), "v".into())].into(),
    }
}

fn metadata() -> ObjectMeta {
    ObjectMeta { name: "name".into(), ..ObjectMeta::default() }
}

/// Every field of every type has a value here: without one, this does not compile.
fn filled() -> [(&'static str, Value); 4] {
    let strings = || vec!["a".to_owned()];
    let placement = EdgePlacement {
        metadata: metadata(),
        spec: EdgePlacementSpec {
            location_selectors: vec![selector()],
            namespace_selector: Some(selector()),
            non_namespaced_objects: vec![NonNamespacedObjectReferenceSet {
                api_group: "g".into(),
                label_selectors: vec![selector()],
                resource_names: strings(),
                resources: strings(),
            }],
            upsync: vec![UpsyncSet {
                api_group: "g".into(),
                names: strings(),
                namespaces: strings(),
                resources: strings(),
            }],
        },
        status: EdgePlacementStatus {
            conditions: vec![Condition {
                last_transition_time: Some("2023-06-05T14:57:00Z".into()),
                message: "m".into(),
                observed_generation: 1,
                reason: "r".into(),
                status: "True".into(),
                kind: "Resolved".into(),
            }],
            destination_count: Some(1),
            matching_location_count: 1,
            slice_count: Some(1),
            spec_generation: 1,
        },
    };
    let slice = SinglePlacementSlice {
        metadata: metadata(),
        destinations: vec![Destination {
            cluster: "c".into(),
            location_name: "l".into(),
            sync_target_name: "s".into(),
            sync_target_uid: "u".into(),
        }],
    };
    let location = Location {
        metadata: metadata(),
        spec: LocationSpec {
            available_selector_labels: vec![AvailableSelectorLabel {
                description: "d".into(),
                key: "k".into(),
                values: strings(),
            }],
            description: "d".into(),
            instance_selector: Some(selector()),
            resource: Some(ResourceRef {
                group: Some("workload.kcp.io".into()),
                resource: "synctargets".into(),
                version: "v1alpha1".into(),
            }),
        },
        status: LocationStatus { available_instances: Some(1), instances: Some(1) },
    };
    let sync_target = SyncTarget {
        metadata: metadata(),
        spec: SyncTargetSpec {
            cells: [("c".into(), "d".into())].into(),
            evict_after: Some("2023-06-05T14:57:00Z".into()),
            supported_api_exports: vec![SupportedApiExport { export: "e".into(), path: "root:p".into() }],
            unschedulable: true,
        },
    };
    [
        ("EdgePlacement", serde_json::to_value(placement).unwrap()),
        ("SinglePlacementSlice", serde_json::to_value(slice).unwrap()),
        ("Location", serde_json::to_value(location).unwrap()),
        ("SyncTarget", serde_json::to_value(sync_target).unwrap()),
    ]
}

/// Notes where the schema does not admit the value, or would have the server drop it.
fn compare(path: &str, value: &Value, schema: &Value, problems: &mut Vec<String>) {
    if path.ends_with(".metadata") {
        return;
    }
    let found = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::Null => "null",
    };
    if schema["type"] != found {
        problems.push(format!("{path}: the type has {found}, the schema {}", schema["type"]));
    }
    if let Some(enumerated) = schema.get("enum").and_then(Value::as_array)
        && !enumerated.contains(value)
    {
        problems.push(format!("{path}: {value} is none of {enumerated:?}"));
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(required).is_none() {
            problems.push(format!("{path}: {required} is required, but is not written"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => compare(&format!("{path}.{name}"), value, schema, problems),
            None => problems.push(format!("{path}.{name}: the schema does not have it")),
        }
    }
    for value in value.as_array().into_iter().flatten() {
        compare(&format!("{path}[]"), value, &schema["items"], problems);
    }
}

#[test]
fn every_field_of_the_types_is_in_the_schemas() {
    let mut problems = Vec::new();
    for (kind, object) in filled() {
        compare(kind, &object, &schema(kind), &mut problems);
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn what_is_required_is_always_written() {
    let mut problems = Vec::new();
    let slice = SinglePlacementSlice { destinations: vec![Destination::default()], ..SinglePlacementSlice::default() };
    for slice in [SinglePlacementSlice::default(), slice] {
        compare(
            "SinglePlacementSlice",
            &serde_json::to_value(slice).unwrap(),
            &schema("SinglePlacementSlice"),
            &mut problems,
        );
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

// What the schemas have, the types keep.

/// A value that has everything that the schema has.
fn sample(schema: &Value) -> Value {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values[0].clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("object"), _) if schema.get("additionalProperties").is_some() => {
            json!({ "key": sample(&schema["additionalProperties"]) })
        }
        (Some("object"), _) => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, property)| (name.clone(), sample(property))).collect()
        }
        (Some("array"), _) => json!([sample(&schema["items"])]),
        (Some("string"), Some("date-time")) => json!("2023-06-05T14:57:00Z"),
        (Some("string"), None) => json!("text"),
        (Some("boolean"), None) => json!(true),
        (Some("integer"), Some("int32")) => json!(i32::MAX),
        (Some("integer"), Some("int64")) => json!(i64::MAX),
        (None, None) if schema["x-kubernetes-int-or-string"] == true => json!("1Ki"),
        other => panic!("no sample for {other:?}"),
    }
}

/// Where `after` does not have what `before` has.
pub(super) fn lost(path: &str, before: &Value, after: Option<&Value>, lost_at: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(fields), Some(Value::Object(kept))) => {
            for (name, value) in fields {
                lost(&format!("{path}.{name}"), value, kept.get(name), lost_at);
            }
        }
        (Value::Array(items), Some(Value::Array(kept))) => {
            for (i, value) in items.iter().enumerate() {
                lost(&format!("{path}[]"), value, kept.get(i), lost_at);
            }
        }
        (before, after) if after == Some(before) => {}
        _ => lost_at.push(path.into()),
    }
}

fn through<T: DeserializeOwned + Serialize>(kind: &str, lost_at: &mut Vec<String>) {
    let mut before = sample(&schema(kind));
    let api_version = match kind {
        "SyncTarget" => "workload.kcp.io/v1alpha1",
        "Location" => "scheduling.kcp.io/v1alpha1",
        _ => "edge.kcp.io/v1alpha1",
    };
    before["apiVersion"] = json!(api_version);
    before["kind"] = json!(kind);
    let typed: T = serde_json::from_value(before.clone()).unwrap();
    lost(kind, &before, Some(&serde_json::to_value(typed).unwrap()), lost_at);
}

#[test]
fn the_types_keep_every_field_of_the_schemas() {
    let mut lost_at = Vec::new();
    through::<EdgePlacement>("EdgePlacement", &mut lost_at);
    through::<SinglePlacementSlice>("SinglePlacementSlice", &mut lost_at);
    through::<Location>("Location", &mut lost_at);
    through::<SyncTarget>("SyncTarget", &mut lost_at);
    // Heartbeats change it, and nobody here reads it.
    assert_eq!(lost_at, ["SyncTarget.status"]);
}
