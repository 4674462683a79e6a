//! Runs a script on a [`Scheduler`] and a [`Server`], and compares the slices with the [`Oracle`] after every write.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::act::{key_of, nth_of};
use super::server::{Server, is_placement, owner_of};
use super::{Act, Change, Op, Oracle, Script, Wanted, shuffle};
use crate::event::Event;
use crate::object::{Destination, Kind, LabelSelector, ObjectKey, SinglePlacementSlice};
use crate::order::NameHash;
use crate::scheduler::{Options, Scheduler};
use crate::selector::{Labels, validate_name};
use crate::slices::{FENCE_ANNOTATION, SOURCE_PLACEMENT, Verb, Write};

/// A destination without its UID: a new UID is the same destination.
type Place = (ObjectKey, ObjectKey);

/// A scheduler, the server that it writes to, and the oracle.
#[derive(Debug)]
pub struct SchedulerMachine {
    hash: Option<fn(&str) -> u64>,
    max: usize,
    scheduler: Scheduler,
    server: Server,
    oracle: Oracle,
    /// What the running scheduler remembers each active EdgePlacement to have.
    memory: BTreeMap<ObjectKey, BTreeSet<Destination>>,
    /// That, and their UIDs, as of the last step.
    known: BTreeMap<ObjectKey, (BTreeSet<Destination>, String)>,
    /// All writes of the last plan were carried out.
    at_rest: bool,
    /// The annotation that each further name stands for.
    fences: BTreeMap<ObjectKey, String>,
    /// Somebody had to give way to a stranger's name.
    conflict: bool,
    /// The maximum never rose and no stranger met a scheduler that was down, so no slice is too empty.
    packed: bool,
    steps: usize,
}

/// What a step must do with one EdgePlacement.
struct Before {
    wanted: BTreeMap<ObjectKey, Wanted>,
    /// Which slices each had, before any write.
    slices: BTreeMap<ObjectKey, Vec<SinglePlacementSlice>>,
    /// [`SchedulerMachine::known`] before the step.
    known: BTreeMap<ObjectKey, (BTreeSet<Destination>, String)>,
    uids: BTreeMap<ObjectKey, String>,
    /// No stranger and no restart: then writes are few.
    quiet: bool,
}

impl SchedulerMachine {
    /// Without objects; `hash` replaces the published order of names, `max` is how many destinations a slice may hold.
    #[must_use]
    pub fn new(hash: Option<fn(&str) -> u64>, max: usize) -> Self {
        Self {
            hash,
            max,
            scheduler: mk_scheduler(hash, max),
            server: Server::default(),
            oracle: Oracle::default(),
            memory: BTreeMap::new(),
            known: BTreeMap::new(),
            at_rest: true,
            fences: BTreeMap::new(),
            conflict: false,
            packed: true,
            steps: 0,
        }
    }

    /// Runs the whole script.
    pub fn run(hash: Option<fn(&str) -> u64>, max: usize, script: &Script) {
        let mut machine = Self::new(hash, max);
        machine.step(&Op::Batch(script.start.clone()));
        for op in &script.ops {
            machine.step(op);
        }
        // A short rest brings everything in order.
        machine.step(&Op::Batch(Vec::new()));
    }

    /// Starts a scheduler that finds these slices (false: it cannot read them) and objects, and lets it bring them in order.
    pub(super) fn adopt(max: usize, found: Vec<(SinglePlacementSlice, bool)>, objects: Vec<Change>) {
        let mut machine = Self::new(None, max);
        for (slice, readable) in found {
            let key = key_of(&slice);
            machine.server.delete(&key);
            machine.server.put(slice);
            if let (false, Some(slice)) = (readable, machine.server.published().get(&key).cloned()) {
                machine.server.garble(slice);
            }
        }
        (machine.at_rest, machine.packed) = (false, false);
        let (acts, usurped, max, writes) = (Vec::new(), None, None, None);
        machine.step(&Op::Restart { seed: 0, meanwhile: objects, acts, usurped, max, writes });
        machine.step(&Op::Batch(Vec::new()));
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// One step of a script.
    pub fn step(&mut self, op: &Op) {
        self.steps += 1;
        let was_at_rest = self.at_rest;
        match op {
            Op::Apply(change) => self.change(&[change.event()], None),
            Op::Batch(changes) => self.change(&events(changes), None),
            Op::Interrupted { changes, writes } => self.change(&events(changes), Some(usize::from(*writes))),
            Op::Strangers { acts, writes } => {
                self.act(acts);
                let writes = self.settle(writes.map(usize::from), false);
                let harmless = acts.iter().all(|act| matches!(act, Act::Decorate { .. }));
                assert!(!harmless || !was_at_rest || writes == 0, "what others put on a slice never causes a write");
            }
            Op::Usurp { nth, selectors } => {
                let usurper = self.usurper(*nth, selectors.clone());
                self.change(&Vec::from_iter(usurper), None);
            }
            Op::Abdicate { nth } => {
                if let Some(key) = nth_of(self.oracle.placements().map(|(key, _)| key.clone()), *nth) {
                    self.change(&[Event::EdgePlacement(key, None)], None);
                }
            }
            Op::Restart { .. } => self.restart(op),
        }
    }

    // === What happens ===

    fn change(&mut self, changes: &[Event], writes: Option<usize>) {
        let changes: Vec<Event> = changes.iter().filter(|event| !self.is_unknowable(event)).cloned().collect();
        // A batch begins with the Locations that cannot be resolved: whose selection ends with that loses its destinations,
        // even if a change of an EdgePlacement in the same batch begins it anew.
        let (frozen, others): (Vec<Event>, Vec<Event>) = last_of_each(&changes)
            .into_iter()
            .partition(|event| event.kind() == Kind::Location && event.invalid().is_some());
        self.apply_to_oracle(&frozen);
        for (key, wanted) in self.wanted() {
            if let (Wanted::Rows(rows), Some(memory)) = (wanted, self.memory.get_mut(&key)) {
                *memory = rows;
            }
        }
        self.apply_to_oracle(&others);
        if let ([event], 0) = (&*changes, self.steps % 2) {
            let _ = self.scheduler.apply(event);
        } else {
            self.scheduler.apply_batch(&changes);
        }
        self.settle(writes, self.at_rest);
    }

    /// What each EdgePlacement shall have, given what the running scheduler remembers, and what is published for others.
    fn wanted(&self) -> BTreeMap<ObjectKey, Wanted> {
        self.oracle.wanted(&|key: &ObjectKey| match self.memory.get(key) {
            Some(rows) => rows.iter().cloned().collect(),
            None => self.server.rows_of(key),
        })
    }

    fn apply_to_oracle(&mut self, changes: &[Event]) {
        for event in changes {
            self.oracle.apply(event);
            if event.kind() == Kind::EdgePlacement {
                self.server.mention(event.key());
            }
        }
    }

    /// A SyncTarget whose labels nobody ever knew is not in the oracle's scope.
    fn is_unknowable(&self, event: &Event) -> bool {
        let Event::SyncTarget(key, Some(record)) = event else { return false };
        record.labels.is_none() && !self.oracle.sync_targets().any(|(have, ..)| have == key)
    }

    fn act(&mut self, acts: &[Act]) {
        for act in acts {
            act.act(&mut self.server);
        }
    }

    /// An EdgePlacement with the name of a further slice.
    fn usurper(&self, nth: u8, selectors: Vec<LabelSelector>) -> Option<Event> {
        let further = self.server.published().iter().filter(|(key, slice)| owner_of(slice) != Some(&key.name));
        let key = nth_of(further.map(|(key, _)| key.clone()), nth)?;
        Some(Change::PutPlacement { key, uid: 0, selectors, deleting: false }.event())
    }

    fn restart(&mut self, op: &Op) {
        let Op::Restart { seed, meanwhile, acts, usurped, max, writes } = op else { return };
        let readable = |(key, record, labels): (&ObjectKey, &crate::event::SyncTargetRecord, Option<&Labels>)| {
            let mut record = record.clone();
            record.labels = labels.cloned();
            Event::SyncTarget(key.clone(), Some(record))
        };
        let garbled: Vec<Event> = self.oracle.sync_targets().map(readable).collect();
        self.apply_to_oracle(&garbled);
        // Labels of SyncTargets that become unreadable while nobody looks are out of scope as well.
        let changes = events(meanwhile).into_iter();
        let changes: Vec<Event> = changes
            .filter(|event| !matches!(event, Event::SyncTarget(_, Some(record)) if record.labels.is_none()))
            .collect();
        self.apply_to_oracle(&last_of_each(&changes));
        let usurper = usurped.and_then(|nth| self.usurper(nth, [LabelSelector::default()].into()));
        self.apply_to_oracle(&Vec::from_iter(usurper.clone()));
        self.act(acts);
        let max = max.unwrap_or(self.max);
        let nothing_happened = self.at_rest && changes.is_empty() && usurper.is_none() && acts.is_empty();
        let nothing_happened = nothing_happened && max >= self.max;
        // Slices that strangers made just what they are to be are not written, hence not merged.
        let moved = |act: &Act| !matches!(act, Act::Decorate { .. } | Act::Squat { .. } | Act::Strip { .. });
        self.packed &= max <= self.max && !acts.iter().any(moved);
        self.max = max;
        self.oracle.restart();
        self.known.clear();
        self.memory.clear();
        self.scheduler = self.fresh_scheduler(usize::from(*seed), max);
        let writes = self.settle(writes.map(usize::from), false);
        assert!(!nothing_happened || writes == 0, "a restart with nothing changed writes nothing");
    }

    /// One that has just listed all objects.
    fn fresh_scheduler(&self, seed: usize, max: usize) -> Scheduler {
        let mut scheduler = mk_scheduler(self.hash, max);
        let mut events = self.oracle.events();
        shuffle(&mut events, seed);
        if seed.is_multiple_of(2) {
            scheduler.apply_batch(&events);
        } else {
            for event in &events {
                let _ = scheduler.apply(event);
            }
        }
        scheduler
    }

    /// Lays out, plans and writes; returns how many writes there were. `quiet`: only objects changed since all was at rest.
    fn settle(&mut self, limit: Option<usize>, quiet: bool) -> usize {
        let wanted = self.wanted();
        let uids = self.oracle.placements().map(|(key, record)| (key.clone(), record.uid.clone())).collect();
        let slices = wanted.keys().map(|key| (key.clone(), self.server.slices_of(key).into_iter().cloned().collect()));
        let before = Before { slices: slices.collect(), wanted, known: core::mem::take(&mut self.known), uids, quiet };

        self.scheduler.settle(self.server.published());
        self.scheduler.internal_validate();
        let plan = self.scheduler.plan(self.server.published());
        let resolve =
            |key| self.scheduler.resolve(self.server.published(), key).iter().map(content).collect::<Vec<_>>();
        let resolved: Vec<Vec<_>> = before.wanted.keys().map(resolve).collect();
        let limit = limit.unwrap_or(plan.len());
        let mut written = BTreeSet::new();
        for write in plan.iter().take(limit) {
            self.write(write, &before.wanted, &mut written);
        }
        self.memory.clear();
        for (key, wanted) in &before.wanted {
            if let Wanted::Rows(rows) = wanted {
                self.memory.insert(key.clone(), rows.clone());
                self.known.insert(key.clone(), (rows.clone(), before.uids[key].clone()));
            }
        }
        self.at_rest = limit >= plan.len();
        if self.at_rest {
            for (key, resolved) in before.wanted.keys().zip(resolved) {
                let slices = self.server.slices_of(key).into_iter().map(content);
                assert_eq!(slices.collect::<Vec<_>>(), resolved, "the slices of {key} are what they resolve to");
            }
            self.check_rest(&before);
            let conflict = before.wanted.keys().any(|key| self.scheduler.has_slice_conflict(key));
            if before.quiet && !self.conflict && !conflict {
                self.check_few_writes(&plan, &before);
            }
            self.conflict = conflict;
        }
        plan.len().min(limit)
    }

    // === What must hold ===

    /// No write takes away what is wanted and published.
    fn write(&mut self, write: &Write, wanted: &BTreeMap<ObjectKey, Wanted>, written: &mut BTreeSet<ObjectKey>) {
        let old = self.server.published().get(&write.key).and_then(owner_of);
        let new = write.object.as_ref().and_then(owner_of);
        let owners: BTreeSet<ObjectKey> =
            [old, new].into_iter().flatten().map(|name| ObjectKey::new(write.key.cluster.as_str(), name)).collect();
        let present =
            |server: &Server, owner: &ObjectKey| server.rows_of(owner).iter().map(place).collect::<BTreeSet<Place>>();
        let before: Vec<BTreeSet<Place>> = owners.iter().map(|owner| present(&self.server, owner)).collect();
        self.server.write(write, written);
        for (owner, before) in owners.iter().zip(before) {
            let after = present(&self.server, owner);
            match wanted.get(owner) {
                Some(Wanted::Rows(rows)) => {
                    let wanted: BTreeSet<Place> = rows.iter().map(place).collect();
                    let lost = before.iter().find(|place| wanted.contains(place) && !after.contains(place));
                    assert_eq!(lost, None, "{:?} of {} drops what {owner} wants", write.verb, write.key);
                    if let Some(fence) =
                        write.object.as_ref().and_then(|object| object.metadata.annotations.get(FENCE_ANNOTATION))
                        && write.key.name != owner.name
                    {
                        let known = self.fences.entry(write.key.clone()).or_insert_with(|| fence.clone());
                        assert_eq!(known, fence, "the fence of {} never changes", write.key);
                    }
                    let rows = write.object.as_ref().map_or(&[][..], |object| &object.destinations);
                    assert!(rows.is_sorted() && rows.len() <= self.max, "{} is in order and not too full", write.key);
                }
                Some(Wanted::AsPublished) => {
                    assert_eq!(before, after, "the slices of {owner} stay as they are");
                    let deleting = self.oracle.placements().any(|(key, record)| key == owner && record.deleting);
                    assert!(!deleting, "{owner} is being deleted");
                }
                None => assert_eq!(write.verb, Verb::Delete, "{owner} does not exist"),
            }
        }
    }

    /// The state after all writes of a plan.
    fn check_rest(&mut self, before: &Before) {
        for (_, slice) in self.server.published().iter() {
            let owner = owner_of(slice).map(|name| ObjectKey::new(slice.metadata.cluster().unwrap(), name));
            assert!(owner.as_ref().is_none_or(|owner| before.wanted.contains_key(owner)), "an orphan is left");
        }
        for (key, wanted) in &before.wanted {
            match wanted {
                Wanted::Rows(rows) => self.check_active(key, rows, &before.slices[key], &before.uids[key]),
                Wanted::AsPublished => self.check_untouched(key, &before.slices[key], &before.uids[key]),
            }
        }
        self.scheduler.settle(self.server.published());
        self.scheduler.internal_validate();
        assert_eq!(self.scheduler.plan(self.server.published()), [], "a second plan is empty");
        let max = if self.steps.is_multiple_of(2) { self.max } else { self.max + 1 + self.steps % 7 };
        let mut restarted = self.fresh_scheduler(self.steps, max);
        restarted.settle(self.server.published());
        restarted.internal_validate();
        assert_eq!(
            restarted.plan(self.server.published()),
            [],
            "a restarted scheduler with at most {max} plans nothing"
        );
    }

    fn check_active(&self, key: &ObjectKey, rows: &BTreeSet<Destination>, before: &[SinglePlacementSlice], uid: &str) {
        let mut slices = self.server.slices_of(key);
        let mut have: Vec<Destination> = slices.iter().flat_map(|slice| slice.destinations.iter().cloned()).collect();
        have.sort();
        // Of a SyncTarget without UID the one that was published before stays.
        let published: Vec<&Destination> = before.iter().flat_map(|slice| &slice.destinations).collect();
        for row in &mut have {
            let unknown = Destination { sync_target_uid: String::new(), ..row.clone() };
            if rows.contains(&unknown) {
                let mut known =
                    published.iter().filter(|old| place(old) == place(row) && !old.sync_target_uid.is_empty());
                assert!(
                    known.clone().any(|old| *old == row) || (known.next().is_none() && *row == unknown),
                    "UID of {row:?}"
                );
                *row = unknown;
            }
        }
        have.sort();
        assert_eq!(have, rows.iter().cloned().collect::<Vec<_>>(), "the slices of {key}");

        // The place of each in the order of destinations.
        let hash = self.hash.map_or_else(NameHash::default, NameHash::new);
        let rank = |row: &Destination| {
            let names = [&row.cluster, &row.location_name, &row.sync_target_name];
            names.map(|name| (hash.hash(name), name.clone()))
        };
        have.sort_by_key(rank);
        let order: BTreeMap<Place, usize> = have.iter().map(place).zip(0..).collect();
        for slice in &slices {
            let metadata = &slice.metadata;
            assert!(slice.destinations.is_sorted() && slice.destinations.len() <= self.max);
            let mut ranks: Vec<usize> = slice.destinations.iter().map(|row| order[&place(row)]).collect();
            ranks.sort_unstable();
            assert!(ranks.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a slice is a range");
            let label = &metadata.labels[SOURCE_PLACEMENT];
            if key.name.len() <= 63 {
                assert_eq!(*label, key.name);
            } else {
                assert_eq!(metadata.annotations[SOURCE_PLACEMENT], key.name);
                assert!(
                    label.len() <= 63
                        && validate_name(label).is_ok()
                        && key.name.starts_with(&label[..label.len() - 17])
                );
            }
            let owners: Vec<_> = metadata.owner_references.iter().filter(|owner| is_placement(owner)).collect();
            assert!(owners.iter().all(|owner| !owner.uid.is_empty()), "an owner without UID is garbage");
            if !uid.is_empty() {
                assert_eq!(owners.len(), 1, "one owner");
                assert_eq!((&*owners[0].name, &*owners[0].uid), (&*key.name, uid));
                assert_eq!((owners[0].controller, owners[0].block_owner_deletion), (None, None), "no flags");
            }
        }
        let lowest = |slice: &SinglePlacementSlice| slice.destinations.iter().map(|row| order[&place(row)]).min();
        slices.sort_by_key(|slice| lowest(slice));
        for (a, b) in slices.iter().zip(slices.iter().skip(1)) {
            let (a, b) = (a.destinations.len(), b.destinations.len());
            let small = 4 * a.min(b) < self.max && 4 * (a + b) <= 3 * self.max;
            assert!(!small || !self.packed, "slices of {a} and {b} should be one");
        }
        let first = slices.iter().any(|slice| slice.metadata.name == key.name);
        assert_eq!(first, self.is_free(key), "the first slice of {key}");
        assert_eq!(self.scheduler.has_slice_conflict(key), !first);
        assert!(!slices.is_empty(), "{key} has a slice");
        assert_eq!(self.scheduler.slice_count(key), slices.len());
        let bound = 4 * rows.len() / self.max + 1;
        assert!(!self.packed || slices.len() <= bound, "{} slices for {} destinations", slices.len(), rows.len());
    }

    /// Whether the EdgePlacement may have its own name for its first slice.
    fn is_free(&self, key: &ObjectKey) -> bool {
        let published = self.server.published();
        let holder = published.get(key).and_then(owner_of).map(|name| ObjectKey::new(key.cluster.as_str(), name));
        // What those have published that are invalid or being deleted stays where it is.
        let stays =
            holder.is_some_and(|holder| holder != *key && self.scheduler.index().destinations(&holder).is_none());
        !published.is_foreign(key) && !stays
    }

    /// An EdgePlacement whose slices stay as they are.
    fn check_untouched(&self, key: &ObjectKey, before: &[SinglePlacementSlice], uid: &str) {
        let after = self.server.slices_of(key);
        let deleting = self.oracle.placements().any(|(have, record)| have == key && record.deleting);
        if before.is_empty() {
            let empty_first =
                after.len() == 1 && after[0].metadata.name == key.name && after[0].destinations.is_empty();
            assert_eq!(empty_first, !deleting && self.is_free(key), "an invalid one gets its empty first slice: {key}");
            return;
        }
        assert!(before.iter().map(content).eq(after.iter().map(|slice| content(slice))), "the slices of {key} stay");
        let owners = after.iter().flat_map(|slice| &slice.metadata.owner_references);
        for owner in owners.filter(|owner| is_placement(owner)) {
            let current = owner.uid == *uid || uid.is_empty() || deleting;
            assert!(current, "the slices of {key} have an owner that is gone");
        }
    }

    /// One change in one place writes one slice, and those that splits and merges touch.
    fn check_few_writes(&self, plan: &[Write], before: &Before) {
        for (key, (old, uid)) in &before.known {
            let Some(Wanted::Rows(new)) = before.wanted.get(key) else { continue };
            let own: BTreeMap<&ObjectKey, Verb> = plan
                .iter()
                .filter(|write| {
                    let is = |slice: &SinglePlacementSlice| owner_of(slice) == Some(&*key.name);
                    let was = before.slices[key].iter().any(|slice| slice.metadata.name == write.key.name);
                    write.key.cluster == key.cluster && (was || write.object.as_ref().is_some_and(is))
                })
                .map(|write| (&write.key, write.verb))
                .collect();
            // A slice whose name another EdgePlacement has moves, and a new owner is written everywhere.
            let outranked = before.slices[key].iter().any(|slice| {
                let name = ObjectKey::new(key.cluster.as_str(), slice.metadata.name.as_str());
                name != *key && before.wanted.contains_key(&name)
            });
            if outranked || before.uids[key] != *uid {
                continue;
            }
            let changed: BTreeSet<Place> = old.symmetric_difference(new).map(place).collect();
            let cuts = own.values().filter(|verb| **verb != Verb::Replace).count();
            assert!(own.is_empty() || !changed.is_empty() || !self.packed, "{key} is written for nothing");
            assert!(
                own.len() <= changed.len() + 3 * cuts,
                "{} writes for {} changes of {key}",
                own.len(),
                changed.len()
            );
        }
    }
}

fn mk_scheduler(hash: Option<fn(&str) -> u64>, max: usize) -> Scheduler {
    let options = Options::default().with_max_destinations_per_slice(max).unwrap();
    match hash {
        Some(hash) => Scheduler::with_hash(options, hash),
        None => Scheduler::new(options),
    }
}

fn events(changes: &[Change]) -> Vec<Event> {
    changes.iter().map(Change::event).collect()
}

/// Of several events about one object only the last counts.
fn last_of_each(events: &[Event]) -> Vec<Event> {
    let last: BTreeMap<(Kind, &ObjectKey), &Event> =
        events.iter().map(|event| ((event.kind(), event.key()), event)).collect();
    last.into_values().cloned().collect()
}

fn content(slice: &SinglePlacementSlice) -> (String, Vec<Destination>) {
    (slice.metadata.name.clone(), slice.destinations.clone())
}

fn place(row: &Destination) -> Place {
    let name = |name: &str| ObjectKey::new(row.cluster.as_str(), name);
    (name(&row.location_name), name(&row.sync_target_name))
}
