//! The objects of a world, one by one.

use edge_core::event::Event;
use edge_core::object::{CLUSTER_ANNOTATION, EdgePlacement, Location, Object, ObjectMeta, ResourceRef, SyncTarget};

use super::{Size, shapes};
use crate::{Random, Zipf};

const ENVIRONMENTS: [(&str, u64); 4] = [("prod", 55), ("staging", 20), ("dev", 20), ("lab", 5)];

/// The logical cluster of the EdgePlacements.
const WORKLOADS: &str = "workloads";

/// How often each value of a label occurs.
#[derive(Debug)]
pub(super) struct Values {
    region: Zipf,
    hardware: Zipf,
    team: Zipf,
    cluster: Zipf,
}

impl Values {
    pub(super) fn environment(&self, random: &mut Random) -> String {
        let mut left = random.below(100);
        let drawn = ENVIRONMENTS.iter().find(|(_, share)| {
            let here = left < *share;
            left = left.saturating_sub(*share);
            here
        });
        drawn.map_or("prod", |(environment, _)| environment).into()
    }

    pub(super) fn region(&self, random: &mut Random) -> String {
        format!("region-{}", self.region.draw(random))
    }

    pub(super) fn hardware(&self, random: &mut Random) -> String {
        format!("hw-{}", self.hardware.draw(random))
    }

    pub(super) fn team(&self, random: &mut Random) -> String {
        format!("team-{}", self.team.draw(random))
    }

    pub(super) fn tier(&self, random: &mut Random) -> String {
        format!("tier-{}", random.below(5))
    }

    fn cluster(&self, random: &mut Random) -> String {
        format!("inventory-{:05}", self.cluster.draw(random))
    }
}

/// Draws objects in their wire form. Each call draws other labels, also for the same number; name and logical cluster
/// follow from the number alone.
#[derive(Debug)]
pub struct Objects {
    random: Random,
    values: Values,
    unmatched: bool,
}

impl Objects {
    /// The objects of a world, in the order in which they are asked for.
    #[must_use]
    pub fn new(seed: u64, size: Size) -> Self {
        let values = Values {
            region: Zipf::new(20, 1.0),
            hardware: Zipf::new(30, 1.0),
            team: Zipf::new(200, 1.0),
            cluster: Zipf::new(size.clusters, 0.5),
        };
        Self { random: Random::new(seed), values, unmatched: size.unmatched }
    }

    /// A SyncTarget.
    pub fn sync_target(&mut self, number: usize) -> SyncTarget {
        let Self { random, values, .. } = self;
        let metadata = values.metadata(1, "edge", number);
        let mut object = SyncTarget { metadata, ..SyncTarget::default() };
        object.metadata.labels = [
            ("env", values.environment(random)),
            ("region", values.region(random)),
            ("hardware", values.hardware(random)),
            ("team", values.team(random)),
            ("hostname", format!("edge-{number:07}.example.com")),
        ]
        .map(|(key, value)| (key.to_string(), value))
        .into();
        object
    }

    /// A Location.
    pub fn location(&mut self, number: usize) -> Location {
        let Self { random, values, .. } = self;
        let selector = shapes::draw(&shapes::INSTANCE_SELECTORS, values, random);
        let metadata = values.metadata(2, "location", number);
        let mut object = Location { metadata, ..Location::default() };
        object.metadata.labels =
            [("env", values.environment(random)), ("region", values.region(random)), ("tier", values.tier(random))]
                .map(|(key, value)| (key.to_string(), value))
                .into();
        object.spec.resource = Some(ResourceRef {
            group: Some("workload.kcp.io".into()),
            version: "v1alpha1".into(),
            resource: "synctargets".into(),
        });
        object.spec.instance_selector = Some(if self.unmatched { shapes::unmatched(selector) } else { selector });
        object
    }

    /// An EdgePlacement of one to four selectors.
    pub fn placement(&mut self, number: usize) -> EdgePlacement {
        let Self { random, values, .. } = self;
        let metadata = ObjectMeta { generation: 1, ..values.metadata(3, "placement", number) };
        let mut object = EdgePlacement { metadata, ..EdgePlacement::default() };
        object.metadata.annotations.insert(CLUSTER_ANNOTATION.into(), WORKLOADS.into());
        for _ in 0..=random.below(4) {
            object.spec.location_selectors.push(shapes::draw(&shapes::LOCATION_SELECTORS, values, random));
        }
        match random.below(100) {
            0..shapes::NEGATIVE_PLACEMENTS => object.spec.location_selectors[0] = shapes::negative(),
            kind if kind < shapes::NEGATIVE_PLACEMENTS + shapes::UNIVERSAL_PLACEMENTS => {
                object.spec.location_selectors[0] = Default::default();
            }
            _ => {}
        }
        object
    }

    /// The SyncTarget with a new value for one of its labels, which is another one than before.
    pub(super) fn relabelled(&mut self, event: &Event) -> Event {
        let Event::SyncTarget(key, Some(record)) = event else { return event.clone() };
        let labels = record.labels.clone().unwrap_or_default();
        let key_of_label = ["env", "region", "hardware", "team"][self.below(4)];
        let value = loop {
            let value = self.value(key_of_label);
            if labels.get(key_of_label) != Some(&value) {
                break value;
            }
        };
        let mut record = record.clone();
        let changed = labels.iter().map(|(key, old)| (key, if key == key_of_label { &*value } else { old }));
        record.labels = Some(changed.collect());
        Event::SyncTarget(key.clone(), Some(record))
    }

    fn value(&mut self, key: &str) -> String {
        let Self { random, values, .. } = self;
        match key {
            "env" => values.environment(random),
            "region" => values.region(random),
            "hardware" => values.hardware(random),
            _ => values.team(random),
        }
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.below(limit as u64)).unwrap_or_default()
    }
}

impl Values {
    /// Name, UID and logical cluster of an object; the kind tells apart those of one number.
    fn metadata(&self, kind: u64, prefix: &str, number: usize) -> ObjectMeta {
        let mut random = Random::new(kind << 32 | number as u64);
        let mut metadata = ObjectMeta { name: format!("{prefix}-{number:07}"), ..ObjectMeta::default() };
        metadata.annotations.insert(CLUSTER_ANNOTATION.into(), self.cluster(&mut random));
        let (a, b) = (random.next_u64(), random.next_u64());
        metadata.uid = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            a & 0xffff,
            a >> 16 & 0xfff,
            b >> 48 & 0xfff,
            b & 0xffff_ffff_ffff
        );
        metadata
    }
}

/// An object that says of itself that it exists.
pub(super) trait Exists: Object + Sized {
    /// The event.
    fn event(self) -> Event;
}

impl Exists for SyncTarget {
    fn event(self) -> Event {
        Event::sync_target(self.key(""), self)
    }
}

impl Exists for Location {
    fn event(self) -> Event {
        Event::location(self.key(""), self)
    }
}

impl Exists for EdgePlacement {
    fn event(self) -> Event {
        Event::edge_placement(self.key(""), self)
    }
}

/// That an object exists.
pub(super) fn event(object: impl Exists) -> Event {
    object.event()
}
