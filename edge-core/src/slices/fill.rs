//! How full a slice is.

use crate::id::SyncTargetId;

/// What nearly every event wants to know of a slice.
///
/// An event changes a slice of each of a hundred EdgePlacements, all over memory. So this is apart from the rest of a slice,
/// in twelve bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    count: u32,
    /// Its place in the list of touched slices, if that is there.
    pub(super) touched: u32,
    /// The SyncTarget that it begins at, if its fence is at one.
    pub(super) begins_at: Option<SyncTargetId>,
}

impl Fill {
    pub(super) fn empty(begins_at: Option<SyncTargetId>) -> Self {
        Self { count: 0, touched: 0, begins_at }
    }

    /// How many destinations it has.
    pub(super) fn count(self) -> usize {
        self.count as usize
    }

    /// A destination came or went.
    pub(super) fn count_one(&mut self, came: bool) {
        self.count = if came { self.count.saturating_add(1) } else { self.count.saturating_sub(1) };
    }

    /// So many destinations came, and so many went.
    pub(super) fn count_changes(&mut self, came: usize, went: usize) {
        self.set_count((self.count() + came).saturating_sub(went));
    }

    pub(super) fn set_count(&mut self, count: usize) {
        // 2^32 destinations in one range do not fit into memory: their SyncTargets would not.
        self.count = u32::try_from(count).unwrap_or(u32::MAX);
    }
}
