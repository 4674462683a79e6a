//! Label keys as numbers, with reference counts, and the sets of keys that items have.
//!
//! Most items have the keys that a thousand others have. Such a set is one [`Shape`], so an item keeps values only; and to
//! see that it still has the same keys takes no look-up.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::hash::{BuildHasher, Hash, Hasher};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::id::{KeyId, ShapeId, Table};
use crate::selector::Labels;

#[derive(Debug)]
struct Key {
    text: Box<str>,
    refs: u32,
}

/// A set of keys.
#[derive(Debug)]
struct Shape {
    /// By text, as labels are.
    keys: Box<[KeyId]>,
    /// By id, each with its place in `keys`.
    places: Box<[(KeyId, usize)]>,
    hash: u64,
    refs: u32,
}

/// Gives a number to each key and to each set of keys in use, and takes it back when the last user has released it.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    hasher: DefaultHashBuilder,
    keys: Table<KeyId, Key>,
    key_ids: HashTable<KeyId>,
    shapes: Table<ShapeId, Shape>,
    shape_ids: HashTable<ShapeId>,
}

// === Keys ===

impl Keys {
    /// The key's number; the caller owes one [`Self::release`].
    pub(crate) fn acquire(&mut self, text: &str) -> KeyId {
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

    pub(crate) fn release(&mut self, id: KeyId) {
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

    pub(crate) fn text(&self, id: KeyId) -> &str {
        &self.keys[id].text
    }

    /// Whether nothing is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.len() == 0 && self.key_ids.is_empty() && self.shapes.len() == 0 && self.shape_ids.is_empty()
    }
}

// === Shapes ===

impl Keys {
    /// The number of the labels' set of keys, which may well be `guess`; the caller owes one [`Self::release_shape`].
    pub(crate) fn acquire_shape(&mut self, labels: &Labels, guess: Option<ShapeId>) -> ShapeId {
        if let Some(id) = guess
            && self.has_shape(id, labels)
        {
            self.shapes[id].refs += 1;
            return id;
        }
        let mut hasher = self.hasher.build_hasher();
        labels.iter().for_each(|(key, _)| key.hash(&mut hasher));
        let hash = hasher.finish();
        if let Some(&id) = self.shape_ids.find(hash, |&id| self.has_shape(id, labels)) {
            self.shapes[id].refs += 1;
            return id;
        }
        let keys: Box<[KeyId]> = labels.iter().map(|(key, _)| self.acquire(key)).collect();
        let mut places: Box<[(KeyId, usize)]> = keys.iter().enumerate().map(|(place, &key)| (key, place)).collect();
        places.sort_unstable();
        let id = self.shapes.insert(Shape { keys, places, hash, refs: 1 });
        let shapes = &self.shapes;
        self.shape_ids.insert_unique(hash, id, |&id| shapes[id].hash);
        id
    }

    pub(crate) fn release_shape(&mut self, id: ShapeId) {
        let shape = &mut self.shapes[id];
        shape.refs -= 1;
        if shape.refs > 0 {
            return;
        }
        let shape = self.shapes.remove(id);
        if let Ok(entry) = self.shape_ids.find_entry(shape.hash, |&have| have == id) {
            entry.remove();
        }
        shape.keys.iter().for_each(|&key| self.release(key));
        shrink(&mut self.shape_ids, |&id| self.shapes[id].hash);
    }

    /// Whether the labels' keys are those of the shape.
    pub(crate) fn has_shape(&self, id: ShapeId, labels: &Labels) -> bool {
        let keys = &self.shapes[id].keys;
        keys.len() == labels.len() && keys.iter().zip(labels.iter()).all(|(&have, (key, _))| self.text(have) == key)
    }

    /// The keys of a shape by text.
    pub(crate) fn of_shape(&self, id: ShapeId) -> &[KeyId] {
        &self.shapes[id].keys
    }

    /// The keys of a shape by id, each with its place in [`Self::of_shape`].
    pub(crate) fn places(&self, id: ShapeId) -> &[(KeyId, usize)] {
        &self.shapes[id].places
    }

    /// Panics unless the shapes are those of just these items.
    pub(crate) fn validate_shapes(&self, items: impl Iterator<Item = ShapeId>) {
        let mut users: BTreeMap<ShapeId, u32> = BTreeMap::new();
        items.for_each(|shape| *users.entry(shape).or_default() += 1);
        for (id, shape) in self.shapes.iter() {
            assert_eq!(Some(&shape.refs), users.get(&id), "items of a shape");
        }
    }

    /// Where the label with a key stands in an item of the shape.
    pub(crate) fn place(&self, id: ShapeId, key: KeyId) -> Option<usize> {
        let places = self.places(id);
        places.binary_search_by_key(&key, |&(have, _)| have).ok().map(|at| places[at].1)
    }
}

/// Gives memory back once a table is mostly empty.
pub(crate) fn shrink<T>(table: &mut HashTable<T>, hasher: impl Fn(&T) -> u64) {
    if table.capacity() > 64 && table.len() < table.capacity() / 4 {
        table.shrink_to_fit(hasher);
    }
}
