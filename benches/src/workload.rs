//! Seeded worlds, and what happens in them.
//!
//! The reference is a fleet of 100 000 SyncTargets with five labels each: region (Zipf, 20 values), environment (55,
//! 20, 20 and 5 %), hardware class (Zipf, 30), team (Zipf, 200) and a unique host name. They are in 100 logical
//! clusters of uneven size (Zipf, exponent 0.5), and so are 2 000 Locations. The shares of selector shapes
//! (`workload/shapes.rs`) are chosen so that 1 000 EdgePlacements come to about 200 000 pairs of EdgePlacement and
//! Location, 260 000 of Location and SyncTarget, and 27 million destinations; a test holds them to that.

mod cases;
mod objects;
mod shapes;

pub use cases::{Case, Flip, Kind, Measured};
pub use objects::Objects;

use edge_core::event::Event;

/// How large a world is, and of which kind.
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
    /// Every Location asks for one label more, which no SyncTarget has: nothing matches, and that is found out late.
    pub unmatched: bool,
}

impl Size {
    /// The reference: 100 000 SyncTargets, 2 000 Locations and 1 000 EdgePlacements in 100 logical clusters.
    pub const REFERENCE: Self =
        Self { sync_targets: 100_000, locations: 2_000, placements: 1_000, clusters: 100, unmatched: false };

    /// A million SyncTargets, 10 000 Locations and 2 000 EdgePlacements. Clusters are as large as in the reference.
    pub const MILLION: Self =
        Self { sync_targets: 1_000_000, locations: 10_000, placements: 2_000, clusters: 1_000, unmatched: false };

    /// The reference in a single logical cluster: scoping by cluster is of no help.
    pub const SKEWED: Self = Self { clusters: 1, ..Self::REFERENCE };

    /// The reference, but no Location holds any SyncTarget.
    pub const UNMATCHED: Self = Self { unmatched: true, ..Self::REFERENCE };

    /// The reference with another number of SyncTargets, and everything else in proportion.
    #[must_use]
    pub fn with_sync_targets(sync_targets: usize) -> Self {
        let scaled = |count: usize| (count * sync_targets / Self::REFERENCE.sync_targets).max(1);
        let Self { locations, placements, clusters, unmatched, .. } = Self::REFERENCE;
        let (locations, placements, clusters) = (scaled(locations), scaled(placements), scaled(clusters));
        Self { sync_targets, locations, placements, clusters, unmatched }
    }

    /// Inventories of any size under the 1 000 EdgePlacements of the reference. A Location is then selected by about a
    /// hundred of them at every size, so that one event changes about as many destinations.
    #[must_use]
    pub fn with_constant_output(sync_targets: usize) -> Self {
        Self { placements: Self::REFERENCE.placements, ..Self::with_sync_targets(sync_targets) }
    }
}

/// A world as events that say that each object exists.
#[derive(Debug, Clone)]
pub struct World {
    /// Its size.
    pub size: Size,
    /// One event for each SyncTarget.
    pub sync_targets: Vec<Event>,
    /// One event for each Location.
    pub locations: Vec<Event>,
    /// One event for each EdgePlacement.
    pub placements: Vec<Event>,
}

impl World {
    /// The seed of all worlds that published figures are about. With it the reference has 205 033 pairs of
    /// EdgePlacement and Location, 256 116 of Location and SyncTarget, and 27 092 564 destinations.
    pub const SEED: u64 = 12;

    /// The world of a size.
    #[must_use]
    pub fn generate(size: Size) -> Self {
        let mut objects = Objects::new(Self::SEED, size);
        Self {
            size,
            sync_targets: (0..size.sync_targets).map(|number| objects::event(objects.sync_target(number))).collect(),
            locations: (0..size.locations).map(|number| objects::event(objects.location(number))).collect(),
            placements: (0..size.placements).map(|number| objects::event(objects.placement(number))).collect(),
        }
    }

    /// All events: SyncTargets, then Locations, then EdgePlacements.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.sync_targets.iter().chain(&self.locations).chain(&self.placements)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sync_targets.len() + self.locations.len() + self.placements.len()
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
