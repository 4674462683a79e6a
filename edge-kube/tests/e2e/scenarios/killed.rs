//! A scheduler that is killed in the middle of its work, again and again.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::cluster::{EDGE_PLACEMENT, SLICE, name};
use crate::env::{Env, Flavor};
use crate::objects::edge_placement;
use crate::recorder::Recorder;
use crate::scenarios::restart::create_many;
use crate::scenarios::small::Small;
use crate::truth::{self, Metrics};

/// kill -9 in the middle of some thousand writes. What comes after it finds out what has been done, does the rest, and does
/// nothing twice.
pub(crate) fn killed_in_the_middle(flavor: Flavor) {
    const COUNT: usize = 800;
    let env = Env::new(flavor, "killed");
    let small = Small::create(&env);
    let selectors = env.selectors("env", "prod");
    create_many(&small.home, COUNT, |number| edge_placement(&format!("many-{number:04}"), &selectors));

    let slices = Recorder::start(&small.home, SLICE);
    // From so many changes of slices on it is killed; what it has written by then.
    let run_until = |count: usize| {
        let scheduler = env.scheduler(&[]);
        env.wait("the writes to get so far", || match slices.count() {
            now if now >= count => Ok(()),
            now => Err(format!("there are {now} of {count}")),
        });
        scheduler.signal("KILL");
        assert_eq!(scheduler.wait(), 128 + 9);
        let written = slices.changes().len();
        assert!(written < count + COUNT / 2, "{written} writes when it was killed: this tests nothing");
    };
    for part in [1, 3, 5] {
        run_until(part * COUNT / 8);
    }
    let scheduler = env.ready_scheduler(&[]);
    truth::settled(&env, &scheduler);
    let created = slices.changes().len();
    assert_eq!(written(&slices), vec!["ADDED".to_owned(); COUNT + 2], "each slice is created once");

    // One SyncTarget is in nearly all slices.
    small.relabel("dev-1", "prod");
    scheduler.signal("KILL");
    for part in [1, 4] {
        run_until(created + part * COUNT / 8);
    }
    let scheduler = env.ready_scheduler(&[]);
    truth::settled(&env, &scheduler);
    let mut expected = vec!["ADDED MODIFIED".to_owned(); COUNT + 2];
    expected.sort_unstable();
    assert_eq!(written(&slices), expected, "each slice is changed once");

    // Nothing is left for one more.
    assert_eq!(scheduler.terminate(), 0);
    let (before, placements) = (slices.changes().len(), Recorder::start(&small.home, EDGE_PLACEMENT));
    let scheduler = env.ready_scheduler(&[]);
    thread::sleep(Duration::from_secs(2));
    truth::settled(&env, &scheduler);
    assert_eq!(slices.changes().len(), before);
    assert_eq!(placements.changes(), []);
    let metrics = Metrics::read(&scheduler).unwrap();
    assert_eq!(metrics.sum("writes_total", &[]), 0, "it wrote or read although all was right");
    assert_eq!(scheduler.terminate(), 0);
}

/// What happened to each slice, in a row; sorted.
fn written(slices: &Recorder) -> Vec<String> {
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, slice) in slices.changes() {
        by_name.entry(name(&slice).to_owned()).or_default().push(kind);
    }
    let mut all: Vec<_> = by_name.into_values().map(|kinds| kinds.join(" ")).collect();
    all.sort_unstable();
    all
}
