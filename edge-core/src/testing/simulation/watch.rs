//! What one replica is told of one kind: a list, object by object, then changes, until the stream breaks or is too old.

use alloc::collections::{BTreeMap, VecDeque};

use super::server::{ApiServer, Shown};
use crate::object::{Kind, ObjectKey};
use crate::publisher::Time;

/// What a replica learns.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// What a list says there is.
    Shown(Shown),
    /// What a watch says happened.
    Changed(Shown),
    /// A list that began at this time ended without it.
    Missing(ObjectKey, Time),
}

impl Told {
    /// The object that it is about, but for one that is missing.
    pub(super) fn shown(&self) -> Option<&Shown> {
        match self {
            Self::Shown(shown) | Self::Changed(shown) => Some(shown),
            Self::Missing(..) => None,
        }
    }
}

#[derive(Debug)]
enum State {
    /// A list has to begin.
    Unlisted,
    /// It goes on: what it has still to show, the end of the history that it knows, and when it began.
    Listing(VecDeque<Shown>, usize, Time),
    Watching,
}

/// The list and watch of one kind.
#[derive(Debug)]
pub(super) struct Stream {
    kind: Kind,
    state: State,
    /// How much of the history is known for certain.
    at: usize,
    /// What was shown and is not gone, and by which list.
    shelf: BTreeMap<ObjectKey, u32>,
    /// Slices that were to be created and have not been shown yet, and the list before or during that.
    sent: BTreeMap<ObjectKey, u32>,
    list: u32,
    /// When the last list that came to its end began.
    listed: Option<Time>,
    last: Option<Shown>,
    /// Objects that the list has shown and that are missing from it.
    missing: VecDeque<ObjectKey>,
}

impl Stream {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            state: State::Unlisted,
            at: 0,
            shelf: BTreeMap::new(),
            sent: BTreeMap::new(),
            list: 0,
            listed: None,
            last: None,
            missing: VecDeque::new(),
        }
    }

    /// How much of the history is known for certain.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// When the last list that came to its end began.
    pub(super) fn listed(&self) -> Option<Time> {
        self.listed
    }

    /// A list has to begin and has not.
    pub(super) fn is_unlisted(&self) -> bool {
        matches!(self.state, State::Unlisted)
    }

    /// Whether everything is told.
    pub(super) fn is_current(&self, server: &ApiServer) -> bool {
        matches!(self.state, State::Watching) && self.missing.is_empty() && self.at == server.history(self.kind).len()
    }

    /// Everything is listed anew.
    pub(super) fn relist(&mut self) {
        self.state = State::Unlisted;
    }

    /// The connection breaks: a list starts over, a watch goes on from where it was.
    pub(super) fn break_off(&mut self) {
        if let State::Listing(..) = self.state {
            self.state = State::Unlisted;
        }
    }

    /// A slice is about to be created.
    pub(super) fn sends(&mut self, key: &ObjectKey) {
        if !self.shelf.contains_key(key) {
            self.sent.entry(key.clone()).or_insert(self.list);
        }
    }

    /// A slice that was written, or read, exists, though it was not shown.
    pub(super) fn wrote(&mut self, key: &ObjectKey) {
        let seen = self.sent.remove(key).unwrap_or(self.list);
        self.shelf.entry(key.clone()).or_insert(seen);
    }

    /// What was told last, if the watch goes on.
    pub(super) fn repeat(&self) -> Option<Told> {
        let watching = matches!(self.state, State::Watching) && self.missing.is_empty();
        self.last.clone().filter(|_| watching).map(Told::Changed)
    }

    /// The next thing that is told.
    pub(super) fn next(&mut self, server: &ApiServer, now: Time) -> Option<Told> {
        if let Some(key) = self.missing.pop_front() {
            return Some(match self.kind {
                Kind::SinglePlacementSlice => Told::Missing(key, self.listed.unwrap_or_default()),
                kind => Told::Shown(Shown::Gone(kind, key, None)),
            });
        }
        loop {
            match &mut self.state {
                State::Unlisted => {
                    let end = server.history(self.kind).len();
                    self.list += 1;
                    self.last = None;
                    self.state = State::Listing(server.list(self.kind).into(), end, now);
                }
                State::Listing(items, end, began) => {
                    if let Some(item) = items.pop_front() {
                        self.sent.remove(item.key());
                        self.shelf.insert(item.key().clone(), self.list);
                        return Some(Told::Shown(item));
                    }
                    (self.at, self.listed) = (*end, Some(*began));
                    self.state = State::Watching;
                    let list = self.list;
                    let all = self.shelf.iter().chain(&self.sent);
                    self.missing.extend(all.filter(|(_, seen)| **seen != list).map(|(key, _)| key.clone()));
                    self.shelf.retain(|_, seen| *seen == list);
                    self.sent.retain(|_, seen| *seen == list);
                    if !self.missing.is_empty() {
                        return self.next(server, now);
                    }
                }
                State::Watching if server.is_expired(self.kind, self.at) => self.state = State::Unlisted,
                State::Watching => {
                    let shown = server.history(self.kind).get(self.at)?.shown.clone();
                    self.at += 1;
                    match &shown {
                        Shown::Gone(_, key, _) => drop(self.shelf.remove(key)),
                        _ => {
                            self.sent.remove(shown.key());
                            self.shelf.insert(shown.key().clone(), self.list);
                        }
                    }
                    self.last = Some(shown.clone());
                    return Some(Told::Changed(shown));
                }
            }
        }
    }
}
