//! CPU, memory and start of this process, with the names that every Prometheus client uses. Linux only: from /proc.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Clock ticks in a second in what the kernel tells programs (`USER_HZ`): 100 on every architecture that matters.
const TICKS: f64 = 100.0;

/// Read at each scrape.
#[derive(Debug)]
pub(super) struct Process;

/// What /proc told.
#[derive(Debug, Default, PartialEq)]
struct Usage {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    start_seconds: Option<f64>,
    open_files: Option<u64>,
}

impl Usage {
    fn read() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let files = fs::read_dir("/proc/self/fd").ok().and_then(|entries| u64::try_from(entries.count()).ok());
        Self {
            open_files: files,
            ..Self::parse(&read("/proc/self/stat"), &read("/proc/self/status"), &read("/proc/stat"))
        }
    }

    /// From proc(5): stat fields 14, 15 (user and system time) and 22 (start after boot), VmRSS, btime.
    fn parse(stat: &str, status: &str, system: &str) -> Self {
        // The second field is the program's name in parentheses, which may have spaces and parentheses.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        let value = |text: &str, key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let boot = system.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
        Self {
            cpu_seconds: ticks(14).zip(ticks(15)).map(|(user, system)| (user + system) / TICKS),
            resident_bytes: value(status, "VmRSS:").map(|kibibytes| kibibytes * 1024),
            start_seconds: boot.zip(ticks(22)).map(|(boot, start)| boot + start / TICKS),
            open_files: None,
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let usage = Usage::read();
        if let Some(seconds) = usage.cpu_seconds {
            let help = "Total user and system CPU time spent in seconds.";
            let metric = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(metric)?;
        }
        if let Some(bytes) = usage.resident_bytes {
            let help = "Resident memory size in bytes.";
            let metric = encoder.encode_descriptor("process_resident_memory_bytes", help, None, MetricType::Gauge)?;
            ConstGauge::new(bytes).encode(metric)?;
        }
        if let Some(seconds) = usage.start_seconds {
            let help = "Start time of the process since unix epoch in seconds.";
            let metric = encoder.encode_descriptor("process_start_time_seconds", help, None, MetricType::Gauge)?;
            ConstGauge::new(seconds).encode(metric)?;
        }
        if let Some(files) = usage.open_files {
            let help = "Number of open file descriptors.";
            let metric = encoder.encode_descriptor("process_open_fds", help, None, MetricType::Gauge)?;
            ConstGauge::new(files).encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "1 (a) b) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 1 0 1234 0 0";
        let usage = Usage::parse(stat, "Name:\tx\nVmRSS:\t  2048 kB\n", "cpu 1\nbtime 1700000000\n");
        assert_eq!(usage.cpu_seconds, Some(3.0));
        assert_eq!(usage.resident_bytes, Some(2_097_152));
        assert_eq!(usage.start_seconds, Some(1_700_000_012.34));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(Usage::parse("", "", ""), Usage::default());
    }
}
