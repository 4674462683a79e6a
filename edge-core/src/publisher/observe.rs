//! What is seen of slices.

use alloc::vec::Vec;

use super::slot::{Content, Doing};
use super::{Kind, ObjectKey, ObjectMeta, Publisher, Seen, SinglePlacementSlice, Time, Timer, Trigger};
use crate::index::DestinationRef;
use crate::object::CLUSTER_ANNOTATION;
use crate::slices::{Digest, Published};

/// How long an event may be older than what is known before the slice is read.
const DOUBT: Time = Time::from_secs(30);

/// How a version came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// By a watch or list: it may be older than what is known.
    Watch,
    /// By a consistent read.
    Read,
    /// By the answer to a write.
    Write,
}

/// A slice as it came in.
#[derive(Debug)]
pub(super) struct Sighting {
    /// Without destinations if it is thin.
    slice: SinglePlacementSlice,
    pub(super) digest: Digest,
    thin: bool,
}

impl From<SinglePlacementSlice> for Sighting {
    fn from(slice: SinglePlacementSlice) -> Self {
        let digest = Digest::of(slice.destinations.iter().map(DestinationRef::from));
        Self { slice, digest, thin: false }
    }
}

impl From<(ObjectMeta, Digest)> for Sighting {
    fn from((metadata, digest): (ObjectMeta, Digest)) -> Self {
        Self { slice: SinglePlacementSlice { metadata, destinations: Vec::new() }, digest, thin: true }
    }
}

impl Sighting {
    pub(super) fn metadata(&self) -> &ObjectMeta {
        &self.slice.metadata
    }
}

/// Versions of one API server can be compared: they are decimal numbers that go up (KEP-5504 made that a promise).
fn version(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.parse().ok()
}

impl Publisher {
    /// Takes in what was seen of a slice.
    pub fn observe_slice(&mut self, key: &ObjectKey, seen: Seen, now: Time) {
        match seen {
            Seen::Object(slice) => self.observe_object(key, slice.into(), By::Watch, now),
            Seen::Thin(metadata, digest) => self.observe_object(key, (metadata, digest).into(), By::Watch, now),
            Seen::Metadata(metadata) => self.observe_metadata(key, metadata, now),
            Seen::Unreadable(metadata) => {
                if !self.is_outdated(key, &metadata, By::Watch, now) {
                    self.has_seen(key, &metadata);
                    self.published.insert_unreadable(key.clone());
                    self.unreadable.insert(key.clone(), metadata);
                    self.after_observing(key, Content::Nothing, now);
                }
            }
            Seen::Gone(uid) => self.observe_gone(key, uid.as_deref(), now),
            Seen::Missing { list_began } => {
                let slot = self.slots.get(key);
                let recent = slot.is_some_and(|slot| {
                    slot.flight.is_some() || slot.confirmed.is_some_and(|confirmed| confirmed >= list_began)
                });
                if recent {
                    // The list may be older than what was written since.
                    self.slot(key).must_be_read();
                    self.mark(key, None);
                } else {
                    self.observe_gone(key, None, now);
                }
            }
        }
    }

    /// Takes in that a slice came or changed, without its destinations.
    fn observe_metadata(&mut self, key: &ObjectKey, metadata: ObjectMeta, now: Time) {
        if Published::is_others(&metadata) {
            // Whatever it has does not count.
            self.observe_object(key, (metadata, Digest::of([])).into(), By::Watch, now);
            return;
        }
        if self.is_outdated(key, &metadata, By::Watch, now) {
            return;
        }
        let slot = self.slot(key);
        match version(&metadata) {
            Some(version) => slot.unseen = slot.unseen.max(Some(version)),
            None => slot.must_be_read(),
        }
        if let Some(flight) = &mut slot.flight {
            flight.overtaken = true;
        }
        // The answer to a request in flight may be what was seen.
        if !self.stands_by() {
            self.mark(key, None);
        }
    }

    /// What a slice looks like at this version is known from now on.
    fn has_seen(&mut self, key: &ObjectKey, metadata: &ObjectMeta) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let seen = slot.unseen.is_some() && slot.unseen <= version(metadata);
        if seen {
            slot.unseen = None;
        }
        seen
    }

    /// Whether something older than what is known was seen.
    fn is_outdated(&mut self, key: &ObjectKey, metadata: &ObjectMeta, by: By, now: Time) -> bool {
        if let Some((uid, _)) = self.graves.get(key)
            && *uid == metadata.uid
            && by == By::Watch
        {
            return true;
        }
        let slot = self.slots.get(key);
        if slot.and_then(|slot| slot.flight.as_ref()).is_some_and(|flight| flight.dead.contains(&metadata.uid)) {
            return true;
        }
        let Some(known) = self.known(key) else { return false };
        let (same, versions) = (known.uid == metadata.uid, (version(known), version(metadata)));
        let (Some(have), Some(new)) = versions else { return false };
        if new < have {
            let slot = self.slot(key);
            if slot.doubt.is_none() {
                slot.doubt = Some(now + DOUBT);
                self.timers.insert((now + DOUBT, Timer::Doubt(key.clone())));
            }
            return true;
        }
        if let Some(slot) = self.slots.get_mut(key) {
            slot.doubt = None;
        }
        new == have && same
    }

    /// What is known of a slice, whether its destinations can be read or not.
    pub(super) fn known(&self, key: &ObjectKey) -> Option<&ObjectMeta> {
        self.published.get(key).map(|slice| &slice.metadata).or_else(|| self.unreadable.get(key))
    }

    /// Nothing newer came by: what is known may be wrong.
    pub(super) fn check_doubt(&mut self, key: &ObjectKey, now: Time) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.doubt.is_some_and(|doubt| doubt <= now) {
            slot.doubt = None;
            slot.must_be_read();
            self.mark(key, None);
        }
    }

    pub(super) fn observe_object(&mut self, key: &ObjectKey, sighting: Sighting, by: By, now: Time) {
        let Sighting { mut slice, digest, thin } = sighting;
        slice.metadata.annotations.insert(CLUSTER_ANNOTATION.into(), key.cluster.clone());
        slice.metadata.name.clone_from(&key.name);
        if self.is_outdated(key, &slice.metadata, by, now) {
            let same = self.published.get(key).is_some_and(|known| known.metadata.uid == slice.metadata.uid);
            let wanted = self.slots.get(key).is_some_and(|slot| slot.want_rows) && by != By::Watch && !thin;
            // Read again for its destinations.
            if same && wanted && self.published.get(key).map(|known| &known.metadata) == Some(&slice.metadata) {
                self.published.insert(slice);
                self.list_rows(key);
                self.unsettled = true;
            }
            return;
        }
        let unseen = self.has_seen(key, &slice.metadata);
        self.graves.remove(key);
        self.unreadable.remove(key);
        let same_rows = self.published.digest(key) == Some(digest)
            && self.published.get(key).is_some_and(|known| known.metadata.uid == slice.metadata.uid);
        // A range is one of the destinations of its EdgePlacement.
        let owner = self.published.placement(key);
        let same_owner = owner.is_some_and(|owner| Published::placement_name(&slice) == Some(&*owner.name));
        let slot = self.slots.get(key);
        let flight = slot.and_then(|slot| slot.flight.as_ref());
        let ours = flight
            .filter(|flight| matches!(flight.doing, Doing::Create | Doing::Replace) && flight.digest == Some(digest))
            .filter(|flight| flight.has_marks_of(&slice.metadata))
            .map(|flight| flight.sent.clone());
        let content = match (ours, slot.map(|slot| &slot.content)) {
            // It is what is being sent: the answer will say the same.
            (Some(sent), _) => Some(sent),
            (None, Some(content @ Content::Range { .. })) if same_rows && same_owner => Some(content.clone()),
            _ => None,
        };
        let want_rows = slot.is_some_and(|slot| slot.want_rows);
        let known = self.published.get(key).is_some();
        // As long as nothing is written there is no use for destinations.
        let listed = !thin && (self.keep_rows || !self.stands_by() || want_rows);
        if listed {
            self.published.insert(slice);
        } else {
            self.published.insert_thin(slice.metadata, digest);
        }
        let foreign = self.published.is_foreign(key);
        if foreign {
            self.make_thin(key);
        }
        let content = match content {
            _ if foreign => Content::Nothing,
            Some(content) if !want_rows => {
                self.make_thin(key);
                content
            }
            _ => {
                self.list_rows(key);
                if known && (by == By::Watch || (by == By::Read && unseen)) {
                    self.note_repair(key, now);
                }
                self.slot(key).content.clone()
            }
        };
        self.after_observing(key, content, now);
    }

    /// Somebody undid what we wrote: once is repaired at once, again and again is repaired ever more slowly.
    fn note_repair(&mut self, key: &ObjectKey, now: Time) {
        let slot = self.slot(key);
        if slot.flight.is_some() {
            return;
        }
        let recent = now.saturating_sub(slot.repaired) < Time::from_secs(60);
        slot.repairs = if recent { slot.repairs + 1 } else { 1 };
        slot.repaired = now;
        if slot.repairs > 3 {
            slot.not_before = now + super::book::backoff(key, slot.repairs);
        }
        if slot.repairs == 4 {
            let home = self.home_of(key);
            self.review_status(&home);
        }
    }

    fn observe_gone(&mut self, key: &ObjectKey, uid: Option<&str>, now: Time) {
        if let (Some((dead, _)), Some(uid)) = (self.graves.get(key), uid)
            && dead == uid
        {
            self.graves.remove(key);
        }
        if let Some(known) = self.known(key)
            && let Some(uid) = uid
            && known.uid != *uid
        {
            // One that was there before.
            return;
        }
        self.forget_slice(key, uid, now);
    }

    /// The slice does not exist any more.
    pub(super) fn forget_slice(&mut self, key: &ObjectKey, uid: Option<&str>, now: Time) {
        let home = self.home_of(key);
        let known = self.known(key).map(|metadata| metadata.uid.clone());
        self.published.remove(key);
        self.unreadable.remove(key);
        let uid = uid.map(Into::into).or(known);
        if let Some(slot) = self.slots.get_mut(key) {
            if let (Some(flight), Some(uid)) = (&mut slot.flight, uid) {
                flight.dead.push(uid);
            }
            slot.maybe = None;
            slot.tainted = false;
            slot.unseen = None;
        }
        // Its destinations are nowhere now: what others wait for may have changed.
        self.wake_barred(&home);
        self.after_observing(key, Content::Nothing, now);
        if self.stands_by() {
            self.tidy(&home);
        }
    }

    fn after_observing(&mut self, key: &ObjectKey, content: Content, now: Time) {
        let exists = self.published.get(key).is_some();
        let relevant = exists
            || self.slots.contains_key(key)
            || self.scheduler.slices().holder(self.scheduler.index(), key).is_some();
        // Names may have been taken or given back.
        self.unsettled = true;
        if !relevant {
            return;
        }
        let stands_by = self.stands_by();
        let slot = self.slot(key);
        slot.content = content;
        if stands_by {
            if slot.is_idle() {
                self.slots.remove(key);
            }
            return;
        }
        let trigger = Trigger { kind: Kind::SinglePlacementSlice, key: key.clone(), since: now, count: 1 };
        let busy = slot.flight.is_some();
        self.mark(key, if busy { None } else { Some(trigger) });
        self.wake_waiters(key);
    }
}
