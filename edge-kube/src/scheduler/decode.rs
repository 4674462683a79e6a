//! Objects of an API server, from JSON to what the engine takes.
//!
//! **It never fails.** An object that is not what its kind should be exists all the same: as an invalid object, or as a
//! slice that cannot be read. The quick way goes straight into the lean types; only what that refuses is read again, by
//! the tolerant decoder of manifests, which says what is wrong and where.
//!
//! Of a slice the destinations are read, but not kept: at a start they are by far the most of what is read, and nearly
//! always a digest says all there is to know. What `null` means is said by the tolerant decoder.
//!
//! The server has applied the defaults of its CRDs, so none is applied here.

use std::borrow::Cow;
use std::fmt;

use edge_core::event::{Event, Undecodable};
use edge_core::index::DestinationRef;
use edge_core::object::{
    CLUSTER_ANNOTATION, EdgePlacement, EdgePlacementStatus, Kind, Location, Object, ObjectKey, ObjectMeta,
    SinglePlacementSlice, SyncTarget,
};
use edge_core::publisher::Seen;
use edge_core::selector::{FieldError, Invalid};
use edge_core::slices::{Digest, Digester};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::backend::Observed;
use crate::input::decode_json;

/// The annotation under which a slice's own `kcp.io/cluster` is kept where it does not name the logical cluster. Not a
/// valid key, so no object has it.
const KEPT_ANNOTATION: &str = "kcp.io/cluster (of the object)";

/// Where objects live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Clusters {
    /// In the logical cluster that kcp names in the annotation `kcp.io/cluster`.
    Annotated,
    /// All in this one, whatever annotations they carry.
    One(String),
}

impl Clusters {
    /// What an object is; `None` if kcp does not say where it lives.
    pub(crate) fn observe(&self, kind: Kind, text: &str) -> Option<Observed> {
        match kind {
            Kind::SyncTarget => self.spec::<SyncTarget>(text, Event::sync_target, |key, undecodable| {
                Event::SyncTarget(key, Some(undecodable.into()))
            }),
            Kind::Location => self.spec::<Location>(text, Event::location, |key, undecodable| {
                Event::Location(key, Some(undecodable.into()))
            }),
            Kind::EdgePlacement => self.edge_placement(text),
            Kind::SinglePlacementSlice => match serde_json::from_str::<ThinSlice>(text) {
                Ok(ThinSlice { mut metadata, destinations }) => {
                    let key = self.read_metadata(&mut metadata)?;
                    Some(Observed::Slice(key, Seen::Thin(metadata, destinations.0)))
                }
                Err(_) => self.observe_slice(text).map(|(key, seen)| Observed::Slice(key, seen)),
            },
        }
    }

    /// What an object of a watch is, which need not be shown as a whole; `None` if kcp does not say where it lives.
    pub(crate) fn observe_change(&self, kind: Kind, text: &str) -> Option<Observed> {
        let is_partial = || serde_json::from_str::<OfKind<'_>>(text).is_ok_and(|of| of.kind == PARTIAL_OBJECT_METADATA);
        if kind != Kind::SinglePlacementSlice || !is_partial() {
            return self.observe(kind, text);
        }
        let (Metadata { mut metadata }, _) = decode::<Metadata>(text);
        let key = self.read_metadata(&mut metadata)?;
        Some(Observed::Slice(key, Seen::Metadata(metadata)))
    }

    /// A slice with its destinations; `None` if kcp does not say where it lives.
    pub(crate) fn observe_slice(&self, text: &str) -> Option<(ObjectKey, Seen)> {
        let (mut slice, wrong) = decode::<SinglePlacementSlice>(text);
        let key = self.read_metadata(&mut slice.metadata)?;
        Some((key, if wrong.is_empty() { Seen::Object(slice) } else { Seen::Unreadable(slice.metadata) }))
    }

    /// The identity of an object: its key and UID. The latter is empty if the text has none.
    pub(crate) fn identify(&self, text: &str) -> Option<(ObjectKey, String)> {
        let (object, _) = decode::<Metadata>(text);
        Some((self.key(&object.metadata)?, object.metadata.uid))
    }

    /// The metadata of a slice as the engine knows it, from how a server has it: it carries its logical cluster.
    fn read_metadata(&self, metadata: &mut ObjectMeta) -> Option<ObjectKey> {
        let key = self.key(metadata)?;
        let annotations = &mut metadata.annotations;
        if let (Self::One(_), Some(own)) = (self, annotations.remove(CLUSTER_ANNOTATION)) {
            annotations.insert(KEPT_ANNOTATION.into(), own);
        }
        annotations.insert(CLUSTER_ANNOTATION.into(), key.cluster.clone());
        Some(key)
    }

    /// A slice as a server takes it, from how the engine knows it: the annotation that names the logical cluster is kcp's
    /// own, and nobody's elsewhere.
    pub(crate) fn written_slice(mut slice: SinglePlacementSlice) -> SinglePlacementSlice {
        let annotations = &mut slice.metadata.annotations;
        annotations.remove(CLUSTER_ANNOTATION);
        if let Some(own) = annotations.remove(KEPT_ANNOTATION) {
            annotations.insert(CLUSTER_ANNOTATION.into(), own);
        }
        slice
    }

    fn key(&self, metadata: &ObjectMeta) -> Option<ObjectKey> {
        let cluster = match self {
            Self::Annotated => metadata.cluster()?,
            Self::One(cluster) => cluster,
        };
        Some(ObjectKey::new(cluster, metadata.name.as_str()))
    }

    fn spec<T: Object + Default + for<'n> Deserialize<'n>>(
        &self,
        text: &str,
        decoded: fn(ObjectKey, T) -> Event,
        undecodable: fn(ObjectKey, Undecodable) -> Event,
    ) -> Option<Observed> {
        let (object, wrong) = decode::<T>(text);
        let key = self.key(object.metadata())?;
        Some(Observed::Spec(match Invalid::from_errors(wrong) {
            None => decoded(key, object),
            Some(invalid) => undecodable(key, as_undecodable(object.metadata().clone(), invalid)),
        }))
    }

    fn edge_placement(&self, text: &str) -> Option<Observed> {
        let (mut object, mut wrong) = decode::<EdgePlacement>(text);
        // The status says nothing about what is wanted.
        wrong.retain(|error| !within(&error.path, "status"));
        let key = self.key(&object.metadata)?;
        let status: EdgePlacementStatus = std::mem::take(&mut object.status);
        let event = match Invalid::from_errors(wrong) {
            None => Event::edge_placement(key, object),
            Some(invalid) => Event::EdgePlacement(key, Some(as_undecodable(object.metadata, invalid).into())),
        };
        Some(Observed::EdgePlacement(event, status))
    }
}

fn as_undecodable(metadata: ObjectMeta, invalid: Invalid) -> Undecodable {
    let labels_known = !invalid
        .errors()
        .iter()
        .any(|error| within(&error.path, "metadata.labels") || within("metadata.labels", &error.path));
    Undecodable { metadata, labels_known, invalid }
}

/// Whether `path` is `outer` or in it; everything is in the whole object, whose path is empty.
fn within(path: &str, outer: &str) -> bool {
    outer.is_empty() || path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn decode<T: Default + for<'n> Deserialize<'n>>(text: &str) -> (T, Vec<FieldError>) {
    match serde_json::from_str(text) {
        Ok(object) => (object, Vec::new()),
        Err(_) => decode_json(text),
    }
}

/// A slice whose destinations are read, but not kept.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ThinSlice {
    metadata: ObjectMeta,
    destinations: Digested,
}

/// A list of destinations.
struct Digested(Digest);

impl Default for Digested {
    fn default() -> Self {
        Self(Digest::of([]))
    }
}

impl<'de> Deserialize<'de> for Digested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Digested;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of destinations")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Digested, A::Error> {
                let mut digester = Digester::default();
                while let Some(entry) = list.next_element::<Entry<'de>>()? {
                    digester.push(DestinationRef {
                        cluster: entry.cluster.unwrap_or_default(),
                        location_name: entry.location_name.unwrap_or_default(),
                        sync_target_name: entry.sync_target_name.unwrap_or_default(),
                        sync_target_uid: entry.sync_target_uid.unwrap_or_default(),
                    });
                }
                Ok(Digested(digester.finish()))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// A `Destination` that borrows from the text. Text with escapes cannot be borrowed: names have none.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry<'a> {
    cluster: Option<&'a str>,
    location_name: Option<&'a str>,
    sync_target_name: Option<&'a str>,
    #[serde(rename = "syncTargetUID")]
    sync_target_uid: Option<&'a str>,
}

/// The quick way, and the tolerant one.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn decode_both_ways<T: Default + for<'n> Deserialize<'n>>(
    text: &str,
) -> (serde_json::Result<T>, (T, Vec<FieldError>)) {
    (serde_json::from_str(text), decode_json(text))
}

/// The kind of an object that is shown without its content, in `meta.k8s.io/v1`.
const PARTIAL_OBJECT_METADATA: &str = "PartialObjectMetadata";

/// What an object says it is.
#[derive(Deserialize)]
struct OfKind<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

/// What all objects have.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    metadata: ObjectMeta,
}

/// What a watch needs of an object, and no more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Versioned {
    metadata: Version,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Version {
    resource_version: String,
}

/// The `metadata.resourceVersion` of an object; empty if it has none.
pub(crate) fn resource_version(text: &str) -> String {
    serde_json::from_str::<Versioned>(text).unwrap_or_default().metadata.resource_version
}

#[cfg(test)]
mod tests;
