//! The wire form of the four kinds: what an API server sends is read, and what is written is what it expects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use edge_core::object::{
    Destination, EdgePlacement, LabelSelector, Location, Object, ObjectKey, ObjectMeta, SinglePlacementSlice,
    SyncTarget,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

trait Wire: Object + Serialize + DeserializeOwned + Default + PartialEq + Debug {}
impl<T: Object + Serialize + DeserializeOwned + Default + PartialEq + Debug> Wire for T {}

/// Maps whose keys are data: no field of theirs can be unknown or absent.
const STRING_MAPS: [&str; 4] = ["annotations", "cells", "labels", "matchLabels"];

fn full_metadata() -> Value {
    json!({
        "annotations": {"kcp.io/cluster": "1kzx8b9gkd1vl5fk", "note": ""},
        "creationTimestamp": "2023-06-01T12:00:00Z",
        "deletionTimestamp": "2023-06-02T12:00:00Z",
        "finalizers": ["example.com/a", "example.com/b"],
        "generation": 9_007_199_254_740_993_i64,
        "labels": {"env": "prod", "zone": ""},
        "name": "sample",
        "ownerReferences": [{
            "apiVersion": "edge.kcp.io/v1alpha1",
            "blockOwnerDeletion": false,
            "controller": true,
            "kind": "EdgePlacement",
            "name": "owner",
            "uid": "2f1d6d1c-6d6f-4a0b-9b0e-0d0c7a4e6a01"
        }],
        "resourceVersion": "184467",
        "uid": "5f0f8f5c-54a3-4b61-86a5-3c4f6d3b4a02"
    })
}

fn full_selector() -> Value {
    json!({
        "matchExpressions": [
            {"key": "env", "operator": "In", "values": ["prod", ""]},
            {"key": "gpu", "operator": "DoesNotExist"}
        ],
        "matchLabels": {"zone": "a"}
    })
}

fn full_edge_placement() -> Value {
    json!({
        "apiVersion": "edge.kcp.io/v1alpha1",
        "kind": "EdgePlacement",
        "metadata": full_metadata(),
        "spec": {
            "locationSelectors": [full_selector(), {}],
            "namespaceSelector": full_selector(),
            "nonNamespacedObjects": [{
                "apiGroup": "apiextensions.k8s.io",
                "labelSelectors": [full_selector()],
                "resourceNames": ["*"],
                "resources": ["customresourcedefinitions"]
            }],
            "upsync": [{
                "apiGroup": "group1.test",
                "names": ["orbital", "*"],
                "namespaces": ["ns"],
                "resources": ["sprockets"]
            }]
        },
        "status": {"matchingLocationCount": 2, "specGeneration": 3}
    })
}

fn full_location() -> Value {
    json!({
        "apiVersion": "scheduling.kcp.io/v1alpha1",
        "kind": "Location",
        "metadata": full_metadata(),
        "spec": {
            "availableSelectorLabels": [{"description": "where", "key": "zone", "values": ["a", "b"]}],
            "description": "all of it",
            "instanceSelector": full_selector(),
            "resource": {"group": "workload.kcp.io", "resource": "synctargets", "version": "v1alpha1"}
        },
        "status": {"availableInstances": 1, "instances": 2}
    })
}

fn full_sync_target() -> Value {
    json!({
        "apiVersion": "workload.kcp.io/v1alpha1",
        "kind": "SyncTarget",
        "metadata": full_metadata(),
        "spec": {
            "cells": {"tier": "edge"},
            "evictAfter": "2023-07-01T00:00:00Z",
            "supportedAPIExports": [{"export": "kubernetes", "path": "root:compute"}],
            "unschedulable": true
        }
    })
}

fn full_slice() -> Value {
    json!({
        "apiVersion": "edge.kcp.io/v1alpha1",
        "destinations": [
            {"cluster": "c", "locationName": "l", "syncTargetName": "s", "syncTargetUID": "u"},
            {"cluster": "c", "locationName": "l", "syncTargetName": "t", "syncTargetUID": "v"}
        ],
        "kind": "SinglePlacementSlice",
        "metadata": full_metadata()
    })
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn text<T: Serialize>(object: &T) -> String {
    serde_json::to_string(object).unwrap()
}

/// The same with all keys in alphabetical order, whether or not serde_json was built to sort them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<String, Value> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(map.into_iter().collect())
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// JSON pointers of all values, and whether each stands in a list, in a string map, or is a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Field,
    Element,
    MapValue,
}

fn places(value: &Value, at: &str, in_map: bool, found: &mut Vec<(String, Place)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                found.push((pointer.clone(), if in_map { Place::MapValue } else { Place::Field }));
                places(value, &pointer, STRING_MAPS.contains(&key.as_str()), found);
            }
        }
        Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                let pointer = format!("{at}/{i}");
                found.push((pointer.clone(), Place::Element));
                places(value, &pointer, false, found);
            }
        }
        _ => {}
    }
}

fn all_places(value: &Value) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    places(value, "", false, &mut found);
    found
}

fn with(value: &Value, pointer: &str, new: Value) -> Value {
    let mut value = value.clone();
    *value.pointer_mut(pointer).unwrap() = new;
    value
}

fn without(value: &Value, pointer: &str) -> Value {
    let mut value = value.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    value
}

fn with_unknown_fields(value: &Value, in_map: bool) -> Value {
    match value {
        Value::Object(map) => {
            let mut map: serde_json::Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), with_unknown_fields(value, STRING_MAPS.contains(&key.as_str()))))
                .collect();
            if !in_map {
                map.insert("AnUnknownField".into(), json!({"a": [null, 1.5, {"b": "c"}]}));
                map.insert("managedFields".into(), Value::Null);
            }
            Value::Object(map)
        }
        Value::Array(list) => list.iter().map(|value| with_unknown_fields(value, false)).collect(),
        other => other.clone(),
    }
}

/// All that holds for each kind, tried at each place of an object that has everything.
fn check<T: Wire>(full: Value) {
    let object: T = read(&full);
    assert_eq!(text(&object), sorted(full.clone()).to_string(), "byte for byte, keys in alphabetical order");

    let minimal = json!({"apiVersion": T::KIND.api_version(), "kind": T::KIND.as_str(), "metadata": {}});
    assert_eq!(read::<T>(&json!({})), T::default(), "absent means default");
    assert_eq!(read::<T>(&minimal), T::default());
    assert_eq!(read::<T>(&with_unknown_fields(&full, false)), object, "unknown fields are ignored");

    let mut seen = BTreeSet::new();
    for (pointer, place) in all_places(&full) {
        let null = with(&full, &pointer, Value::Null);
        let null: Result<T, _> = serde_json::from_value(null);
        match place {
            Place::Field => {
                let want: T = read(&without(&full, &pointer));
                assert_eq!(null.unwrap(), want, "{pointer}: null means absent");
                if !matches!(pointer.as_str(), "/apiVersion" | "/kind") {
                    assert_ne!(want, object, "{pointer}: the field is read");
                }
            }
            Place::Element => drop(null.expect_err(&pointer)),
            Place::MapValue if pointer.starts_with("/metadata/") => {
                assert_eq!(null.unwrap(), read(&with(&full, &pointer, json!(""))), "{pointer}: null means empty");
            }
            Place::MapValue => drop(null.expect_err(&pointer)),
        }
        let wrong = if full.pointer(&pointer).unwrap().is_object() { json!("text") } else { json!({"a": [1]}) };
        if !matches!(pointer.as_str(), "/apiVersion" | "/kind") {
            serde_json::from_value::<T>(with(&full, &pointer, wrong)).expect_err(&pointer);
        }
        seen.insert(pointer);
    }
    assert!(seen.contains("/metadata/labels/env") && seen.contains("/metadata/ownerReferences/0/uid"));
}

#[test]
fn edge_placement() {
    check::<EdgePlacement>(full_edge_placement());
    assert_eq!(
        text(&EdgePlacement::default()),
        r#"{"apiVersion":"edge.kcp.io/v1alpha1","kind":"EdgePlacement","metadata":{}}"#
    );
}

#[test]
fn location() {
    check::<Location>(full_location());
    assert_eq!(
        text(&Location::default()),
        r#"{"apiVersion":"scheduling.kcp.io/v1alpha1","kind":"Location","metadata":{}}"#
    );
}

#[test]
fn sync_target() {
    check::<SyncTarget>(full_sync_target());
    assert_eq!(
        text(&SyncTarget::default()),
        r#"{"apiVersion":"workload.kcp.io/v1alpha1","kind":"SyncTarget","metadata":{}}"#
    );
    // Its status changes with each heartbeat and is not even kept.
    let heartbeat =
        json!({"status": {"lastSyncerHeartbeatTime": "2023-06-01T12:00:00Z", "conditions": [{"type": "Ready"}]}});
    assert_eq!(read::<SyncTarget>(&heartbeat), SyncTarget::default());
}

#[test]
fn single_placement_slice() {
    check::<SinglePlacementSlice>(full_slice());
    let empty =
        r#"{"apiVersion":"edge.kcp.io/v1alpha1","destinations":[],"kind":"SinglePlacementSlice","metadata":{}}"#;
    assert_eq!(text(&SinglePlacementSlice::default()), empty, "an empty list is written");
    assert_eq!(text(&read::<SinglePlacementSlice>(&json!({"destinations": null}))), empty);
    // All four are required by the CRD, so each is written even when it is empty.
    let unknown = r#"{"cluster":"","locationName":"","syncTargetName":"","syncTargetUID":""}"#;
    assert_eq!(text(&read::<Destination>(&json!({}))), unknown);
}

/// The byte-for-byte comparison of [`check`] sorts what it compares to; this one is spelled out.
#[test]
fn spelled_out() {
    let slice = r#"{"apiVersion":"edge.kcp.io/v1alpha1","destinations":[{"cluster":"1kzx8b9gkd1vl5fk","locationName":"default","syncTargetName":"sync-target-f","syncTargetUID":"5f0f8f5c"}],"kind":"SinglePlacementSlice","metadata":{"annotations":{"kcp.io/cluster":"2vh6tnanyw60negt"},"labels":{"edge.kcp.io/source-placement":"p"},"name":"p","ownerReferences":[{"apiVersion":"edge.kcp.io/v1alpha1","kind":"EdgePlacement","name":"p","uid":"2f1d6d1c"}]}}"#;
    assert_eq!(text(&serde_json::from_str::<SinglePlacementSlice>(slice).unwrap()), slice);
    let placement = r#"{"apiVersion":"edge.kcp.io/v1alpha1","kind":"EdgePlacement","metadata":{"generation":7,"name":"p"},"spec":{"locationSelectors":[{"matchLabels":{"env":"prod"}}],"namespaceSelector":{}},"status":{"matchingLocationCount":0,"specGeneration":7}}"#;
    assert_eq!(text(&serde_json::from_str::<EdgePlacement>(placement).unwrap()), placement);
}

#[test]
fn an_empty_selector_is_not_an_absent_one() {
    let location = |spec: Value| read::<Location>(&json!({ "spec": spec }));
    for absent in [json!({}), json!({"instanceSelector": null})] {
        assert_eq!(location(absent).spec.instance_selector, None);
    }
    let everything = location(json!({"instanceSelector": {}}));
    assert_eq!(everything.spec.instance_selector, Some(LabelSelector::default()));
    assert!(text(&everything).contains(r#""spec":{"instanceSelector":{}}"#), "{}", text(&everything));

    let placement: EdgePlacement = read(&json!({"spec": {"locationSelectors": [{}]}}));
    assert_eq!(placement.spec.location_selectors, [LabelSelector::default()]);
    assert!(text(&placement).contains(r#""spec":{"locationSelectors":[{}]}"#), "{}", text(&placement));
}

/// A `null` selector in a list would select everything if it were read as an empty one.
#[test]
fn a_null_selector_in_a_list_is_refused() {
    let spec = json!({"spec": {"locationSelectors": [null]}});
    serde_json::from_value::<EdgePlacement>(spec).unwrap_err();
}

/// `cells` and the values of selectors are data too, but an API server checks them against the schema of the CRD.
#[test]
fn null_is_an_empty_value_of_labels_and_annotations_only() {
    let metadata: ObjectMeta = read(&json!({"labels": {"a": null, "b": "x"}, "annotations": {"c": null}}));
    assert_eq!(text(&metadata), r#"{"annotations":{"c":""},"labels":{"a":"","b":"x"}}"#);
    serde_json::from_value::<LabelSelector>(json!({"matchLabels": {"a": null}})).unwrap_err();
    serde_json::from_value::<SyncTarget>(json!({"spec": {"cells": {"a": null}}})).unwrap_err();
}

#[test]
fn numbers_keep_their_range() {
    let generation = |value: Value| serde_json::from_value::<ObjectMeta>(json!({ "generation": value }));
    for value in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(generation(json!(value)).unwrap().generation, value);
    }
    generation(json!(u64::MAX)).unwrap_err();
    generation(json!("1")).unwrap_err();
    let count =
        |value: i64| serde_json::from_value::<EdgePlacement>(json!({"status": {"matchingLocationCount": value}}));
    assert_eq!(count(i32::MAX.into()).unwrap().status.matching_location_count, i32::MAX);
    count(i64::from(i32::MAX) + 1).unwrap_err();
    let instances = |value: i64| serde_json::from_value::<Location>(json!({"status": {"instances": value}}));
    assert_eq!(instances(u32::MAX.into()).unwrap().status.instances, Some(u32::MAX));
    instances(-1).unwrap_err();
}

/// Labels that Kubernetes would refuse are still read: they cannot be, but one object must not stop the others.
#[test]
fn odd_text_is_read_as_it_is() {
    let odd = json!({"labels": {"": " ", "ä/ö/ü": "\u{0}\u{1f980}", "a\"b": "c\\d\n"}, "name": "Ä b"});
    assert_eq!(text(&read::<ObjectMeta>(&odd)), sorted(odd).to_string());
}

#[test]
fn the_key_is_the_logical_cluster_and_the_name() {
    let key = |metadata: Value| read::<SyncTarget>(&json!({ "metadata": metadata })).key("fallback");
    assert_eq!(key(full_metadata()), ObjectKey::new("1kzx8b9gkd1vl5fk", "sample"));
    assert_eq!(key(json!({"name": "n"})), ObjectKey::new("fallback", "n"));
    assert_eq!(key(json!({"name": "n", "annotations": {"kcp.io/cluster": ""}})), ObjectKey::new("fallback", "n"));
    assert_eq!(key(json!({"name": "n", "annotations": {"kcp.io/cluster": null}})), ObjectKey::new("fallback", "n"));
}
