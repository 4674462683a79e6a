//! What the scheduler tells about itself, for metrics and readiness.

use std::time::Duration;

use edge_core::object::Kind;
use edge_core::publisher::{Counts, Obstacle};

/// What a request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verb {
    Create,
    Replace,
    Delete,
    ReadSlice,
    ReadPlacement,
    Status,
}

impl Verb {
    /// In lower case, with underscores, as a metric's label has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::ReadSlice => "read_slice",
            Self::ReadPlacement => "read_placement",
            Self::Status => "status",
        }
    }
}

/// Takes in what happens. Everything is called from the engine's task and must be quick.
pub(crate) trait Report: Send + Sync + 'static {
    /// The engine goes round.
    fn beat(&self) {}
    /// A check of readiness passes, or what it waits for. Called on each change; a check that was never named passes.
    /// `sync` is one for all; the others are named by the plural of a kind.
    fn check(&self, check: &str, state: Result<(), &str>) {
        let _ = (check, state);
    }
    /// An object was seen (`deleted` is false) or is gone.
    fn event(&self, kind: Kind, deleted: bool) {
        let _ = (kind, deleted);
    }
    /// How many objects of a kind are known.
    fn objects(&self, kind: Kind, count: usize) {
        let _ = (kind, count);
    }
    /// A list of a kind took so long.
    fn listed(&self, kind: Kind, took: Duration) {
        let _ = (kind, took);
    }
    /// The watch or list of a kind failed and starts again.
    fn watch_failed(&self, kind: Kind, source: &str) {
        let _ = (kind, source);
    }
    /// A request took so long, with this outcome: `ok`, or the failure in lower case with underscores.
    fn request(&self, verb: Verb, outcome: &'static str, took: Duration) {
        let _ = (verb, outcome, took);
    }
    /// A write had success so long after the first event that led to it.
    fn latency(&self, since_event: Duration) {
        let _ = since_event;
    }
    /// How much of everything there is; called after each turn in which something happened, at most each 100 ms.
    fn counts(&self, counts: Counts) {
        let _ = counts;
    }
    /// What holds writes up; called at most once a second, and only if there was or is something.
    fn obstacles(&self, obstacles: &[Obstacle]) {
        let _ = obstacles;
    }
    /// Whether this replica writes.
    fn leading(&self, leading: bool) {
        let _ = leading;
    }
}

/// Keeps nothing.
impl Report for () {}
