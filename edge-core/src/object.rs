//! The four kinds in their Kubernetes wire form.
//!
//! The types read what an API server or a manifest holds and write what an API server expects: unknown fields are
//! ignored, an absent field has its default, and `null` stands for an absent field wherever a Kubernetes decoder takes it
//! so (fields and label values; not list elements, which a CRD schema rejects).
//!
//! They carry no rule of matching. [`crate::event`] turns them into what the index works on.

mod kinds;
mod meta;
mod wire;

pub use kinds::{
    AvailableSelectorLabel, Condition, Destination, EdgePlacement, EdgePlacementSpec, EdgePlacementStatus, Location,
    LocationSpec, LocationStatus, NonNamespacedObjectReferenceSet, Object, ResourceRef, SinglePlacementSlice,
    SupportedApiExport, SyncTarget, SyncTargetSpec, UpsyncSet,
};
pub use meta::{CLUSTER_ANNOTATION, LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference};

use alloc::string::String;
use core::fmt;

/// API group of EdgePlacement and SinglePlacementSlice.
pub const EDGE_GROUP: &str = "edge.kcp.io";
/// API group of Location.
pub const SCHEDULING_GROUP: &str = "scheduling.kcp.io";
/// API group of SyncTarget.
pub const WORKLOAD_GROUP: &str = "workload.kcp.io";

/// The kinds that the scheduler reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `SyncTarget`, workload.kcp.io/v1alpha1: an edge cluster.
    SyncTarget,
    /// `Location`, scheduling.kcp.io/v1alpha1: a set of SyncTargets of one logical cluster.
    Location,
    /// `EdgePlacement`, edge.kcp.io/v1alpha1: which Locations a workload goes to.
    EdgePlacement,
    /// `SinglePlacementSlice`, edge.kcp.io/v1alpha1: a part of the destinations of one EdgePlacement.
    SinglePlacementSlice,
}

impl Kind {
    /// All four, in the order in which a batch is applied.
    pub const ALL: [Self; 4] = [Self::SyncTarget, Self::Location, Self::EdgePlacement, Self::SinglePlacementSlice];

    /// The `kind` of the wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SyncTarget => "SyncTarget",
            Self::Location => "Location",
            Self::EdgePlacement => "EdgePlacement",
            Self::SinglePlacementSlice => "SinglePlacementSlice",
        }
    }

    /// The API group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::SyncTarget => WORKLOAD_GROUP,
            Self::Location => SCHEDULING_GROUP,
            Self::EdgePlacement | Self::SinglePlacementSlice => EDGE_GROUP,
        }
    }

    /// The `apiVersion` of the wire form. All four kinds are at `v1alpha1`.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::SyncTarget => "workload.kcp.io/v1alpha1",
            Self::Location => "scheduling.kcp.io/v1alpha1",
            Self::EdgePlacement | Self::SinglePlacementSlice => "edge.kcp.io/v1alpha1",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Identity of an object among those of its kind: every logical cluster may have a Location called `default`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ObjectKey {
    /// The logical cluster, from the annotation `kcp.io/cluster`.
    pub cluster: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectKey {
    /// The object `name` of `cluster`.
    pub fn new(cluster: impl Into<String>, name: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}
