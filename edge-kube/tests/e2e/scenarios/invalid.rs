//! Selectors that are not valid, and are mended later.

use serde_json::{Value, json};

use crate::cluster::{EDGE_PLACEMENT, LOCATION, SYNC_TARGET};
use crate::env::{Env, Flavor};
use crate::oracle::condition;
use crate::scenarios::small::Small;

/// An expression that the API server stores and Kubernetes does not evaluate: `In` without a value.
fn bad_selector() -> Value {
    json!({"matchExpressions": [{"key": "env", "operator": "In", "values": []}]})
}

/// Waits for a condition whose message names the field.
fn wait_condition(env: &Env, small: &Small, placement: &str, reason: &str, field: &str) {
    env.wait("the condition Resolved", || {
        let placement = small.home.get(EDGE_PLACEMENT, placement).unwrap();
        match condition(&placement, "Resolved") {
            Some(resolved)
                if resolved["reason"] == reason
                    && resolved["message"].as_str().is_some_and(|message| message.contains(field)) =>
            {
                Ok(())
            }
            other => Err(format!("expected {reason} with a message about `{field}`, it is {other:?}")),
        }
    });
}

/// An invalid EdgePlacement keeps the destinations that it has, and holds up no other.
pub(crate) fn invalid_edge_placement(flavor: Flavor) {
    let env = Env::new(flavor, "invalid-placement");
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    let before = small.rows("production");

    let spoiled = json!([{"matchLabels": {"world": env.tag}}, bad_selector()]);
    small.home.patch(EDGE_PLACEMENT, "production", &json!({"spec": {"locationSelectors": spoiled}}));
    wait_condition(&env, &small, "production", "InvalidSelector", "locationSelectors[1].matchExpressions[0]");
    // Was invalid from the start: its first slice is empty.
    small.place("never-valid", &json!([bad_selector()]));
    small.add(&env, "prod-3");
    env.settle();
    assert_eq!(small.targets("everywhere"), ["dev-1", "prod-1", "prod-2", "prod-3"]);
    assert_eq!(small.rows("production"), before);
    assert_eq!(small.rows("never-valid"), [] as [[String; 4]; 0]);

    // A restart does not know them from events.
    assert_eq!(scheduler.terminate(), 0);
    let scheduler = env.ready_scheduler(&[]);
    small.add(&env, "prod-4");
    env.settle();
    assert_eq!(small.rows("production"), before);

    let selectors = env.selectors("env", "prod");
    for name in ["production", "never-valid"] {
        small.home.patch(EDGE_PLACEMENT, name, &json!({"spec": {"locationSelectors": selectors}}));
    }
    env.settle();
    env.settle_status();
    assert_eq!(small.targets("production"), ["prod-1", "prod-2", "prod-3", "prod-4"]);
    assert_eq!(scheduler.terminate(), 0);
}

/// An invalid Location is frozen: what has gone leaves, nobody joins, and other Locations go on.
pub(crate) fn invalid_location(flavor: Flavor) {
    let env = Env::new(flavor, "invalid-location");
    let small = Small::create(&env);
    let mut scheduler = env.ready_scheduler(&[]);
    env.settle();
    small.inventory.patch(LOCATION, "prod", &json!({"spec": {"instanceSelector": bad_selector()}}));
    wait_condition(&env, &small, "production", "Resolved", "prod");
    for restarted in [false, true] {
        if restarted {
            assert_eq!(scheduler.terminate(), 0);
            scheduler = env.ready_scheduler(&[]);
        }
        small.add(&env, if restarted { "prod-4" } else { "prod-3" });
        small.inventory.create(
            SYNC_TARGET,
            crate::objects::sync_target(if restarted { "dev-3" } else { "dev-2" }, &env.labels("env", "dev")),
        );
        let expected = if restarted { vec!["dev-1", "dev-2", "dev-3"] } else { vec!["dev-1", "dev-2"] };
        // After a restart, those that its slices name for it.
        let frozen = ["prod-1", "prod-2"];
        env.wait("the other Location to go on, and the invalid one to stay", || {
            let targets = small.targets("everywhere");
            if targets == [&expected[..], &frozen].concat() { Ok(()) } else { Err(format!("{targets:?}")) }
        });
        assert_eq!(small.targets("production"), frozen);
    }
    small.inventory.delete(SYNC_TARGET, "prod-1");
    env.wait("the SyncTarget that is gone to leave", || {
        let targets = small.targets("production");
        if targets == ["prod-2"] { Ok(()) } else { Err(format!("{targets:?}")) }
    });

    let mended = json!({"matchLabels": env.labels("env", "prod"), "matchExpressions": null});
    small.inventory.patch(LOCATION, "prod", &json!({"spec": {"instanceSelector": mended}}));
    env.settle();
    env.settle_status();
    assert_eq!(small.targets("production"), ["prod-2", "prod-3", "prod-4"]);
    assert_eq!(scheduler.terminate(), 0);
}
