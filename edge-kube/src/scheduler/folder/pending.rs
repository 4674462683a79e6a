//! What has changed since somebody last looked, and whether it has come to rest.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};

/// Editors write a file in several steps; these are over after so long without an event.
const QUIET: Duration = Duration::from_millis(50);
/// Longer than this nothing waits, however much goes on.
const PATIENCE: Duration = Duration::from_secs(1);
/// More paths than that are not remembered: then everything is looked at.
const MAX_PATHS: usize = 50_000;

/// Filled by the watcher's thread, emptied by a task.
#[derive(Debug, Default)]
pub(super) struct Pending {
    state: Mutex<State>,
    wake: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct State {
    changes: Changes,
    /// Files that are being written: not closed yet.
    open: HashSet<PathBuf>,
    /// When the first and the last event came.
    span: Option<(Instant, Instant)>,
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// All of it.
    pub(super) everything: bool,
    /// Paths as the watcher names them.
    pub(super) paths: HashSet<PathBuf>,
}

impl Changes {
    pub(super) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the watcher saw.
    pub(super) fn note(&self, event: notify::Result<notify::Event>) {
        let mut state = self.lock();
        match event {
            Ok(event) if event.need_rescan() => state.changes.everything = true,
            Ok(event) => {
                // Only Linux says when a file is closed.
                let (opens, closes) = match event.kind {
                    EventKind::Access(AccessKind::Close(AccessMode::Write)) => (false, true),
                    EventKind::Access(_) => return,
                    EventKind::Modify(ModifyKind::Data(_)) => (cfg!(target_os = "linux"), false),
                    EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => (false, true),
                    _ => (false, false),
                };
                for path in event.paths {
                    if opens {
                        state.open.insert(path.clone());
                    } else if closes {
                        state.open.remove(&path);
                    }
                    state.changes.paths.insert(path);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the watch missed something: looking at everything");
                state.changes.everything = true;
            }
        }
        if state.changes.paths.len() > MAX_PATHS {
            state.changes = Changes::everything();
            state.open.clear();
        }
        self.wake(state);
    }

    /// Takes in what another watcher saw.
    pub(super) fn add(&self, paths: impl IntoIterator<Item = PathBuf>) {
        let mut state = self.lock();
        state.changes.paths.extend(paths);
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let now = Instant::now();
        let first = state.span.map_or(now, |(first, _)| first);
        state.span = Some((first, now));
        drop(state);
        self.wake.notify_one();
    }

    /// What has changed, at once.
    pub(super) fn take(&self) -> Changes {
        let mut state = self.lock();
        state.span = None;
        state.open.clear();
        std::mem::take(&mut state.changes)
    }

    /// Waits until something has changed and has come to rest.
    pub(super) async fn rest(&self) -> Changes {
        loop {
            let due = {
                let state = self.lock();
                state.span.map(|(first, last)| {
                    let patience = first + PATIENCE;
                    if state.open.is_empty() { patience.min(last + QUIET) } else { patience }
                })
            };
            match due {
                Some(due) if due <= Instant::now() => return self.take(),
                Some(due) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due.into()) => {}
                        () = self.wake.notified() => {}
                    }
                }
                None => self.wake.notified().await,
            }
        }
    }
}
