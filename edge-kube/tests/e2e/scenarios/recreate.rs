//! Objects that are deleted, and created again under the same name.

use serde_json::json;

use crate::cluster::{EDGE_PLACEMENT, SLICE, SYNC_TARGET, uid};
use crate::env::{Env, Flavor};
use crate::scenarios::small::Small;
use crate::scheduler::Scheduler;

/// An EdgePlacement's slices go with it: on Kubernetes by garbage collection, on kcp by the scheduler. Another one of its name
/// gets slices of its own.
pub(crate) fn edge_placement_comes_again(flavor: Flavor) {
    let env = Env::new(flavor, "placement-again");
    let small = Small::create(&env);
    env.max.set(1);
    let start = || -> Scheduler { env.ready_scheduler(&["--max-destinations-per-slice=1"]) };
    let mut scheduler = start();
    env.settle();
    let delete = |name: &str| small.home.delete(EDGE_PLACEMENT, name);
    let gone = |name: &str| {
        env.wait("the end of its slices", || match env.world().slices_of(&small.home.name, name).len() {
            0 => Ok(()),
            count => Err(format!("{count} are there")),
        });
    };
    let everywhere = json!([{"matchLabels": {"world": env.tag}}]);

    delete("production");
    gone("production");
    small.place("production", &env.selectors("env", "dev"));
    env.settle();
    // At once: garbage collection of the first, if there is one, runs into the slices of the second.
    delete("everywhere");
    small.place("everywhere", &everywhere);
    env.settle();

    // While no scheduler runs.
    assert_eq!(scheduler.terminate(), 0);
    delete("production");
    delete("everywhere");
    small.place("everywhere", &everywhere);
    scheduler = start();
    gone("production");
    env.settle();
    env.settle_status();
    assert_eq!(scheduler.terminate(), 0);
}

/// A SyncTarget's new UID gets into the slices, also when its end and its return are seen as one.
pub(crate) fn sync_target_comes_again(flavor: Flavor) {
    let env = Env::new(flavor, "target-again");
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    let slice = uid(&small.home.get(SLICE, "production").unwrap()).to_owned();
    for stopped in [false, true] {
        if stopped {
            scheduler.signal("STOP");
        }
        small.inventory.delete(SYNC_TARGET, "prod-1");
        env.wait("its end", || crate::env::gone(small.inventory.get(SYNC_TARGET, "prod-1").as_ref()));
        small.add(&env, "prod-1");
        if stopped {
            scheduler.signal("CONT");
        }
        env.settle();
        assert_eq!(small.targets("production"), ["prod-1", "prod-2"]);
    }
    assert_eq!(uid(&small.home.get(SLICE, "production").unwrap()), slice, "the slice was made anew");
    assert_eq!(scheduler.terminate(), 0);
}
