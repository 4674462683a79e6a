//! The four kinds.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::wire::{is_default, null_as_default};
use super::{Kind, LabelSelector, ObjectKey, ObjectMeta};

/// What all kinds have in common.
pub trait Object {
    /// The kind.
    const KIND: Kind;
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Its identity, with `default_cluster` where no annotation names the logical cluster.
    fn key(&self, default_cluster: &str) -> ObjectKey {
        let metadata = self.metadata();
        ObjectKey::new(metadata.cluster().unwrap_or(default_cluster), metadata.name.as_str())
    }
}

/// Writes `apiVersion` and `kind` with the fields; keys come in alphabetical order, as `kubectl` prints them.
macro_rules! wire_object {
    ($kind:ident { $($before:ident)? } { $($after:ident),* }) => {
        impl Object for $kind {
            const KIND: Kind = Kind::$kind;
            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut object = serializer.serialize_struct(stringify!($kind), 5)?;
                object.serialize_field("apiVersion", Self::KIND.api_version())?;
                $(object.serialize_field(stringify!($before), &self.$before)?;)?
                object.serialize_field("kind", Self::KIND.as_str())?;
                object.serialize_field("metadata", &self.metadata)?;
                $(if !is_default(&self.$after) {
                    object.serialize_field(stringify!($after), &self.$after)?;
                })*
                object.end()
            }
        }
    };
}

/// Directs a workload to Locations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EdgePlacement {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: EdgePlacementSpec,
    /// What the scheduler reports.
    #[serde(deserialize_with = "null_as_default")]
    pub status: EdgePlacementStatus,
}
wire_object!(EdgePlacement {} { spec, status });

/// Specification of an [`EdgePlacement`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EdgePlacementSpec {
    /// A Location is selected if **any** of these matches its labels; an empty list selects none.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub location_selectors: Vec<LabelSelector>,
    /// The namespaces to distribute; not used for matching.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub namespace_selector: Option<LabelSelector>,
    /// The cluster-scoped objects to distribute; not used for matching.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub non_namespaced_objects: Vec<NonNamespacedObjectReferenceSet>,
    /// The objects to return from the edge; not used for matching.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub upsync: Vec<UpsyncSet>,
}

/// Some cluster-scoped objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NonNamespacedObjectReferenceSet {
    /// API group; empty for the core group.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub api_group: String,
    /// Any of these selects by label.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub label_selectors: Vec<LabelSelector>,
    /// Names of objects; `*` means all.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub resource_names: Vec<String>,
    /// Lowercase plurals of resources; `*` means all.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub resources: Vec<String>,
}

/// Some objects to return from the edge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpsyncSet {
    /// API group; empty for the core group.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub api_group: String,
    /// Names of objects; `*` means all.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub names: Vec<String>,
    /// Namespaces; empty for cluster-scoped objects.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub namespaces: Vec<String>,
    /// Lowercase plurals of resources; `*` means all.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub resources: Vec<String>,
}

/// Status of an [`EdgePlacement`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EdgePlacementStatus {
    /// Whether the slices are as they should be, and what is in the way; not in the original's API.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
    /// How many destinations there are; not in the original's API.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub destination_count: Option<i32>,
    /// How many Locations are selected.
    #[serde(deserialize_with = "null_as_default")]
    pub matching_location_count: i32,
    /// How many SinglePlacementSlices hold the destinations; not in the original's API.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub slice_count: Option<i32>,
    /// The generation that the slices answer.
    #[serde(deserialize_with = "null_as_default")]
    pub spec_generation: i32,
}

/// Kubernetes' `meta/v1` Condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// RFC 3339: since when the status is what it is.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub last_transition_time: Option<String>,
    /// For people; at most 32768 bytes.
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
    /// The generation that the condition is about; 0 means unknown.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// Why, in one word.
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    /// `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "null_as_default")]
    pub status: String,
    /// What it is about.
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
}

/// A set of SyncTargets of its own logical cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Location {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: LocationSpec,
    /// What kcp reports.
    #[serde(deserialize_with = "null_as_default")]
    pub status: LocationStatus,
}
wire_object!(Location {} { spec, status });

/// Specification of a [`Location`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocationSpec {
    /// Labels that a Placement's selector may use; carried.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub available_selector_labels: Vec<AvailableSelectorLabel>,
    /// For people; carried.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub description: String,
    /// Which SyncTargets of its cluster the Location holds. kcp's CRD defaults it to `{}`, which holds all.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub instance_selector: Option<LabelSelector>,
    /// What the instances are. Only SyncTargets are edge clusters.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub resource: Option<ResourceRef>,
}

/// A label by which instances may be told apart; carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AvailableSelectorLabel {
    /// For people.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub description: String,
    /// The label's key.
    #[serde(deserialize_with = "null_as_default")]
    pub key: String,
    /// Its values.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub values: Vec<String>,
}

/// The resource of a Location's instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceRef {
    /// API group; absent means workload.kcp.io.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub group: Option<String>,
    /// Lowercase plural.
    #[serde(deserialize_with = "null_as_default")]
    pub resource: String,
    /// API version.
    #[serde(deserialize_with = "null_as_default")]
    pub version: String,
}

/// Status of a [`Location`]; kcp writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocationStatus {
    /// Instances that are ready.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub available_instances: Option<u32>,
    /// Instances.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub instances: Option<u32>,
}

/// An edge cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SyncTarget {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: SyncTargetSpec,
}
wire_object!(SyncTarget {} { spec });

/// Specification of a [`SyncTarget`]. Nothing here matters to matching: edge clusters may be out of reach for long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncTargetSpec {
    /// Named properties; carried.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub cells: BTreeMap<String, String>,
    /// RFC 3339; carried.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub evict_after: Option<String>,
    /// APIExports that the edge cluster's syncer serves; carried.
    #[serde(rename = "supportedAPIExports", deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub supported_api_exports: Vec<SupportedApiExport>,
    /// Carried.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub unschedulable: bool,
}

/// A reference to an APIExport; carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SupportedApiExport {
    /// Name of the APIExport.
    #[serde(deserialize_with = "null_as_default")]
    pub export: String,
    /// Path of its workspace.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub path: String,
}

/// A part of the destinations of one EdgePlacement. Its data is at the top level: no spec, no status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SinglePlacementSlice {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: ObjectMeta,
    /// The destinations; written even when empty, since the original's consumers do not take `null`.
    #[serde(deserialize_with = "null_as_default")]
    pub destinations: Vec<Destination>,
}
wire_object!(SinglePlacementSlice { destinations } {});

/// One place to put the workload: a SyncTarget reached through a Location.
///
/// The order is that of the entries in a slice: by cluster, Location and SyncTarget, which people can read and diff.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// Logical cluster of both the Location and the SyncTarget.
    #[serde(deserialize_with = "null_as_default")]
    pub cluster: String,
    /// Name of the Location.
    #[serde(deserialize_with = "null_as_default")]
    pub location_name: String,
    /// Name of the SyncTarget.
    #[serde(deserialize_with = "null_as_default")]
    pub sync_target_name: String,
    /// UID of the SyncTarget; empty means unknown.
    #[serde(rename = "syncTargetUID", deserialize_with = "null_as_default")]
    pub sync_target_uid: String,
}

impl Destination {
    /// Cluster, Location and SyncTarget: what makes it the same destination, whichever UID the SyncTarget has.
    #[must_use]
    pub fn place(&self) -> (&str, &str, &str) {
        (&self.cluster, &self.location_name, &self.sync_target_name)
    }
}
