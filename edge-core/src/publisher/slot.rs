//! What the publisher knows of one slice beside its published metadata.

use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashSet;

use super::blocks::Access;
use super::{Time, Trigger};
use crate::object::{Destination, ObjectKey, ObjectMeta};
use crate::slices::{Digest, PlaceHash, Span};

/// Which destinations a slice holds on the server, as far as that matters for others.
#[derive(Debug, Clone, Default)]
pub(super) enum Content {
    /// The slice does not exist.
    #[default]
    Nothing,
    /// What was wanted in a range when it was sent, and a few more.
    Range {
        span: Span,
        /// The number of the last event that was known.
        at: u64,
        /// Kept for the time being although they belong elsewhere; sorted.
        extra: Vec<Destination>,
    },
    /// Those that are published: the list is kept.
    Rows(HashSet<PlaceHash>),
    /// Not known: the list has to be read before anything is taken away.
    Unread,
}

/// What is being done to a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Create,
    Replace,
    Delete,
    Read,
}

impl Doing {
    /// What it needs to be allowed to do.
    pub(super) fn access(self) -> Access {
        match self {
            Self::Create => Access::Create,
            Self::Replace => Access::Update,
            Self::Delete => Access::Delete,
            Self::Read => Access::Read,
        }
    }
}

/// The request in flight.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) doing: Doing,
    /// What it makes of the slice.
    pub(super) sent: Content,
    pub(super) digest: Option<Digest>,
    pub(super) metadata: ObjectMeta,
    /// The UID and version that it is conditional on.
    pub(super) uid: String,
    pub(super) version: String,
    /// UIDs that were seen to go meanwhile.
    pub(super) dead: Vec<String>,
    /// It is a read, and since it was sent there is reason to read once more: what it says may be older than that.
    pub(super) again: bool,
    /// Since it was sent a version was seen whose destinations are not known.
    pub(super) overtaken: bool,
}

impl Flight {
    /// Whether a slice has the labels, annotations and owners that are sent. The server may add some.
    pub(super) fn has_marks_of(&self, have: &ObjectMeta) -> bool {
        let sent = &self.metadata;
        sent.labels.iter().all(|(key, value)| have.labels.get(key) == Some(value))
            && sent.annotations.iter().all(|(key, value)| have.annotations.get(key) == Some(value))
            && sent.owner_references.iter().all(|owner| have.owner_references.contains(owner))
    }
}

/// Content that the server refused.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) digest: Digest,
    /// What the server said.
    pub(super) reason: String,
    /// It is not tried again before.
    pub(super) until: Time,
}

/// One slice, or the name of one.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// On whose behalf it is looked at: the EdgePlacement that should have it, else the one that has it.
    pub(super) home: ObjectKey,
    pub(super) content: Content,
    pub(super) flight: Option<Flight>,
    /// A replacement that nobody knows the outcome of: it may still take effect.
    pub(super) maybe: Option<Content>,
    /// The same of a deletion: until the slice has a new version, it does not count.
    pub(super) tainted: bool,
    /// It has to be read before anything else.
    pub(super) must_read: bool,
    /// A version that was seen and whose destinations are not known: what is known is older.
    pub(super) unseen: Option<u64>,
    /// Its destinations are asked for.
    pub(super) want_rows: bool,
    /// Not known to be as it should be.
    pub(super) dirty: bool,
    pub(super) queued: bool,
    pub(super) parked: Option<Parked>,
    /// What it is, or was at its last attempt, not allowed to do.
    pub(super) blocked: Option<Access>,
    /// Failures in a row.
    pub(super) attempts: u32,
    /// Nothing is sent before.
    pub(super) not_before: Time,
    /// The server keeps what it should not, or somebody undoes what we write: how often, since when, and the last time.
    pub(super) repairs: u32,
    pub(super) repaired: Time,
    /// What made it dirty.
    pub(super) trigger: Option<Trigger>,
    /// It is a helper: the layout knows nothing of it, and what it learned goes to its EdgePlacement.
    pub(super) helper: bool,
    /// Slices that wait for this one to have what they drop.
    pub(super) waiters: Vec<ObjectKey>,
    /// When a response was taken in.
    pub(super) confirmed: Option<Time>,
    /// An older event than what is known was ignored; if nothing newer comes by then, the slice is read.
    pub(super) doubt: Option<Time>,
}

impl Slot {
    /// It has to be read before anything else, by a request that is sent from now on.
    pub(super) fn must_be_read(&mut self) {
        self.must_read = true;
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.doing == Doing::Read) {
            flight.again = true;
        }
    }

    /// The layout that ranges refer to is no more: what the slice holds, or is to hold, has to be read.
    pub(super) fn forget_ranges(&mut self) {
        let contents = self.flight.iter_mut().map(|flight| &mut flight.sent).chain(&mut self.maybe);
        for content in contents.chain([&mut self.content]) {
            if matches!(content, Content::Range { .. }) {
                *content = Content::Unread;
            }
        }
    }

    /// When it is tried again after what failed last, if nothing else happens.
    pub(super) fn rests_until(&self) -> Time {
        self.parked.as_ref().map_or(self.not_before, |parked| parked.until.max(self.not_before))
    }

    /// It may be something else than what is known of it: it has to be read before anything else.
    pub(super) fn needs_read(&self) -> bool {
        self.must_read || self.unseen.is_some()
    }

    /// Nothing is under way, or may be, that would make something else of it, and nothing tells that it is something else.
    pub(super) fn is_certain(&self) -> bool {
        self.flight.is_none() && !self.needs_read() && self.maybe.is_none() && !self.tainted
    }

    /// Nothing has to be remembered about the name.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.content, Content::Nothing)
            && self.flight.is_none()
            && self.waiters.is_empty()
            && !(self.dirty || self.queued || self.needs_read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slices::Fence;

    #[test]
    fn without_the_layout_a_range_tells_nothing() {
        let range = || {
            let span = Span { lower: Fence::first(), upper: None };
            Content::Range { span, at: 1, extra: Vec::new() }
        };
        let flight = |sent| Flight {
            doing: Doing::Replace,
            sent,
            digest: None,
            metadata: ObjectMeta::default(),
            uid: String::new(),
            version: String::new(),
            dead: Vec::new(),
            again: false,
            overtaken: false,
        };
        let mut slot =
            Slot { content: range(), flight: Some(flight(range())), maybe: Some(range()), ..Slot::default() };
        slot.forget_ranges();
        let sent = slot.flight.map(|flight| flight.sent);
        assert!(matches!(
            (slot.content, sent, slot.maybe),
            (Content::Unread, Some(Content::Unread), Some(Content::Unread))
        ));
        let mut slot = Slot { flight: Some(flight(Content::Nothing)), ..Slot::default() };
        slot.content = Content::Rows(HashSet::new());
        slot.forget_ranges();
        let sent = slot.flight.map(|flight| flight.sent);
        assert!(matches!((slot.content, sent), (Content::Rows(_), Some(Content::Nothing))));
    }
}
