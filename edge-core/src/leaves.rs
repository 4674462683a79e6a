//! An ordered list in leaves of bounded size, so that an insertion into a hundred thousand shifts at most a leaf.
//!
//! The order is not stored: every operation takes a probe that compares an element with what is looked for, as
//! [`slice::binary_search_by`] does. So an element is four bytes whatever its key.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// A leaf above this is cut in two.
const LEAF_MAX: usize = 192;
/// A leaf below this joins a neighbour if both together are at most [`LEAF_BUILD`].
const LEAF_MIN: usize = 48;
/// How full leaves are built: room to grow before the first cut.
const LEAF_BUILD: usize = 144;

#[derive(Debug, Clone)]
pub(crate) struct Leaves<T> {
    /// None is empty.
    leaves: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Leaves<T> {
    fn default() -> Self {
        Self { leaves: Vec::new(), len: 0 }
    }
}

impl<T: Copy> Leaves<T> {
    /// `sorted` is in the order that later probes assume.
    pub(crate) fn from_sorted(sorted: &[T]) -> Self {
        Self { leaves: sorted.chunks(LEAF_BUILD).map(<[T]>::to_vec).collect(), len: sorted.len() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        self.leaves.iter().flatten().copied()
    }

    /// The elements that are not before the probe's target, in order.
    pub(crate) fn iter_from(&self, probe: impl Fn(T) -> Ordering) -> impl Iterator<Item = T> {
        let (leaf, at) = self.lower_bound(probe);
        let rest = self.leaves.get(leaf + 1..).unwrap_or_default();
        self.leaves.get(leaf).map(|leaf| &leaf[at..]).into_iter().flatten().chain(rest.iter().flatten()).copied()
    }

    /// How many elements are before the probe's target. `O(leaves)`.
    pub(crate) fn rank(&self, probe: impl Fn(T) -> Ordering) -> usize {
        let (leaf, at) = self.lower_bound(probe);
        self.leaves[..leaf].iter().map(Vec::len).sum::<usize>() + at
    }

    /// The element that `rank` others are before. `O(leaves)`.
    pub(crate) fn nth(&self, mut rank: usize) -> Option<T> {
        for leaf in &self.leaves {
            match leaf.get(rank) {
                Some(&element) => return Some(element),
                None => rank -= leaf.len(),
            }
        }
        None
    }

    pub(crate) fn contains(&self, probe: impl Fn(T) -> Ordering) -> bool {
        let (leaf, at) = self.lower_bound(&probe);
        self.leaves.get(leaf).and_then(|leaf| leaf.get(at)).is_some_and(|&found| probe(found).is_eq())
    }

    /// Whether `element` was not there before. `O(log n)` comparisons.
    pub(crate) fn insert(&mut self, element: T, probe: impl Fn(T) -> Ordering) -> bool {
        let (mut leaf, mut at) = self.lower_bound(&probe);
        if self.leaves.get(leaf).and_then(|leaf| leaf.get(at)).is_some_and(|&found| probe(found).is_eq()) {
            return false;
        }
        if leaf == self.leaves.len() {
            match self.leaves.last() {
                Some(last) => (leaf, at) = (leaf - 1, last.len()),
                None => self.leaves.push(Vec::new()),
            }
        }
        let target = &mut self.leaves[leaf];
        target.insert(at, element);
        self.len += 1;
        if target.len() > LEAF_MAX {
            let upper = target.split_off(target.len() / 2);
            target.shrink_to(LEAF_BUILD);
            self.leaves.insert(leaf + 1, upper);
        }
        true
    }

    /// Whether the probe's target was there.
    pub(crate) fn remove(&mut self, probe: impl Fn(T) -> Ordering) -> bool {
        let (leaf, at) = self.lower_bound(&probe);
        let Some(target) = self.leaves.get_mut(leaf) else { return false };
        if !target.get(at).is_some_and(|&found| probe(found).is_eq()) {
            return false;
        }
        target.remove(at);
        self.len -= 1;
        if target.len() < LEAF_MIN {
            self.join(leaf);
        }
        true
    }

    /// Joins a small leaf with the smaller neighbour, or drops it when empty.
    fn join(&mut self, leaf: usize) {
        let size = |at: usize| self.leaves.get(at).map_or(usize::MAX, Vec::len);
        let before = leaf.checked_sub(1).map_or(usize::MAX, size);
        let lower = if before <= size(leaf + 1) { leaf.saturating_sub(1) } else { leaf };
        if self.leaves[leaf].is_empty() {
            self.leaves.remove(leaf);
        } else if size(lower).saturating_add(size(lower + 1)) <= LEAF_BUILD {
            let upper = self.leaves.remove(lower + 1);
            self.leaves[lower].extend_from_slice(&upper);
        }
        if self.leaves.capacity() > 8 && self.leaves.len() < self.leaves.capacity() / 4 {
            self.leaves.shrink_to_fit();
        }
    }

    /// The leaf and the place in it of the first element that is not before the target; one past the end if all are.
    fn lower_bound(&self, probe: impl Fn(T) -> Ordering) -> (usize, usize) {
        let leaf = self.leaves.partition_point(|leaf| leaf.last().is_some_and(|&last| probe(last).is_lt()));
        (leaf, self.leaves.get(leaf).map_or(0, |leaf| leaf.partition_point(|&element| probe(element).is_lt())))
    }

    /// Panics if an invariant of the structure is broken; `cmp` is the order.
    pub(crate) fn internal_validate(&self, cmp: impl Fn(T, T) -> Ordering) {
        assert_eq!(self.len, self.leaves.iter().map(Vec::len).sum::<usize>(), "length");
        assert!(self.leaves.iter().all(|leaf| !leaf.is_empty() && leaf.len() <= LEAF_MAX), "leaf size");
        // Of two neighbours one is not small.
        assert!(self.leaves.len() <= 2 * self.len / LEAF_MIN + 1, "number of leaves");
        assert!(self.leaves.capacity() <= (4 * self.leaves.len() + 3).max(8), "room for leaves");
        assert!(self.iter().zip(self.iter().skip(1)).all(|(a, b)| cmp(a, b).is_lt()), "order");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    fn check(leaves: &Leaves<u16>, model: &BTreeSet<u16>, at: u16) {
        leaves.internal_validate(|a, b| a.cmp(&b));
        assert!(leaves.iter().eq(model.iter().copied()));
        assert_eq!((leaves.len(), leaves.is_empty()), (model.len(), model.is_empty()));
        assert!(leaves.iter_from(|have| have.cmp(&at)).eq(model.range(at..).copied()));
        let rank = model.range(..at).count();
        assert_eq!(leaves.rank(|have| have.cmp(&at)), rank);
        assert_eq!(leaves.nth(rank), model.range(at..).next().copied());
        assert_eq!(leaves.contains(|have| have.cmp(&at)), model.contains(&at));
    }

    #[test]
    fn room_for_leaves_is_given_back() {
        let mut leaves = Leaves::default();
        let elements = || 0..5000_u16;
        elements().for_each(|element| assert!(leaves.insert(element, |have| have.cmp(&element))));
        assert!(leaves.leaves.capacity() > 32);
        for element in elements() {
            assert!(leaves.remove(|have| have.cmp(&element)));
            if element % 40 == 0 {
                leaves.internal_validate(|a, b| a.cmp(&b));
            }
        }
        assert!(leaves.is_empty() && leaves.leaves.capacity() <= 8);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

        /// Grows to a dozen leaves and shrinks again, in runs that empty some leaves and not others.
        #[test]
        fn equal_to_a_sorted_set(
            built in 0..600_u16,
            runs in prop::collection::vec((any::<bool>(), 0..2000_u16, 1..300_u16, 1..4_u16), 1..40),
        ) {
            let mut model: BTreeSet<u16> = (0..built).map(|i| i * 3).collect();
            let sorted: Vec<u16> = model.iter().copied().collect();
            let mut leaves = Leaves::from_sorted(&sorted);
            for (insert, from, len, step) in runs {
                for element in (0..len).map(|i| from + i * step) {
                    if insert {
                        prop_assert_eq!(leaves.insert(element, |have| have.cmp(&element)), model.insert(element));
                    } else {
                        prop_assert_eq!(leaves.remove(|have| have.cmp(&element)), model.remove(&element));
                    }
                }
                check(&leaves, &model, from);
                check(&leaves, &model, from.wrapping_add(len));
            }
        }
    }
}
