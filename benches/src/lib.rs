//! Seeded workloads: what the benchmarks, and anybody who wants to check them, measure on.
//!
//! The reference workload is a world of SyncTargets with five labels each (region, environment, hardware class, team and a
//! unique host name) in many logical clusters, Locations of about ten selector shapes, and EdgePlacements of one to four
//! selectors. Values are drawn by Zipf's law, as real fleets are uneven. The same size and seed give the same world on
//! every machine.

mod random;

use edge_core::event::Event;
use edge_core::object::{
    EdgePlacement, LabelSelector, LabelSelectorRequirement, Location, ObjectKey, ResourceRef, SyncTarget,
};

pub use random::{Random, Zipf};

/// How large a world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// SyncTargets.
    pub sync_targets: usize,
    /// Locations.
    pub locations: usize,
    /// EdgePlacements.
    pub placements: usize,
    /// Logical clusters of the inventory.
    pub clusters: usize,
}

impl Size {
    /// The reference: 100 000 SyncTargets, 2 000 Locations and 1 000 EdgePlacements in 100 logical clusters.
    pub const REFERENCE: Self = Self { sync_targets: 100_000, locations: 2_000, placements: 1_000, clusters: 100 };

    /// The reference with another number of SyncTargets, and everything else in proportion.
    #[must_use]
    pub fn with_sync_targets(sync_targets: usize) -> Self {
        let scaled = |count: usize| (count * sync_targets / Self::REFERENCE.sync_targets).max(1);
        let Self { locations, placements, clusters, .. } = Self::REFERENCE;
        Self { sync_targets, locations: scaled(locations), placements: scaled(placements), clusters: scaled(clusters) }
    }
}

/// A world as events that say that each object exists.
#[derive(Debug, Clone)]
pub struct World {
    /// One event for each SyncTarget.
    pub sync_targets: Vec<Event>,
    /// One event for each Location.
    pub locations: Vec<Event>,
    /// One event for each EdgePlacement.
    pub placements: Vec<Event>,
}

const ENVIRONMENTS: [(&str, u64); 4] = [("prod", 55), ("staging", 20), ("dev", 20), ("lab", 5)];

/// Draws the properties of objects.
#[derive(Debug)]
pub struct Generator {
    random: Random,
    region: Zipf,
    hardware: Zipf,
    team: Zipf,
    cluster: Zipf,
}

impl Generator {
    /// A generator for a number of logical clusters.
    #[must_use]
    pub fn new(seed: u64, clusters: usize) -> Self {
        Self {
            random: Random::new(seed),
            region: Zipf::new(20, 1.0),
            hardware: Zipf::new(30, 1.0),
            team: Zipf::new(200, 1.0),
            cluster: Zipf::new(clusters, 0.5),
        }
    }

    fn environment(&mut self) -> &'static str {
        let mut left = self.random.below(100);
        for (environment, share) in ENVIRONMENTS {
            if left < share {
                return environment;
            }
            left -= share;
        }
        "prod"
    }

    fn region(&mut self) -> String {
        format!("region-{}", self.region.draw(&mut self.random))
    }

    fn hardware(&mut self) -> String {
        format!("hw-{}", self.hardware.draw(&mut self.random))
    }

    fn team(&mut self) -> String {
        format!("team-{}", self.team.draw(&mut self.random))
    }

    fn cluster(&mut self) -> String {
        format!("ws{:05}", self.cluster.draw(&mut self.random))
    }

    /// The SyncTarget of a number, with new labels at each call; its cluster follows from its number alone.
    pub fn sync_target(&mut self, number: usize, clusters: usize) -> Event {
        let mut home = Generator::new(number as u64, clusters);
        let mut object = SyncTarget::default();
        object.metadata.uid = format!("{:08x}-0000-4000-8000-{number:012x}", number * 7919 % 0xffff_ffff);
        object.metadata.labels = [
            ("env", self.environment().to_string()),
            ("region", self.region()),
            ("hardware", self.hardware()),
            ("team", self.team()),
            ("hostname", format!("edge-{number:07}.example.com")),
        ]
        .map(|(key, value)| (key.to_string(), value))
        .into();
        Event::sync_target(ObjectKey::new(home.cluster(), format!("edge-{number:07}")), object)
    }

    /// The same SyncTarget with another value of one of its labels.
    pub fn relabelled(&mut self, event: &Event) -> Event {
        let Event::SyncTarget(key, Some(record)) = event else { return event.clone() };
        let (key_of_label, value) = match self.random.below(4) {
            0 => ("env", self.environment().to_string()),
            1 => ("region", self.region()),
            2 => ("hardware", self.hardware()),
            _ => ("team", self.team()),
        };
        let mut record = record.clone();
        let labels = record.labels.unwrap_or_default();
        let changed = labels.iter().map(|(key, old)| (key, if key == key_of_label { &*value } else { old }));
        record.labels = Some(changed.collect());
        Event::SyncTarget(key.clone(), Some(record))
    }

    /// A Location: 4 % purely negative selectors, 2 % `{}`, the rest of eight positive shapes.
    pub fn location(&mut self, number: usize) -> Event {
        let selector = match self.random.below(100) {
            0..4 => expressions([("env", "NotIn", vec!["prod".into()]), ("hardware", "NotIn", vec![self.hardware()])]),
            4..6 => LabelSelector::default(),
            6..26 => labels([("env", self.environment().into()), ("region", self.region())]),
            26..34 => labels([("region", self.region())]),
            34..50 => labels([("team", self.team())]),
            50..65 => labels([("hardware", self.hardware()), ("env", self.environment().into())]),
            65..72 => expressions([("region", "In", vec![self.region(), self.region()])]),
            72..82 => expressions([("team", "In", vec![self.team()]), ("env", "NotIn", vec!["lab".into()])]),
            82..90 => expressions([("hardware", "In", vec![self.hardware()]), ("region", "Exists", vec![])]),
            _ => labels([("env", self.environment().into()), ("team", self.team())]),
        };
        let mut object = Location::default();
        object.metadata.labels = [
            ("env", self.environment().to_string()),
            ("region", self.region()),
            ("tier", format!("tier-{}", self.random.below(5))),
        ]
        .map(|(key, value)| (key.to_string(), value))
        .into();
        object.spec.resource =
            Some(ResourceRef { group: None, version: "v1alpha1".into(), resource: "synctargets".into() });
        object.spec.instance_selector = Some(selector);
        Event::location(ObjectKey::new(self.cluster(), format!("location-{number:05}")), object)
    }

    /// An EdgePlacement of one to four selectors, 2 % negative and 1 % `{}`.
    pub fn placement(&mut self, number: usize) -> Event {
        let mut object = EdgePlacement::default();
        object.metadata.uid = format!("{number:08x}-0000-4000-9000-000000000000");
        object.metadata.generation = 1;
        for _ in 0..=self.random.below(4) {
            object.spec.location_selectors.push(match self.random.below(100) {
                0..2 => expressions([("env", "NotIn", vec!["prod".into(), "staging".into()])]),
                2 => LabelSelector::default(),
                3..55 => labels([("region", self.region()), ("env", self.environment().into())]),
                55..65 => labels([("region", self.region())]),
                65..70 => expressions([("region", "In", vec![self.region(), self.region()])]),
                _ => labels([("tier", format!("tier-{}", self.random.below(5))), ("region", self.region())]),
            });
        }
        Event::edge_placement(ObjectKey::new("wmw", format!("placement-{number:05}")), object)
    }
}

impl World {
    /// The world of a size and seed.
    #[must_use]
    pub fn generate(size: Size, seed: u64) -> Self {
        let mut generator = Generator::new(seed, size.clusters);
        Self {
            sync_targets: (0..size.sync_targets).map(|i| generator.sync_target(i, size.clusters)).collect(),
            locations: (0..size.locations).map(|i| generator.location(i)).collect(),
            placements: (0..size.placements).map(|i| generator.placement(i)).collect(),
        }
    }

    /// All events.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.sync_targets.iter().chain(&self.locations).chain(&self.placements)
    }
}

fn labels<const N: usize>(labels: [(&str, String); N]) -> LabelSelector {
    LabelSelector {
        match_labels: labels.map(|(key, value)| (key.to_string(), value)).into(),
        ..LabelSelector::default()
    }
}

fn expressions<const N: usize>(expressions: [(&str, &str, Vec<String>); N]) -> LabelSelector {
    let expression = |(key, operator, values): (&str, &str, Vec<String>)| LabelSelectorRequirement {
        key: key.into(),
        operator: operator.into(),
        values,
    };
    LabelSelector { match_expressions: expressions.map(expression).into(), ..LabelSelector::default() }
}
