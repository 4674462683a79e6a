//! Logical clusters as numbers, with reference counts.

use alloc::boxed::Box;
use core::hash::BuildHasher;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::id::{ClusterId, Table};
use crate::intern::shrink;
use crate::order::{Hashed, NameHash};

#[derive(Debug)]
struct Cluster {
    name: Box<str>,
    hash: u64,
    refs: u32,
}

#[derive(Debug, Default)]
pub(super) struct Clusters {
    hasher: DefaultHashBuilder,
    rows: Table<ClusterId, Cluster>,
    ids: HashTable<ClusterId>,
}

impl Clusters {
    pub(super) fn find(&self, name: &str) -> Option<ClusterId> {
        self.ids.find(self.hasher.hash_one(name), |&id| *self.rows[id].name == *name).copied()
    }

    /// The cluster's number, which is `known` if [`Self::find`] found it; the caller owes one [`Self::release`].
    pub(super) fn acquire(&mut self, known: Option<ClusterId>, name: &str, hash: NameHash) -> ClusterId {
        if let Some(id) = known {
            self.rows[id].refs += 1;
            return id;
        }
        let id = self.rows.insert(Cluster { name: name.into(), hash: hash.hash(name), refs: 1 });
        let (hasher, rows) = (&self.hasher, &self.rows);
        self.ids.insert_unique(hasher.hash_one(name), id, |&id| hasher.hash_one(&*rows[id].name));
        id
    }

    pub(super) fn release(&mut self, id: ClusterId) {
        let cluster = &mut self.rows[id];
        cluster.refs -= 1;
        if cluster.refs > 0 {
            return;
        }
        let hash = self.hasher.hash_one(&*cluster.name);
        if let Ok(entry) = self.ids.find_entry(hash, |&have| have == id) {
            entry.remove();
        }
        self.rows.remove(id);
        shrink(&mut self.ids, |&id| self.hasher.hash_one(&*self.rows[id].name));
    }

    pub(super) fn name(&self, id: ClusterId) -> Hashed<'_> {
        let cluster = &self.rows[id];
        Hashed::new(cluster.hash, &cluster.name)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}
