//! The labels of each scope, and the items that have them.
//!
//! A label's number is of one scope: from there on everything about it, its items among it, is found without hashing.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::hash::BuildHasher;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::holders::{Holders, Lists};
use super::matcher::Scope;
use crate::id::{Id, KeyId, LabelId, Table};
use crate::intern::shrink;

/// A label that an item has, and where the item stands in the label's list.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemLabel {
    pub(super) label: LabelId,
    at: u32,
}

#[derive(Debug)]
struct Label<I> {
    scope: Scope,
    /// Whoever uses the label holds its key.
    key: KeyId,
    value: Box<str>,
    /// How many rules of selectors name it.
    rules: u32,
    /// Who has it.
    holders: Holders<I>,
}

/// The labels that items or selectors use.
#[derive(Debug)]
pub(super) struct Postings<I> {
    hasher: DefaultHashBuilder,
    labels: Table<LabelId, Label<I>>,
    ids: HashTable<LabelId>,
    lists: Lists<I>,
}

impl<I> Default for Postings<I> {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            labels: Table::default(),
            ids: HashTable::new(),
            lists: Lists::default(),
        }
    }
}

impl<I: Id> Postings<I> {
    fn acquire(&mut self, scope: Scope, key: KeyId, value: &str) -> LabelId {
        let hash = self.hasher.hash_one((scope, key, value));
        let is = |&id: &LabelId| {
            let have = &self.labels[id];
            have.scope == scope && have.key == key && *have.value == *value
        };
        if let Some(&id) = self.ids.find(hash, is) {
            return id;
        }
        let id = self.labels.insert(Label { scope, key, value: value.into(), rules: 0, holders: Holders::NONE });
        let (hasher, labels) = (&self.hasher, &self.labels);
        self.ids.insert_unique(hash, id, |&id| hash_of(hasher, &labels[id]));
        id
    }

    /// Frees a label that nobody uses any more.
    fn settle(&mut self, id: LabelId) {
        let label = &self.labels[id];
        if label.rules > 0 || !label.holders.is_none() {
            return;
        }
        if let Ok(entry) = self.ids.find_entry(hash_of(&self.hasher, label), |&have| have == id) {
            entry.remove();
        }
        self.labels.remove(id);
        shrink(&mut self.ids, |&id| hash_of(&self.hasher, &self.labels[id]));
    }

    /// A rule names the label; it owes one [`Self::unname`].
    pub(super) fn name(&mut self, scope: Scope, key: KeyId, value: &str) -> LabelId {
        let id = self.acquire(scope, key, value);
        self.labels[id].rules += 1;
        id
    }

    pub(super) fn unname(&mut self, id: LabelId) {
        self.labels[id].rules -= 1;
        self.settle(id);
    }

    /// The item has the label from now on.
    pub(super) fn add(&mut self, scope: Scope, key: KeyId, value: &str, item: I) -> ItemLabel {
        let label = self.acquire(scope, key, value);
        ItemLabel { label, at: self.lists.push(&mut self.labels[label].holders, item) }
    }

    /// An item has the label no more. Tells which one took its place in the list.
    pub(super) fn remove(&mut self, label: ItemLabel) -> Option<(I, ItemLabel)> {
        let moved = self.lists.remove(&mut self.labels[label.label].holders, label.at);
        self.settle(label.label);
        moved.map(|item| (item, label))
    }

    pub(super) fn value(&self, id: LabelId) -> &str {
        &self.labels[id].value
    }

    /// The items that have the label, in no particular order.
    pub(super) fn items(&self, id: LabelId) -> impl Iterator<Item = I> {
        self.lists.iter(&self.labels[id].holders)
    }

    /// How many items have the label.
    pub(super) fn frequency(&self, id: LabelId) -> usize {
        self.lists.len(&self.labels[id].holders)
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.len() == 0 && self.ids.is_empty() && self.lists.is_empty()
    }

    /// Panics if the item does not stand where it says.
    pub(super) fn validate_item(&self, scope: Scope, key: KeyId, label: ItemLabel, item: I) {
        let row = &self.labels[label.label];
        let found = self.lists.get(&row.holders, label.at);
        assert_eq!((row.scope, row.key, found), (scope, key, Some(item)), "place in a label's list");
    }

    /// Panics unless the labels are of so many items, each counted for each of its labels, and named in just these rules.
    pub(super) fn validate_counts(&self, items: usize, rules: impl Iterator<Item = LabelId>) {
        let rows = || self.labels.iter().map(|(_, label)| label);
        assert_eq!(rows().map(|label| self.lists.len(&label.holders)).sum::<usize>(), items, "items of all labels");
        assert!(rows().all(|label| label.rules > 0 || !label.holders.is_none()), "a label has a user");
        let mut named: BTreeMap<LabelId, u32> = BTreeMap::new();
        rules.for_each(|label| *named.entry(label).or_default() += 1);
        for (id, label) in self.labels.iter() {
            assert_eq!(label.rules, named.get(&id).copied().unwrap_or(0), "rules that name a label");
        }
    }
}

fn hash_of<I>(hasher: &DefaultHashBuilder, label: &Label<I>) -> u64 {
    hasher.hash_one((label.scope, label.key, &*label.value))
}
