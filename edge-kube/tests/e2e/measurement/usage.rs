//! What processes use, as Linux tells it.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// Of `utime` and `stime`, on all platforms that Rust supports.
const TICK: Duration = Duration::from_millis(10);

/// CPU time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cpu(pub(super) Duration);

impl Cpu {
    /// What some processes have used together.
    pub(super) fn of<'a>(processes: impl IntoIterator<Item = &'a str>) -> Self {
        let ticks = processes.into_iter().map(|id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            // The name is in parentheses and may hold anything.
            let (_, fields) = stat.rsplit_once(')').unwrap();
            let fields: Vec<&str> = fields.split_whitespace().collect();
            fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap()
        });
        Self(TICK * ticks.sum::<u32>())
    }

    /// For each of `count`, in milliseconds.
    pub(super) fn ms_each(self, count: usize) -> f64 {
        self.0.as_secs_f64() * 1e3 / count as f64
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self(self.0.saturating_sub(before.0))
    }
}

/// The most memory that a process has had, in MB.
pub(super) fn peak_mb(process: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    kib * 1024.0 / 1e6
}
