//! Splitting what is too full and merging what is too empty.
//!
//! Above the maximum a slice is cut at the Location boundary nearest its middle if each side keeps a quarter of the
//! maximum, else in the middle; a range of more than two maxima is cut into slices that are 75 to 90 % full. A slice that
//! is a quarter full or less joins a neighbour when both together are at most three quarters. Only slices that are
//! rewritten anyway are considered, so a clean restart writes nothing. It follows that two neighbours are together more
//! than half full, and that D destinations take at most 4·D/N + 1 slices.

use alloc::vec::Vec;

use super::fence::Fence;
use super::{Published, Slice, Slices, Slot};
use crate::id::{LocationId, PlacementId, SliceId};
use crate::index::Index;
use crate::order::Position;

/// A Location's destinations within a slice: how many, after how many others of the Location.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) location: LocationId,
    pub(super) skip: usize,
    pub(super) len: usize,
}

impl Slices {
    /// Splits and merges until every touched slice is as it should be. Keeps [`Slices::touched`].
    pub(super) fn balance(&mut self, index: &Index, published: &Published) {
        let mut queue: Vec<SliceId> = self.touched.keys().copied().collect();
        while let Some(slice) = queue.pop() {
            // A merge may have taken it away.
            if !self.touched.contains_key(&slice) {
                continue;
            }
            self.recount(index, slice);
            if self.slices[slice].count > self.max {
                queue.extend(self.split(index, published, slice));
            } else if let Some(lower) = self.merge_candidate(index, slice) {
                self.merge(index, lower);
                queue.push(lower);
            }
        }
    }

    fn recount(&mut self, index: &Index, slice: SliceId) {
        if self.slices[slice].stale {
            self.refill(index, slice);
        }
    }

    /// The lower of two neighbours that should be one; `slice` is one of them.
    fn merge_candidate(&mut self, index: &Index, slice: SliceId) -> Option<SliceId> {
        let Slice { before, after, .. } = self.slices[slice];
        let mut best: Option<(usize, SliceId)> = None;
        for (lower, upper) in [(before, Some(slice)), (Some(slice), after)] {
            let (Some(lower), Some(upper)) = (lower, upper) else { continue };
            self.recount(index, lower);
            self.recount(index, upper);
            let (a, b) = (self.slices[lower].count, self.slices[upper].count);
            let small = 4 * a < self.max || 4 * b < self.max;
            let together = a + b;
            // The upper one of two is never the first, so if it is empty it goes in any case.
            let join = b == 0 || (small && 4 * together <= 3 * self.max);
            if join && best.is_none_or(|(least, _)| together < least) {
                best = Some((together, lower));
            }
        }
        best.map(|(_, lower)| lower)
    }

    /// The slice after `lower` joins it.
    fn merge(&mut self, index: &Index, lower: SliceId) {
        let Some(gone) = self.slices[lower].after else { return };
        let at = self.place_of(gone);
        let Slice { placement, after, .. } = self.slices[gone];
        if let Some(layout) = self.layouts.get_mut(&placement) {
            layout.remove(at);
        }
        self.link(Some(lower), after);
        self.drop_slice(index, gone);
        self.refill(index, lower);
        self.touch(lower);
    }

    /// Cuts a slice that is too full; returns all of its parts.
    fn split(&mut self, index: &Index, published: &Published, slice: SliceId) -> Vec<SliceId> {
        let Slice { placement, after, .. } = self.slices[slice];
        let at = self.place_of(slice);
        let segments = self.segments(index, slice);
        let mut parts = alloc::vec![slice];
        for fence in fences(index, placement, &segments, &cuts(&segments, self.max)) {
            let attempt = self.free_attempt(index, published, placement, &fence, 0);
            let part = self.add(index, placement, fence, attempt);
            self.link(parts.last().copied(), Some(part));
            parts.push(part);
        }
        self.link(parts.last().copied(), after);
        if let Some(layout) = self.layouts.get_mut(&placement) {
            layout.splice(at + 1..at + 1, parts[1..].iter().copied());
        }
        for &part in &parts {
            self.refill(index, part);
            self.touch(part);
        }
        parts
    }

    /// What a slice holds, in order.
    pub(super) fn segments(&self, index: &Index, slice: SliceId) -> Vec<Segment> {
        let entry = &self.slices[slice];
        let (lower, upper) = (entry.fence.place(), self.upper(slice));
        let occupied = &index.placements[entry.placement].occupied;
        let mut segments = Vec::new();
        for location in occupied.iter_from(|have| index.cmp_run(have, lower)) {
            let Some(group) = index.group_of(entry.placement, location) else { continue };
            if upper.is_some_and(|upper| upper <= index.position(location)) {
                break;
            }
            let rank = |place: Position<'_>, otherwise: usize| {
                if index.cmp_run(location, place).is_eq() { index.rank(group, place.sync_target) } else { otherwise }
            };
            let skip = rank(lower, 0);
            let end = upper.map_or(index.members(group).len(), |upper| rank(upper, index.members(group).len()));
            if end > skip {
                segments.push(Segment { location, skip, len: end - skip });
            }
        }
        segments
    }

    /// Takes the count of a slice anew, and the slots of all Locations that reach into it.
    pub(super) fn refill(&mut self, index: &Index, slice: SliceId) {
        let placement = self.slices[slice].placement;
        let segments = self.segments(index, slice);
        self.slices[slice].count = segments.iter().map(|segment| segment.len).sum();
        self.slices[slice].stale = false;
        for segment in segments {
            let location = segment.location;
            let cut = |place: Position<'_>| index.cmp_run(location, place).is_eq();
            let lower = self.slices[slice].fence.place();
            let begins_inside = cut(lower) && !lower.sync_target.name().is_empty();
            let spans = begins_inside || self.upper(slice).is_some_and(cut);
            let slot = if spans { Slot::Spans } else { Slot::In(slice) };
            if let Ok(pair) = index.locations[location].pairs.binary_search(&placement) {
                self.set_slot(location, pair, slot);
            }
        }
    }
}

/// The fences at cuts, which are ranks within the slice, ascending.
fn fences(index: &Index, placement: PlacementId, segments: &[Segment], cuts: &[usize]) -> Vec<Fence> {
    let mut fences = Vec::with_capacity(cuts.len());
    let mut cuts = cuts.iter().copied().peekable();
    let mut before = 0;
    for segment in segments {
        while let Some(cut) = cuts.next_if(|&cut| cut < before + segment.len) {
            let rank = segment.skip + cut - before;
            let members = index.group_of(placement, segment.location).map(|group| index.members(group));
            let place = match members.and_then(|members| members.nth(rank)) {
                // At the beginning of a Location the fence is the Location's, whoever is its first member.
                Some(member) if rank > 0 => index.position_of(segment.location, member),
                _ => index.position(segment.location),
            };
            fences.push(Fence::at(place));
        }
        before += segment.len;
    }
    fences
}

/// Where to cut a slice that holds more than `max`, as ranks.
fn cuts(segments: &[Segment], max: usize) -> Vec<usize> {
    let mut end = 0;
    let boundaries: Vec<usize> = segments
        .iter()
        .map(|segment| {
            end += segment.len;
            end
        })
        .collect();
    let total = end;
    let (low, high) = ((3 * max).div_ceil(4).max(1), (9 * max / 10).max(1));
    let target = (17 * max / 20).max(1);
    let mut cuts = Vec::new();
    let mut from = 0;
    while total - from > 2 * max {
        let cut = nearest(&boundaries, from + target, from + low, from + high);
        from = cut.unwrap_or(from + target);
        cuts.push(from);
    }
    if total - from > max {
        let rest = total - from;
        // Each side at least a quarter, and neither too full again.
        let least = max.div_ceil(4).max(rest - max).max(1);
        let cut = nearest(&boundaries, from + rest / 2, from + least, from + rest - least);
        cuts.push(cut.unwrap_or(from + rest.div_ceil(2)));
    }
    cuts
}

/// The boundary nearest `target` from `low` to `high`.
fn nearest(boundaries: &[usize], target: usize, low: usize, high: usize) -> Option<usize> {
    let at = boundaries.partition_point(|&boundary| boundary < target);
    let around = [at.checked_sub(1), Some(at)].into_iter().flatten().filter_map(|at| boundaries.get(at).copied());
    around.filter(|boundary| (low..=high).contains(boundary)).min_by_key(|boundary| boundary.abs_diff(target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    fn segments(lens: &[usize]) -> Vec<Segment> {
        lens.iter().map(|&len| Segment { location: LocationId::from_index(0), skip: 0, len }).collect()
    }

    #[test]
    fn a_slice_is_cut_at_the_location_boundary_nearest_its_middle() {
        assert_eq!(cuts(&segments(&[400, 250, 450]), 1000), [650]);
        assert_eq!(cuts(&segments(&[300, 310, 491]), 1000), [610]);
    }

    #[test]
    fn without_a_boundary_that_leaves_each_side_a_quarter_it_is_cut_in_the_middle() {
        assert_eq!(cuts(&segments(&[200, 801]), 1000), [501]);
        assert_eq!(cuts(&segments(&[1001]), 1000), [501]);
        assert_eq!(cuts(&segments(&[2]), 1), [1]);
    }

    #[test]
    fn a_long_range_is_cut_into_slices_of_three_quarters_to_nine_tenths() {
        assert_eq!(cuts(&segments(&[5000]), 1000), [850, 1700, 2550, 3400, 4200]);
        assert_eq!(cuts(&segments(&[760, 4240]), 1000), [760, 1610, 2460, 3310, 4155]);
        assert_eq!(cuts(&segments(&[1; 5]), 1), [1, 2, 3, 4]);
    }

    #[test]
    fn no_part_of_a_cut_is_too_full_or_empty() {
        for max in 1..=12_usize {
            for total in max + 1..=60 {
                for step in 1..=13 {
                    let lens: Vec<usize> = (0..total.div_ceil(step)).map(|i| step.min(total - i * step)).collect();
                    let mut cuts = cuts(&segments(&lens), max);
                    cuts.push(total);
                    let mut from = 0;
                    for cut in cuts {
                        assert!(cut > from && cut - from <= max, "max {max} total {total} step {step}: {from}..{cut}");
                        from = cut;
                    }
                }
            }
        }
    }
}
