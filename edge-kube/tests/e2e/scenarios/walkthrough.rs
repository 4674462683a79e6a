//! The walkthroughs of the design documents: the same API requests, in the same order.

use serde_json::json;

use crate::cluster::{Cluster, EDGE_PLACEMENT, LOCATION, SLICE, SYNC_TARGET, uid};
use crate::env::{Env, Flavor};
use crate::fixtures::Schema;
use crate::objects::{edge_placement, location, sync_target};
use crate::oracle::rows;
use crate::turn::Sharing;

/// Two SyncTargets and two Locations, `dev` and `prod`; the scheduler runs before they are there.
pub(crate) fn dev_and_prod(flavor: Flavor, provider: &str) {
    let env = Env::bare(flavor, "dev-and-prod", provider, &Sharing::Alone);
    env.install(Schema::Ours);
    let home = env.home();
    // No flags, but for where it listens: the current context is the edge service provider workspace.
    let scheduler = env.scheduler_as_told(&[]);
    scheduler.wait_ready();

    let compute = env.inventory("root:compute");
    for name in ["prod", "dev"] {
        compute.create(LOCATION, location(name, &json!({"env": name}), &json!({"matchLabels": {"env": name}})));
    }
    for name in ["prod", "dev"] {
        compute.create(SYNC_TARGET, sync_target(name, &json!({"env": name})));
    }
    // kcp 0.11 makes this one by itself.
    if flavor != Flavor::Kcp011 {
        compute.create(LOCATION, location("default", &json!({}), &json!({})));
    }
    env.wait("the Location default", || compute.get(LOCATION, "default").ok_or_else(|| "it is not there".into()));

    home.create(EDGE_PLACEMENT, edge_placement("all2all", &json!([{}])));
    env.settle();
    let target = |name: &str| uid(&compute.get(SYNC_TARGET, name).unwrap()).to_owned();
    let row = |location: &str, name: &str| [compute.name.clone(), location.into(), name.into(), target(name)];
    let destinations = |name| rows(&home.get(SLICE, name).unwrap()).unwrap();
    let expected = [row("default", "dev"), row("default", "prod"), row("dev", "dev"), row("prod", "prod")];
    assert_eq!(destinations("all2all"), expected);

    home.create(EDGE_PLACEMENT, edge_placement("dev", &json!([{"matchLabels": {"env": "dev"}}])));
    env.settle();
    assert_eq!(destinations("dev"), [row("dev", "dev")]);

    // The lines that users know.
    let log = scheduler.log();
    let mut lines = vec!["starting controller", "updated SinglePlacementSlice"];
    if flavor != Flavor::Kubernetes {
        lines.push("Found APIExport view");
    }
    for line in lines {
        assert!(log.contains(line), "the log has no line `{line}`:\n{log}");
    }
    assert_eq!(scheduler.terminate(), 0);
}

/// Two edge clusters and two workloads, each in its workspace; the scheduler starts last.
pub(crate) fn florin_and_guilder(flavor: Flavor, provider: &str, org: &str) {
    let env = Env::bare(flavor, "florin-and-guilder", provider, &Sharing::Alone);
    env.install(Schema::Ours);
    let inventory = env.inventory(&format!("root:imw-{org}"));
    inventory.create(SYNC_TARGET, sync_target("sync-target-f", &json!({"example": "si", "extended": "non"})));
    let held = json!({"matchLabels": {"example": "si", "extended": "non"}});
    inventory.create(LOCATION, location("location-f", &json!({"env": "prod"}), &held));
    if flavor == Flavor::Kcp011 {
        env.wait("the Location default", || inventory.get(LOCATION, "default").ok_or_else(|| "it is not there".into()));
        inventory.delete(LOCATION, "default");
    }
    inventory.create(SYNC_TARGET, sync_target("sync-target-g", &json!({"example": "si", "extended": "si"})));
    let held = json!({"matchLabels": {"example": "si", "extended": "si"}});
    inventory.create(LOCATION, location("location-g", &json!({"env": "prod", "extended": "si"}), &held));

    let common = env.bound(&format!("root:{org}:wmw-c"));
    let mut placement = edge_placement("edge-placement-c", &json!([{"matchLabels": {"env": "prod"}}]));
    placement["spec"]["namespaceSelector"] = json!({"matchLabels": {"common": "si"}});
    placement["spec"]["nonNamespacedObjects"] =
        json!([{"apiGroup": "apis.kcp.io", "resources": ["apibindings"], "resourceNames": ["bind-kube"]}]);
    placement["spec"]["upsync"] = json!([
        {"apiGroup": "group1.test", "resources": ["sprockets", "flanges"], "namespaces": ["orbital"], "names": ["george", "cosmo"]},
        {"apiGroup": "group2.test", "resources": ["cogs"], "names": ["William"]},
    ]);
    common.create(EDGE_PLACEMENT, placement);
    let special = env.bound(&format!("root:{org}:wmw-s"));
    let mut placement =
        edge_placement("edge-placement-s", &json!([{"matchLabels": {"env": "prod", "extended": "si"}}]));
    placement["spec"]["namespaceSelector"] = json!({"matchLabels": {"special": "si"}});
    special.create(EDGE_PLACEMENT, placement);

    let scheduler = env.scheduler_as_told(&[]);
    env.settle();
    let targets = |cluster: &Cluster, name| -> Vec<String> {
        let rows = rows(&cluster.get(SLICE, name).unwrap()).unwrap();
        rows.into_iter().map(|row| row[2].clone()).collect()
    };
    assert_eq!(targets(&common, "edge-placement-c"), ["sync-target-f", "sync-target-g"]);
    assert_eq!(targets(&special, "edge-placement-s"), ["sync-target-g"]);
    assert_eq!(scheduler.terminate(), 0);
}
