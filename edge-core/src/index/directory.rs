//! Objects by id and by (cluster, name).

use core::hash::BuildHasher;
use core::ops::{Index, IndexMut};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::id::{ClusterId, Column, Id, Table};
use crate::intern::shrink;

/// An object with an identity.
pub(crate) trait Keyed {
    fn cluster(&self) -> ClusterId;
    fn name(&self) -> &str;
}

#[derive(Debug)]
pub(crate) struct Directory<I, T> {
    hasher: DefaultHashBuilder,
    rows: Table<I, T>,
    ids: HashTable<I>,
}

impl<I, T> Default for Directory<I, T> {
    fn default() -> Self {
        Self { hasher: DefaultHashBuilder::default(), rows: Table::default(), ids: HashTable::new() }
    }
}

impl<I: Id, T: Keyed> Directory<I, T> {
    pub(crate) fn find(&self, cluster: ClusterId, name: &str) -> Option<I> {
        let hash = self.hasher.hash_one((cluster, name));
        let is = |id: &I| self.rows[*id].cluster() == cluster && self.rows[*id].name() == name;
        self.ids.find(hash, is).copied()
    }

    pub(crate) fn insert(&mut self, row: T) -> I {
        let hash = self.hasher.hash_one((row.cluster(), row.name()));
        let id = self.rows.insert(row);
        let (hasher, rows) = (&self.hasher, &self.rows);
        self.ids.insert_unique(hash, id, |&id| hasher.hash_one((rows[id].cluster(), rows[id].name())));
        id
    }

    /// Makes room for so many objects.
    pub(crate) fn reserve(&mut self, count: usize) {
        let (hasher, rows) = (&self.hasher, &self.rows);
        self.ids.reserve(count, |&id| hasher.hash_one((rows[id].cluster(), rows[id].name())));
        self.rows.reserve(count);
    }

    /// The object can no longer be found; its row stays until [`Self::free`].
    pub(crate) fn retire(&mut self, id: I) {
        let row = &self.rows[id];
        let hash = self.hasher.hash_one((row.cluster(), row.name()));
        if let Ok(entry) = self.ids.find_entry(hash, |&have| have == id) {
            entry.remove();
        }
        let (hasher, rows) = (&self.hasher, &self.rows);
        shrink(&mut self.ids, |&id| hasher.hash_one((rows[id].cluster(), rows[id].name())));
    }

    pub(crate) fn free(&mut self, id: I) -> T {
        self.rows.remove(id)
    }

    /// Gives back what a column has for rows that are no more.
    pub(crate) fn trim<V: Copy>(&self, column: &mut Column<I, V>) {
        column.trim(&self.rows);
    }

    /// How many objects can be found.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The objects that can be found, in no particular order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = I> {
        self.ids.iter().copied()
    }

    /// Rows, retired ones included.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }
}

impl<I: Id, T> Index<I> for Directory<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        &self.rows[id]
    }
}

impl<I: Id, T> IndexMut<I> for Directory<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.rows[id]
    }
}
