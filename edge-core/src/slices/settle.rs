//! Splitting what is too full and merging what is too empty.
//!
//! Above the maximum a slice is cut at the Location boundary nearest its middle if each side keeps a quarter of the
//! maximum, else in the middle; a range of more than two maxima is cut into slices that are 75 to 90 % full. A slice that
//! is less than a quarter full joins a neighbour when both together are at most three quarters. Only slices that are
//! rewritten anyway are considered, so a clean restart writes nothing. It follows that two neighbours are together at
//! least half full, and that D destinations take at most 4·D/N + 1 slices.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::bound::Bound;
use super::runs::Lies;
use super::{Published, Slice, Slices};
use crate::id::{LocationId, PlacementId, SliceId};
use crate::index::Index;

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
        let mut at = 0;
        // Splits and merges touch further ones.
        while at < self.touched.len() {
            if let Some(slice) = self.touched.get(at) {
                self.balance_one(index, published, slice);
            }
            at += 1;
        }
    }

    fn balance_one(&mut self, index: &Index, published: &Published, mut slice: SliceId) {
        loop {
            if self.len(slice) > self.max {
                let segments = self.segments(index, slice);
                self.split(index, published, slice, &segments);
            } else if let Some(lower) = self.merge_candidate(slice) {
                self.merge(index, lower);
                slice = lower;
            } else {
                break;
            }
        }
    }

    /// The lower of two neighbours that should be one; `slice` is one of them.
    fn merge_candidate(&self, slice: SliceId) -> Option<SliceId> {
        if 4 * self.len(slice) > 3 * self.max {
            // Only an empty neighbour could join it, and that is considered itself.
            return None;
        }
        let Slice { before, after, .. } = self.slices[slice];
        let mut best: Option<(usize, SliceId)> = None;
        for (lower, upper) in [(before, Some(slice)), (Some(slice), after)] {
            let (Some(lower), Some(upper)) = (lower, upper) else { continue };
            let (a, b) = (self.len(lower), self.len(upper));
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
        let Slice { placement, after, .. } = self.slices[gone];
        for Segment { location, .. } in self.segments(index, gone) {
            let Some(at) = index.pair_at(placement, location) else { continue };
            let begins = match self.slot(location, at).get() {
                Lies::Cut(run) => self.runs[run][0].slice == gone,
                _ => true,
            };
            // A run that begins before the one that goes reaches into the lower one already.
            let others: &[SliceId] = if begins { &[lower] } else { &[] };
            self.replace_in_slot(index, location, at, gone, others);
        }
        let at = self.place_of(index, gone);
        self.layouts.remove(placement, at);
        self.link(Some(lower), after);
        let moved = self.len(gone);
        self.drop_slice(index, gone);
        self.fills[lower].count_changes(moved, 0);
        self.touch(lower);
    }

    /// Cuts a slice that is too full and has these segments.
    pub(super) fn split(&mut self, index: &Index, published: &Published, slice: SliceId, segments: &[Segment]) {
        let Slice { placement, after, .. } = self.slices[slice];
        let place = self.place_of(index, slice);
        let cuts = cuts(segments, self.max);
        let mut parts = Vec::with_capacity(cuts.len() + 1);
        parts.push(slice);
        let stem = Self::stem(index, placement);
        for bound in bounds(index, placement, segments, &cuts) {
            let fence = bound.place(&self.fences, index);
            let name = self.free_name(index, published, placement, &stem, fence, 0);
            let part = self.add(placement, bound, name);
            self.link(parts.last().copied(), Some(part));
            parts.push(part);
        }
        self.link(parts.last().copied(), after);
        self.layouts.entry(placement).splice(place + 1..place + 1, parts[1..].iter().copied());
        let mut from = 0;
        let total = segments.iter().map(|segment| segment.len).sum();
        for (&part, to) in parts.iter().zip(cuts.iter().copied().chain([total])) {
            self.fills[part].set_count(to - from);
            self.touch(part);
            from = to;
        }
        self.spread(index, placement, segments, &parts, &cuts);
    }

    /// Puts the Locations of a slice, which is the first of the parts, into the parts that it was cut into.
    fn spread(
        &mut self,
        index: &Index,
        placement: PlacementId,
        segments: &[Segment],
        parts: &[SliceId],
        cuts: &[usize],
    ) {
        let (mut first, mut begin) = (0, 0);
        for segment in segments {
            let end = begin + segment.len;
            // A cut right at its beginning is a fence at the Location.
            while cuts.get(first).is_some_and(|&cut| cut <= begin) {
                first += 1;
            }
            let within = cuts[first..].iter().take_while(|&&cut| cut < end).count();
            if let Some(at) = index.pair_at(placement, segment.location) {
                self.replace_in_slot(index, segment.location, at, parts[0], &parts[first..=first + within]);
            }
            begin = end;
        }
    }

    /// What a slice holds, in order. A Location whose run reaches into it is there even if it has nothing in it.
    pub(super) fn segments(&self, index: &Index, slice: SliceId) -> Vec<Segment> {
        let Slice { placement, after, .. } = self.slices[slice];
        let mut segments = Vec::new();
        for location in index.placements[placement].occupied.iter_from(|have| self.cmp_run(index, have, slice)) {
            let Some(group) = index.group_of(placement, location) else { continue };
            let cut = match after.map(|after| (self.cmp_run(index, location, after), after)) {
                Some((Ordering::Greater, _)) => break,
                Some((Ordering::Equal, after)) => match self.first_name(index, after) {
                    // The fence is at the Location itself.
                    name if name.name().is_empty() => break,
                    name => Some(name),
                },
                _ => None,
            };
            // Only the first one can have begun before.
            let inside = segments.is_empty() && self.cmp_run(index, location, slice).is_eq();
            let skip = if inside { index.rank(group, self.first_name(index, slice)) } else { 0 };
            let end = cut.map_or(index.members(group).len(), |name| index.rank(group, name));
            segments.push(Segment { location, skip, len: end - skip });
            if cut.is_some() {
                break;
            }
        }
        segments
    }

    /// Takes the count of a slice and the slots of its Locations from the index, after those of the slices before it.
    pub(super) fn fill(&mut self, index: &Index, slice: SliceId, segments: &[Segment]) {
        let placement = self.slices[slice].placement;
        self.fills[slice].set_count(segments.iter().map(|segment| segment.len).sum());
        for &Segment { location, skip, len } in segments {
            let Some(at) = index.pair_at(placement, location) else { continue };
            if self.slot(location, at).get() == Lies::Nowhere {
                self.seek_slot(index, placement, location, at);
            }
            if len > 0 && self.begins_in(index, slice, location) {
                let group = index.group_of(placement, location);
                let member = group.and_then(|group| index.members(group).nth(skip));
                let name = self.first_name(index, slice);
                if name.name().is_empty() {
                    self.rebind(slice, location, None);
                } else if let Some(member) = member.filter(|&member| index.hashed(member) == name) {
                    self.rebind(slice, location, Some(member));
                }
            }
        }
    }
}

/// The fences at cuts, which are ranks within the slice, ascending.
fn bounds(index: &Index, placement: PlacementId, segments: &[Segment], cuts: &[usize]) -> Vec<Bound> {
    let mut bounds = Vec::with_capacity(cuts.len());
    let mut cuts = cuts.iter().copied().peekable();
    let mut before = 0;
    for &Segment { location, skip, len } in segments {
        while let Some(cut) = cuts.next_if(|&cut| cut < before + len) {
            let rank = skip + cut - before;
            let group = index.group_of(placement, location);
            // At the beginning of a Location the fence is the Location's, whoever is its first member.
            let sync_target = group.filter(|_| rank > 0).and_then(|group| index.members(group).nth(rank));
            bounds.push(Bound::At { location, sync_target });
        }
        before += len;
    }
    bounds
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
    let (low, high) = ((3 * max).div_ceil(4), (9 * max / 10).max(1));
    let target = (17 * max / 20).max(1);
    let mut cuts = Vec::new();
    let mut from = 0;
    while total - from > 2 * max {
        let cut = nearest(&boundaries, from + target, from + low, from + high);
        from = cut.unwrap_or(from + target);
        cuts.push(from);
    }
    if total > max {
        let rest = total - from;
        // Each side at least a quarter, and neither too full again.
        let least = max.div_ceil(4).max(rest - max);
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

    /// The boundary nearest `target` of those that are good, the lower one of two.
    fn nearest_of(boundaries: &[usize], target: usize, is_good: impl Fn(usize) -> bool) -> Option<usize> {
        let good = boundaries.iter().copied().filter(|&boundary| is_good(boundary));
        good.min_by_key(|&boundary| (boundary.abs_diff(target), boundary))
    }

    #[test]
    fn each_cut_is_at_the_best_boundary_of_all() {
        // Of 7 and less than 4 no whole number is from 75 to 85 %.
        for max in (4..=23_usize).filter(|&max| max != 7) {
            for (count, longest) in (0..40).flat_map(|count| [1, 2, 3, 5, 9, 30].map(|longest| (count, longest))) {
                let lens: Vec<usize> = (0..count).map(|i| (i * i + max) % longest + i % 2).collect();
                let boundaries: Vec<usize> = (1..=count).map(|i| lens[..i].iter().sum()).collect();
                let total: usize = lens.iter().sum();
                let mut from = 0;
                let mut expected = Vec::new();
                while total - from > max {
                    let rest = total - from;
                    from = if rest > 2 * max {
                        let target = from + 17 * max / 20;
                        let is_good = |part: usize| 4 * part >= 3 * max && 10 * part <= 9 * max;
                        nearest_of(&boundaries, target, |at| at > from && is_good(at - from)).unwrap_or(target)
                    } else {
                        let is_good = |part: usize| 4 * part >= max && part <= max;
                        let at = nearest_of(&boundaries, from + rest / 2, |at| {
                            at > from && at < total && is_good(at - from) && is_good(total - at)
                        });
                        at.unwrap_or(from + rest.div_ceil(2))
                    };
                    expected.push(from);
                }
                assert_eq!(cuts(&segments(&lens), max), expected, "max {max}: {lens:?}");
            }
        }
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
