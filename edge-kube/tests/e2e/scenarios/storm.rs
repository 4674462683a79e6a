//! Many changes at once.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::cluster::{LOCATION, SLICE, SYNC_TARGET, name};
use crate::env::{Env, Flavor};
use crate::objects::{location, sync_target};
use crate::oracle::{Row, rows};
use crate::recorder::Recorder;
use crate::scenarios::small::Small;

/// SyncTargets join and leave by the hundred, so that slices are split and merged: those that stay are in some slice after
/// each single write, and when it is over nothing is written any more.
pub(crate) fn storm(flavor: Flavor) {
    const COUNT: usize = 60;
    let env = Env::new(flavor, "storm");
    env.max.set(8);
    let small = Small::create(&env);
    let target = |number: usize| format!("target-{number:03}");
    for site in ["north", "south"] {
        let held = json!({"matchLabels": {"world": env.tag, "storm": "yes"}});
        small.inventory.create(LOCATION, location(site, &env.labels("site", site), &held));
    }
    for number in 0..COUNT {
        small.inventory.create(SYNC_TARGET, sync_target(&target(number), &env.labels("storm", "yes")));
    }
    let scheduler = env.ready_scheduler(&["--max-destinations-per-slice=8"]);
    env.settle();

    let slices = Recorder::start(&small.home, SLICE);
    let start = env.world().slices;
    // Every third stays; the others leave, come back, leave but for some, come back.
    for wave in 0..4 {
        thread::scope(|scope| {
            for lane in 0..4 {
                let small = &small;
                scope.spawn(move || {
                    for number in (lane..COUNT).step_by(4).filter(|number| number % 3 != 0) {
                        let value = if wave % 2 == 1 || (wave == 2 && number % 4 == 0) { "yes" } else { "no" };
                        let patch = json!({"metadata": {"labels": {"storm": value}}});
                        small.inventory.patch(SYNC_TARGET, &target(number), &patch);
                    }
                });
            }
        });
        env.settle();
    }
    thread::sleep(Duration::from_secs(1));
    let changes = slices.changes();

    let stays = |row: &Row| {
        let number: Option<usize> = row[2].strip_prefix("target-").and_then(|number| number.parse().ok());
        number.is_some_and(|number| number % 3 == 0)
    };
    let mut state: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for (_, slice) in start.iter().filter(|(home, _)| *home == small.home.name) {
        state.insert(name(slice).into(), rows(slice).unwrap());
    }
    let stable = |state: &BTreeMap<String, Vec<Row>>| -> BTreeSet<Row> {
        let of_everywhere = state.iter().filter(|(name, _)| name.starts_with("everywhere"));
        of_everywhere.flat_map(|(_, rows)| rows).filter(|row| stays(row)).cloned().collect()
    };
    let all = stable(&state);
    assert_eq!(all.len(), 2 * COUNT.div_ceil(3));
    for (kind, slice) in &changes {
        if kind == "DELETED" {
            state.remove(name(slice));
        } else {
            state.insert(name(slice).into(), rows(slice).unwrap());
        }
        let missing: Vec<_> = all.difference(&stable(&state)).cloned().collect();
        assert!(missing.is_empty(), "{kind} {} left no slice for {missing:?}", name(slice));
    }

    let writes = changes.len();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(slices.changes().len(), writes, "it writes although nothing changes");
    // 40 SyncTargets, four waves, two Locations: with splits and merges 1.25 writes for each change, if none are put together.
    assert!(writes <= 4 * 40 * 2 * 5 / 4, "{writes} writes");
    assert_eq!(scheduler.terminate(), 0);
}
