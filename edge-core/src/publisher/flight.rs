//! Requests about slices take off.

use alloc::vec::Vec;

use super::blocks::Access;
use super::slot::{Content, Doing, Flight};
use super::{Action, Publisher, Request, RequestId, Subject, Time};
use crate::object::ObjectKey;
use crate::slices::{Digest, Write};

impl Publisher {
    pub(super) fn read(&mut self, key: &ObjectKey, now: Time) -> Option<Request> {
        if self.is_blocked(key, Access::Read, now) {
            return None;
        }
        let id = self.take_off(key, Doing::Read, Content::Nothing, None, None);
        Some(Request { id, action: Action::ReadSlice(key.clone()), trigger: None })
    }

    pub(super) fn send(
        &mut self,
        key: &ObjectKey,
        doing: Doing,
        write: Write,
        sent: Content,
        digest: Option<Digest>,
        now: Time,
    ) -> Option<Request> {
        if self.is_blocked(key, doing.access(), now) {
            return None;
        }
        let id = self.take_off(key, doing, sent, digest, Some(&write));
        let trigger = self.slots.get_mut(key).and_then(|slot| slot.trigger.take());
        Some(Request { id, action: Action::Write(write), trigger })
    }

    /// Whether a slice has to wait until something is allowed.
    fn is_blocked(&mut self, key: &ObjectKey, access: Access, now: Time) -> bool {
        let Some(time) = self.blocks.wait(key, access, now) else { return false };
        self.wait_until(key, time);
        let slot = self.slot(key);
        if slot.blocked.replace(access) != Some(access) {
            let home = slot.home.clone();
            self.review_status(&home);
        }
        true
    }

    fn take_off(
        &mut self,
        key: &ObjectKey,
        doing: Doing,
        sent: Content,
        digest: Option<Digest>,
        write: Option<&Write>,
    ) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.requests.insert(id, Subject::Slice(key.clone()));
        let metadata = write.and_then(|write| write.object.as_ref()).map(|object| object.metadata.clone());
        let known = self.known(key).map(|known| (known.uid.clone(), known.resource_version.clone()));
        let (uid, version) = known.unwrap_or_default();
        let flight = Flight {
            doing,
            sent,
            digest,
            metadata: metadata.unwrap_or_default(),
            uid,
            version,
            dead: Vec::new(),
            again: false,
            overtaken: false,
        };
        let slot = self.slot(key);
        slot.flight = Some(flight);
        let home = slot.home.clone();
        self.book(&home).in_flight += 1;
        id
    }
}
