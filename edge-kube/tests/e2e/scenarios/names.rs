//! Objects of one name in several workspaces.

use serde_json::json;

use crate::cluster::{EDGE_PLACEMENT, LOCATION, SLICE, SYNC_TARGET};
use crate::env::{Env, Flavor};
use crate::objects::{edge_placement, location, sync_target};
use crate::oracle::rows;

/// Two inventories with equal names, and two workspaces with EdgePlacements of one name.
pub(crate) fn equal_names(flavor: Flavor) {
    let env = Env::new(flavor, "equal-names");
    let inventories = ["imw-1", "imw-2"].map(|name| env.inventory(name));
    let homes = ["wmw-1", "wmw-2"].map(|name| env.bound(name));
    for (inventory, site) in inventories.iter().zip(["north", "south"]) {
        let labels = env.labels("site", site);
        inventory.create(LOCATION, location("same", &labels, &json!({"matchLabels": {"world": env.tag}})));
        inventory.create(SYNC_TARGET, sync_target("same", &labels));
    }
    homes[0].create(EDGE_PLACEMENT, edge_placement("same", &json!([{"matchLabels": {"world": env.tag}}])));
    homes[1].create(EDGE_PLACEMENT, edge_placement("same", &env.selectors("site", "south")));
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    let clusters = |home: usize| -> Vec<String> {
        rows(&homes[home].get(SLICE, "same").unwrap()).unwrap().into_iter().map(|row| row[0].clone()).collect()
    };
    let mut both = [inventories[0].name.clone(), inventories[1].name.clone()];
    both.sort();
    assert_eq!(clusters(0), both);
    assert_eq!(clusters(1), [inventories[1].name.clone()]);

    // What happens to one of them does not happen to the other.
    inventories[1].delete(SYNC_TARGET, "same");
    env.settle();
    assert_eq!(clusters(0), [inventories[0].name.clone()]);
    homes[0].delete(EDGE_PLACEMENT, "same");
    env.wait("the end of its slice", || crate::env::gone(homes[0].get(SLICE, "same").as_ref()));
    assert!(homes[1].get(SLICE, "same").is_some());
    assert_eq!(scheduler.terminate(), 0);
}
