//! What the scheduler may do: exactly what `edge-kube manifests rbac` prints, less for a while, nothing at all.

use std::thread;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::cluster::{CLUSTER_ROLE, Cluster, EDGE_PLACEMENT, SLICE, version};
use crate::env::{Env, Flavor, gone};
use crate::fixtures::SCHEDULER_ROLE;
use crate::scenarios::small::Small;
use crate::truth::{self, Metrics};

/// The printed rights are enough for all that it does. Writes that are refused for a while are made up for, so that no stale
/// destination stays; without any rights it waits, and says for what.
pub(crate) fn rights(flavor: Flavor) {
    let env = Env::new(flavor, "rights");
    env.grant();
    let kubeconfig = env.write_kubeconfig("as-scheduler", &env.scheduler_login());
    let small = Small::create(&env);
    let flags = ["--leader-elect", "-v=4"];
    let scheduler = env.scheduler_with(&kubeconfig, &flags);
    truth::settled(&env, &scheduler);
    // It creates, replaces, splits and deletes slices, and writes a status.
    small.relabel("prod-1", "dev");
    small.place("short-lived", &env.selectors("env", "prod"));
    truth::settled(&env, &scheduler);
    small.home.delete(EDGE_PLACEMENT, "short-lived");
    env.wait("the end of its slice", || gone(small.home.get(SLICE, "short-lived").as_ref()));
    truth::settled(&env, &scheduler);
    let log = scheduler.log();
    assert!(!log.to_lowercase().contains("forbidden"), "a right is missing\n{}", env.logs());
    assert_eq!(Metrics::read(&scheduler).unwrap().sum("writes_total", &[("outcome", "forbidden")]), 0);

    let role = env.provider.get(CLUSTER_ROLE, SCHEDULER_ROLE).unwrap();
    let _granted = Granted { cluster: &env.provider, rules: &role["rules"] };
    set_rules(&env.provider, &reading_only(&role["rules"]));
    let before = small.home.get(SLICE, "production").unwrap();
    small.relabel("prod-2", "none");
    small.relabel("dev-1", "prod");
    truth::wait_logged(&env, &scheduler, "the writes of this cluster wait");
    env.wait("the metrics and probes to tell", || {
        let refused = Metrics::read(&scheduler)?.sum("writes_total", &[("outcome", "forbidden")]);
        let (code, body) = scheduler.get("/readyz?verbose");
        // It can still serve others, so it is ready.
        let told = refused > 0 && code == 200 && body.contains("waiting") && body.contains("403");
        if told { Ok(()) } else { Err(format!("{refused} refused; {code} {body}")) }
    });
    let now = small.home.get(SLICE, "production").unwrap();
    assert_eq!(version(&now), version(&before), "it was written without the right to");
    set_rules(&env.provider, &role["rules"]);
    truth::settled(&env, &scheduler);
    assert_eq!(small.targets("production"), ["dev-1"]);
    assert_eq!(scheduler.terminate(), 0);

    // No rights at all, from the start.
    set_rules(&env.provider, &json!([]));
    small.relabel("prod-2", "prod");
    let scheduler = env.scheduler_with(&kubeconfig, &flags);
    // Without rights it cannot even find out whether this is a kcp.
    let waits_for = if flavor == Flavor::Kubernetes { "the right to list" } else { "grant the right to read /apis" };
    truth::wait_unready(&env, &scheduler, waits_for);
    assert_eq!(small.targets("production"), ["dev-1"]);
    set_rules(&env.provider, &role["rules"]);
    truth::settled(&env, &scheduler);
    assert_eq!(small.targets("production"), ["dev-1", "prod-2"]);
    assert_eq!(scheduler.terminate(), 0);
}

/// The role has its rules again when the test ends, also when it fails.
struct Granted<'a> {
    cluster: &'a Cluster,
    rules: &'a Value,
}

impl Drop for Granted<'_> {
    fn drop(&mut self) {
        let Self { cluster, rules } = self;
        let path = format!("{}/{SCHEDULER_ROLE}", cluster.path(CLUSTER_ROLE));
        let _ = cluster.client.send(Method::PATCH, &path, Some(&json!({"rules": rules})));
    }
}

fn reading_only(rules: &Value) -> Value {
    let mut rules = rules.clone();
    for rule in rules.as_array_mut().unwrap() {
        rule["verbs"]
            .as_array_mut()
            .unwrap()
            .retain(|verb| ["access", "get", "list", "watch"].contains(&verb.as_str().unwrap()));
    }
    // A rule without a verb is not valid.
    rules.as_array_mut().unwrap().retain(|rule| rule["verbs"] != json!([]));
    rules
}

fn set_rules(cluster: &Cluster, rules: &Value) {
    cluster.patch(CLUSTER_ROLE, SCHEDULER_ROLE, &json!({"rules": rules}));
    // The server's authorizer hears of it by a watch.
    thread::sleep(Duration::from_secs(1));
}
