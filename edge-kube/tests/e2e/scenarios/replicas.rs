//! Two replicas and their Lease.

use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::SLICE;
use crate::env::{Env, Flavor};
use crate::recorder::Recorder;
use crate::scenarios::small::Small;
use crate::scheduler::Scheduler;

const LEASE: Duration = Duration::from_secs(5);

/// One replica writes. The other takes over at once after a SIGTERM, and within the lease time after a crash.
pub(crate) fn two_replicas(flavor: Flavor) {
    let env = Env::new(flavor, "replicas");
    let small = Small::create(&env);
    let start = || -> Scheduler {
        let scheduler = env.scheduler_as_told(&[
            "--leader-elect",
            "--leader-elect-lease-duration=5s",
            "--leader-elect-renew-deadline=3s",
            "--leader-elect-retry-period=1s",
        ]);
        env.wait("the scheduler to live", || match scheduler.get("/livez").0 {
            200 => Ok(()),
            code => Err(format!("/livez says {code}")),
        });
        // A standby has listed everything by then.
        thread::sleep(Duration::from_secs(3));
        scheduler
    };
    // How long it takes until a new EdgePlacement has its slice.
    let place = |name: &str, since: Instant| {
        small.place(name, &env.selectors("env", "prod"));
        env.wait("its slice", || small.home.get(SLICE, name).map(|_| ()).ok_or_else(|| "it is not there".into()));
        since.elapsed()
    };

    let slices = Recorder::start(&small.home, SLICE);
    let first = start();
    let second = start();
    env.settle();
    place("first", Instant::now());
    let has_written = |scheduler: &Scheduler| scheduler.log().contains("updated SinglePlacementSlice");
    assert!(has_written(&first) && !has_written(&second), "the second writes too\n{}", env.logs());

    let since = Instant::now();
    first.signal("TERM");
    let took = place("second", since);
    assert!(took < Duration::from_secs(2), "the hand-over took {took:?}\n{}", env.logs());
    assert_eq!(first.wait(), 0);

    let third = start();
    let since = Instant::now();
    second.signal("KILL");
    let took = place("third", since);
    let limit = LEASE + Duration::from_secs(2);
    assert!(took < limit, "after a crash it took {took:?}\n{}", env.logs());

    env.settle();
    let changes = slices.changes();
    assert!(changes.iter().all(|(kind, _)| kind == "ADDED"), "two have written: {changes:#?}");
    assert_eq!(changes.len(), 5);
    assert_eq!(third.terminate(), 0);
}
