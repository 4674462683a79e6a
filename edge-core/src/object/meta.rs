//! Object metadata and label selectors.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::wire::{is_default, null_as_default, string_map};

/// The annotation in which kcp names an object's logical cluster.
pub const CLUSTER_ANNOTATION: &str = "kcp.io/cluster";

/// The part of `metadata` that the scheduler reads or preserves; fields are written in alphabetical order, as `kubectl`
/// prints them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Arbitrary data; holds the logical cluster under [`CLUSTER_ANNOTATION`].
    #[serde(deserialize_with = "string_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// RFC 3339, set by the server.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub creation_timestamp: Option<String>,
    /// RFC 3339; set by the server once deletion was asked for while finalizers remain.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub deletion_timestamp: Option<String>,
    /// What must be done before the object may go.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub finalizers: Vec<String>,
    /// Counts changes of the desired state; 0 means unknown.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub generation: i64,
    /// Labels, the input of every selector.
    #[serde(deserialize_with = "string_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The name, unique for a kind in a logical cluster.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub name: String,
    /// The objects whose garbage collection takes this one along.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub owner_references: Vec<OwnerReference>,
    /// The server's opaque version; empty means unknown.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub resource_version: String,
    /// The server's identity of this incarnation; empty means unknown.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub uid: String,
}

impl ObjectMeta {
    /// The logical cluster that the annotation names. An empty annotation names none.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        self.annotations.get(CLUSTER_ANNOTATION).map(String::as_str).filter(|cluster| !cluster.is_empty())
    }
}

/// An entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// `group/version` of the owner.
    #[serde(deserialize_with = "null_as_default")]
    pub api_version: String,
    /// Foreground deletion of the owner waits for this object.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub block_owner_deletion: Option<bool>,
    /// The owner is the managing controller.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub controller: Option<bool>,
    /// Kind of the owner.
    #[serde(deserialize_with = "null_as_default")]
    pub kind: String,
    /// Name of the owner, in the same logical cluster.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// UID of the owner.
    #[serde(deserialize_with = "null_as_default")]
    pub uid: String,
}

/// Kubernetes' `meta/v1` LabelSelector: all of its requirements must hold; without any it selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Requirements on labels and their values.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
    /// Labels that must be there with these values; short for one `In` requirement each.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub match_labels: BTreeMap<String, String>,
}

/// One entry of `matchExpressions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelectorRequirement {
    /// The label's key.
    #[serde(deserialize_with = "null_as_default")]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; anything else makes the object invalid, not the document unreadable.
    #[serde(deserialize_with = "null_as_default")]
    pub operator: String,
    /// The values of `In` and `NotIn`.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub values: Vec<String>,
}
