//! The items that have a label, in four bytes.
//!
//! Many labels, like a host's name, are of one item only. Just the others have a list.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::num::NonZeroU32;

use crate::id::{HoldersId, Id, Table, grow};

/// The items of one label; the lists are in [`Lists`].
#[derive(Debug)]
pub(super) struct Holders<I> {
    /// Nothing, an item, or a list.
    bits: u32,
    item: PhantomData<I>,
}

impl<I> Default for Holders<I> {
    fn default() -> Self {
        Self { bits: 0, item: PhantomData }
    }
}

enum Are<I> {
    Nobody,
    One(I),
    Many(HoldersId),
}

impl<I: Id> Holders<I> {
    /// Tells lists from items: 2^31 of either do not fit into memory.
    const MANY: u32 = 1 << 31;

    fn get(&self) -> Are<I> {
        match NonZeroU32::new(self.bits & !Self::MANY) {
            None => Are::Nobody,
            Some(bits) if self.bits & Self::MANY == 0 => Are::One(I::from_bits(bits)),
            Some(bits) => Are::Many(HoldersId::from_bits(bits)),
        }
    }

    fn set(&mut self, are: &Are<I>) {
        self.bits = match are {
            Are::Nobody => 0,
            Are::One(item) => item.bits().get(),
            Are::Many(list) => Self::MANY | list.bits().get(),
        };
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bits == 0
    }
}

/// The items of labels that several have, in no particular order.
#[derive(Debug)]
pub(super) struct Lists<I>(Table<HoldersId, Vec<I>>);

impl<I> Default for Lists<I> {
    fn default() -> Self {
        Self(Table::default())
    }
}

impl<I: Id> Lists<I> {
    /// One more; tells where it stands.
    pub(super) fn push(&mut self, holders: &mut Holders<I>, item: I) -> u32 {
        let list = match holders.get() {
            Are::Nobody => {
                holders.set(&Are::One(item));
                return 0;
            }
            Are::One(first) => {
                let list = self.0.insert(alloc::vec![first]);
                holders.set(&Are::Many(list));
                list
            }
            Are::Many(list) => list,
        };
        let list = &mut self.0[list];
        grow(list);
        list.push(item);
        u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes out the one that stands at `at`; tells which one stands there from now on.
    pub(super) fn remove(&mut self, holders: &mut Holders<I>, at: u32) -> Option<I> {
        let Are::Many(id) = holders.get() else {
            holders.set(&Are::Nobody);
            return None;
        };
        let list = &mut self.0[id];
        list.swap_remove(at as usize);
        let moved = list.get(at as usize).copied();
        if let [last] = **list {
            self.0.remove(id);
            holders.set(&Are::One(last));
        } else if list.capacity() > 8 && list.len() < list.capacity() / 4 {
            list.shrink_to_fit();
        }
        moved
    }

    pub(super) fn iter(&self, holders: &Holders<I>) -> impl Iterator<Item = I> {
        let (one, many) = match holders.get() {
            Are::Nobody => (None, &[][..]),
            Are::One(item) => (Some(item), &[][..]),
            Are::Many(list) => (None, &*self.0[list]),
        };
        one.into_iter().chain(many.iter().copied())
    }

    pub(super) fn len(&self, holders: &Holders<I>) -> usize {
        match holders.get() {
            Are::Nobody => 0,
            Are::One(_) => 1,
            Are::Many(list) => self.0[list].len(),
        }
    }

    pub(super) fn get(&self, holders: &Holders<I>, at: u32) -> Option<I> {
        match holders.get() {
            Are::Nobody => None,
            Are::One(item) => (at == 0).then_some(item),
            Are::Many(list) => self.0[list].get(at as usize).copied(),
        }
    }

    /// Whether no label has a list: for the proof that deletes free everything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SyncTargetId;

    #[test]
    fn one_item_needs_no_list_and_is_found_where_it_stands() {
        let [a, b, c] = [0, 1, 2].map(SyncTargetId::from_index);
        let mut lists = Lists::default();
        let mut holders = Holders::default();
        assert!(holders.is_empty());
        assert_eq!(lists.push(&mut holders, a), 0);
        assert!(lists.is_empty() && !holders.is_empty());
        assert_eq!([lists.push(&mut holders, b), lists.push(&mut holders, c)], [1, 2]);
        assert_eq!((lists.iter(&holders).collect::<Vec<_>>(), lists.len(&holders)), (alloc::vec![a, b, c], 3));
        assert_eq!(lists.remove(&mut holders, 0), Some(c));
        assert_eq!([0, 1, 2].map(|at| lists.get(&holders, at)), [Some(c), Some(b), None]);
        assert_eq!(lists.remove(&mut holders, 1), None);
        assert!(lists.is_empty(), "one is left");
        assert_eq!(([0, 1].map(|at| lists.get(&holders, at)), lists.len(&holders)), ([Some(c), None], 1));
        assert_eq!(lists.remove(&mut holders, 0), None);
        assert!(holders.is_empty());
    }
}
