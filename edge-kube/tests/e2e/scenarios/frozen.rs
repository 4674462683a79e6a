//! A leader that stands still past the end of its lease, and wakes up while another one leads.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{SLICE, name, version};
use crate::env::{Env, Flavor};
use crate::objects::edge_placement;
use crate::proxy::{Network, Proxy};
use crate::recorder::Recorder;
use crate::scenarios::restart::create_many;
use crate::scenarios::small::Small;
use crate::truth::{self, Metrics};

const ELECTION: [&str; 4] = [
    "--leader-elect",
    "--leader-elect-lease-duration=5s",
    "--leader-elect-renew-deadline=3s",
    "--leader-elect-retry-period=1s",
];

/// Its late writes change nothing, it writes no more, and it serves as a standby. On Kubernetes its requests are held back on
/// the network as well, so that they arrive when another one has written the same slices.
pub(crate) fn frozen_leader(flavor: Flavor) {
    const COUNT: usize = 300;
    let proxy = Proxy::start();
    let is_kubernetes = flavor == Flavor::Kubernetes;
    let env = if is_kubernetes { Env::own(flavor, "frozen", &proxy) } else { Env::new(flavor, "frozen") };
    let small = Small::create(&env);
    let selectors = env.selectors("env", "prod");
    create_many(&small.home, COUNT, |number| edge_placement(&format!("many-{number:03}"), &selectors));
    let first = env.scheduler_as_told(&ELECTION);
    truth::settled(&env, &first);
    let second = if is_kubernetes {
        let login = env.kubernetes().second_scheduler_login();
        env.scheduler_with(&env.write_kubeconfig("second", &login), &ELECTION)
    } else {
        env.scheduler_as_told(&ELECTION)
    };
    truth::wait_logged(&env, &second, "another replica leads");
    let leads = |metrics: &Metrics| metrics.sum("leader", &[]) == 1;
    assert!(!leads(&Metrics::read(&second).unwrap()));

    // Frozen while it changes every slice; then all has to change once more.
    let slices = Recorder::start(&small.home, SLICE);
    small.relabel("dev-1", "prod");
    env.wait("the writes to begin", || match slices.count() {
        count if count >= 20 => Ok(()),
        count => Err(format!("there are {count}")),
    });
    if is_kubernetes {
        proxy.set(Network::Unheard);
        thread::sleep(Duration::from_millis(100));
    }
    first.signal("STOP");
    let written = slices.changes().len();
    assert!(written < COUNT, "all {written} slices were written before: this tests nothing");
    small.relabel("prod-1", "none");
    env.settle();
    assert!(leads(&Metrics::read(&second).unwrap()), "somebody else wrote\n{}", env.logs());

    let versions = || -> BTreeMap<String, String> {
        small.home.list(SLICE).iter().map(|slice| (name(slice).to_owned(), version(slice).to_owned())).collect()
    };
    let before = versions();
    first.signal("CONT");
    proxy.set(Network::Good);
    truth::wait_logged(&env, &first, "lost the lease: this replica writes no more");
    truth::wait_logged(&env, &first, "another replica leads");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(versions(), before, "the one that woke up changed slices\n{}", env.logs());
    assert!(!leads(&Metrics::read(&first).unwrap()));
    truth::settled(&env, &second);

    // It takes over as if nothing had happened.
    assert_eq!(second.terminate(), 0);
    small.relabel("prod-2", "none");
    truth::settled(&env, &first);
    if is_kubernetes {
        let record = env.kubernetes().record();
        let stale =
            record.iter().filter(|request| request["user"]["uid"] != "second").filter(|request| is_stale(request));
        assert!(stale.count() > 0, "no late write arrived: this tests nothing");
        record.iter().for_each(check_preconditions);
    }
    assert_eq!(first.terminate(), 0);
}

fn is_stale(request: &Value) -> bool {
    request["objectRef"]["resource"] == SLICE.plural && request["responseStatus"]["code"] == 409
}

/// Every write of a slice by a scheduler names the UID and the version of what it replaces or deletes.
fn check_preconditions(request: &Value) {
    let by_scheduler = request["user"]["username"].as_str().is_some_and(|user| user.ends_with(":edge-scheduler"));
    if !by_scheduler || request["objectRef"]["resource"] != SLICE.plural {
        return;
    }
    let body = &request["requestObject"];
    let required = match request["verb"].as_str().unwrap() {
        "create" => return,
        "update" => &body["metadata"],
        "delete" => &body["preconditions"],
        verb => panic!("a scheduler has no use for {verb}: {request}"),
    };
    for field in ["uid", "resourceVersion"] {
        assert!(required[field].as_str().is_some_and(|value| !value.is_empty()), "no {field} in {request}");
    }
}
