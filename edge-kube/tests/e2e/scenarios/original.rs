//! What the original left behind: its slices, and its schema.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{EDGE_PLACEMENT, SLICE, SYNC_TARGET, uid};
use crate::env::{Env, Flavor};
use crate::fixtures::Schema;
use crate::objects::original_slice;
use crate::recorder::Recorder;
use crate::scenarios::small::Small;
use crate::turn::Sharing;

/// Slices with an owner, without label and order, one for each EdgePlacement, are taken over: each is rewritten once, and
/// never deleted.
pub(crate) fn original_slices(flavor: Flavor) {
    let env = Env::new(flavor, "original-slices");
    let small = Small::create(&env);
    let destination = |location: &str, target: &str| {
        let target = small.inventory.get(SYNC_TARGET, target).unwrap();
        json!({
            "cluster": small.inventory.name, "locationName": location,
            "syncTargetName": target["metadata"]["name"], "syncTargetUID": uid(&target),
        })
    };
    let create = |placement: &str, destinations: &Value| {
        let placement = small.home.get(EDGE_PLACEMENT, placement).unwrap();
        uid(&small.home.create(SLICE, original_slice(&placement, destinations))).to_owned()
    };
    // One is right but for its order, one has lost a destination and has kept one that is long gone.
    let right = json!([destination("prod", "prod-2"), destination("dev", "dev-1"), destination("prod", "prod-1")]);
    let mut gone = destination("prod", "prod-1");
    gone["syncTargetName"] = "gone".into();
    let wrong = json!([gone, destination("prod", "prod-2")]);
    let uids = [create("everywhere", &right), create("production", &wrong)];

    let slices = Recorder::start(&small.home, SLICE);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    thread::sleep(Duration::from_secs(2));
    for (name, before) in ["everywhere", "production"].into_iter().zip(&uids) {
        assert_eq!(uid(&small.home.get(SLICE, name).unwrap()), before, "{name} was made anew");
        let changes = slices.changes_of(name);
        let kinds: Vec<_> = changes.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["MODIFIED"], "{name}");
    }
    assert_eq!(small.home.list(SLICE).len(), 2);
    assert_eq!(scheduler.terminate(), 0);
}

/// The original's EdgePlacement has no status subresource, so that each status write raises the generation: only its two
/// fields are written, and only when the specification or the number of Locations has changed.
pub(crate) fn original_schema(flavor: Flavor) {
    let env = Env::bare(flavor, "original-schema", "root:original-schema", &Sharing::Labelled);
    env.install(Schema::Original);
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    let status = |name: &str, count: u64| {
        env.wait("the two fields of the status", || {
            let placement = small.home.get(EDGE_PLACEMENT, name).unwrap();
            let (status, generation) = (&placement["status"], placement["metadata"]["generation"].as_u64());
            // The write of the status itself is the one after the generation that it tells of.
            let told = status["specGeneration"].as_u64().map(|told| told + 1);
            if told == generation && status["matchingLocationCount"] == count {
                Ok(())
            } else {
                Err(format!("generation {generation:?}, status {status}"))
            }
        });
    };
    status("everywhere", 2);
    status("production", 1);

    let placements = Recorder::start(&small.home, EDGE_PLACEMENT);
    small.relabel("prod-1", "dev"); // as many Locations as before
    env.settle();
    thread::sleep(Duration::from_secs(11));
    assert_eq!(placements.changes(), [], "a status was written although its two fields are the same");
    let selectors = env.selectors("env", "dev");
    small.home.patch(EDGE_PLACEMENT, "production", &json!({"spec": {"locationSelectors": selectors}}));
    env.settle();
    status("production", 1);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(placements.changes_of("production").len(), 2, "the user's write, and one of the status");
    assert_eq!(scheduler.terminate(), 0);
}
