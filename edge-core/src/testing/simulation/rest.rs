//! What must hold when nothing goes wrong any more, and after a start.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Simulation;
use super::replica::Replica;
use super::script::Fate;
use crate::event::{EdgePlacementRecord, Event};
use crate::index::PlacementState;
use crate::object::{Destination, Kind, ObjectKey, SinglePlacementSlice};
use crate::publisher::{Publisher, StatusFields, Time};
use crate::slices::SOURCE_PLACEMENT;
use crate::testing::oracle::Oracle;

/// So long the scheduler has to be silent once all is done; every backoff is shorter.
const SILENCE: Time = Time::from_secs(60);

/// So long, without a write that takes effect, work that a policy forbids is waited for: longer than the publisher waits
/// after a refusal.
const PATIENCE: Time = Time::from_secs(400);

impl Simulation {
    /// Nothing goes wrong any more: all comes to rest, is right, stays so, and is left alone by one that starts.
    pub(super) fn come_to_rest(&mut self) {
        self.log(|| "rest".into());
        for index in 0..self.replicas.len() {
            let replica = &mut self.replicas[index];
            (replica.paused, replica.unknown) = (false, false);
            if !replica.up {
                self.replicas[index] = Replica::new(index, &self.settings, replica.max, replica.term + 1);
            }
        }
        if !self.server.refused.is_empty() {
            self.settle(Some(PATIENCE));
            self.check_parked();
            let before = self.tally.statuses;
            self.settle(Some(SILENCE));
            let after = self.tally.statuses;
            self.ensure(before == after, || format!("statuses are written for nothing: {before} became {after}"));
            self.log(|| "the policy is lifted".into());
            self.server.refused.clear();
        }
        self.settle(None);
        self.check_rest();
        let (before, leader) = ((self.tally.writes, self.tally.statuses), self.leader());
        self.settle(Some(SILENCE));
        let after = (self.tally.writes, self.tally.statuses);
        self.ensure(before == after, || format!("it is not silent: {before:?} became {after:?}"));

        self.log(|| "restart".into());
        let memory = rows(&self.replicas[leader].publisher);
        let max = self.replicas[leader].max;
        for index in 0..self.replicas.len() {
            let term = self.replicas[index].term + 1;
            self.replicas[index] = Replica::new(index, &self.settings, max, term);
        }
        self.settle(None);
        self.check_rest();
        // Labels that cannot be read are forgotten; what follows from that is the oracle's business elsewhere.
        let unreadable = self.server.events().any(|event| match event {
            Event::SyncTarget(_, Some(record)) => record.labels.is_none(),
            Event::Location(_, Some(record)) => record.labels.is_none(),
            _ => false,
        });
        if !unreadable {
            let now = rows(&self.replicas[self.leader()].publisher);
            self.ensure(now == memory, || format!("changed by a restart: {memory:#?} became {now:#?}"));
            let after = (self.tally.writes, self.tally.statuses);
            self.ensure(before == after, || format!("a restart writes: {before:?} became {after:?}"));
        }
    }

    fn leader(&self) -> usize {
        let leader = self.replicas.iter().position(Replica::leads);
        self.ensure(leader.is_some(), || "nobody leads".into());
        leader.unwrap_or_default()
    }

    /// Everything goes its way: until nothing is left to do, or, with a patience, until so long nothing was written.
    fn settle(&mut self, patience: Option<Time>) {
        let (mut writes, mut since) = (self.tally.writes, self.now);
        for _ in 0..20_000 {
            while !self.ghosts.is_empty() {
                self.haunt(0);
            }
            for index in 0..self.replicas.len() {
                self.replicas[index].look(self.now);
                for kind in Kind::ALL.into_iter().rev().chain(Kind::ALL) {
                    while !self.replicas[index].stream(kind).is_current(&self.server)
                        && self.replicas[index].can_list(kind)
                    {
                        self.tell(index, kind);
                    }
                }
                let mut before = usize::MAX;
                while before != self.flights.len() {
                    before = self.flights.len();
                    self.dispatch(index);
                }
            }
            let busy = !self.flights.is_empty();
            for _ in 0..self.flights.len() {
                self.arrive(0, Fate::Done);
            }
            while !self.flights.is_empty() {
                self.answer(0);
            }
            if writes != self.tally.writes {
                (writes, since) = (self.tally.writes, self.now);
            }
            let current = self.replicas.iter().all(|replica| replica.is_current(&self.server));
            let leader = self.replicas.iter().find(|replica| replica.leads() && replica.is_listed());
            let idle = current && leader.is_some_and(|leader| leader.publisher.is_idle());
            match patience {
                None if idle => return,
                Some(patience) if current && self.now > since + patience => return,
                _ => {}
            }
            // As long as somebody has something to do, time stands still.
            if current && !busy {
                self.sleep();
            }
        }
        let dirty: Vec<_> = self.replicas.iter().map(|replica| replica.publisher.internal_dirty()).collect();
        self.ensure(false, || format!("it never comes to rest: {dirty:?}"));
    }

    /// Until somebody has something to do; the server's clock.
    pub(super) fn sleep(&mut self) {
        let wakeups: Vec<Time> = self.replicas.iter().filter_map(|replica| replica.wakeup(self.now)).collect();
        let next = wakeups.into_iter().min().unwrap_or(self.now + Time::from_secs(10));
        self.now = next.max(self.now + Time::from_millis(1)).min(self.now + Time::from_secs(10));
    }

    // === What must hold ===

    /// A policy refuses some slices: what is unwanted has gone from all others.
    fn check_parked(&self) {
        let publisher = &self.replicas[self.leader()].publisher;
        let rows = rows(publisher);
        for (key, live) in self.server.live() {
            let Some((owner, have)) = live.rows().filter(|_| !self.server.refused.contains(key)) else { continue };
            let Some(Some(wanted)) = rows.get(&owner) else { continue };
            let places: BTreeSet<_> = wanted.iter().map(without_uid).collect();
            let unwanted: Vec<_> = have.iter().map(without_uid).filter(|row| !places.contains(row)).collect();
            self.ensure(unwanted.is_empty(), || {
                format!("{key} still has {unwanted:?} while {:?} are refused", self.server.refused)
            });
        }
    }

    fn check_rest(&self) {
        let leader = &self.replicas[self.leader()];
        let mut oracle = Oracle::default();
        self.server.events().for_each(|event| oracle.apply(event));
        for (key, record) in oracle.placements().filter(|(_, record)| !record.deleting) {
            let slices = self.server.slices().slices_of(key);
            self.check_slices(leader, key, record, &slices);
            self.check_by_rules(&oracle, key, record, &slices);
            self.check_status(leader, key, record, slices.len());
        }
        for (key, live) in self.server.live() {
            let Some((owner, _)) = live.rows() else { continue };
            self.ensure(self.server.placement(&owner).is_some(), || format!("{key} is an orphan"));
        }
    }

    /// The slices are what the index says, in order, marked, and neither too full nor too many.
    fn check_slices(
        &self,
        leader: &Replica,
        key: &ObjectKey,
        record: &EdgePlacementRecord,
        slices: &[&SinglePlacementSlice],
    ) {
        let scheduler = leader.publisher.scheduler();
        self.ensure(!slices.is_empty(), || format!("{key} has no slice"));
        for slice in slices {
            let name = &slice.metadata.name;
            let uids = slice.metadata.owner_references.iter().filter(|owner| owner.kind == "EdgePlacement");
            let owned = record.uid.is_empty() || uids.clone().all(|owner| owner.uid == record.uid);
            self.ensure(owned, || format!("{name} has an owner of the past: {slices:?} {record:?}"));
            if record.selectors.is_err() {
                continue;
            }
            self.ensure(record.uid.is_empty() || uids.count() == 1, || format!("{name} has its owner"));
            self.ensure(slice.metadata.labels.contains_key(SOURCE_PLACEMENT), || format!("{name} has its label"));
            self.ensure(slice.destinations.len() <= leader.max, || format!("{name} is too full"));
            self.ensure(slice.destinations.is_sorted(), || format!("{name} is not in order"));
        }
        let Some(rows) = scheduler.index().destinations(key) else { return };
        let first = slices.iter().any(|slice| slice.metadata.name == key.name);
        let displaced = scheduler.has_slice_conflict(key);
        self.ensure(first != displaced, || format!("{key}: its first slice is {first}, displaced {displaced}"));
        let mut rows: Vec<Destination> = rows.map(Destination::from).collect();
        rows.sort_unstable();
        let mut have: Vec<Destination> = slices.iter().flat_map(|slice| slice.destinations.iter().cloned()).collect();
        have.sort_unstable();
        // A SyncTarget of unknown UID keeps the published one.
        for (have, row) in have.iter_mut().zip(&rows) {
            if row.sync_target_uid.is_empty() {
                have.sync_target_uid.clear();
            }
        }
        self.ensure(have == rows, || {
            let (have, rows): (BTreeSet<_>, BTreeSet<_>) =
                (have.iter().map(without_uid).collect(), rows.iter().map(without_uid).collect());
            let (more, less): (Vec<_>, Vec<_>) = (have.difference(&rows).collect(), rows.difference(&have).collect());
            format!("{key} has {more:?} and lacks {less:?}: {:?}", leader.publisher.internal_dirty())
        });
    }

    /// What can be said without knowing what was published when: each valid EdgePlacement has, of each Location that can be
    /// resolved, what the rules say.
    fn check_by_rules(
        &self,
        oracle: &Oracle,
        key: &ObjectKey,
        record: &EdgePlacementRecord,
        slices: &[&SinglePlacementSlice],
    ) {
        let Ok(selectors) = &record.selectors else { return };
        for (location, holds, labels) in oracle.locations() {
            let readable =
                oracle.sync_targets().all(|(of, _, labels)| of.cluster != location.cluster || labels.is_some());
            let (Some(labels), true, true) = (labels, holds.holds.is_ok(), readable) else { continue };
            let selected = selectors.iter().any(|selector| selector.matches(labels));
            let expected: BTreeSet<_> = if selected { oracle.held(location, &[]) } else { Vec::new() }
                .iter()
                .map(|row| row.sync_target_name.clone())
                .collect();
            let rows = slices.iter().flat_map(|slice| &slice.destinations);
            let through = |row: &&Destination| row.cluster == location.cluster && row.location_name == location.name;
            let have: BTreeSet<_> = rows.filter(through).map(|row| row.sync_target_name.clone()).collect();
            self.ensure(have == expected, || format!("{key} has {have:?} through {location}, not {expected:?}"));
        }
    }

    /// The status says what is so.
    fn check_status(&self, leader: &Replica, key: &ObjectKey, record: &EdgePlacementRecord, slices: usize) {
        let Some(status) = self.server.status(key) else { return };
        let index = leader.publisher.scheduler().index();
        let Some(id) = index.find_placement(key) else { return };
        let entry = &index.placements[id];
        let active = entry.state == PlacementState::Active;
        let told = i64::from(status.spec_generation);
        let selected = usize::try_from(status.matching_location_count).ok() == Some(entry.selected);
        let right = match leader_fields(self.settings.fields, active) {
            Told::Nothing => true,
            Told::Counts => {
                // Each write of it raises the generation.
                selected && matches!(record.generation - told, 0 | 1)
            }
            Told::All => {
                let displaced = leader.publisher.scheduler().has_slice_conflict(key);
                let (expected, reason) = match (active, displaced) {
                    (false, _) => ("False", "InvalidSelector"),
                    (true, true) => ("False", "SliceConflict"),
                    (true, false) => ("True", "Resolved"),
                };
                let condition = status.conditions.iter().find(|condition| condition.kind == "Resolved");
                let said = condition.is_some_and(|condition| {
                    (condition.status.as_str(), condition.reason.as_str()) == (expected, reason)
                        && condition.observed_generation == record.generation
                });
                let counts = !active
                    || (told == record.generation
                        && selected
                        && status.destination_count.map(|count| count as usize) == index.destination_count(key)
                        && status.slice_count.map(|count| count as usize) == Some(slices));
                said && counts
            }
        };
        self.ensure(right, || {
            format!("the status of {key}, generation {}, {slices} slices, is not true: {status:?}", record.generation)
        });
    }
}

/// What a status has to say.
enum Told {
    Nothing,
    Counts,
    All,
}

fn leader_fields(fields: StatusFields, active: bool) -> Told {
    match fields {
        StatusFields::All => Told::All,
        StatusFields::Original if active => Told::Counts,
        StatusFields::Original | StatusFields::Off => Told::Nothing,
    }
}

fn without_uid(row: &Destination) -> (String, String, String) {
    let (cluster, location, sync_target) = row.place();
    (cluster.into(), location.into(), sync_target.into())
}

/// What each EdgePlacement shall have; `None` where that is not known.
fn rows(publisher: &Publisher) -> BTreeMap<ObjectKey, Option<BTreeSet<Destination>>> {
    let scheduler = publisher.scheduler();
    let rows = |key: &ObjectKey| Some(scheduler.index().destinations(key)?.map(Destination::from).collect());
    scheduler.placements().map(|key| (key.clone(), rows(&key))).collect()
}
