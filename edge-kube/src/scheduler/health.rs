//! Whether the scheduler is alive and ready, and what it waits for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The result of a check: if not in order, what is waited for.
pub(crate) type Check = Result<(), String>;

/// Named checks, and the heartbeat of the engine. Shared; each part sets its own checks.
#[derive(Debug)]
pub(crate) struct Health {
    checks: Mutex<BTreeMap<String, Check>>,
    /// What those that pass have to tell all the same.
    notes: Mutex<BTreeMap<String, String>>,
    started: Instant,
    /// Milliseconds after `started`, plus one; 0 before the first.
    beat: AtomicU64,
    stale_after: Duration,
}

impl Health {
    /// `stale_after`: so long may the engine be without a heartbeat before it counts as hung.
    pub(crate) fn new(stale_after: Duration) -> Self {
        Self {
            checks: Mutex::default(),
            notes: Mutex::default(),
            started: Instant::now(),
            beat: AtomicU64::new(0),
            stale_after,
        }
    }

    /// Sets a check of [`Self::ready`]: `health.set("sources", Err("waiting for APIExport edge.kcp.io".into()))`.
    pub(crate) fn set(&self, name: &str, check: Check) {
        let mut checks = self.lock();
        match checks.get_mut(name) {
            Some(known) => *known = check,
            None => {
                checks.insert(name.to_owned(), check);
            }
        }
    }

    /// A check passes, though something may be told of it.
    pub(crate) fn note(&self, name: &str, note: Option<String>) {
        self.set(name, Ok(()));
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match note {
            Some(note) => notes.insert(name.to_owned(), note),
            None => notes.remove(name),
        };
    }

    /// What [`Self::note`] was told of a check.
    pub(crate) fn noted(&self, name: &str) -> Option<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Removes a check: of a source that is no more.
    pub(crate) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Says that the engine is alive. To be called each time it goes round, and at least every few seconds. Before the first
    /// call it counts as alive: it may wait for a server.
    pub(crate) fn beat(&self) {
        self.beat.store(self.elapsed().saturating_add(1), Ordering::Relaxed);
    }

    /// All checks by name; it is ready when none failed. Without any it is not.
    pub(crate) fn ready(&self) -> Vec<(String, Check)> {
        let checks = self.lock();
        if checks.is_empty() {
            return vec![("startup".into(), Err("nothing has been set up yet".into()))];
        }
        checks.iter().map(|(name, check)| (name.clone(), check.clone())).collect()
    }

    /// Whether the engine goes round.
    pub(crate) fn live(&self) -> Vec<(String, Check)> {
        let beat = self.beat.load(Ordering::Relaxed);
        let silent = Duration::from_millis(self.elapsed().saturating_add(1).saturating_sub(beat));
        let check = if beat > 0 && silent > self.stale_after {
            Err(format!("no heartbeat for {} s, expected one every {} s", silent.as_secs(), self.stale_after.as_secs()))
        } else {
            Ok(())
        };
        vec![("engine".into(), check)]
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Check>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_engine_is_alive_as_long_as_it_goes_round() {
        let health = Health::new(Duration::from_secs(30));
        let alive = || health.live()[0].1.is_ok();
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(alive(), "it has not begun");
        health.beat();
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(alive());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(health.live()[0].1.as_ref().unwrap_err().contains("31 s"));
        health.beat();
        assert!(alive());
    }

    #[test]
    fn checks_are_set_replaced_and_removed() {
        let health = Health::new(Duration::from_secs(30));
        assert!(health.ready()[0].1.is_err(), "nothing is known yet");
        health.set("sources", Err("waiting for APIExport edge.kcp.io".into()));
        health.set("lease", Ok(()));
        let expected = [("lease".into(), Ok(())), ("sources".into(), Err("waiting for APIExport edge.kcp.io".into()))];
        assert_eq!(health.ready(), expected);
        health.set("sources", Ok(()));
        assert!(health.ready().iter().all(|(_, check)| check.is_ok()));
        health.remove("sources");
        assert_eq!(health.ready().len(), 1);
    }
}
