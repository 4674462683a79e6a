//! What an event about a SyncTarget does.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::groups::scope;
use super::{Index, SyncTargetEntry};
use crate::delta::Change;
use crate::event::SyncTargetRecord;
use crate::id::{GroupId, SyncTargetId};
use crate::object::ObjectKey;
use crate::order::upper_half;
use crate::selector::Labels;

impl Index {
    /// The SyncTarget that the changes are about, if there are any.
    pub(super) fn apply_sync_target(
        &mut self,
        key: &ObjectKey,
        record: Option<&SyncTargetRecord>,
    ) -> Option<SyncTargetId> {
        let cluster = self.clusters.find(&key.cluster);
        let known = cluster.and_then(|cluster| self.sync_targets.find(cluster, &key.name));
        match (known, record) {
            (None, None) => None,
            (Some(id), None) => {
                self.remove_sync_target(id);
                Some(id)
            }
            (Some(id), Some(record)) => {
                self.update_sync_target(id, record);
                Some(id)
            }
            (None, Some(record)) => {
                let cluster = self.clusters.acquire(cluster, &key.cluster, self.hash);
                let hash = self.hash.hash(&key.name);
                let id = self.sync_targets.insert(SyncTargetEntry::new(cluster, hash, &key.name, &record.uid));
                self.sync_target_heads.set(id, upper_half(hash));
                self.unknown_uids += usize::from(record.uid.is_empty());
                // A SyncTarget whose labels cannot be read joins nothing.
                if let Some(labels) = &record.labels {
                    self.relabel_sync_target(id, Some(labels));
                }
                Some(id)
            }
        }
    }

    fn update_sync_target(&mut self, id: SyncTargetId, record: &SyncTargetRecord) {
        let entry = &mut self.sync_targets[id];
        let renewed = entry.uid() != record.uid;
        if renewed {
            let new = SyncTargetEntry::new(entry.cluster, entry.hash, entry.name(), &record.uid);
            let old = core::mem::replace(entry, new);
            self.unknown_uids += usize::from(record.uid.is_empty());
            self.unknown_uids -= usize::from(old.uid().is_empty());
            self.retired.old_uid = Some(old.uid().into());
        }
        // Labels that cannot be read stay as they were.
        if let Some(labels) = &record.labels
            && !self.instance_selectors.has_labels(id, labels)
        {
            self.unvouch(id);
            self.relabel_sync_target(id, Some(labels));
        }
        if renewed {
            self.renew(id);
        }
    }

    fn remove_sync_target(&mut self, id: SyncTargetId) {
        self.unvouch(id);
        self.relabel_sync_target(id, None);
        for group in self.frozen_groups_of(id) {
            self.leave(group, id);
        }
        self.unknown_uids -= usize::from(self.sync_targets[id].uid().is_empty());
        self.sync_targets.retire(id);
        self.retired.sync_target = Some(id);
    }

    fn relabel_sync_target(&mut self, id: SyncTargetId, labels: Option<&Labels>) {
        let mut moves = core::mem::take(&mut self.moves);
        let scope = scope(self.sync_targets[id].cluster);
        self.instance_selectors.set_labels(id, scope, labels, &mut moves);
        for &selector in &moves.left {
            if let Some(group) = *self.instance_selectors.payload(selector) {
                self.leave(group, id);
            }
        }
        for &selector in &moves.joined {
            if let Some(group) = *self.instance_selectors.payload(selector) {
                self.join(group, id);
            }
        }
        self.moves = moves;
    }

    /// Reports the new UID to the groups that the SyncTarget, which the event is about, was and is in.
    fn renew(&mut self, id: SyncTargetId) {
        let joined = self.changes.iter().filter_map(|change| match *change {
            Change::Member { group, joined: true, .. } => Some(group),
            _ => None,
        });
        let joined: BTreeSet<GroupId> = joined.collect();
        for group in self.groups_of(id) {
            if !joined.contains(&group) {
                self.changes.push(Change::Renewed { group, sync_target: id });
            }
        }
    }

    /// Every group that has it as a member.
    pub(super) fn groups_of(&self, id: SyncTargetId) -> Vec<GroupId> {
        let scope = scope(self.sync_targets[id].cluster);
        let selectors = self.instance_selectors.selectors_of(id, scope).into_iter();
        let matching = selectors.filter_map(|selector| *self.instance_selectors.payload(selector));
        let vouched = self.vouched.get(&id).into_iter().flatten().copied();
        matching.chain(self.frozen_groups_of(id)).chain(vouched).collect()
    }

    /// The groups of frozen Locations that it is in.
    fn frozen_groups_of(&self, id: SyncTargetId) -> Vec<GroupId> {
        let entry = &self.sync_targets[id];
        let mut groups = Vec::new();
        for &location in self.frozen.get(&entry.cluster).into_iter().flatten() {
            let kept = self.locations[location].frozen.as_ref().map(|frozen| &frozen.kept);
            let mut of_location: Vec<GroupId> = kept.into_iter().flat_map(|kept| kept.values()).copied().collect();
            of_location.sort_unstable();
            of_location.dedup();
            groups.extend(of_location.into_iter().filter(|&group| self.has_member(group, entry)));
        }
        groups
    }

    /// Its labels are known or it is gone: published slices no longer speak for it.
    fn unvouch(&mut self, id: SyncTargetId) {
        for group in self.vouched.remove(&id).unwrap_or_default() {
            self.leave(group, id);
        }
    }
}
