//! The writes of all EdgePlacements, one after the other.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hashbrown::HashSet;

use super::fence::FENCE_ANNOTATION;
use super::name::helper_name;
use super::plan::{Verb, Write};
use super::published::Published;
use crate::object::{ObjectKey, SinglePlacementSlice};

/// Takes sequences of writes one by one, so that only those at hand are in memory.
///
/// A slice may have to wait until one of another EdgePlacement has left its name: then its sequence goes on after the
/// others. Where two EdgePlacements wait for each other (a stranger gave the slices of each to the other), a helper has the
/// content of one for the time being.
pub(super) struct Interleave<'a, I> {
    published: &'a Published,
    sequences: I,
    current: VecDeque<Write>,
    waiting: VecDeque<VecDeque<Write>>,
    /// How many sequences in a row could not go on.
    stalled: usize,
    deleted: HashSet<ObjectKey>,
    created: HashSet<ObjectKey>,
    /// What a helper stands in for.
    helped: HashSet<ObjectKey>,
}

impl<'a, I: Iterator<Item = Vec<Write>>> Interleave<'a, I> {
    pub(super) fn new(published: &'a Published, sequences: I) -> Self {
        Self {
            published,
            sequences,
            current: VecDeque::new(),
            waiting: VecDeque::new(),
            stalled: 0,
            deleted: HashSet::new(),
            created: HashSet::new(),
            helped: HashSet::new(),
        }
    }

    fn may_go(&self, write: &Write) -> bool {
        write.verb != Verb::Create || self.published.get(&write.key).is_none() || self.deleted.contains(&write.key)
    }

    fn go(&mut self, write: Write) -> Write {
        match write.verb {
            Verb::Create => self.created.insert(write.key.clone()),
            Verb::Delete => self.deleted.insert(write.key.clone()),
            Verb::Replace => false,
        };
        self.stalled = 0;
        write
    }

    /// Nothing can go on: a helper stands in for what cannot be created yet.
    fn unblock(&mut self, create: Write) -> Write {
        if !self.helped.insert(create.key.clone()) {
            // Whoever has the name does not leave it. Nothing is known that leads here, and no write may get lost.
            return create;
        }
        let helper = self.stand_in(&create);
        self.current.push_back(create);
        self.current.push_back(Write::delete(helper.key.clone(), &SinglePlacementSlice::default()));
        helper
    }

    /// A slice of another name with the content of one that cannot be created yet.
    fn stand_in(&self, create: &Write) -> Write {
        let mut object = create.object.clone().unwrap_or_default();
        let placement = Published::placement_name(&object).unwrap_or_default();
        let names = (0..).map(|number| helper_name(&create.key.cluster, placement, number));
        let mut keys = names.map(|name| ObjectKey::new(create.key.cluster.as_str(), name));
        let is_free = |key: &ObjectKey| self.published.is_name_free(key) && !self.created.contains(key);
        let key = keys.find(is_free).unwrap_or_default();
        object.metadata.name.clone_from(&key.name);
        object.metadata.annotations.remove(FENCE_ANNOTATION);
        Write::create(key, object)
    }
}

impl<I: Iterator<Item = Vec<Write>>> Iterator for Interleave<'_, I> {
    type Item = Write;

    fn next(&mut self) -> Option<Write> {
        loop {
            if let Some(write) = self.current.pop_front() {
                if self.may_go(&write) {
                    return Some(self.go(write));
                }
                self.stalled += 1;
                if self.stalled > self.waiting.len() + 1 {
                    let write = self.unblock(write);
                    return Some(self.go(write));
                }
                self.current.push_front(write);
                self.waiting.push_back(core::mem::take(&mut self.current));
            }
            self.current = match self.sequences.next() {
                Some(sequence) => {
                    // Until all are known, waiting is not standing still.
                    self.stalled = 0;
                    sequence.into()
                }
                None => self.waiting.pop_front()?,
            };
        }
    }
}
