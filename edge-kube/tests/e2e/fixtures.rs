//! The API definitions that tests install.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{
    CLUSTER_ROLE, CLUSTER_ROLE_BINDING, CRD, Cluster, EDGE_PLACEMENT, LOCATION, Resource, SLICE, SYNC_TARGET, name,
};

/// Which definition of EdgePlacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// Ours: with a status subresource, and all fields of the status.
    Ours,
    /// The original's: no status subresource, two fields in the status.
    Original,
}

/// CustomResourceDefinitions of the four kinds.
pub(crate) fn crds() -> Vec<Value> {
    [EDGE_PLACEMENT, SLICE, LOCATION, SYNC_TARGET]
        .map(|resource| {
            let (group, version) = resource.api.split_once('/').unwrap();
            let mut definition = names(resource);
            let mut served = json!({"name": version, "served": true, "storage": true});
            served["schema"] = json!({"openAPIV3Schema": open_api(resource, Schema::Ours)});
            if resource != SLICE {
                served["subresources"] = json!({"status": {}});
            }
            definition["versions"] = json!([served]);
            json!({"metadata": {"name": format!("{}.{group}", resource.plural)}, "spec": definition})
        })
        .into()
}

/// APIResourceSchemas of the kinds, and the APIExport `edge.kcp.io` that exports them.
pub(crate) fn kcp_export(resources: &[Resource], schema: Schema) -> (Vec<Value>, Value) {
    let schemas: Vec<_> = resources
        .iter()
        .map(|resource| {
            let (group, version) = resource.api.split_once('/').unwrap();
            let mut definition = names(*resource);
            let mut served = json!({"name": version, "served": true, "storage": true});
            served["schema"] = open_api(*resource, schema);
            served["subresources"] = json!({});
            if *resource != SLICE && schema == Schema::Ours {
                served["subresources"] = json!({"status": {}});
            }
            definition["versions"] = json!([served]);
            json!({"metadata": {"name": format!("v1.{}.{group}", resource.plural)}, "spec": definition})
        })
        .collect();
    let names: Vec<_> = schemas.iter().map(|schema| &schema["metadata"]["name"]).collect();
    let export = json!({"metadata": {"name": "edge.kcp.io"}, "spec": {"latestResourceSchemas": names}});
    (schemas, export)
}

fn names(resource: Resource) -> Value {
    let singular = resource.kind.to_lowercase();
    json!({
        "group": resource.api.split_once('/').unwrap().0,
        "names": {"plural": resource.plural, "singular": singular, "kind": resource.kind, "listKind": format!("{}List", resource.kind)},
        "scope": "Cluster",
    })
}

fn open_api(resource: Resource, schema: Schema) -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let string = json!({"type": "string"});
    let properties = match resource {
        SLICE => {
            let fields = ["cluster", "locationName", "syncTargetName", "syncTargetUID"];
            let properties: serde_json::Map<_, _> =
                fields.map(|field| (field.into(), string.clone())).into_iter().collect();
            let destination = json!({"type": "object", "required": fields, "properties": properties});
            json!({"destinations": {"type": "array", "items": destination}})
        }
        EDGE_PLACEMENT => {
            let int = json!({"type": "integer", "format": "int32"});
            let mut status = json!({"specGeneration": int, "matchingLocationCount": int});
            if schema == Schema::Ours {
                status["destinationCount"] = int.clone();
                status["sliceCount"] = int;
                status["conditions"] = json!({"type": "array", "items": any});
            }
            let selectors = json!({"type": "array", "items": any});
            let spec = json!({
                "type": "object",
                "properties": {
                    "locationSelectors": selectors,
                    "namespaceSelector": any,
                    "nonNamespacedObjects": {"type": "array", "items": any},
                    "upsync": {"type": "array", "items": any},
                },
            });
            json!({"spec": spec, "status": {"type": "object", "properties": status}})
        }
        LOCATION => {
            let selector = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "default": {}});
            let spec = json!({
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
                "required": ["resource"],
                "properties": {"resource": any, "instanceSelector": selector},
            });
            json!({"spec": spec, "status": any})
        }
        _ => json!({"spec": any, "status": any}),
    };
    let mut all = json!({"apiVersion": string, "kind": string, "metadata": {"type": "object"}});
    all.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
    let mut root = json!({"type": "object", "properties": all});
    if resource == SLICE {
        root["required"] = json!(["destinations"]);
    }
    root
}

/// The name of the role that lets the scheduler write.
pub(crate) const WRITER: &str = "edge-scheduler-writer";

/// Gives the scheduler's user the rights that it needs on Kubernetes: one role to read, one to write.
pub(crate) fn grant(cluster: &Cluster) {
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!({"apiGroups": groups, "resources": resources, "verbs": verbs});
    let ours = ["edge.kcp.io", "scheduling.kcp.io", "workload.kcp.io"];
    let kinds = ["edgeplacements", "singleplacementslices", "locations", "synctargets"];
    let read = [
        rule(&ours, &kinds, &["get", "list", "watch"]),
        rule(&["coordination.k8s.io"], &["leases"], &["get", "create", "update", "patch"]),
        rule(&["", "events.k8s.io"], &["events"], &["create", "patch"]),
    ];
    let write = [
        rule(&["edge.kcp.io"], &["singleplacementslices"], &["create", "update", "delete"]),
        rule(&["edge.kcp.io"], &["edgeplacements/status"], &["update", "patch"]),
    ];
    for (name, rules) in [("edge-scheduler-reader", &read[..]), (WRITER, &write[..])] {
        if cluster.get(CLUSTER_ROLE, name).is_none() {
            cluster.create(CLUSTER_ROLE, json!({"metadata": {"name": name}, "rules": rules}));
        }
        give_role(cluster, name);
    }
}

/// Binds a role to the scheduler's user.
pub(crate) fn give_role(cluster: &Cluster, role: &str) {
    if cluster.get(CLUSTER_ROLE_BINDING, role).is_some() {
        return;
    }
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": role},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "edge-scheduler"}],
    });
    cluster.create(CLUSTER_ROLE_BINDING, binding);
}

/// Installs the CustomResourceDefinitions, if they are not there, and waits until they are served.
pub(crate) fn install_crds(cluster: &Cluster) {
    for definition in crds() {
        if cluster.get(CRD, name(&definition)).is_none() {
            cluster.create(CRD, definition);
        }
    }
    let begin = Instant::now();
    for resource in [EDGE_PLACEMENT, SLICE, LOCATION, SYNC_TARGET] {
        while let Err(error) = cluster.try_list(resource) {
            assert!(begin.elapsed().as_secs() < 30, "{} are not served: {error}", resource.plural);
            thread::sleep(Duration::from_millis(50));
        }
    }
}
