//! When enough is known to write.
//!
//! **Nothing is written before every kind of every source has been listed**, by lists that began after this replica came to
//! lead: another may have written until then. Later a source that is new holds back only what takes something away, and
//! one that fails holds back nothing: its last objects stay in force.

use edge_core::object::Kind;
use edge_core::publisher::Gate;
use tokio::time::Instant;

use crate::scheduler::inventory::Inventory;
use crate::scheduler::rest::plural;

/// What is known of sources and leadership.
#[derive(Debug)]
pub(super) struct Sync {
    /// Whether all sources are known, or what is waited for.
    sources: Result<(), String>,
    leading: bool,
    /// Lists that began before do not count.
    since: Option<Instant>,
    /// Everything was known once since this replica came to lead.
    opened: bool,
}

impl Sync {
    pub(super) fn new() -> Self {
        Self { sources: Err("what to watch is not known yet".into()), leading: false, since: None, opened: false }
    }

    pub(super) fn set_sources(&mut self, sources: Result<(), String>) {
        self.sources = sources;
    }

    pub(super) fn is_leading(&self) -> bool {
        self.leading
    }

    /// Sets whether this replica leads. True if everything has to be listed once more: it has come to lead after it began to
    /// list.
    #[must_use]
    pub(super) fn lead(&mut self, leading: bool, inventory: &Inventory, now: Instant) -> bool {
        let taken_over = leading && !self.leading && inventory.is_begun();
        if leading != self.leading {
            self.opened = false;
        }
        self.leading = leading;
        if taken_over {
            self.since = Some(now);
        }
        taken_over
    }

    /// What may be written.
    pub(super) fn gate(&mut self, inventory: &Inventory) -> Gate {
        if !self.leading {
            return Gate::Closed;
        }
        let complete = inventory.unlisted(self.since).next().is_none();
        if !self.opened {
            self.opened = complete && self.sources.is_ok() && Kind::ALL.iter().all(|kind| inventory.has_source(*kind));
        }
        match (self.opened, complete && inventory.incomplete().is_none()) {
            (false, _) => Gate::Closed,
            (true, false) => Gate::GrowOnly,
            (true, true) => Gate::Open,
        }
    }

    /// What is waited for, whether or not this replica leads: a standby watches too.
    pub(super) fn waits_for(&self, inventory: &Inventory) -> Option<String> {
        if let Err(reason) = &self.sources {
            return Some(reason.clone());
        }
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| !inventory.has_source(*kind)) {
            return Some(format!("there is no source of {} yet", plural(kind)));
        }
        let mut unlisted: Vec<Kind> = inventory.unlisted(self.since).map(|(_, kind)| kind).collect();
        unlisted.sort_unstable();
        unlisted.dedup();
        if unlisted.is_empty() {
            return inventory.incomplete().map(Into::into);
        }
        let reasons: Vec<&str> = inventory.failing().map(|(_, _, reason)| reason).take(1).collect();
        let names: Vec<&str> = unlisted.into_iter().map(plural).collect();
        let first = reasons.first().map(|reason| format!(": {reason}")).unwrap_or_default();
        Some(format!("not all is listed yet of {}{first}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scheduler::backend::SourceId;

    const A: SourceId = SourceId(0);
    const B: SourceId = SourceId(1);

    fn list(inventory: &mut Inventory, source: SourceId) {
        list_at(inventory, source, Instant::now());
    }

    fn list_at(inventory: &mut Inventory, source: SourceId, began: Instant) {
        for kind in Kind::ALL {
            inventory.begin(source, kind, began);
            let _ = inventory.end(source, kind);
        }
    }

    #[test]
    fn all_kinds_of_all_sources_come_first() {
        let (mut sync, mut inventory) = (Sync::new(), Inventory::default());
        assert!(!sync.lead(true, &inventory, Instant::now()));
        assert_eq!(sync.gate(&inventory), Gate::Closed);
        inventory.add(A, &[Kind::EdgePlacement, Kind::SinglePlacementSlice]);
        list(&mut inventory, A);
        sync.set_sources(Ok(()));
        // Nobody shows Locations and SyncTargets.
        assert_eq!(sync.gate(&inventory), Gate::Closed);
        assert_eq!(sync.waits_for(&inventory).unwrap(), "there is no source of synctargets yet");
        inventory.add(B, &[Kind::SyncTarget, Kind::Location]);
        inventory.set_failing(B, Kind::Location, Some("away".into()));
        assert_eq!(sync.gate(&inventory), Gate::Closed);
        assert_eq!(sync.waits_for(&inventory).unwrap(), "not all is listed yet of synctargets, locations: away");
        list(&mut inventory, B);
        assert_eq!(sync.gate(&inventory), Gate::Open);
        assert_eq!(sync.waits_for(&inventory), None);
    }

    #[test]
    fn later_a_new_source_holds_back_only_what_shrinks_and_one_that_is_away_nothing() {
        let (mut sync, mut inventory) = (Sync::new(), Inventory::default());
        let _ = sync.lead(true, &inventory, Instant::now());
        sync.set_sources(Ok(()));
        inventory.add(A, &Kind::ALL);
        list(&mut inventory, A);
        assert_eq!(sync.gate(&inventory), Gate::Open);
        inventory.set_failing(A, Kind::Location, Some("away".into()));
        sync.set_sources(Err("the export is away".into()));
        assert_eq!(sync.gate(&inventory), Gate::Open);
        inventory.add(B, &[Kind::SyncTarget]);
        assert_eq!(sync.gate(&inventory), Gate::GrowOnly);
        list(&mut inventory, B);
        assert_eq!(sync.gate(&inventory), Gate::Open);
    }

    #[test]
    fn what_was_never_read_may_not_be_taken_away() {
        let (mut sync, mut inventory) = (Sync::new(), Inventory::default());
        let _ = sync.lead(true, &inventory, Instant::now());
        sync.set_sources(Ok(()));
        inventory.add(A, &Kind::ALL);
        inventory.set_incomplete(A, Some("a.yaml is broken".into()));
        list(&mut inventory, A);
        assert_eq!(sync.gate(&inventory), Gate::GrowOnly);
        assert_eq!(sync.waits_for(&inventory).unwrap(), "a.yaml is broken");
        inventory.set_incomplete(A, None);
        assert_eq!(sync.gate(&inventory), Gate::Open);
        assert_eq!(sync.waits_for(&inventory), None);
    }

    #[test]
    fn who_takes_over_lists_again() {
        let (mut sync, mut inventory) = (Sync::new(), Inventory::default());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!sync.lead(false, &inventory, at(0)));
        sync.set_sources(Ok(()));
        inventory.add(A, &Kind::ALL);
        list_at(&mut inventory, A, at(1));
        assert_eq!(sync.gate(&inventory), Gate::Closed);
        assert_eq!(sync.waits_for(&inventory), None);
        assert!(sync.lead(true, &inventory, at(2)));
        assert_eq!(sync.gate(&inventory), Gate::Closed);
        list_at(&mut inventory, A, at(3));
        assert_eq!(sync.gate(&inventory), Gate::Open);
        assert!(!sync.lead(false, &inventory, at(4)));
        assert_eq!(sync.gate(&inventory), Gate::Closed);
    }
}
