//! A small world: three SyncTargets in two Locations, and two EdgePlacements.

use serde_json::{Value, json};

use crate::cluster::{Cluster, EDGE_PLACEMENT, LOCATION, SLICE, SYNC_TARGET};
use crate::env::Env;
use crate::objects::{edge_placement, location, sync_target};
use crate::oracle::{Row, rows};

pub(crate) struct Small {
    /// Where Locations and SyncTargets are.
    pub(crate) inventory: Cluster,
    /// Where EdgePlacements are.
    pub(crate) home: Cluster,
}

impl Small {
    /// SyncTargets `prod-1`, `prod-2` and `dev-1`, Locations `prod` and `dev`; EdgePlacement `everywhere` has all three
    /// destinations, `production` those in `prod`.
    pub(crate) fn create(env: &Env) -> Self {
        let small = Self { inventory: env.inventory("imw"), home: env.bound("wmw") };
        for name in ["prod", "dev"] {
            let labels = env.labels("env", name);
            small.inventory.create(LOCATION, location(name, &labels, &json!({"matchLabels": labels})));
        }
        for (name, env_label) in [("prod-1", "prod"), ("prod-2", "prod"), ("dev-1", "dev")] {
            small.inventory.create(SYNC_TARGET, sync_target(name, &env.labels("env", env_label)));
        }
        small.place("everywhere", &json!([{"matchLabels": {"world": env.tag}}]));
        small.place("production", &env.selectors("env", "prod"));
        small
    }

    /// Creates an EdgePlacement.
    pub(crate) fn place(&self, name: &str, selectors: &Value) -> Value {
        self.home.create(EDGE_PLACEMENT, edge_placement(name, selectors))
    }

    /// Sets the label `env` of a SyncTarget.
    pub(crate) fn relabel(&self, sync_target: &str, value: &str) {
        self.inventory.patch(SYNC_TARGET, sync_target, &json!({"metadata": {"labels": {"env": value}}}));
    }

    /// Creates a SyncTarget of the Location `prod`.
    pub(crate) fn add(&self, env: &Env, name: &str) {
        self.inventory.create(SYNC_TARGET, sync_target(name, &env.labels("env", "prod")));
    }

    /// The destinations in a slice.
    pub(crate) fn rows(&self, slice: &str) -> Vec<Row> {
        rows(&self.home.get(SLICE, slice).unwrap_or_else(|| panic!("no slice {slice}"))).unwrap()
    }

    /// The names of the SyncTargets in a slice, in its order.
    pub(crate) fn targets(&self, slice: &str) -> Vec<String> {
        self.rows(slice).into_iter().map(|row| row[2].clone()).collect()
    }
}
