//! One logical cluster, and what a test does with the objects in it.

use std::thread;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::client::{ApiError, Client};

/// A kind of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Group and version, or the version alone.
    pub(crate) api: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) kind: &'static str,
}

pub(crate) const EDGE_PLACEMENT: Resource =
    Resource { api: "edge.kcp.io/v1alpha1", plural: "edgeplacements", kind: "EdgePlacement" };
pub(crate) const SLICE: Resource =
    Resource { api: "edge.kcp.io/v1alpha1", plural: "singleplacementslices", kind: "SinglePlacementSlice" };
pub(crate) const LOCATION: Resource =
    Resource { api: "scheduling.kcp.io/v1alpha1", plural: "locations", kind: "Location" };
pub(crate) const SYNC_TARGET: Resource =
    Resource { api: "workload.kcp.io/v1alpha1", plural: "synctargets", kind: "SyncTarget" };
pub(crate) const WORKSPACE: Resource =
    Resource { api: "tenancy.kcp.io/v1alpha1", plural: "workspaces", kind: "Workspace" };
pub(crate) const SHARD: Resource = Resource { api: "core.kcp.io/v1alpha1", plural: "shards", kind: "Shard" };
pub(crate) const CRD: Resource =
    Resource { api: "apiextensions.k8s.io/v1", plural: "customresourcedefinitions", kind: "CustomResourceDefinition" };
pub(crate) const ENDPOINT_SLICE: Resource =
    Resource { api: "apis.kcp.io/v1alpha1", plural: "apiexportendpointslices", kind: "APIExportEndpointSlice" };
pub(crate) const API_EXPORT: Resource =
    Resource { api: "apis.kcp.io/v1alpha1", plural: "apiexports", kind: "APIExport" };
pub(crate) const API_BINDING: Resource =
    Resource { api: "apis.kcp.io/v1alpha1", plural: "apibindings", kind: "APIBinding" };
pub(crate) const CLUSTER_ROLE: Resource =
    Resource { api: "rbac.authorization.k8s.io/v1", plural: "clusterroles", kind: "ClusterRole" };

/// A logical cluster: a kcp workspace, or all of a Kubernetes API server.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// Its logical name, as it stands in destinations.
    pub(crate) name: String,
    /// What URLs begin with.
    prefix: String,
}

impl Cluster {
    pub(crate) fn kcp(client: &Client, name: &str) -> Self {
        Self { client: client.clone(), name: name.into(), prefix: format!("/clusters/{name}") }
    }

    pub(crate) fn kubernetes(client: &Client) -> Self {
        Self { client: client.clone(), name: "default".into(), prefix: String::new() }
    }

    /// The path of all objects of a kind.
    pub(crate) fn path(&self, resource: Resource) -> String {
        let root = if resource.api.contains('/') { "apis" } else { "api" };
        format!("{}/{root}/{}/{}", self.prefix, resource.api, resource.plural)
    }

    fn send(&self, method: Method, resource: Resource, rest: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        self.client.send(method, &format!("{}{rest}", self.path(resource)), body)
    }

    /// Creates an object; `apiVersion` and `kind` need not be there.
    pub(crate) fn try_create(&self, resource: Resource, mut object: Value) -> Result<Value, ApiError> {
        object["apiVersion"] = resource.api.into();
        object["kind"] = resource.kind.into();
        self.send(Method::POST, resource, "", Some(&object))
    }

    /// Creates an object. A server that has just started, or is told of an API just now, gets some time for it.
    pub(crate) fn create(&self, resource: Resource, object: Value) -> Value {
        let begin = Instant::now();
        loop {
            match self.try_create(resource, object.clone()) {
                Ok(created) => return created,
                Err(error) if matches!(error.code, 0 | 403 | 404 | 429 | 500..) && begin.elapsed().as_secs() < 20 => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(error) => panic!("cannot create {} {} in {}: {error}", resource.kind, name(&object), self.name),
            }
        }
    }

    /// Creates what a document says, unless it is there.
    pub(crate) fn apply(&self, document: &Value) {
        let api = document["apiVersion"].as_str().unwrap();
        let root = if api.contains('/') { "apis" } else { "api" };
        let namespace = document["metadata"]["namespace"].as_str();
        let namespace = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
        let plural = document["kind"].as_str().unwrap().to_lowercase() + "s";
        let path = format!("{}/{root}/{api}{namespace}/{plural}", self.prefix);
        let begin = Instant::now();
        while let Err(error) = self.client.send(Method::POST, &path, Some(document)) {
            match error.code {
                409 => return,
                // The server has just started, or this workspace has just been made.
                0 | 403 | 404 | 429 | 500.. if begin.elapsed().as_secs() < 20 => {
                    thread::sleep(Duration::from_millis(50))
                }
                _ => panic!("cannot create {plural} {} in {}: {error}", name(document), self.name),
            }
        }
    }

    pub(crate) fn get(&self, resource: Resource, name: &str) -> Option<Value> {
        match self.send(Method::GET, resource, &format!("/{name}"), None) {
            Ok(object) => Some(object),
            Err(error) if error.code == 404 => None,
            Err(error) => panic!("cannot get {} {name} in {}: {error}", resource.kind, self.name),
        }
    }

    pub(crate) fn try_list(&self, resource: Resource) -> Result<Vec<Value>, ApiError> {
        let mut list = self.send(Method::GET, resource, "", None)?;
        Ok(list["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    pub(crate) fn list(&self, resource: Resource) -> Vec<Value> {
        self.try_list(resource)
            .unwrap_or_else(|error| panic!("cannot list {} in {}: {error}", resource.plural, self.name))
    }

    /// Changes an object, again if somebody else does at the same time.
    pub(crate) fn edit(&self, resource: Resource, name: &str, change: impl Fn(&mut Value)) -> Value {
        for _ in 0..20 {
            let mut object = self.get(resource, name).unwrap_or_else(|| panic!("no {} {name}", resource.kind));
            change(&mut object);
            match self.send(Method::PUT, resource, &format!("/{name}"), Some(&object)) {
                Ok(object) => return object,
                Err(error) if error.code == 409 => {}
                Err(error) => panic!("cannot update {} {name} in {}: {error}", resource.kind, self.name),
            }
        }
        panic!("cannot update {} {name} in {}: conflicts", resource.kind, self.name)
    }

    /// A merge patch.
    pub(crate) fn patch(&self, resource: Resource, name: &str, patch: &Value) -> Value {
        self.send(Method::PATCH, resource, &format!("/{name}"), Some(patch))
            .unwrap_or_else(|error| panic!("cannot patch {} {name} in {}: {error}", resource.kind, self.name))
    }

    pub(crate) fn delete(&self, resource: Resource, name: &str) {
        if let Err(error) = self.try_delete(resource, name) {
            panic!("cannot delete {} {name} in {}: {error}", resource.kind, self.name);
        }
    }

    /// Deletes an object, if it is there.
    pub(crate) fn try_delete(&self, resource: Resource, name: &str) -> Result<(), ApiError> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        match self.send(Method::DELETE, resource, &format!("/{name}"), Some(&options)) {
            Err(error) if error.code != 404 => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes all objects of a kind, or those that a query such as `?labelSelector=…` leaves.
    pub(crate) fn delete_all(&self, resource: Resource, query: &str) -> Result<(), ApiError> {
        match self.send(Method::DELETE, resource, query, None) {
            Err(error) if error.code != 404 => Err(error),
            _ => Ok(()),
        }
    }
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// `metadata.resourceVersion`.
pub(crate) fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}
