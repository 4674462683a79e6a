//! APIs and endpoints that come later than the scheduler.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::cluster::{API_EXPORT, CRD, Cluster, EDGE_PLACEMENT, ENDPOINT_SLICE, SHARD, SLICE, SYNC_TARGET};
use crate::env::{Env, Flavor, gone};
use crate::fixtures::Schema;
use crate::scenarios::small::Small;
use crate::servers::free_ports;
use crate::truth::wait_unready;
use crate::turn::Sharing;

/// The export is made when the scheduler runs already.
pub(crate) fn export_appears_late(flavor: Flavor) {
    let env = Env::bare(flavor, "late-export", "root:late-export", &Sharing::Labelled);
    let scheduler = env.scheduler(&["--mode=kcp"]);
    wait_unready(&env, &scheduler, "edge.kcp.io");
    assert!(scheduler.log().contains("edge.kcp.io"), "the log does not tell\n{}", env.logs());
    env.install(Schema::Ours);
    Small::create(&env);
    scheduler.wait_ready();
    env.settle();
    assert_eq!(scheduler.terminate(), 0);
}

/// The CustomResourceDefinitions are installed when the scheduler runs already.
pub(crate) fn crds_appear_late(flavor: Flavor) {
    let env = Env::bare(flavor, "late-crds", "", &Sharing::Alone);
    for resource in [EDGE_PLACEMENT, SLICE, crate::cluster::LOCATION, SYNC_TARGET] {
        let crd = format!("{}.{}", resource.plural, resource.api.split('/').next().unwrap());
        env.provider.try_delete(CRD, &crd).unwrap();
        env.wait("the end of the CustomResourceDefinition", || gone(env.provider.get(CRD, &crd).as_ref()));
    }
    let scheduler = env.scheduler(&["--mode=kubernetes"]);
    wait_unready(&env, &scheduler, "edge.kcp.io");
    env.install(Schema::Ours);
    Small::create(&env);
    scheduler.wait_ready();
    env.settle();
    assert_eq!(scheduler.terminate(), 0);
}

/// A shard whose endpoint cannot be reached: what grows goes on, what would take something away waits until it is known what
/// is there, or that the shard is no more.
pub(crate) fn shard_that_is_away(flavor: Flavor) {
    let env = Env::bare(flavor, "shard-away", "root:shard-away", &Sharing::Alone);
    env.install(Schema::Ours);
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();

    let [port] = free_ports();
    let url = format!("https://127.0.0.1:{port}");
    let root = env.root();
    let spec = json!({"baseURL": url, "externalURL": url, "virtualWorkspaceURL": url});
    // New workspaces must not be put on it.
    let metadata = json!({"name": "away", "annotations": {"experimental.core.kcp.io/unschedulable": "true"}});
    root.create(SHARD, json!({"metadata": metadata, "spec": spec}));
    let shard = Shard(root);
    env.wait("kcp to tell of the second endpoint", || {
        let endpoints = endpoints(&env.provider);
        if endpoints.contains(&url) { Ok(()) } else { Err(endpoints) }
    });
    wait_unready(&env, &scheduler, &port.to_string());

    small.add(&env, "prod-3");
    small.relabel("dev-1", "none");
    env.wait("what grows to go on", || {
        let targets = small.targets("production");
        if targets == ["prod-1", "prod-2", "prod-3"] { Ok(()) } else { Err(format!("{targets:?}")) }
    });
    thread::sleep(Duration::from_secs(1));
    assert!(small.targets("everywhere").contains(&"dev-1".to_owned()), "it shrinks although a shard is unknown");

    drop(shard);
    scheduler.wait_ready();
    env.settle();
    assert_eq!(scheduler.terminate(), 0);
}

/// Where the export can be found, in either way that kcp says it.
fn endpoints(provider: &Cluster) -> String {
    let status = |resource| provider.get(resource, "edge.kcp.io").unwrap_or_default()["status"].to_string();
    status(API_EXPORT) + &status(ENDPOINT_SLICE)
}

/// A shard that goes with the test, also when it fails.
struct Shard(Cluster);

impl Drop for Shard {
    fn drop(&mut self) {
        let _ = self.0.try_delete(SHARD, "away");
    }
}
