//! What something costs, in bytes.

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Keeps other tests out: their bytes would be counted too.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that were kept, and all that were allocated, those that were freed again included; and how often something was moved
/// since its room grew or shrank.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    kept: usize,
    allocated: usize,
    moves: usize,
}

impl Cost {
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let region = Region::new(GLOBAL);
        let result = work();
        let change = region.change();
        let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
        (result, Self { kept, allocated: change.bytes_allocated, moves: change.reallocations })
    }

    /// `cargo test -- --nocapture` shows the figures.
    #[track_caller]
    pub(crate) fn is_at_most(self, what: &str, kept: usize, allocated: usize) {
        println!("{what}: {self:?}");
        assert!(self.kept <= kept, "{what}: keeps {} bytes, not {kept} at most", self.kept);
        assert!(self.allocated <= allocated, "{what}: allocates {} bytes, not {allocated} at most", self.allocated);
    }

    #[track_caller]
    pub(crate) fn moves_at_most(self, what: &str, moves: usize) {
        assert!(self.moves <= moves, "{what}: moves things {} times, not {moves} at most", self.moves);
    }
}
