//! What Prometheus sees.

mod process;

use std::time::Duration;

use edge_core::object::Kind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds: 1 ms to 60 s.
const WRITE_BUCKETS: [f64; 15] =
    [0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];

/// Seconds: lists of a hundred thousand objects take several.
const LIST_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// What an event did to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EventType {
    /// It exists: from a list or a watch.
    Applied,
    /// It is gone.
    Deleted,
}

/// Labels with values that are known at compile time.
type Labels<const N: usize> = [(&'static str, &'static str); N];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    kind: &'static str,
    source: String,
}

/// All metrics. Cheap to update: an atomic, and a lookup for those with labels.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Destinations of all EdgePlacements.
    pub(crate) destinations: Gauge,
    /// Slices that should exist.
    pub(crate) slices_desired: Gauge,
    /// Slices of ours that exist.
    pub(crate) slices_published: Gauge,
    /// Slices that are, or may be, not as they should be.
    pub(crate) writes_pending: Gauge,
    /// Requests that are not answered yet.
    pub(crate) writes_in_flight: Gauge,
    /// 1 while this replica may write.
    pub(crate) leader: Gauge,
    events: Family<Labels<2>, Counter>,
    objects: Family<Labels<1>, Gauge>,
    writes: Family<Labels<2>, Counter>,
    watch_restarts: Family<WatchLabels, Counter>,
    relist_duration: Family<Labels<1>, Histogram, fn() -> Histogram>,
    event_to_write: Histogram,
}

impl Metrics {
    /// With everything at zero.
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            destinations: Gauge::default(),
            slices_desired: Gauge::default(),
            slices_published: Gauge::default(),
            writes_pending: Gauge::default(),
            writes_in_flight: Gauge::default(),
            leader: Gauge::default(),
            events: Family::default(),
            objects: Family::default(),
            writes: Family::default(),
            watch_restarts: Family::default(),
            relist_duration: Family::new_with_constructor(|| Histogram::new(LIST_BUCKETS)),
            event_to_write: Histogram::new(WRITE_BUCKETS),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let mut all = Registry::default();
        all.register_collector(Box::new(process::Process));
        let ours = all.sub_registry_with_prefix("edge_scheduler");
        // The library appends `_total` to counters.
        ours.register("events", "Watch events and listed objects by kind and type", self.events.clone());
        ours.register("objects", "Objects known by kind", self.objects.clone());
        ours.register("destinations", "Destinations of all EdgePlacements", self.destinations.clone());
        ours.register("slices_desired", "SinglePlacementSlices that should exist", self.slices_desired.clone());
        ours.register("slices_published", "SinglePlacementSlices of ours that exist", self.slices_published.clone());
        ours.register("writes_pending", "SinglePlacementSlices that are to be written", self.writes_pending.clone());
        ours.register("writes_in_flight", "Requests that are not answered yet", self.writes_in_flight.clone());
        ours.register("writes", "Writes by verb and outcome", self.writes.clone());
        ours.register("watch_restarts", "Watches that had to be begun anew", self.watch_restarts.clone());
        let help = "Time that a complete list of a kind took";
        ours.register("relist_duration_seconds", help, self.relist_duration.clone());
        let help = "Time from the first event that made a slice outdated to the answer of the last write for it";
        ours.register("event_to_write_duration_seconds", help, self.event_to_write.clone());
        ours.register("leader", "Whether this replica may write", self.leader.clone());
        let build = ours.sub_registry_with_labels(
            [("version", env!("CARGO_PKG_VERSION")), ("os", std::env::consts::OS), ("arch", std::env::consts::ARCH)]
                .map(|(name, value)| (name.into(), value.into()))
                .into_iter(),
        );
        build.register("build_info", "Version and platform of this binary; always 1", ConstGauge::new(1_u64));
        self.registry = all;
    }

    /// Counts an event.
    pub(crate) fn event(&self, kind: Kind, event: EventType) {
        let event = match event {
            EventType::Applied => "applied",
            EventType::Deleted => "deleted",
        };
        self.events.get_or_create(&[("kind", kind.as_str()), ("type", event)]).inc();
    }

    /// How many objects of a kind there are.
    pub(crate) fn set_objects(&self, kind: Kind, count: usize) {
        set(&self.objects.get_or_create(&[("kind", kind.as_str())]), count);
    }

    /// Counts an answered write. Both are of a fixed set: `replace`, `conflict`.
    pub(crate) fn write(&self, verb: &'static str, outcome: &'static str) {
        self.writes.get_or_create(&[("verb", verb), ("outcome", outcome)]).inc();
    }

    /// Counts a watch that had to be begun anew.
    pub(crate) fn watch_restart(&self, kind: Kind, source: &str) {
        let labels = WatchLabels { kind: kind.as_str(), source: source.to_owned() };
        self.watch_restarts.get_or_create(&labels).inc();
    }

    /// Records how long a complete list took.
    pub(crate) fn relist(&self, kind: Kind, took: Duration) {
        self.relist_duration.get_or_create(&[("kind", kind.as_str())]).observe(took.as_secs_f64());
    }

    /// Records the time from the first event to the answer of the last write for it.
    pub(crate) fn event_to_write(&self, took: Duration) {
        self.event_to_write.observe(took.as_secs_f64());
    }

    /// OpenMetrics, or, for scrapers that don't ask for it, Prometheus' older text format.
    pub(crate) fn render(&self, openmetrics: bool) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        if openmetrics { text } else { prometheus_text(&text) }
    }
}

/// Sets a gauge to a count.
pub(crate) fn set(gauge: &Gauge, count: usize) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// The older format names a counter with its `_total`, and knows neither units nor an end.
fn prometheus_text(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len() + 512);
    // HELP comes before TYPE, and only TYPE says that it is a counter.
    let mut help: Option<(&str, &str)> = None;
    for line in openmetrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), help_text) => help = Some((name, help_text.unwrap_or_default())),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let total = if kind == "counter" { "_total" } else { "" };
                if let Some((_, help)) = help.take_if(|(of, _)| *of == name) {
                    text.push_str(&format!("# HELP {name}{total} {help}\n"));
                }
                text.push_str(&format!("# TYPE {name}{total} {kind}\n"));
            }
            (Some("#"), ..) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Metrics {
        let metrics = Metrics::new();
        metrics.event(Kind::SyncTarget, EventType::Applied);
        metrics.event(Kind::SyncTarget, EventType::Applied);
        metrics.event(Kind::Location, EventType::Deleted);
        metrics.set_objects(Kind::EdgePlacement, 7);
        metrics.write("replace", "conflict");
        metrics.watch_restart(Kind::Location, "https://shard/\"x\"");
        metrics.relist(Kind::SyncTarget, Duration::from_millis(700));
        metrics.event_to_write(Duration::from_millis(4));
        set(&metrics.destinations, 1_000_000);
        metrics.leader.set(1);
        metrics
    }

    #[test]
    fn names_and_labels_are_as_documented() {
        let text = filled().render(true);
        for line in [
            "# TYPE edge_scheduler_events counter",
            "edge_scheduler_events_total{kind=\"SyncTarget\",type=\"applied\"} 2",
            "edge_scheduler_events_total{kind=\"Location\",type=\"deleted\"} 1",
            "edge_scheduler_objects{kind=\"EdgePlacement\"} 7",
            "edge_scheduler_destinations 1000000",
            "edge_scheduler_slices_desired 0",
            "edge_scheduler_slices_published 0",
            "edge_scheduler_writes_pending 0",
            "edge_scheduler_writes_in_flight 0",
            "edge_scheduler_writes_total{verb=\"replace\",outcome=\"conflict\"} 1",
            "edge_scheduler_watch_restarts_total{kind=\"Location\",source=\"https://shard/\\\"x\\\"\"} 1",
            "edge_scheduler_relist_duration_seconds_bucket{le=\"1.0\",kind=\"SyncTarget\"} 1",
            "edge_scheduler_event_to_write_duration_seconds_bucket{le=\"0.002\"} 0",
            "edge_scheduler_event_to_write_duration_seconds_bucket{le=\"0.005\"} 1",
            "edge_scheduler_event_to_write_duration_seconds_bucket{le=\"60.0\"} 1",
            "edge_scheduler_leader 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
        let build = text.lines().find(|line| line.starts_with("edge_scheduler_build_info{")).unwrap();
        assert!(build.contains("version=\"") && build.ends_with("} 1"), "{build}");
    }

    #[test]
    fn the_older_format_types_counters_by_their_full_name_and_loses_no_sample() {
        let metrics = filled();
        let (new, old) = (metrics.render(true), metrics.render(false));
        assert!(old.contains("# HELP edge_scheduler_writes_total Writes by verb and outcome.\n# TYPE edge_scheduler_writes_total counter\n"), "{old}");
        assert!(old.contains("# TYPE edge_scheduler_event_to_write_duration_seconds histogram\n"));
        assert!(!old.contains("# EOF") && !old.contains("# UNIT"));
        let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples(&new), samples(&old));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_measured() {
        let text = Metrics::new().render(false);
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("{name} is missing in:\n{text}")).parse().unwrap()
        };
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_open_fds") >= 3.0);
        let started = value("process_start_time_seconds");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..86_400.0 * 7.0).contains(&(now - started)), "{started} {now}");
    }
}
