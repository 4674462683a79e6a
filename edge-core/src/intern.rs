//! Label keys and labels as numbers, with reference counts.
//!
//! A hundred thousand SyncTargets share a few hundred labels; comparing numbers is what makes matching cheap.

use alloc::boxed::Box;
use core::hash::BuildHasher;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::id::{KeyId, LabelId, Table};

#[derive(Debug)]
struct Key {
    text: Box<str>,
    refs: u32,
}

#[derive(Debug)]
struct Label {
    key: KeyId,
    value: Box<str>,
    refs: u32,
}

/// Gives a number to each key and to each label in use, and takes it back when the last user has released it.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    hasher: DefaultHashBuilder,
    keys: Table<KeyId, Key>,
    key_ids: HashTable<KeyId>,
    labels: Table<LabelId, Label>,
    label_ids: HashTable<LabelId>,
}

impl Interner {
    /// The key's number; the caller owes one [`Self::release_key`].
    pub(crate) fn acquire_key(&mut self, text: &str) -> KeyId {
        let hash = self.hasher.hash_one(text);
        if let Some(&id) = self.key_ids.find(hash, |&id| *self.keys[id].text == *text) {
            self.keys[id].refs += 1;
            return id;
        }
        let id = self.keys.insert(Key { text: text.into(), refs: 1 });
        let (hasher, keys) = (&self.hasher, &self.keys);
        self.key_ids.insert_unique(hash, id, |&id| hasher.hash_one(&*keys[id].text));
        id
    }

    pub(crate) fn release_key(&mut self, id: KeyId) {
        let key = &mut self.keys[id];
        key.refs -= 1;
        if key.refs > 0 {
            return;
        }
        let hash = self.hasher.hash_one(&*key.text);
        if let Ok(entry) = self.key_ids.find_entry(hash, |&have| have == id) {
            entry.remove();
        }
        self.keys.remove(id);
        shrink(&mut self.key_ids, |&id| self.hasher.hash_one(&*self.keys[id].text));
    }

    /// The label's number; the caller owes one [`Self::release`].
    pub(crate) fn acquire(&mut self, key: &str, value: &str) -> LabelId {
        let key = self.acquire_key(key);
        let hash = self.hasher.hash_one((key, value));
        if let Some(&id) = self.label_ids.find(hash, |&id| self.is(id, key, value)) {
            self.labels[id].refs += 1;
            // The label itself holds its key.
            self.release_key(key);
            return id;
        }
        let id = self.labels.insert(Label { key, value: value.into(), refs: 1 });
        let (hasher, labels) = (&self.hasher, &self.labels);
        self.label_ids.insert_unique(hash, id, |&id| hasher.hash_one((labels[id].key, &*labels[id].value)));
        id
    }

    pub(crate) fn release(&mut self, id: LabelId) {
        let label = &mut self.labels[id];
        label.refs -= 1;
        if label.refs > 0 {
            return;
        }
        let hash = self.hasher.hash_one((label.key, &*label.value));
        if let Ok(entry) = self.label_ids.find_entry(hash, |&have| have == id) {
            entry.remove();
        }
        let label = self.labels.remove(id);
        self.release_key(label.key);
        shrink(&mut self.label_ids, |&id| self.hasher.hash_one((self.labels[id].key, &*self.labels[id].value)));
    }

    fn is(&self, id: LabelId, key: KeyId, value: &str) -> bool {
        let label = &self.labels[id];
        label.key == key && *label.value == *value
    }

    pub(crate) fn key_of(&self, id: LabelId) -> KeyId {
        self.labels[id].key
    }

    pub(crate) fn key_text(&self, id: KeyId) -> &str {
        &self.keys[id].text
    }

    /// Key and value.
    pub(crate) fn label_text(&self, id: LabelId) -> (&str, &str) {
        let label = &self.labels[id];
        (self.key_text(label.key), &label.value)
    }

    /// Keys and labels in use.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.keys.len(), self.labels.len())
    }
}

/// Gives memory back once a table is mostly empty.
pub(crate) fn shrink<T>(table: &mut HashTable<T>, hasher: impl Fn(&T) -> u64) {
    if table.capacity() > 64 && table.len() < table.capacity() / 4 {
        table.shrink_to_fit(hasher);
    }
}
