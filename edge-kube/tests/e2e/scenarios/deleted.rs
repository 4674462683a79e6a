//! All slices are deleted at once.

use std::collections::BTreeSet;
use std::thread;

use crate::cluster::{EDGE_PLACEMENT, SLICE, SYNC_TARGET, uid};
use crate::env::{Env, Flavor};
use crate::objects::{edge_placement, sync_target};
use crate::recorder::Recorder;
use crate::scenarios::small::Small;
use crate::truth::{self, Metrics};

/// They come back: while nothing else happens, in the middle of changes, and after they were deleted unseen.
pub(crate) fn all_slices_deleted(flavor: Flavor) {
    const MAX: usize = 4;
    let env = Env::new(flavor, "all-deleted");
    env.max.set(MAX);
    let small = Small::create(&env);
    let target = |number: usize| format!("target-{number:02}");
    for number in 0..24 {
        small.inventory.create(SYNC_TARGET, sync_target(&target(number), &env.labels("env", "prod")));
    }
    let selectors = env.selectors("env", "prod");
    for number in 0..20 {
        small.home.create(EDGE_PLACEMENT, edge_placement(&format!("more-{number:02}"), &selectors));
    }
    let limit = format!("--max-destinations-per-slice={MAX}");
    let scheduler = env.ready_scheduler(&[&limit]);
    truth::settled(&env, &scheduler);
    let uids = || -> BTreeSet<String> { small.home.list(SLICE).iter().map(|slice| uid(slice).to_owned()).collect() };
    let delete_all = || small.home.delete_all(SLICE, "").unwrap();

    let before = uids();
    assert!(before.len() > 100, "there are {} slices", before.len());
    let slices = Recorder::start(&small.home, SLICE);
    let deletions =
        || Metrics::read(&scheduler).unwrap().sum("events_total", &[("kind", SLICE.kind), ("type", "deleted")]);
    let seen = deletions();
    delete_all();
    truth::settled(&env, &scheduler);
    assert!(uids().is_disjoint(&before), "some were not deleted");
    assert!(deletions() >= seen + before.len(), "not all deletions were counted");
    let deleted = slices.changes().iter().filter(|(kind, _)| kind == "DELETED").count();
    assert_eq!(deleted, before.len(), "the scheduler deleted some as well");

    thread::scope(|scope| {
        scope.spawn(|| (0..24).step_by(2).for_each(|number| small.relabel(&target(number), "none")));
        delete_all();
        delete_all();
    });
    truth::settled(&env, &scheduler);

    assert_eq!(scheduler.terminate(), 0);
    delete_all();
    let scheduler = env.ready_scheduler(&[&limit]);
    truth::settled(&env, &scheduler);
    let metrics = Metrics::read(&scheduler).unwrap();
    let count = small.home.list(SLICE).len();
    let created = metrics.sum("writes_total", &[("verb", "create"), ("outcome", "ok")]);
    assert_eq!((created, metrics.writes("ok")), (count, count), "each is written once");
    assert_eq!(scheduler.terminate(), 0);
}
