//! Where selectors are found, given an item.

use alloc::boxed::Box;
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::matcher::{Scope, trim};
use crate::id::{KeyId, LabelId, SelectorId};
use crate::sorted;

/// Where a selector is found.
#[derive(Debug)]
pub(super) enum Anchors {
    /// At each of these labels: an item that it matches has one of them.
    Labels(Box<[LabelId]>),
    /// At a key: an item that it matches has a label with it.
    Key(Scope, KeyId),
    /// At every item of the scope.
    Everything(Scope),
}

/// Selectors by where they are found; each list is sorted.
#[derive(Debug, Default)]
pub(super) struct Anchored {
    labels: HashMap<LabelId, Vec<SelectorId>>,
    /// Mostly empty, and asking an empty map costs next to nothing.
    keys: HashMap<(Scope, KeyId), Vec<SelectorId>>,
    everything: HashMap<Scope, Vec<SelectorId>>,
}

impl Anchored {
    pub(super) fn insert(&mut self, anchors: &Anchors, selector: SelectorId) {
        match anchors {
            Anchors::Labels(labels) => {
                for &label in labels {
                    sorted::insert(self.labels.entry(label).or_default(), selector);
                }
            }
            Anchors::Key(scope, key) => sorted::insert(self.keys.entry((*scope, *key)).or_default(), selector),
            Anchors::Everything(scope) => sorted::insert(self.everything.entry(*scope).or_default(), selector),
        }
    }

    pub(super) fn remove(&mut self, anchors: &Anchors, selector: SelectorId) {
        match anchors {
            Anchors::Labels(labels) => labels.iter().for_each(|&label| remove(&mut self.labels, label, selector)),
            Anchors::Key(scope, key) => remove(&mut self.keys, (*scope, *key), selector),
            Anchors::Everything(scope) => remove(&mut self.everything, *scope, selector),
        }
    }

    pub(super) fn at_label(&self, label: LabelId) -> &[SelectorId] {
        self.labels.get(&label).map_or(&[], Vec::as_slice)
    }

    pub(super) fn at_key(&self, scope: Scope, key: KeyId) -> &[SelectorId] {
        self.keys.get(&(scope, key)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn at_everything(&self, scope: Scope) -> &[SelectorId] {
        self.everything.get(&scope).map_or(&[], Vec::as_slice)
    }

    /// Panics if the selector is not found where it says it is.
    pub(super) fn validate(&self, anchors: &Anchors, selector: SelectorId) {
        let found = match anchors {
            Anchors::Labels(labels) => labels.iter().all(|&label| self.at_label(label).contains(&selector)),
            Anchors::Key(scope, key) => self.at_key(*scope, *key).contains(&selector),
            Anchors::Everything(scope) => self.at_everything(*scope).contains(&selector),
        };
        assert!(found, "a selector is found at its anchors");
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.keys.is_empty() && self.everything.is_empty()
    }
}

fn remove<K: Eq + core::hash::Hash + Copy>(lists: &mut HashMap<K, Vec<SelectorId>>, anchor: K, selector: SelectorId) {
    if let Some(list) = lists.get_mut(&anchor) {
        sorted::remove(list, &selector);
        trim(lists, anchor);
    }
}
