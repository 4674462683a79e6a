//! A list for each id.

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::id::Id;

/// Lists by id, for dense ids: finding one takes no hashing. Those that have never been filled take nothing but their place.
#[derive(Debug)]
pub(crate) struct Lists<I, T> {
    lists: Vec<Vec<T>>,
    id: PhantomData<I>,
}

impl<I, T> Default for Lists<I, T> {
    fn default() -> Self {
        Self { lists: Vec::new(), id: PhantomData }
    }
}

impl<I: Id, T> Lists<I, T> {
    pub(crate) fn get(&self, id: I) -> &[T] {
        self.lists.get(id.index()).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn get_mut(&mut self, id: I) -> &mut [T] {
        self.lists.get_mut(id.index()).map_or(&mut [], Vec::as_mut_slice)
    }

    /// The list as a whole, made if there is none.
    pub(crate) fn entry(&mut self, id: I) -> &mut Vec<T> {
        if self.lists.len() <= id.index() {
            self.lists.resize_with(id.index() + 1, Vec::new);
        }
        &mut self.lists[id.index()]
    }

    /// Inserts a value. Room grows by a quarter: there are many lists, and most of them stay as they are.
    pub(crate) fn insert(&mut self, id: I, at: usize, value: T) {
        let list = self.entry(id);
        if list.len() == list.capacity() {
            list.reserve_exact(list.len() / 4 + 4);
        }
        list.insert(at, value);
    }

    pub(crate) fn remove(&mut self, id: I, at: usize) -> Option<T> {
        let list = self.lists.get_mut(id.index())?;
        let value = (at < list.len()).then(|| list.remove(at));
        if list.is_empty() {
            self.take(id);
        } else if list.capacity() > 16 && list.len() < list.capacity() / 4 {
            list.shrink_to_fit();
        }
        value
    }

    /// Empties a list, and returns what it had.
    pub(crate) fn take(&mut self, id: I) -> Vec<T> {
        let taken = self.lists.get_mut(id.index()).map(core::mem::take).unwrap_or_default();
        while self.lists.last().is_some_and(Vec::is_empty) {
            self.lists.pop();
        }
        if self.lists.capacity() > 64 && self.lists.len() < self.lists.capacity() / 4 {
            self.lists.shrink_to_fit();
        }
        taken
    }

    /// All values of all lists.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.lists.iter_mut().flatten()
    }

    /// All lists that have something.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &[T])> {
        let filled = self.lists.iter().enumerate().filter(|(_, list)| !list.is_empty());
        filled.map(|(index, list)| (I::from_index(index), list.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LocationId;

    #[test]
    fn a_list_that_got_short_gives_back_its_room() {
        let id = LocationId::from_index(0);
        let mut lists: Lists<LocationId, usize> = Lists::default();
        (0..100).for_each(|value| lists.insert(id, value, value));
        for len in (5..100).rev() {
            assert_eq!(lists.remove(id, len), Some(len));
            let room = lists.entry(id).capacity();
            assert!(room <= 16.max(4 * len + 3), "{len} have room for {room}");
        }
    }

    #[test]
    fn a_list_is_there_once_it_has_something() {
        let id = LocationId::from_index;
        let mut lists: Lists<LocationId, u8> = Lists::default();
        assert_eq!(lists.get(id(3)), []);
        assert_eq!(lists.remove(id(3), 0), None);
        lists.insert(id(3), 0, 2);
        lists.insert(id(3), 0, 1);
        lists.insert(id(1), 0, 5);
        assert_eq!(lists.get(id(3)), [1, 2]);
        assert_eq!(lists.iter().map(|(id, list)| (id.index(), list.len())).collect::<Vec<_>>(), [(1, 1), (3, 2)]);
        assert_eq!((lists.remove(id(3), 0), lists.remove(id(3), 1)), (Some(1), None));
        assert_eq!(lists.take(id(3)), [2]);
        assert_eq!(
            (lists.lists.len(), lists.get(id(1))),
            (2, &[5][..]),
            "nothing is kept for what comes after the last"
        );
    }
}
