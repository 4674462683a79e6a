//! API servers that freeze and restart, and workspaces that go.

use std::thread;
use std::time::Duration;

use crate::cluster::EDGE_PLACEMENT;
use crate::env::{Env, Flavor};
use crate::objects::edge_placement;
use crate::scenarios::small::Small;

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

    env.kubernetes().kill();
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
