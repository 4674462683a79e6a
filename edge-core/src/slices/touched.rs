//! Which slices changed since the last settling.

use alloc::vec::Vec;

use crate::id::SliceId;

/// More slices than these are not kept room for: an event seldom touches as many.
pub(super) const ROOM: usize = 1024;

/// Which events changed a slice's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touch {
    /// The number of the first one.
    pub(crate) first: u64,
    last: u64,
    /// How many.
    pub(crate) events: u32,
}

/// The touched slices, in the order in which they were touched first.
///
/// Each slice remembers its place in the list; the place counts if the slice is there. So touching one takes no hashing, and
/// emptying the list takes nothing.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// `None` for a slice that is gone.
    list: Vec<(Option<SliceId>, Touch)>,
}

impl Touched {
    /// Notes that event `now` touched a slice; `place` is what the slice remembers.
    pub(super) fn touch(&mut self, slice: SliceId, place: &mut u32, now: u64) {
        match self.list.get_mut(*place as usize) {
            Some((have, touch)) if *have == Some(slice) => {
                if touch.last != now {
                    touch.last = now;
                    touch.events = touch.events.saturating_add(1);
                }
            }
            _ => {
                *place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
                self.list.push((Some(slice), Touch { first: now, last: now, events: 1 }));
            }
        }
    }

    /// The slice is gone.
    pub(super) fn forget(&mut self, slice: SliceId, place: u32) {
        if let Some((have, _)) = self.list.get_mut(place as usize)
            && *have == Some(slice)
        {
            *have = None;
        }
    }

    /// How many there are, those that are gone included.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<SliceId> {
        self.list.get(at).and_then(|(slice, _)| *slice)
    }

    /// Empties the list.
    pub(super) fn take(&mut self) -> Vec<(SliceId, Touch)> {
        let mut taken = Vec::with_capacity(self.list.len());
        taken.extend(self.list.drain(..).filter_map(|(slice, touch)| Some((slice?, touch))));
        self.clear();
        taken
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.list.shrink_to(ROOM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn each_slice_counts_its_events_until_the_list_is_taken() {
        let (a, b) = (SliceId::from_index(7), SliceId::from_index(8));
        let (mut at_a, mut at_b) = (0, 0);
        let mut touched = Touched::default();
        touched.touch(a, &mut at_a, 1);
        touched.touch(b, &mut at_b, 2);
        touched.touch(a, &mut at_a, 2);
        touched.touch(a, &mut at_a, 2);
        let touch = |first, last, events| Touch { first, last, events };
        assert_eq!(touched.take(), [(a, touch(1, 2, 2)), (b, touch(2, 2, 1))]);
        assert_eq!(touched.take(), []);

        touched.touch(b, &mut at_b, 3);
        touched.forget(b, at_b);
        touched.forget(a, at_a);
        touched.touch(a, &mut at_a, 4);
        assert_eq!(touched.take(), [(a, touch(4, 4, 1))]);
    }
}
