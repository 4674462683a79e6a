//! What happens: an object appeared, changed or went.
//!
//! A record is the lean form of an object: what matching needs, with its selectors validated. Building one from the wire
//! form never fails; what is wrong with the object becomes a part of the record ([`Invalid`]), since one bad object must
//! not affect another, and since **what cannot be resolved stays as it was**.

use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashMap};
use indexmap::IndexMap;

use crate::object::{EdgePlacement, Kind, Location, ObjectKey, ObjectMeta, ResourceRef, SyncTarget, WORKLOAD_GROUP};
use crate::selector::{FieldError, Invalid, Labels, Selector, compile_all, validate_cluster_name, validate_name};

/// A change of one object; `None` says that it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// About a SyncTarget.
    SyncTarget(ObjectKey, Option<SyncTargetRecord>),
    /// About a Location.
    Location(ObjectKey, Option<LocationRecord>),
    /// About an EdgePlacement.
    EdgePlacement(ObjectKey, Option<EdgePlacementRecord>),
}

impl Event {
    /// The SyncTarget exists and looks like this.
    #[must_use]
    pub fn sync_target(key: ObjectKey, object: SyncTarget) -> Self {
        let record = SyncTargetRecord::new(&key, object);
        Self::SyncTarget(key, Some(record))
    }

    /// The Location exists and looks like this.
    #[must_use]
    pub fn location(key: ObjectKey, object: Location) -> Self {
        let record = LocationRecord::new(&key, object);
        Self::Location(key, Some(record))
    }

    /// The EdgePlacement exists and looks like this.
    #[must_use]
    pub fn edge_placement(key: ObjectKey, object: EdgePlacement) -> Self {
        let record = EdgePlacementRecord::new(&key, object);
        Self::EdgePlacement(key, Some(record))
    }

    /// Which object it is about.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::SyncTarget(key, _) | Self::Location(key, _) | Self::EdgePlacement(key, _) => key,
        }
    }

    /// The kind of the object.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::SyncTarget(..) => Kind::SyncTarget,
            Self::Location(..) => Kind::Location,
            Self::EdgePlacement(..) => Kind::EdgePlacement,
        }
    }

    /// What is wrong with the object, if something is.
    #[must_use]
    pub fn invalid(&self) -> Option<&Invalid> {
        match self {
            Self::SyncTarget(_, record) => record.as_ref()?.invalid.as_ref(),
            Self::Location(_, record) => record.as_ref()?.holds.as_ref().err(),
            Self::EdgePlacement(_, record) => record.as_ref()?.selectors.as_ref().err(),
        }
    }
}

/// The events of a batch that count, in the order in which they are applied.
///
/// Of several events about one object only the last counts, so that what is deleted and created again in one batch has
/// changed in place. Locations that cannot be resolved go first (what joins in the same batch was not published through
/// them), then SyncTargets, other Locations and EdgePlacements, which is the cheapest order. Those of one kind may be
/// applied in any order.
pub fn batch<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<&'e Event> {
    let events = events.into_iter();
    let mut last: IndexMap<(Kind, &ObjectKey), &Event, DefaultHashBuilder> =
        IndexMap::with_capacity_and_hasher(events.size_hint().0, DefaultHashBuilder::default());
    for event in events {
        last.insert((event.kind(), event.key()), event);
    }
    let mut batch: Vec<&Event> = last.into_values().collect();
    batch.sort_by_key(|event| rank(event));
    batch
}

/// Brings events of one cluster together, in the order of kinds as before: they look at the same things, which are in the
/// cache then. Few at a time, so that the events themselves stay there too.
pub(crate) fn gather<'e>(batch: &mut [&'e Event]) {
    for few in batch.chunks_mut(1024) {
        let mut clusters: HashMap<&'e str, usize> = HashMap::new();
        few.sort_by_cached_key(|event| {
            let next = clusters.len();
            (rank(event), *clusters.entry(&event.key().cluster).or_insert(next))
        });
    }
}

fn rank(event: &Event) -> Option<Kind> {
    match event.kind() {
        Kind::Location if event.invalid().is_some() => None,
        kind => Some(kind),
    }
}

/// An object that exists but cannot be decoded: as much of its metadata as could be read, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// The part of the metadata that could be read.
    pub metadata: ObjectMeta,
    /// Whether `metadata.labels` could be read. If not, the labels that were known before stay in force.
    pub labels_known: bool,
    /// Why the object cannot be decoded.
    pub invalid: Invalid,
}

/// What matching needs of a SyncTarget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncTargetRecord {
    /// `metadata.uid`; empty means unknown.
    pub uid: String,
    /// The labels; `None` if they cannot be read.
    pub labels: Option<Labels>,
    /// What is wrong with the object. A SyncTarget is used by its labels alone, so it is at a standstill only if those
    /// cannot be read.
    pub invalid: Option<Invalid>,
}

impl SyncTargetRecord {
    fn new(key: &ObjectKey, object: SyncTarget) -> Self {
        Self {
            uid: object.metadata.uid,
            labels: Some(object.metadata.labels.into()),
            invalid: Invalid::from_errors(identity_errors(key)),
        }
    }
}

impl From<Undecodable> for SyncTargetRecord {
    fn from(object: Undecodable) -> Self {
        let labels = object.labels_known.then(|| object.metadata.labels.into());
        Self { uid: object.metadata.uid, labels, invalid: Some(object.invalid) }
    }
}

/// Which SyncTargets of its cluster a Location holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Those that the selector matches.
    Matching(Selector),
    /// None: there is no selector, not even a default, or the Location's instances are not SyncTargets.
    Nothing,
}

/// What matching needs of a Location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationRecord {
    /// The labels; `None` if they cannot be read.
    pub labels: Option<Labels>,
    /// What it holds, or why that cannot be said: then the Location is frozen.
    pub holds: Result<Holds, Invalid>,
}

impl LocationRecord {
    fn new(key: &ObjectKey, object: Location) -> Self {
        let mut errors = identity_errors(key);
        let holds = match (&object.spec.instance_selector, is_sync_targets(object.spec.resource.as_ref())) {
            (Some(selector), is_sync_targets) => match Selector::compile(selector, "spec.instanceSelector") {
                Ok(selector) if is_sync_targets => Holds::Matching(selector),
                Ok(_) => Holds::Nothing,
                Err(invalid) => {
                    errors.extend(invalid.into_errors());
                    Holds::Nothing
                }
            },
            (None, _) => Holds::Nothing,
        };
        Self { labels: Some(object.metadata.labels.into()), holds: Invalid::from_errors(errors).map_or(Ok(holds), Err) }
    }
}

impl From<Undecodable> for LocationRecord {
    fn from(object: Undecodable) -> Self {
        let labels = object.labels_known.then(|| object.metadata.labels.into());
        Self { labels, holds: Err(object.invalid) }
    }
}

/// Only SyncTargets of workload.kcp.io/v1alpha1 are edge clusters; kcp's CRD defaults the group.
fn is_sync_targets(resource: Option<&ResourceRef>) -> bool {
    resource.is_some_and(|resource| {
        matches!(resource.group.as_deref(), None | Some("" | WORKLOAD_GROUP))
            && resource.version == "v1alpha1"
            && resource.resource == "synctargets"
    })
}

/// What matching needs of an EdgePlacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgePlacementRecord {
    /// `metadata.uid`; empty means unknown.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// It has a `deletionTimestamp`: nothing is written for it any more.
    pub deleting: bool,
    /// The Locations it selects, by any of these; or why that cannot be said: then its slices stay as they are.
    pub selectors: Result<Vec<Selector>, Invalid>,
}

impl EdgePlacementRecord {
    fn new(key: &ObjectKey, object: EdgePlacement) -> Self {
        let mut errors = identity_errors(key);
        let mut selectors = Vec::new();
        match compile_all(&object.spec.location_selectors, "spec.locationSelectors") {
            Ok(compiled) => selectors = compiled,
            Err(invalid) => errors.extend(invalid.into_errors()),
        }
        Self {
            deleting: is_deleting(&object.metadata),
            uid: object.metadata.uid,
            generation: object.metadata.generation,
            selectors: Invalid::from_errors(errors).map_or(Ok(selectors), Err),
        }
    }
}

impl From<Undecodable> for EdgePlacementRecord {
    fn from(object: Undecodable) -> Self {
        Self {
            deleting: is_deleting(&object.metadata),
            uid: object.metadata.uid,
            generation: object.metadata.generation,
            selectors: Err(object.invalid),
        }
    }
}

/// A template may leave the timestamp empty; a server never does.
fn is_deleting(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.as_ref().is_some_and(|timestamp| !timestamp.is_empty())
}

/// What is wrong with an object's name or logical cluster.
fn identity_errors(key: &ObjectKey) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Err(reason) = validate_cluster_name(&key.cluster) {
        errors.push(FieldError { path: "metadata.annotations[kcp.io/cluster]".into(), reason });
    }
    if let Err(reason) = validate_name(&key.name) {
        errors.push(FieldError { path: "metadata.name".into(), reason });
    }
    errors
}
