//! What a scheduler does that starts where another has been at work.

use std::thread;
use std::time::Duration;

use crate::cluster::{Cluster, EDGE_PLACEMENT, SLICE, name};
use crate::env::{Env, Flavor};
use crate::objects::edge_placement;
use crate::recorder::Recorder;
use crate::scenarios::small::Small;
use crate::truth::Metrics;

/// Writes of a status that was put off come within 10 s.
const LONGER_THAN_ANY_DELAY: Duration = Duration::from_secs(12);

/// A restart with nothing changed writes nothing; nor does one that allows larger slices.
pub(crate) fn restart(flavor: Flavor) {
    let env = Env::new(flavor, "restart");
    env.max.set(1);
    let small = Small::create(&env);
    let scheduler = env.ready_scheduler(&["--max-destinations-per-slice=1"]);
    env.settle();
    env.settle_status();
    assert_eq!(Metrics::read(&scheduler).unwrap().slice_reads(), 0, "what it writes itself is read");
    assert_eq!(scheduler.terminate(), 0);
    assert_eq!(small.home.list(SLICE).len(), 5);

    let slices = Recorder::start(&small.home, SLICE);
    let placements = Recorder::start(&small.home, EDGE_PLACEMENT);
    for (limit, long) in [("1", LONGER_THAN_ANY_DELAY), ("1000", Duration::from_secs(3))] {
        let scheduler = env.ready_scheduler(&[&format!("--max-destinations-per-slice={limit}")]);
        thread::sleep(long);
        assert_eq!(slices.changes(), [], "slices were written with the limit {limit}");
        assert_eq!(placements.changes(), [], "EdgePlacements were written with the limit {limit}");
        assert_eq!(scheduler.terminate(), 0);
    }
}

/// SIGTERM in the middle of 1 000 writes: what has begun is finished, the next start does the rest and nothing twice.
pub(crate) fn terminated_in_the_middle(flavor: Flavor) {
    const COUNT: usize = 1000;
    let env = Env::new(flavor, "terminated");
    let small = Small::create(&env);
    let selectors = env.selectors("env", "prod");
    create_many(&small.home, COUNT, |number| edge_placement(&format!("many-{number:04}"), &selectors));
    let slices = Recorder::start(&small.home, SLICE);

    let scheduler = env.ready_scheduler(&["--write-concurrency=4"]);
    env.wait("the first slices", || {
        let count = slices.count();
        if count >= 100 { Ok(()) } else { Err(format!("there are {count}")) }
    });
    assert_eq!(scheduler.terminate(), 0);
    let written = slices.changes().len();
    assert!(written < COUNT, "all {written} slices were there before the signal: this tests nothing");

    let scheduler = env.ready_scheduler(&[]);
    env.settle();
    assert_eq!(scheduler.terminate(), 0);
    let changes = slices.changes();
    let mut names: Vec<_> = changes.iter().map(|(_, slice)| name(slice)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), changes.len(), "some slices were written twice");
    assert_eq!(names.len(), COUNT + 2);
}

/// Creates many objects over several connections.
pub(crate) fn create_many(cluster: &Cluster, count: usize, object: impl Fn(usize) -> serde_json::Value + Sync) {
    const THREADS: usize = 8;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let object = &object;
            scope.spawn(move || {
                for number in (thread..count).step_by(THREADS) {
                    cluster.create(EDGE_PLACEMENT, object(number));
                }
            });
        }
    });
}
