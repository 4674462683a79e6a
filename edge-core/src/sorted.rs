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
