//! API servers that refuse, freeze, and restart.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::cluster::{CLUSTER_ROLE, EDGE_PLACEMENT, SLICE, version};
use crate::env::{Env, Flavor};
use crate::fixtures::SCHEDULER_ROLE;
use crate::objects::edge_placement;
use crate::scenarios::small::Small;

/// Writes that are refused for a while are made up for: no stale destination stays.
pub(crate) fn rights_are_revoked(flavor: Flavor) {
    let env = Env::new(flavor, "rights-revoked");
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    let before = small.home.get(SLICE, "production").unwrap();

    let role = env.provider.get(CLUSTER_ROLE, SCHEDULER_ROLE).unwrap();
    let mut rules = role["rules"].clone();
    for rule in rules.as_array_mut().unwrap() {
        rule["verbs"] = json!(["get", "list", "watch"]);
    }
    env.provider.patch(CLUSTER_ROLE, SCHEDULER_ROLE, &json!({"rules": rules}));
    // The API server's authorizer hears of it by a watch.
    thread::sleep(Duration::from_secs(1));
    small.relabel("prod-1", "none");
    small.relabel("dev-1", "prod");
    env.wait("the log to tell what is refused", || {
        let log = scheduler.log();
        if log.contains("forbidden") || log.contains("Forbidden") { Ok(()) } else { Err("it does not".into()) }
    });
    let now = small.home.get(SLICE, "production").unwrap();
    assert_eq!(version(&now), version(&before), "it was written without the right to");

    env.provider.patch(CLUSTER_ROLE, SCHEDULER_ROLE, &json!({"rules": role["rules"]}));
    env.settle();
    env.settle_status();
    assert_eq!(small.targets("production"), ["dev-1", "prod-2"]);
    assert_eq!(scheduler.terminate(), 0);
}

/// An API server that does not answer for a while, and one that is killed and started again.
pub(crate) fn api_server_freezes_and_restarts(flavor: Flavor) {
    let env = Env::new(flavor, "restarted-server");
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();

    env.kubernetes().signal("STOP");
    thread::sleep(Duration::from_secs(5));
    env.kubernetes().signal("CONT");
    small.relabel("prod-1", "dev");
    env.settle();

    env.kubernetes().signal("KILL");
    env.kubernetes().restart();
    small.relabel("prod-2", "dev");
    small.place("afterwards", &env.selectors("env", "dev"));
    env.settle();
    assert_eq!(small.targets("afterwards"), ["dev-1", "prod-1", "prod-2"]);
    assert_eq!(scheduler.exit_code(), None, "it did not survive");
    assert_eq!(scheduler.terminate(), 0);
}

/// A workspace that is deleted stops its own writes only.
pub(crate) fn workspace_is_deleted(flavor: Flavor) {
    let env = Env::new(flavor, "workspace-deleted");
    let small = Small::create(&env);
    let other = env.bound("other");
    other.create(EDGE_PLACEMENT, edge_placement("other", &env.selectors("env", "prod")));
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    env.delete_workspace("other", &other);
    for value in ["dev", "prod"] {
        small.relabel("prod-1", value);
        env.settle();
    }
    // Long enough for kcp to be done with it.
    thread::sleep(Duration::from_secs(3));
    small.relabel("prod-1", "dev");
    env.settle();
    scheduler.wait_ready();
    assert_eq!(scheduler.exit_code(), None, "it did not survive");
    assert_eq!(scheduler.terminate(), 0);
}
