//! What others do to slices.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::cluster::{EDGE_PLACEMENT, SLICE, version};
use crate::env::{Env, Flavor};
use crate::oracle::condition;
use crate::recorder::Recorder;
use crate::scenarios::small::Small;
use crate::truth::Metrics;

const LABEL: &str = "edge.kcp.io/source-placement";

/// Slices that others edit or delete are repaired; what others add to them stays, and causes no write.
pub(crate) fn edited_and_deleted(flavor: Flavor) {
    let env = Env::new(flavor, "repair");
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();

    small.home.edit(SLICE, "everywhere", |slice| {
        slice["destinations"] = json!([{
            "cluster": "elsewhere", "locationName": "a", "syncTargetName": "b", "syncTargetUID": "c",
        }]);
    });
    env.settle();
    assert!(Metrics::read(&scheduler).unwrap().slice_reads() > 0, "changes come as a whole, not as metadata");
    small.home.patch(SLICE, "everywhere", &json!({"metadata": {"labels": {LABEL: null}}}));
    env.settle();
    small.home.patch(SLICE, "production", &json!({"metadata": {"ownerReferences": null}}));
    env.settle();
    small.home.delete(SLICE, "production");
    env.settle();

    let slices = Recorder::start(&small.home, SLICE);
    let added = json!({"labels": {"example.com/added": "yes"}, "annotations": {"example.com/note": "mine"}});
    small.home.patch(SLICE, "everywhere", &json!({"metadata": added}));
    thread::sleep(Duration::from_secs(2));
    assert_eq!(slices.changes().len(), 1, "only the one that added labels has written");
    small.relabel("dev-1", "none");
    env.settle();
    let metadata = &small.home.get(SLICE, "everywhere").unwrap()["metadata"];
    assert_eq!(metadata["labels"]["example.com/added"], "yes");
    assert_eq!(metadata["annotations"]["example.com/note"], "mine");
    assert_eq!(slices.changes().len(), 2, "one relabelled SyncTarget is one write");
    assert_eq!(scheduler.terminate(), 0);
}

/// A stranger's object that has the name of a first slice is never touched; the EdgePlacement says so, and gets its name when
/// it is free.
pub(crate) fn squatted(flavor: Flavor) {
    let env = Env::new(flavor, "squatted");
    let small = Small::create(&env);
    let stranger = small.home.create(SLICE, json!({"metadata": {"name": "taken"}, "destinations": []}));
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    small.place("taken", &env.selectors("env", "prod"));
    env.wait("the condition SliceConflict", || {
        let placement = small.home.get(EDGE_PLACEMENT, "taken").unwrap();
        match condition(&placement, "Resolved") {
            Some(resolved) if resolved["reason"] == "SliceConflict" => Ok(()),
            other => Err(format!("it is {other:?}")),
        }
    });
    // Its destinations are in a slice of another name meanwhile.
    let destinations = env.wait("a slice of another name", || {
        let world = env.world();
        let slices = world.slices_of(&small.home.name, "taken");
        match &slices[..] {
            [slice] => crate::oracle::rows(slice),
            slices => Err(format!("there are {} slices", slices.len())),
        }
    });
    assert_eq!(destinations, small.rows("production"));
    let now = small.home.get(SLICE, "taken").unwrap();
    assert_eq!(version(&now), version(&stranger), "the stranger's slice was written");

    small.home.delete(SLICE, "taken");
    env.settle();
    env.settle_status();
    assert_eq!(small.rows("taken"), destinations);
    assert_eq!(env.world().slices_of(&small.home.name, "taken").len(), 1);
    assert_eq!(scheduler.terminate(), 0);
}
