//! A bad connection, and a server that dies and forgets.

use std::thread;
use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::cluster::{LOCATION, SLICE, SYNC_TARGET, name};
use crate::env::{Env, Flavor};
use crate::objects::{location, sync_target};
use crate::proxy::{Network, Proxy};
use crate::recorder::Recorder;
use crate::scenarios::small::Small;
use crate::scheduler::Scheduler;
use crate::truth::{self, Metrics};

const COUNT: usize = 40;

/// One world on a server of its own, and one scheduler that has to live through everything.
struct Run {
    // In the order in which they end.
    scheduler: Scheduler,
    small: Small,
    env: Env,
    proxy: Proxy,
}

/// A connection that is slow, that breaks, that is silent, and that is cut; then, on Kubernetes, the server is killed, and
/// while the scheduler cannot reach it, much changes and the history of it is lost.
pub(crate) fn bad_connection_and_server(flavor: Flavor) {
    let proxy = Proxy::start();
    let env = Env::own(flavor, "adversity", &proxy);
    env.max.set(8);
    let small = Small::create(&env);
    for site in ["north", "south"] {
        let held = json!({"matchLabels": {"world": env.tag, "here": "yes"}});
        small.inventory.create(LOCATION, location(site, &env.labels("site", site), &held));
    }
    for number in 0..COUNT {
        small.inventory.create(SYNC_TARGET, sync_target(&target(number), &env.labels("here", "yes")));
    }
    let flags = [
        "--leader-elect",
        "--leader-elect-lease-duration=10s",
        "--leader-elect-renew-deadline=7s",
        "--leader-elect-retry-period=1s",
        "--max-destinations-per-slice=8",
    ];
    proxy.set(Network::Slow(Duration::from_millis(10)));
    let scheduler = env.scheduler_as_told(&flags);
    let run = Run { scheduler, small, env, proxy };
    run.slow();
    run.lossy();
    run.silent();
    run.away();
    if flavor == Flavor::Kubernetes {
        run.killed_and_forgetful();
    }
    assert_eq!(run.scheduler.exit_code(), None, "it did not survive");
    assert_eq!(run.scheduler.terminate(), 0);

    // It left nothing to do.
    let slices = Recorder::start(&run.small.home, SLICE);
    let scheduler = run.env.scheduler_as_told(&flags);
    truth::settled(&run.env, &scheduler);
    assert_eq!(slices.changes(), []);
    assert_eq!(scheduler.terminate(), 0);
}

fn target(number: usize) -> String {
    format!("target-{number:02}")
}

impl Run {
    /// Some SyncTargets leave or join.
    fn relabel(&self, step: usize, value: &str) {
        let patch = json!({"metadata": {"labels": {"here": value}}});
        for number in (0..COUNT).step_by(step) {
            self.small.inventory.patch(SYNC_TARGET, &target(number), &patch);
        }
    }

    fn settled(&self) {
        truth::settled(&self.env, &self.scheduler);
    }

    fn metrics(&self) -> Metrics {
        Metrics::read(&self.scheduler).unwrap()
    }

    fn slow(&self) {
        self.settled();
        self.relabel(2, "no");
        self.settled();
    }

    fn lossy(&self) {
        let (before, slices) = (self.metrics(), Recorder::start(&self.small.home, SLICE));
        self.proxy.set(Network::Lossy(30_000));
        // Until enough has been lost.
        for wave in 0..20 {
            self.relabel(2, if wave % 2 == 0 { "yes" } else { "no" });
            // A watch that fails is tried again after up to 30 s, and may well fail again.
            self.env.settle_within(Duration::from_secs(240));
            if self.proxy.broken() >= 20 && wave >= 3 {
                break;
            }
        }
        assert!(self.proxy.broken() >= 20, "only {} connections broke", self.proxy.broken());
        self.proxy.set(Network::Good);
        self.settled();
        truth::counted(&before, &self.metrics(), &slices.changes());
    }

    /// The lease runs out, so it must not write, though nobody has told it that anything is wrong.
    fn silent(&self) {
        self.proxy.set(Network::Silent);
        self.relabel(3, "no");
        truth::wait_unready(&self.env, &self.scheduler, "[-]lease");
        truth::wait_logged(&self.env, &self.scheduler, "lost the lease: this replica writes no more");
        assert_eq!(self.metrics().sum("leader", &[]), 0);
        self.proxy.set(Network::Good);
        self.settled();
    }

    fn away(&self) {
        self.proxy.set(Network::Away);
        truth::wait_unready(&self.env, &self.scheduler, "no connection to the server for synctargets.workload.kcp.io");
        self.relabel(3, "yes");
        self.proxy.set(Network::Good);
        truth::wait_logged(&self.env, &self.scheduler, "the watch works again");
        self.settled();
    }

    fn killed_and_forgetful(&self) {
        let Self { env, small, .. } = self;
        let lists = self.metrics().lists();
        let version = {
            let answer = small.inventory.client.send(Method::GET, &small.inventory.path(SYNC_TARGET), None).unwrap();
            answer["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
        };
        // What the server remembers when it comes again begins later than what is known of SyncTargets.
        small.home.patch(SLICE, "production", &json!({"metadata": {"annotations": {"example.com/later": "yes"}}}));
        env.kubernetes().kill();
        truth::wait_unready(env, &self.scheduler, "no connection to the server");
        self.proxy.set(Network::Away);
        env.kubernetes().restart();
        env.wait("the server to serve all kinds again", || {
            small.inventory.try_list(SYNC_TARGET).and(small.home.try_list(SLICE)).map_err(|error| error.to_string())
        });

        self.relabel(4, "no");
        for number in (1..COUNT).step_by(4) {
            small.inventory.delete(SYNC_TARGET, &target(number));
        }
        let slice = env.world().slices.iter().map(|(_, slice)| name(slice).to_owned()).next().unwrap();
        small.home.delete(SLICE, &slice);
        small.home.patch(SLICE, "production", &json!({"destinations": []}));
        env.kubernetes().compact();
        let watch =
            format!("{}?watch=true&timeoutSeconds=1&resourceVersion={version}", small.inventory.path(SYNC_TARGET));
        let forgotten = format!("{:?}", small.inventory.client.send(Method::GET, &watch, None));
        assert!(forgotten.contains("too old resource version"), "the server knows what was before: {forgotten}");

        // Until now it could not know.
        assert_eq!(self.metrics().lists(), lists);
        self.proxy.set(Network::Good);
        self.settled();
        assert!(self.metrics().lists() > lists, "it has not listed again\n{}", env.logs());
        thread::sleep(Duration::from_secs(1));
        self.settled();
    }
}
