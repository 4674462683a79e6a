//! Sets as sorted lists: compact, and found by binary search. For sets that are mostly small.

use alloc::vec::Vec;

/// Adds what is not there yet.
pub(crate) fn insert<T: Ord>(list: &mut Vec<T>, value: T) {
    if let Err(at) = list.binary_search(&value) {
        list.insert(at, value);
    }
}

/// Takes out what is there.
pub(crate) fn remove<T: Ord>(list: &mut Vec<T>, value: &T) {
    if let Ok(at) = list.binary_search(value) {
        list.remove(at);
    }
    if list.capacity() > 64 && list.len() < list.capacity() / 4 {
        list.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_gives_back_its_room_and_keeps_it_for_a_while() {
        let mut list = Vec::with_capacity(1024);
        (0..1000).for_each(|value| insert(&mut list, value));
        remove(&mut list, &7);
        assert_eq!((list.len(), list.capacity()), (999, 1024));
        (0..990).for_each(|value| remove(&mut list, &value));
        assert!(list.len() == 10 && list.capacity() <= 64, "{}", list.capacity());
        let short = list.capacity();
        (990..999).for_each(|value| remove(&mut list, &value));
        assert_eq!((&list[..], list.capacity()), (&[999][..], short));
    }
}
