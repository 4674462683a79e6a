//! The layout of EdgePlacements that have none yet: that of their published slices, else a new one.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::content::is_current;
use super::fence::{FENCE_ANNOTATION, Fence};
use super::names::Name;
use super::{Published, Slices, slice_key};
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

    /// Lays out new EdgePlacements, gives way to names of others, splits and merges. Those of `skip` are left for later.
    /// Returns the EdgePlacements that have a layout from now on.
    pub(crate) fn settle(
        &mut self,
        index: &Index,
        published: &Published,
        skip: &BTreeSet<PlacementId>,
    ) -> Vec<PlacementId> {
        let names = Some(published.names_version());
        if self.is_settled() && self.names_seen == names {
            return Vec::new();
        }
        // A first name outranks further ones.
        let mut newcomers: Vec<ObjectKey> = self.newcomers.iter().map(|&id| index.placement_key(id)).collect();
        newcomers.sort_unstable();
        self.newcomers.clear();
        for key in newcomers {
            if let Some(slice) = self.named(index, &key) {
                self.rename(index, published, slice);
            }
        }
        let mut unsettled = self.unsettled(index);
        unsettled.retain(|(_, id)| !skip.contains(id));
        for (key, id) in &unsettled {
            self.unsettled.remove(id);
            self.lay_out(index, published, key, *id);
        }
        // Names are taken and given back by published slices, and kept by EdgePlacements that are not active.
        if self.names_seen != names {
            self.names_seen = names;
            self.give_way(index, published);
        }
        self.move_back(index, published);
        self.balance(index, published);
        unsettled.into_iter().map(|(_, id)| id).collect()
    }

    /// Looks at the names that others have and keep once more, where there are any: these may be other published slices than
    /// the last time, and only of the same ones a version tells whether they have changed.
    pub(crate) fn look_at_names(&mut self, published: &Published) {
        if published.foreign().next().is_some() || !self.suspended.is_empty() {
            self.names_seen = None;
        }
    }

    /// Whether nothing changed but, maybe, names of others.
    fn is_settled(&self) -> bool {
        self.touched.len() == 0 && self.unsettled.is_empty() && self.newcomers.is_empty() && self.displaced.is_empty()
    }

    /// Slices whose name a stranger has taken get their next one; so do those whose name a published slice has that stays
    /// where it is.
    fn give_way(&mut self, index: &Index, published: &Published) {
        let suspended = self.suspended.iter().map(|&placement| index.placement_key(placement));
        let stay = suspended.flat_map(|placement| {
            let slices = published.slices_of(&placement).map(|(name, _)| name);
            slices.map(|name| ObjectKey::new(placement.cluster.as_str(), name)).collect::<Vec<_>>()
        });
        let taken: Vec<ObjectKey> = published.foreign().cloned().chain(stay).collect();
        for key in taken {
            let first = index.find_placement(&key).and_then(|placement| self.layout(placement).first().copied());
            let first = first.filter(|&slice| self.slices[slice].attempt == 0);
            if let Some(slice) = first.or_else(|| self.named(index, &key)) {
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
            let name = Self::name_at(index, placement, self.place(index, first), 0);
            self.name(first, name);
            self.touch(first);
        }
    }

    fn lay_out(&mut self, index: &Index, published: &Published, key: &ObjectKey, placement: PlacementId) {
        let mut layout: Vec<SliceId> = Vec::new();
        for (fence, name) in self.ranges(index, published, key, placement) {
            let bound = self.named_bound(fence);
            let slice = self.add(placement, bound, name);
            self.link(layout.last().copied(), Some(slice));
            layout.push(slice);
        }
        if self.slices[layout[0]].attempt > 0 {
            self.displaced.insert(placement);
        }
        self.layouts.entry(placement).clone_from(&layout);
        if let [first] = *layout {
            let segments = self.segments(index, first);
            if segments.iter().map(|segment| segment.len).sum::<usize>() > self.max {
                self.split(index, published, first, &segments);
                self.layouts.entry(placement).shrink_to_fit();
                return;
            }
        }
        for &slice in &layout {
            let segments = self.segments(index, slice);
            self.fill(index, slice, &segments);
        }
        // Only what is written anyway is considered for merging; what is too full, or empty and not the first, cannot stay.
        for slice in layout {
            let count = self.len(slice);
            let stays = count <= self.max && (count > 0 || self.slices[slice].before.is_none());
            if !stays || !is_current(self, index, published, slice) {
                self.touch(slice);
            }
        }
    }

    /// The fences and attempts of the published slices that can be adopted, by fence; the first slice is always there.
    ///
    /// A slice has a range if its annotation reproduces its name. Of two that claim one fence, the lower attempt has it.
    /// The rest are extras: they are deleted after all others have what they should.
    fn ranges(
        &self,
        index: &Index,
        published: &Published,
        key: &ObjectKey,
        placement: PlacementId,
    ) -> Vec<(Fence, Name)> {
        let first = Fence::first();
        let stem = Self::stem(index, placement);
        let mut ranges: Vec<(Fence, Name)> = Vec::new();
        for (name, slice) in published.slices_of(key) {
            let Some(annotation) = slice.metadata.annotations.get(FENCE_ANNOTATION) else { continue };
            let Some((fence, attempt)) = Fence::parse(annotation, index.name_hash()) else { continue };
            let is_further = !(fence.is_first() && attempt == 0);
            let own = ObjectKey::new(key.cluster.as_str(), name);
            if is_further && slice_key(index, placement, fence.place(), attempt) == own && name != key.name {
                // A first name outranks: the range stays, under the next name.
                let name = self.free_name(index, published, placement, &stem, fence.place(), attempt);
                ranges.push((fence, name));
            }
        }
        if self.is_free(index, published, placement, key) {
            ranges.push((first.clone(), Self::name_at(index, placement, first.place(), 0)));
        } else if !ranges.iter().any(|(fence, _)| fence.is_first()) {
            ranges.push((first.clone(), self.free_name(index, published, placement, &stem, first.place(), 1)));
        }
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| next.0 == kept.0);
        ranges
    }
}
