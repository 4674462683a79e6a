//! The model API server: what it holds, what it does with requests, and the history that its watches tell.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::act::{key_of, nth_of};
use super::super::server::{Live, Server, owner_of, stranger_marks};
use super::{Place, places};
use crate::event::{EdgePlacementRecord, Event};
use crate::lease::{Action as LeaseAction, Answer as LeaseAnswer, Record};
use crate::object::{EdgePlacementStatus, Kind, ObjectKey, SinglePlacementSlice};
use crate::publisher::{Failure, Outcome, StatusFields, StatusWrite};
use crate::slices::{Verb, Write};

/// An object as a watch shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    Spec(Event),
    EdgePlacement(Event, EdgePlacementStatus),
    Slice(ObjectKey, Live),
    Gone(Kind, ObjectKey, Option<String>),
}

impl Shown {
    pub(super) fn key(&self) -> &ObjectKey {
        match self {
            Self::Spec(event) | Self::EdgePlacement(event, _) => event.key(),
            Self::Slice(key, _) | Self::Gone(_, key, _) => key,
        }
    }
}

/// One change of one object.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) shown: Shown,
    /// The destinations that it took, or may have taken, away, if it was not a scheduler's who knows.
    pub(super) taken: BTreeSet<Place>,
}

/// A SyncTarget, Location or EdgePlacement.
#[derive(Debug)]
struct Stored {
    event: Event,
    status: EdgePlacementStatus,
    /// The UID that the script gave it: another one means another object.
    incarnation: String,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ApiServer {
    slices: Server,
    objects: BTreeMap<(Kind, ObjectKey), Stored>,
    /// The slices as the history shows them.
    shown: BTreeMap<ObjectKey, Live>,
    history: BTreeMap<Kind, Vec<Entry>>,
    /// How much of each history is forgotten.
    compacted: BTreeMap<Kind, usize>,
    lease: Option<Record>,
    versions: u64,
    /// Slices that an admission policy refuses.
    pub(super) refused: BTreeSet<ObjectKey>,
    /// Objects may lack UIDs.
    unknown_uids: bool,
}

impl ApiServer {
    pub(super) fn new(unknown_uids: bool) -> Self {
        Self { unknown_uids, ..Self::default() }
    }

    // === Watches and lists ===

    pub(super) fn history(&self, kind: Kind) -> &[Entry] {
        self.history.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Whether the history before `at` is forgotten.
    pub(super) fn is_expired(&self, kind: Kind, at: usize) -> bool {
        self.compacted.get(&kind).is_some_and(|&compacted| at < compacted)
    }

    pub(super) fn compact(&mut self, kind: Kind) {
        let all = self.history(kind).len();
        self.compacted.insert(kind, all);
    }

    /// A consistent list.
    pub(super) fn list(&self, kind: Kind) -> Vec<Shown> {
        if kind == Kind::SinglePlacementSlice {
            return self.shown.iter().map(|(key, live)| Shown::Slice(key.clone(), live.clone())).collect();
        }
        let all = self.objects.iter().filter(|((of, _), _)| *of == kind);
        all.map(|(_, stored)| shown(stored)).collect()
    }

    fn tell(&mut self, kind: Kind, shown: Shown, taken: BTreeSet<Place>) {
        self.history.entry(kind).or_default().push(Entry { shown, taken });
    }

    // === SyncTargets, Locations and EdgePlacements ===

    /// A user creates, changes, re-creates or deletes an object. UIDs and generations are the server's.
    pub(super) fn change(&mut self, mut event: Event) {
        let (kind, key) = (event.kind(), event.key().clone());
        self.versions += 1;
        let unknown_uids = self.unknown_uids;
        let old = self.objects.remove(&(kind, key.clone()));
        let scripted = uid_mut(&mut event).map(|uid| uid.clone());
        let exists = matches!(
            &event,
            Event::SyncTarget(_, Some(_)) | Event::Location(_, Some(_)) | Event::EdgePlacement(_, Some(_))
        );
        let incarnation = scripted.unwrap_or_default();
        let same = old.as_ref().is_some_and(|old| exists && old.incarnation == incarnation);
        if let Some(old) = old.as_ref().filter(|_| !same) {
            let mut old = old.event.clone();
            let uid = uid_mut(&mut old).map(|uid| uid.clone());
            self.tell(kind, Shown::Gone(kind, key.clone(), uid), BTreeSet::new());
        }
        if kind == Kind::EdgePlacement {
            self.slices.mention(&key);
        }
        if !exists {
            return;
        }
        let mut before = old.filter(|_| same);
        let uid = before.as_mut().and_then(|old| uid_mut(&mut old.event).cloned());
        if let Some(given) = uid_mut(&mut event) {
            let unknown = unknown_uids && incarnation.is_empty();
            *given = uid.unwrap_or_else(|| if unknown { String::new() } else { format!("uid-{}", self.versions) });
        }
        if let Event::EdgePlacement(_, Some(record)) = &mut event {
            let old = before.as_ref().and_then(|old| placement(&old.event));
            record.deleting = old.is_some_and(|old| record.deleting || old.deleting);
            record.generation = old.map_or(1, |old| {
                let changed = old.selectors != record.selectors || old.deleting != record.deleting;
                old.generation + i64::from(changed)
            });
        }
        let unchanged = before.as_ref().is_some_and(|old| old.event == event);
        let status = before.map(|old| old.status).unwrap_or_default();
        let stored = Stored { event, status, incarnation };
        if !unchanged {
            self.tell(kind, shown(&stored), BTreeSet::new());
        }
        self.objects.insert((kind, key), stored);
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.objects.values().map(|stored| &stored.event)
    }

    pub(super) fn status(&self, key: &ObjectKey) -> Option<&EdgePlacementStatus> {
        self.objects.get(&(Kind::EdgePlacement, key.clone())).map(|stored| &stored.status)
    }

    pub(super) fn placement(&self, key: &ObjectKey) -> Option<&EdgePlacementRecord> {
        placement(&self.objects.get(&(Kind::EdgePlacement, key.clone()))?.event)
    }

    pub(super) fn read_placement(&self, key: &ObjectKey) -> Outcome {
        let found = self.placement(key);
        found.map_or(Outcome::Failed(Failure::NotFound), |record| Outcome::Placement { uid: record.uid.clone() })
    }

    /// A patch of a status; the original's CRD has no subresource, so there it raises the generation.
    pub(super) fn write_status(&mut self, write: &StatusWrite, fields: StatusFields, now: &str) -> Outcome {
        let id = (Kind::EdgePlacement, write.key.clone());
        let Some(stored) = self.objects.get_mut(&id) else { return Outcome::Failed(Failure::NotFound) };
        let Event::EdgePlacement(_, Some(record)) = &mut stored.event else { unreachable!() };
        if record.uid != write.uid {
            return Outcome::Failed(Failure::Conflict);
        }
        let before = stored.status.clone();
        let status = &mut stored.status;
        status.spec_generation = write.spec_generation.unwrap_or(status.spec_generation);
        status.matching_location_count = write.matching_location_count.unwrap_or(status.matching_location_count);
        status.destination_count = write.destination_count.or(status.destination_count);
        status.slice_count = write.slice_count.or(status.slice_count);
        if let Some(conditions) = &write.conditions {
            status.conditions.clone_from(conditions);
            for condition in &mut status.conditions {
                condition.last_transition_time.get_or_insert_with(|| now.into());
            }
        }
        if *status != before {
            if fields == StatusFields::Original {
                record.generation += 1;
            }
            let shown = shown(stored);
            self.tell(Kind::EdgePlacement, shown, BTreeSet::new());
        }
        Outcome::StatusWritten
    }

    // === Slices ===

    pub(super) fn slices(&self) -> &Server {
        &self.slices
    }

    pub(super) fn live(&self) -> &BTreeMap<ObjectKey, Live> {
        &self.shown
    }

    /// Lets somebody else change slices; returns what was, or may have been, taken away.
    pub(super) fn meddle(&mut self, act: impl FnOnce(&mut Server)) -> BTreeSet<Place> {
        act(&mut self.slices);
        self.record(true)
    }

    /// The history follows what happened to slices.
    pub(super) fn record(&mut self, by_others: bool) -> BTreeSet<Place> {
        let mut all = BTreeSet::new();
        for key in self.slices.take_touched() {
            let after = self.slices.live(&key);
            let before = match &after {
                Some(live) => self.shown.insert(key.clone(), live.clone()),
                None => self.shown.remove(&key),
            };
            if before == after {
                continue;
            }
            let taken: BTreeSet<Place> = before.iter().filter(|_| by_others).flat_map(places).collect();
            all.extend(taken.iter().cloned());
            let uid = before.map(|live| live.metadata().uid);
            let kind = Kind::SinglePlacementSlice;
            let shown =
                after.map_or_else(|| Shown::Gone(kind, key.clone(), uid), |live| Shown::Slice(key.clone(), live));
            self.tell(kind, shown, taken);
        }
        all
    }

    /// Carries out a scheduler's write; true if something changed.
    pub(super) fn write(&mut self, write: &Write, max: usize) -> Outcome {
        let key = &write.key;
        let current = self.slices.live(key);
        let metadata = current.as_ref().map(Live::metadata);
        if write.verb != Verb::Create {
            assert!(write.uid.is_some() && write.resource_version.is_some(), "{key} without preconditions");
        }
        if self.refused.contains(key) && write.verb != Verb::Delete {
            return Outcome::Failed(Failure::Rejected("a policy refuses it".into()));
        }
        let Some(metadata) = metadata else {
            if write.verb != Verb::Create {
                return Outcome::Failed(Failure::NotFound);
            }
            let object = write.object.clone().unwrap();
            assert!(object.destinations.len() <= max, "{key} is created with too many");
            self.slices.put(object);
            return self.slices.read(key);
        };
        if write.verb == Verb::Create {
            return Outcome::Failed(Failure::AlreadyExists);
        }
        let have = (Some(&metadata.uid), Some(&metadata.resource_version));
        if have != (write.uid.as_ref(), write.resource_version.as_ref()) {
            return Outcome::Failed(Failure::Conflict);
        }
        let Some(Live::Slice(before)) = current else { panic!("{key} cannot be read, and is written") };
        assert!(owner_of(&before).is_some(), "{key} is not ours");
        match &write.object {
            None => self.delete(before),
            Some(object) => {
                assert_eq!(key_of(object), *key);
                assert_eq!(stranger_marks(object), stranger_marks(&before), "what others put on {key} stays");
                let mut after = object.clone();
                after.metadata.uid.clone_from(&before.metadata.uid);
                after.metadata.generation = before.metadata.generation;
                after.metadata.creation_timestamp.clone_from(&before.metadata.creation_timestamp);
                assert!(after != before, "{key} is written for nothing");
                self.slices.put(after);
                self.slices.read(key)
            }
        }
    }

    /// With finalizers an object only begins to go.
    fn delete(&mut self, mut slice: SinglePlacementSlice) -> Outcome {
        let key = key_of(&slice);
        if slice.metadata.finalizers.is_empty() {
            self.slices.delete(&key);
            return Outcome::Deleted;
        }
        slice.metadata.deletion_timestamp = Some("2024-01-01T00:00:00Z".into());
        self.slices.put(slice);
        self.slices.read(&key)
    }

    /// What the garbage collector would delete: all owners are EdgePlacements that are gone, are others by now, or wait for
    /// what they own to go. It does not understand owners of kinds that the server has not.
    pub(super) fn collect(&mut self, nth: u8) {
        let is_garbage = |slice: &SinglePlacementSlice| {
            let owners = &slice.metadata.owner_references;
            let known = owners.iter().all(|owner| owner.kind == "EdgePlacement" && !owner.uid.is_empty());
            let gone = |name: &str, uid: &str| {
                let key = ObjectKey::new(slice.metadata.cluster().unwrap_or_default(), name);
                self.placement(&key).is_none_or(|record| record.deleting || record.uid != uid)
            };
            let going = slice.metadata.deletion_timestamp.is_some();
            known && !going && !owners.is_empty() && owners.iter().all(|owner| gone(&owner.name, &owner.uid))
        };
        let garbage = self.slices.published().iter().map(|(_, slice)| slice).filter(|slice| is_garbage(slice)).cloned();
        if let (Some(slice), false) = (nth_of(garbage, nth), self.unknown_uids) {
            let _ = self.delete(slice);
        }
    }

    /// The finalizers of a slice that waits for them are taken off.
    pub(super) fn release(&mut self, nth: u8) {
        let going = |slice: &&SinglePlacementSlice| slice.metadata.deletion_timestamp.is_some();
        let waiting = self.slices.published().iter().map(|(_, slice)| slice).filter(going).map(key_of);
        if let Some(key) = nth_of(waiting, nth) {
            self.slices.delete(&key);
        }
    }

    // === The Lease ===

    pub(super) fn lease(&mut self, action: &LeaseAction) -> LeaseAnswer {
        let claim = match (action, &self.lease) {
            (LeaseAction::Get, Some(record)) => return LeaseAnswer::Record(record.clone()),
            (LeaseAction::Get | LeaseAction::Update { .. }, None) => return LeaseAnswer::NotFound,
            (LeaseAction::Create(_), Some(_)) => return LeaseAnswer::Conflict,
            (LeaseAction::Update { resource_version, .. }, Some(have))
                if *resource_version != have.resource_version =>
            {
                return LeaseAnswer::Conflict;
            }
            (LeaseAction::Create(claim) | LeaseAction::Update { claim, .. }, _) => claim.clone(),
            (LeaseAction::Wait(_) | LeaseAction::Released, _) => unreachable!("no request"),
        };
        self.versions += 1;
        let version = self.versions.to_string();
        let record = Record {
            holder: claim.holder,
            duration_seconds: claim.duration_seconds,
            transitions: claim.transitions,
            acquire_time: String::new(),
            renew_time: version.clone(),
            resource_version: version,
        };
        self.lease = Some(record.clone());
        LeaseAnswer::Record(record)
    }
}

fn shown(stored: &Stored) -> Shown {
    match &stored.event {
        Event::EdgePlacement(..) => Shown::EdgePlacement(stored.event.clone(), stored.status.clone()),
        _ => Shown::Spec(stored.event.clone()),
    }
}

fn placement(event: &Event) -> Option<&EdgePlacementRecord> {
    if let Event::EdgePlacement(_, record) = event { record.as_ref() } else { None }
}

fn uid_mut(event: &mut Event) -> Option<&mut String> {
    match event {
        Event::SyncTarget(_, record) => record.as_mut().map(|record| &mut record.uid),
        Event::EdgePlacement(_, record) => record.as_mut().map(|record| &mut record.uid),
        Event::Location(..) => None,
    }
}
