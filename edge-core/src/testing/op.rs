//! Histories as data, over a small universe in which everything meets everything.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::act::Act;
use super::bytes::Bytes;
use crate::event::{Event, Undecodable};
use crate::object::{
    EdgePlacement, EdgePlacementSpec, LabelSelector, LabelSelectorRequirement, Location, LocationSpec, ObjectKey,
    ObjectMeta, ResourceRef, SyncTarget,
};
use crate::selector::Invalid;

/// Names are the same in all clusters and for all kinds; their lengths differ, for hashes that look at the length.
pub(super) const CLUSTERS: [&str; 3] = ["k1", "root:k2", "k33"];
pub(super) const SYNC_TARGETS: [&str; 7] = ["a", "bb", "c", "dd", "ee", "f", "gg"];
pub(super) const LOCATIONS: [&str; 5] = ["a", "bb", "c", "dd", "e"];
/// With one that is too long for a label and one that is as long as a name can be.
const PLACEMENTS: [&str; 4] = [
    "a",
    "bb",
    "quite-a-long-name-for-an-edgeplacement.that-does-not-fit-into-a-label-value",
    "the-longest-name.that-is-possible-------------------------------------------------------------------------------------\
     ----------------------------------------------------------------------------------------------------------------------------------z.end",
];
const KEYS: [&str; 3] = ["a", "b", "c"];
const VALUES: [&str; 3] = ["x", "y", "z"];
/// How many destinations a slice may hold: few, so that tens of destinations make many slices.
pub(super) const MAXIMA: [usize; 5] = [1, 2, 3, 5, 8];
/// kcp puts it on every SyncTarget; no selector asks for it.
const NOISE: &str = "internal.workload.kcp.io/key";

/// The incarnation of an object whose UID is unknown.
const UNKNOWN_UID: u8 = 3;

/// Labels of an object.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(pub BTreeMap<String, String>);

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(key, value)| format!("{key}={value}"))).finish()
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "start:")?;
        self.start.iter().try_for_each(|change| writeln!(f, "  {change:?}"))?;
        writeln!(f, "ops:")?;
        self.ops.iter().try_for_each(|op| writeln!(f, "  {op:?}"))
    }
}

/// What a Location asks of SyncTargets.
#[derive(Debug, Clone)]
pub enum Instances {
    /// To match this.
    Matching(LabelSelector),
    /// There is no selector, not even a default.
    Nil,
    /// Its instances are not SyncTargets.
    Others(LabelSelector),
}

/// One object comes, changes or goes.
#[derive(Debug, Clone)]
pub enum Change {
    /// The SyncTarget exists so.
    PutSyncTarget {
        /// Identity.
        key: ObjectKey,
        /// Incarnation.
        uid: u8,
        /// Labels.
        labels: Tags,
    },
    /// The SyncTarget exists, and its labels cannot be read.
    GarbleSyncTarget {
        /// Identity.
        key: ObjectKey,
        /// Incarnation.
        uid: u8,
    },
    /// The SyncTarget is gone.
    DropSyncTarget {
        /// Identity.
        key: ObjectKey,
    },
    /// The Location exists so.
    PutLocation {
        /// Identity.
        key: ObjectKey,
        /// Labels.
        labels: Tags,
        /// What it holds.
        instances: Instances,
    },
    /// The Location exists and cannot be decoded.
    GarbleLocation {
        /// Identity.
        key: ObjectKey,
        /// `None` if not even they can be read.
        labels: Option<Tags>,
    },
    /// The Location is gone.
    DropLocation {
        /// Identity.
        key: ObjectKey,
    },
    /// The EdgePlacement exists so.
    PutPlacement {
        /// Identity.
        key: ObjectKey,
        /// Incarnation.
        uid: u8,
        /// Which Locations it selects.
        selectors: Vec<LabelSelector>,
        /// Whether it has a `deletionTimestamp`.
        deleting: bool,
    },
    /// The EdgePlacement exists and cannot be decoded.
    GarblePlacement {
        /// Identity.
        key: ObjectKey,
        /// Incarnation.
        uid: u8,
    },
    /// The EdgePlacement is gone.
    DropPlacement {
        /// Identity.
        key: ObjectKey,
    },
}

/// One step of a history.
#[derive(Debug, Clone)]
pub enum Op {
    /// One event.
    Apply(Change),
    /// Several events that are seen as one: of two about one object the last one counts.
    Batch(Vec<Change>),
    /// Several events that are seen as one, and only the first few of the writes that follow are carried out.
    Interrupted {
        /// Events.
        changes: Vec<Change>,
        /// How many writes.
        writes: u8,
    },
    /// What strangers do to slices.
    Strangers {
        /// Acts.
        acts: Vec<Act>,
        /// How many of the writes that follow are carried out; `None` for all.
        writes: Option<u8>,
    },
    /// An EdgePlacement appears that has the name of a slice of another one.
    Usurp {
        /// Which slice.
        nth: u8,
        /// Which Locations it selects.
        selectors: Vec<LabelSelector>,
    },
    /// Some EdgePlacement goes.
    Abdicate {
        /// Which.
        nth: u8,
    },
    /// The scheduler starts again and lists all objects, in an order that `seed` decides.
    Restart {
        /// Decides the order of the list.
        seed: u8,
        /// What happened while it was down.
        meanwhile: Vec<Change>,
        /// What strangers did while it was down.
        acts: Vec<Act>,
        /// An EdgePlacement that selects everything appeared while it was down, with the name of this slice of another one.
        usurped: Option<u8>,
        /// How many destinations a slice may hold from now on.
        max: Option<usize>,
        /// How many of the writes that follow are carried out; `None` for all.
        writes: Option<u8>,
    },
}

/// A history. It prints one step a line.
#[derive(Clone)]
pub struct Script {
    /// What is there when it begins.
    pub start: Vec<Change>,
    /// What happens then.
    pub ops: Vec<Op>,
}

// === impl Change ===

impl Change {
    /// What a watch says of it. The objects take the way from their wire form.
    #[must_use]
    pub fn event(&self) -> Event {
        match self.clone() {
            Self::PutSyncTarget { key, uid, labels } => {
                let metadata = ObjectMeta { labels: labels.0, uid: uid_of(&key, uid), ..metadata(&key) };
                Event::sync_target(key, SyncTarget { metadata, ..SyncTarget::default() })
            }
            Self::GarbleSyncTarget { key, uid } => {
                let metadata = ObjectMeta { uid: uid_of(&key, uid), ..metadata(&key) };
                Event::SyncTarget(key, Some(garbled(metadata, false).into()))
            }
            Self::DropSyncTarget { key } => Event::SyncTarget(key, None),
            Self::PutLocation { key, labels, instances } => {
                let resource = if matches!(instances, Instances::Others(_)) { "pods" } else { "synctargets" };
                let instance_selector = match instances {
                    Instances::Matching(selector) | Instances::Others(selector) => Some(selector),
                    Instances::Nil => None,
                };
                let resource = ResourceRef { group: None, version: "v1alpha1".into(), resource: resource.into() };
                let spec = LocationSpec { instance_selector, resource: Some(resource), ..LocationSpec::default() };
                let metadata = ObjectMeta { labels: labels.0, ..metadata(&key) };
                Event::location(key, Location { metadata, spec, ..Location::default() })
            }
            Self::GarbleLocation { key, labels } => {
                let known = labels.is_some();
                let metadata = ObjectMeta { labels: labels.unwrap_or_default().0, ..metadata(&key) };
                Event::Location(key, Some(garbled(metadata, known).into()))
            }
            Self::DropLocation { key } => Event::Location(key, None),
            Self::PutPlacement { key, uid, selectors, deleting } => {
                let deletion_timestamp = deleting.then(|| "2024-01-01T00:00:00Z".to_owned());
                let metadata = ObjectMeta { uid: uid_of(&key, uid), deletion_timestamp, ..metadata(&key) };
                let spec = EdgePlacementSpec { location_selectors: selectors, ..EdgePlacementSpec::default() };
                Event::edge_placement(key, EdgePlacement { metadata, spec, ..EdgePlacement::default() })
            }
            Self::GarblePlacement { key, uid } => {
                let metadata = ObjectMeta { uid: uid_of(&key, uid), ..metadata(&key) };
                Event::EdgePlacement(key, Some(garbled(metadata, true).into()))
            }
            Self::DropPlacement { key } => Event::EdgePlacement(key, None),
        }
    }
}

fn metadata(key: &ObjectKey) -> ObjectMeta {
    ObjectMeta { name: key.name.clone(), generation: 1, ..ObjectMeta::default() }
}

fn uid_of(key: &ObjectKey, incarnation: u8) -> String {
    if incarnation == UNKNOWN_UID {
        return String::new();
    }
    format!("{}-{}-{incarnation}", key.cluster, &key.name[..key.name.len().min(9)])
}

fn garbled(metadata: ObjectMeta, labels_known: bool) -> Undecodable {
    Undecodable { metadata, labels_known, invalid: Invalid::new("spec", "Invalid value: not what it should be") }
}

// === Out of bytes ===

impl Script {
    /// A history out of bytes: for fuzzing.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let mut bytes = Bytes::new(bytes);
        let start = (0..bytes.below(40)).map(|_| Change::decode(&mut bytes)).collect();
        let mut ops = Vec::new();
        while !bytes.is_empty() && ops.len() < 100 {
            ops.push(Op::decode(&mut bytes));
        }
        Self { start, ops }
    }
}

impl Op {
    /// One step out of some twenty bytes, more for a batch.
    pub fn decode(bytes: &mut Bytes<'_>) -> Self {
        let changes = |least: usize, most: usize, bytes: &mut Bytes<'_>| {
            (0..least + bytes.below(most + 1 - least)).map(|_| Change::decode(bytes)).collect()
        };
        let few = |bytes: &mut Bytes<'_>| bytes.percent(25).then(|| bytes.byte() % 6);
        let acts = |bytes: &mut Bytes<'_>| (0..1 + bytes.below(3)).map(|_| Act::decode(bytes)).collect();
        match bytes.weighted(&[140, 30, 20, 30, 8, 4, 24]) {
            0 => Self::Apply(Change::decode(bytes)),
            1 => Self::Batch(changes(2, 5, bytes)),
            2 => Self::Interrupted { writes: bytes.byte() % 6, changes: changes(0, 3, bytes) },
            3 => Self::Strangers { acts: acts(bytes), writes: few(bytes) },
            4 => Self::Usurp { nth: bytes.byte(), selectors: vec![selector(bytes)] },
            5 => Self::Abdicate { nth: bytes.byte() },
            _ => {
                let seed = bytes.byte();
                let max = bytes.percent(30).then(|| bytes.pick(&MAXIMA));
                let acts = if bytes.percent(40) { acts(bytes) } else { Vec::new() };
                let meanwhile = if bytes.percent(50) { changes(1, 3, bytes) } else { Vec::new() };
                let usurped = bytes.percent(10).then(|| bytes.byte());
                Self::Restart { seed, meanwhile, acts, usurped, max, writes: few(bytes) }
            }
        }
    }
}

impl Change {
    /// One change out of some sixteen bytes.
    pub fn decode(bytes: &mut Bytes<'_>) -> Self {
        match bytes.weighted(&[45, 30, 25]) {
            0 => Self::decode_sync_target(bytes),
            1 => Self::decode_location(bytes),
            _ => Self::decode_placement(bytes),
        }
    }

    fn decode_sync_target(bytes: &mut Bytes<'_>) -> Self {
        let key = key(bytes, &SYNC_TARGETS);
        match bytes.weighted(&[75, 17, 8]) {
            0 => Self::PutSyncTarget { key, uid: incarnation(bytes), labels: tags(bytes) },
            1 => Self::DropSyncTarget { key },
            _ => Self::GarbleSyncTarget { key, uid: incarnation(bytes) },
        }
    }

    fn decode_location(bytes: &mut Bytes<'_>) -> Self {
        let key = key(bytes, &LOCATIONS);
        match bytes.weighted(&[76, 10, 7, 7]) {
            0 => {
                let instances = match bytes.weighted(&[92, 4, 4]) {
                    0 => Instances::Matching(selector(bytes)),
                    1 => Instances::Nil,
                    _ => Instances::Others(selector(bytes)),
                };
                Self::PutLocation { key, labels: tags(bytes), instances }
            }
            1 => Self::DropLocation { key },
            2 => Self::GarbleLocation { key, labels: Some(tags(bytes)) },
            _ => Self::GarbleLocation { key, labels: None },
        }
    }

    fn decode_placement(bytes: &mut Bytes<'_>) -> Self {
        let key = key(bytes, &PLACEMENTS);
        match bytes.weighted(&[84, 9, 7]) {
            0 => {
                let uid = incarnation(bytes);
                let selectors = (0..[1, 2, 3, 0][bytes.weighted(&[50, 30, 10, 10])]).map(|_| selector(bytes)).collect();
                Self::PutPlacement { key, uid, selectors, deleting: bytes.percent(6) }
            }
            1 => Self::DropPlacement { key },
            _ => Self::GarblePlacement { key, uid: incarnation(bytes) },
        }
    }
}

pub(super) fn placement_key(bytes: &mut Bytes<'_>) -> ObjectKey {
    key(bytes, &PLACEMENTS)
}

fn key(bytes: &mut Bytes<'_>, names: &[&str]) -> ObjectKey {
    ObjectKey::new(bytes.pick(&CLUSTERS), bytes.pick(names))
}

fn incarnation(bytes: &mut Bytes<'_>) -> u8 {
    [0, 1, 2, UNKNOWN_UID][bytes.weighted(&[80, 10, 8, 4])]
}

fn tags(bytes: &mut Bytes<'_>) -> Tags {
    let mut labels = BTreeMap::new();
    for key in KEYS {
        if let Some(value) = bytes.pick(&[None, Some("x"), Some("x"), Some("y"), Some("z")]) {
            labels.insert(key.to_owned(), value.to_owned());
        }
    }
    if bytes.percent(10) {
        labels.insert(NOISE.to_owned(), bytes.pick(&VALUES).to_owned());
    }
    Tags(labels)
}

fn selector(bytes: &mut Bytes<'_>) -> LabelSelector {
    let mut selector = LabelSelector::default();
    match bytes.weighted(&[24, 24, 30, 18, 4]) {
        0 => {}
        1 => drop(selector.match_labels.insert(bytes.pick(&KEYS).into(), bytes.pick(&VALUES).into())),
        2 => selector.match_expressions.push(requirement(bytes)),
        3 => {
            if bytes.percent(50) {
                selector.match_labels.insert(bytes.pick(&KEYS).into(), bytes.pick(&VALUES).into());
            }
            selector.match_expressions.extend([requirement(bytes), requirement(bytes)]);
        }
        _ => {
            let bad = bytes.pick(&[
                ("a", "in", ""),
                ("-", "Exists", ""),
                ("a", "In", ""),
                ("a", "Exists", "x"),
                ("a", "NotIn", "!"),
            ]);
            selector.match_expressions.push(expression(bad.0, bad.1, &[bad.2]));
        }
    }
    selector
}

fn requirement(bytes: &mut Bytes<'_>) -> LabelSelectorRequirement {
    let key = bytes.pick(&KEYS);
    let operator = ["In", "NotIn", "Exists", "DoesNotExist"][bytes.weighted(&[35, 30, 20, 15])];
    let values = match operator {
        "In" | "NotIn" => vec![bytes.pick(&VALUES), bytes.pick(&VALUES)],
        _ => vec![],
    };
    expression(key, operator, &values)
}

fn expression(key: &str, operator: &str, values: &[&str]) -> LabelSelectorRequirement {
    let values = values.iter().filter(|value| !value.is_empty()).map(|&value| value.to_owned()).collect();
    LabelSelectorRequirement { key: key.into(), operator: operator.into(), values }
}
