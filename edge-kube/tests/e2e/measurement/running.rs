//! A scheduler that is measured while it runs.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::usage::{self, Cpu};
use crate::env::Env;
use crate::scheduler::Scheduler;

const LIMIT: Duration = Duration::from_secs(600);
/// Nothing is written any more when nothing was for so long: longer than a status may be put off.
const QUIET: Duration = Duration::from_secs(11);
const LATENCY: &str = "edge_scheduler_event_to_write_duration_seconds";

pub(super) struct Running {
    scheduler: Scheduler,
    pub(super) began: Instant,
}

/// Slices that the scheduler has written since it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// When the first answers had come, and how many.
    pub(super) first: Instant,
    pub(super) before: usize,
    /// When the last answer had come, and how many there are.
    pub(super) last: Instant,
    pub(super) count: usize,
}

impl Running {
    pub(super) fn start(env: &Env, max: usize, concurrency: usize) -> Self {
        let args = [format!("--max-destinations-per-slice={max}"), format!("--write-concurrency={concurrency}")];
        let began = Instant::now();
        let scheduler = env.scheduler(&args.each_ref().map(String::as_str));
        Self { scheduler, began }
    }

    /// Waits until it says that it is ready; how long that took since the start.
    pub(super) fn ready(&self) -> Duration {
        while self.scheduler.get("/readyz").0 != 200 {
            let why = || format!("{}\n{}", self.scheduler.get("/readyz?verbose").1, self.scheduler.log());
            assert!(self.scheduler.exit_code().is_none(), "the scheduler has ended: {}", why());
            assert!(self.began.elapsed() < LIMIT, "the scheduler is not ready after {LIMIT:?}: {}", why());
            thread::sleep(Duration::from_millis(5));
        }
        self.began.elapsed()
    }

    /// Waits until it has written all that it wants to.
    pub(super) fn settle(&self) -> Written {
        let begin = Instant::now();
        let mut written = Written { first: begin, before: 0, last: begin, count: 0 };
        loop {
            let metrics = self.metrics();
            let (now, count) = (Instant::now(), self.written(&metrics));
            if count != written.count {
                if written.count == 0 {
                    (written.first, written.before) = (now, count);
                }
                (written.last, written.count) = (now, count);
            }
            let idle = metrics["edge_scheduler_writes_pending"] + metrics["edge_scheduler_writes_in_flight"] == 0.0;
            if idle && now.duration_since(written.last) > QUIET {
                return written;
            }
            assert!(begin.elapsed() < LIMIT, "the scheduler still writes after {LIMIT:?}");
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// Its own samples by name and labels.
    pub(super) fn metrics(&self) -> BTreeMap<String, f64> {
        let (code, text) = self.scheduler.get("/metrics");
        assert_eq!(code, 200, "the scheduler has no metrics any more\n{}", self.scheduler.log());
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap_or(f64::NAN))).collect()
    }

    /// Writes of slices that had success.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
    fn written(&self, metrics: &BTreeMap<String, f64>) -> usize {
        let verbs = ["create", "replace", "delete"];
        let name = |verb| format!("edge_scheduler_writes_total{{verb=\"{verb}\",outcome=\"ok\"}}");
        verbs.map(|verb| metrics.get(&name(verb)).copied().unwrap_or_default()).iter().sum::<f64>() as usize
    }

    pub(super) fn cpu(&self) -> Cpu {
        Cpu::of([self.scheduler.process_id()])
    }

    pub(super) fn peak_mb(&self) -> f64 {
        usage::peak_mb(self.scheduler.process_id())
    }

    pub(super) fn stop(self) {
        assert_eq!(self.scheduler.terminate(), 0, "{}", self.scheduler.log());
    }
}

/// The bound of its latency histogram below which so large a part is of what came between two readings, in seconds.
pub(super) fn latency_bound(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, part: f64) -> f64 {
    let count = |metrics: &BTreeMap<String, f64>, name: &str| metrics.get(name).copied().unwrap_or_default();
    let since = |name: &str| count(after, name) - count(before, name);
    let total = since(&format!("{LATENCY}_count"));
    let prefix = format!("{LATENCY}_bucket{{le=\"");
    let bounds = after.keys().filter_map(|name| Some((name, name.strip_prefix(&*prefix)?.strip_suffix("\"}")?)));
    let bounds = bounds.map(|(name, bound)| (name, bound.parse::<f64>().unwrap_or(f64::INFINITY)));
    bounds.filter(|(name, _)| since(name) >= part * total).map(|(_, bound)| bound).fold(f64::INFINITY, f64::min)
}
