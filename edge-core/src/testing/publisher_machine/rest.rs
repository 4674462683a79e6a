//! What must hold at rest, and after a restart.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::model::place;
use super::{PublisherMachine, is_going, mk_publisher};
use crate::object::{Destination, ObjectKey, SinglePlacementSlice};
use crate::publisher::Gate;
use crate::slices::Published;
use crate::testing::Wanted;
use crate::testing::server::Live;

impl PublisherMachine {
    /// Nothing goes wrong any more.
    pub(super) fn rest(&mut self) {
        self.faults.fail = 0;
        self.log("rest".into());
        self.catch_up();
        self.gate = Gate::Open;
        self.publisher.set_gate(Gate::Open, self.now);
        for _ in 0..3_000 {
            while !self.ghosts.is_empty() {
                self.haunt();
            }
            self.dispatch();
            self.take_effect();
            self.answer();
            self.see();
            if self.flights.is_empty() && self.watch.is_empty() {
                if self.publisher.is_idle() {
                    return;
                }
                match self.publisher.next_wakeup() {
                    Some(next) => self.now = self.now.max(next),
                    None => {
                        let again = self.publisher.poll(self.now);
                        let goes_on = again.is_some() || self.publisher.next_wakeup().is_some();
                        self.ensure(goes_on || self.publisher.is_idle(), || {
                            format!(
                                "nothing goes on: {:?} {:?}",
                                self.publisher.internal_dirty(),
                                self.publisher.obstacles()
                            )
                        });
                        if let Some(request) = again {
                            self.take_off(request);
                        }
                    }
                }
            }
        }
        self.ensure(false, || "it never comes to rest".into());
    }

    pub(super) fn check_rest(&mut self) {
        let index = self.publisher.scheduler().index();
        // What cannot be resolved depends on what was published when: the index knows, and the oracle cannot.
        let resolved = self.oracle.locations().all(|(_, record, labels)| record.holds.is_ok() && labels.is_some())
            && self.oracle.sync_targets().all(|(_, record, _)| record.invalid.is_none());
        let by_rules = self.oracle.wanted(&|_| Vec::new());
        for (key, record) in self.oracle.placements() {
            let slices = self.server.slices_of(key);
            let own: Vec<&&SinglePlacementSlice> = slices.iter().filter(|slice| !is_going(slice)).collect();
            let first = own.iter().any(|slice| slice.metadata.name == key.name);
            if record.deleting {
                continue;
            }
            self.ensure(!own.is_empty(), || format!("{key} has a slice"));
            let free = !self.publisher.published().is_foreign(key);
            self.ensure(
                first || !free || record.selectors.is_err() || self.publisher.scheduler().has_slice_conflict(key),
                || format!("{key} has its first slice"),
            );
            let Some(rows) = index.destinations(key) else { continue };
            let mut rows: Vec<Destination> = rows.map(Destination::from).collect();
            rows.sort_unstable();
            let mut have: Vec<Destination> = own.iter().flat_map(|slice| slice.destinations.iter().cloned()).collect();
            have.sort_unstable();
            // A SyncTarget of unknown UID keeps the published one.
            for (have, row) in have.iter_mut().zip(&rows) {
                if row.sync_target_uid.is_empty() {
                    have.sync_target_uid.clear();
                }
            }
            self.ensure(have == rows, || {
                let (have, rows): (BTreeSet<_>, BTreeSet<_>) = (
                    have.iter().map(|row| place(key, row)).collect(),
                    rows.iter().map(|row| place(key, row)).collect(),
                );
                let (more, less) = (have.difference(&rows), rows.difference(&have));
                let (more, less): (Vec<_>, Vec<_>) = (more.collect(), less.collect());
                let own: Vec<String> =
                    own.iter().map(|slice| format!("{} {}", slice.metadata.name, slice.destinations.len())).collect();
                format!("{key} has {more:?} and lacks {less:?}: {own:?} {:?}", self.publisher.internal_dirty())
            });
            for slice in own {
                self.ensure(slice.destinations.len() <= self.max, || format!("{} is too full", slice.metadata.name));
                self.ensure(slice.destinations.is_sorted(), || format!("{} is ordered", slice.metadata.name));
            }
            if resolved {
                let expected = Wanted::Rows(rows.iter().cloned().collect());
                self.ensure(by_rules[key] == expected, || format!("{key} differs from the oracle"));
            }
        }
        // Slices of nobody are gone.
        for (key, live) in self.server.snapshot() {
            let Live::Slice(slice) = live else { continue };
            let Some(owner) = Published::placement_name(&slice) else { continue };
            let owner = ObjectKey::new(key.cluster.as_str(), owner);
            let exists = self.oracle.placements().any(|(have, _)| *have == owner);
            self.ensure(exists || is_going(&slice), || format!("{key} is an orphan"));
        }
    }

    /// A scheduler that starts anew writes nothing.
    pub(super) fn restart(&mut self) {
        self.log("restart".into());
        let before = self.publisher.scheduler();
        let memory: BTreeMap<ObjectKey, Option<BTreeSet<Destination>>> = before
            .placements()
            .map(|key| {
                let rows = before.index().destinations(&key).map(|rows| rows.map(Destination::from).collect());
                (key, rows)
            })
            .collect();
        // Labels that cannot be read are forgotten; what follows from that is the oracle's business elsewhere.
        let unreadable = self.oracle.sync_targets().any(|(_, record, _)| record.labels.is_none())
            || self.oracle.locations().any(|(_, record, _)| record.labels.is_none());
        self.publisher = mk_publisher(self.max, self.keeps);
        for (key, live) in self.server.snapshot() {
            if !matches!(live, Live::Gone(_)) {
                self.publisher.observe_slice(&key, self.seen(live), self.now);
            }
        }
        for event in self.oracle.events() {
            self.publisher.apply(&event, self.now);
        }
        self.publisher.set_gate(Gate::Open, self.now);
        let writes = self.writes;
        self.rest();
        self.check_rest();
        if !unreadable {
            let index = self.publisher.scheduler().index();
            for (key, rows) in memory {
                let now: Option<BTreeSet<Destination>> =
                    index.destinations(&key).map(|rows| rows.map(Destination::from).collect());
                self.ensure(now == rows, || format!("{key} changed by a restart: {rows:#?} became {now:#?}"));
            }
            self.ensure(self.writes == writes, || "a restart writes".into());
        }
    }
}
