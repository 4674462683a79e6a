//! Whether what a scheduler tells about itself is so: its metrics, its readiness, its log.

use std::collections::BTreeMap;

use crate::cluster::{EDGE_PLACEMENT, LOCATION, SLICE, SYNC_TARGET};
use crate::env::Env;
use crate::recorder::Change;
use crate::scheduler::Scheduler;

/// Outcomes of writes that the log must tell of.
const TROUBLE: [&str; 4] = ["forbidden", "rejected", "not_done", "unknown"];

/// `/metrics` at some moment.
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub(crate) fn read(scheduler: &Scheduler) -> Result<Self, String> {
        let (code, body) = scheduler.get("/metrics");
        if code != 200 {
            return Err(format!("/metrics says {code}: {body}"));
        }
        let samples = body.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        Ok(Self(samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()))
    }

    /// The sum of the samples of `edge_scheduler_<name>` that have all of these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        let name = format!("edge_scheduler_{name}");
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let fits = |sample: &str| {
            let (found, of) = sample.split_once('{').unwrap_or((sample, ""));
            found == name && labels.iter().all(|label| of.contains(label.as_str()))
        };
        let sum: f64 = self.0.iter().filter(|(sample, _)| fits(sample)).map(|(_, value)| value).sum();
        // Counts, far below 2^53.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = sum as usize;
        count
    }

    /// How many writes of slices had this outcome.
    pub(crate) fn writes(&self, outcome: &str) -> usize {
        let of = |verb| self.sum("writes_total", &[("verb", verb), ("outcome", outcome)]);
        of("create") + of("replace") + of("delete")
    }

    /// How often a slice was read by itself: what the scheduler wrote need not be.
    pub(crate) fn slice_reads(&self) -> usize {
        self.sum("writes_total", &[("verb", "read_slice")])
    }

    /// How many complete lists of SyncTargets there were.
    pub(crate) fn lists(&self) -> usize {
        self.sum("relist_duration_seconds_count", &[("kind", SYNC_TARGET.kind)])
    }
}

/// Waits until all slices and statuses are as the oracle says, and checks that the scheduler says so too.
pub(crate) fn settled(env: &Env, scheduler: &Scheduler) {
    env.settle();
    env.settle_status();
    env.wait("the metrics to tell what is on the server", || gauges(env, &Metrics::read(scheduler)?));
    env.wait("the scheduler to say that it is ready", || match scheduler.get("/readyz?verbose") {
        (200, body) if !body.contains("waiting") => Ok(()),
        (code, body) => Err(format!("/readyz says {code}: {body}")),
    });
    let metrics = Metrics::read(scheduler).unwrap();
    let log = scheduler.log();
    let lines = log.matches("updated SinglePlacementSlice").count();
    assert_eq!(lines, metrics.writes("ok"), "each write that had success is one line\n{}", env.logs());
    for outcome in TROUBLE {
        let failed = metrics.sum("writes_total", &[("outcome", outcome)]) > 0;
        assert!(!failed || log.contains("request failed"), "no line tells of {outcome} writes\n{}", env.logs());
    }
    assert!(!log.contains("panicked"), "{}", env.logs());
}

fn gauges(env: &Env, metrics: &Metrics) -> Result<(), String> {
    let world = env.world();
    let slices = world.slices.len();
    let destinations: Option<usize> =
        world.placements.iter().map(|(_, placement)| world.wanted(placement).map(|rows| rows.len())).sum();
    let objects = |kind| ("objects", vec![("kind", kind)]);
    let mut expected = vec![
        (objects(EDGE_PLACEMENT.kind), world.placements.len()),
        (objects(SLICE.kind), slices),
        (("slices_published", vec![]), slices),
        (("slices_desired", vec![]), slices),
        (("destinations", vec![]), destinations.unwrap()),
        (("writes_pending", vec![]), 0),
        (("writes_in_flight", vec![]), 0),
        (("leader", vec![]), 1),
    ];
    if env.sees_its_own_only() {
        expected.push((objects(LOCATION.kind), world.locations.len()));
        expected.push((objects(SYNC_TARGET.kind), world.sync_targets.len()));
    }
    for ((name, labels), count) in expected {
        let told = metrics.sum(name, &labels);
        if told != count {
            return Err(format!("{name} {labels:?} is {told}, expected {count}"));
        }
    }
    Ok(())
}

/// That counters tell what has happened to the slices since `before`, when nobody else wrote them: every success is a change,
/// and so is some of what nobody knows the outcome of.
pub(crate) fn counted(before: &Metrics, after: &Metrics, changes: &[Change]) {
    let since = |outcome| after.writes(outcome) - before.writes(outcome);
    let (ok, unknown) = (since("ok"), since("unknown"));
    let changes = changes.len();
    assert!((ok..=ok + unknown).contains(&changes), "{changes} changes, but {ok} successes and {unknown} unknown");
}

/// Waits until `/readyz?verbose` says that it is not ready, and this for a reason.
pub(crate) fn wait_unready(env: &Env, scheduler: &Scheduler, what: &str) {
    env.wait("the scheduler to say what it waits for", || {
        let (code, body) = scheduler.get("/readyz?verbose");
        let told = code != 0 && code != 200 && body.contains(what);
        if told { Ok(()) } else { Err(format!("expected {what} in: {code} {body}")) }
    });
    assert_eq!(scheduler.exit_code(), None, "it gave up\n{}", env.logs());
}

/// Waits until the log has a line with this text.
pub(crate) fn wait_logged(env: &Env, scheduler: &Scheduler, text: &str) {
    env.wait(&format!("the log to say `{text}`"), || {
        if scheduler.log().contains(text) { Ok(()) } else { Err("it does not".into()) }
    });
}
