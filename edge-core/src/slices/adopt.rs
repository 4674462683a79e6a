//! The layout of EdgePlacements that have none yet: that of their published slices, else a new one.

use alloc::vec::Vec;

use super::content::is_current;
use super::fence::{FENCE_ANNOTATION, Fence};
use super::{Published, Slice, Slices, slice_key};
use crate::id::{PlacementId, SliceId};
use crate::index::Index;
use crate::object::ObjectKey;

impl Slices {
    /// EdgePlacements that have no layout yet, by cluster and name.
    pub(crate) fn unsettled(&self, index: &Index) -> Vec<(ObjectKey, PlacementId)> {
        let mut unsettled: Vec<_> = self.unsettled.iter().map(|&id| (index.placement_key(id), id)).collect();
        unsettled.sort_unstable();
        unsettled
    }

    /// Lays out new EdgePlacements, gives way to names of others, splits and merges.
    pub(crate) fn settle(&mut self, index: &Index, published: &Published) {
        let unsettled = self.unsettled(index);
        self.unsettled.clear();
        // A first name outranks further ones.
        for (key, _) in &unsettled {
            if let Some(slice) = self.named(index, key) {
                self.rename(index, published, slice);
            }
        }
        for (key, id) in &unsettled {
            self.lay_out(index, published, key, *id);
        }
        self.give_way(index, published);
        self.move_back(index, published);
        self.balance(index, published);
        self.touched.clear();
    }

    /// Slices whose name a stranger has taken get their next one.
    fn give_way(&mut self, index: &Index, published: &Published) {
        for key in published.foreign() {
            let first = index.find_placement(key).and_then(|placement| self.layout(placement).first().copied());
            let first = first.filter(|&slice| self.slices[slice].attempt == 0);
            if let Some(slice) = first.or_else(|| self.named(index, key)) {
                self.rename(index, published, slice);
            }
        }
    }

    /// First slices get the EdgePlacement's name back when it is free.
    fn move_back(&mut self, index: &Index, published: &Published) {
        for placement in self.displaced.clone() {
            if !self.is_free(index, published, placement, &index.placement_key(placement)) {
                continue;
            }
            self.displaced.remove(&placement);
            let first = self.layout(placement)[0];
            self.unname(index, first);
            self.slices[first].attempt = 0;
            self.touched.insert(first);
        }
    }

    fn lay_out(&mut self, index: &Index, published: &Published, key: &ObjectKey, placement: PlacementId) {
        let layout: Vec<SliceId> = self
            .ranges(index, published, key, placement)
            .into_iter()
            .map(|(fence, attempt)| {
                let stale = false;
                let slice = self.slices.insert(Slice { placement, fence, attempt, count: 0, stale });
                self.name(index, slice);
                slice
            })
            .collect();
        if self.slices[layout[0]].attempt > 0 {
            self.displaced.insert(placement);
        }
        let last = layout.len() - 1;
        self.layouts.insert(placement, layout.clone());
        self.refill(index, placement, 0..=last);
        // Only what is written anyway is considered for merging; what is too full cannot stay.
        for slice in layout {
            if self.slices[slice].count > self.max || !is_current(self, index, published, slice) {
                self.touched.insert(slice);
            }
        }
    }

    /// The fences and attempts of the published slices that can be adopted, by fence; the first slice is always there.
    ///
    /// A slice has a range if its annotation reproduces its name. Of two that claim one fence, the lower attempt has it.
    /// The rest are extras: they are deleted after all others have what they should.
    fn ranges(&self, index: &Index, published: &Published, key: &ObjectKey, placement: PlacementId) -> Vec<(Fence, u32)> {
        let first = Fence::first();
        let mut ranges: Vec<(Fence, u32)> = Vec::new();
        for (name, slice) in published.slices_of(key) {
            let Some(annotation) = slice.metadata.annotations.get(FENCE_ANNOTATION) else { continue };
            let Some((fence, attempt)) = Fence::parse(annotation, index.name_hash()) else { continue };
            let is_further = !(fence.is_first() && attempt == 0);
            let own = ObjectKey::new(key.cluster.as_str(), name);
            if is_further && slice_key(index, placement, &fence, attempt) == own && name != key.name {
                // A first name outranks: the range stays, under the next name.
                let attempt = self.free_attempt(index, published, placement, &fence, attempt);
                ranges.push((fence, attempt));
            }
        }
        if self.is_free(index, published, placement, key) {
            ranges.push((first, 0));
        } else {
            ranges.push((first.clone(), self.free_attempt(index, published, placement, &first, 1)));
        }
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| next.0 == kept.0);
        ranges
    }
}
