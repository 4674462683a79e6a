//! The items that have a label, in four bytes.
//!
//! Many labels, like a host's name, are of one item only. Just the others have a list.

use alloc::vec::Vec;

use crate::id::{Either, EitherId, HoldersId, Id, Table, grow};

/// The items of one label: none, one, or a list of [`Lists`].
pub(super) type Holders<I> = EitherId<I, HoldersId>;

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
            None => {
                *holders = EitherId::first(item);
                return 0;
            }
            Some(Either::First(first)) => {
                let list = self.0.insert(alloc::vec![first]);
                *holders = EitherId::second(list);
                list
            }
            Some(Either::Second(list)) => list,
        };
        let list = &mut self.0[list];
        grow(list);
        list.push(item);
        u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes out the one that stands at `at`; tells which one stands there from now on.
    pub(super) fn remove(&mut self, holders: &mut Holders<I>, at: u32) -> Option<I> {
        let Some(Either::Second(id)) = holders.get() else {
            *holders = EitherId::NONE;
            return None;
        };
        let list = &mut self.0[id];
        list.swap_remove(at as usize);
        let moved = list.get(at as usize).copied();
        if let [last] = **list {
            self.0.remove(id);
            *holders = EitherId::first(last);
        } else if list.capacity() > 8 && list.len() < list.capacity() / 4 {
            list.shrink_to_fit();
        }
        moved
    }

    pub(super) fn iter(&self, holders: &Holders<I>) -> impl Iterator<Item = I> {
        let (one, many) = match holders.get() {
            None => (None, &[][..]),
            Some(Either::First(item)) => (Some(item), &[][..]),
            Some(Either::Second(list)) => (None, &*self.0[list]),
        };
        one.into_iter().chain(many.iter().copied())
    }

    pub(super) fn len(&self, holders: &Holders<I>) -> usize {
        match holders.get() {
            None => 0,
            Some(Either::First(_)) => 1,
            Some(Either::Second(list)) => self.0[list].len(),
        }
    }

    pub(super) fn get(&self, holders: &Holders<I>, at: u32) -> Option<I> {
        match holders.get() {
            None => None,
            Some(Either::First(item)) => (at == 0).then_some(item),
            Some(Either::Second(list)) => self.0[list].get(at as usize).copied(),
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
        let mut holders = Holders::NONE;
        assert!(holders.is_none());
        assert_eq!(lists.push(&mut holders, a), 0);
        assert!(lists.is_empty() && !holders.is_none());
        assert_eq!([lists.push(&mut holders, b), lists.push(&mut holders, c)], [1, 2]);
        assert_eq!((lists.iter(&holders).collect::<Vec<_>>(), lists.len(&holders)), (alloc::vec![a, b, c], 3));
        assert_eq!(lists.remove(&mut holders, 0), Some(c));
        assert_eq!([0, 1, 2].map(|at| lists.get(&holders, at)), [Some(c), Some(b), None]);
        assert_eq!(lists.remove(&mut holders, 1), None);
        assert!(lists.is_empty(), "one is left");
        assert_eq!(([0, 1].map(|at| lists.get(&holders, at)), lists.len(&holders)), ([Some(c), None], 1));
        assert_eq!(lists.remove(&mut holders, 0), None);
        assert!(holders.is_none());
    }
}
