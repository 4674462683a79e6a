//! Posting lists and members as roaring bitmaps.
//!
//! A selector is found by its rarest label, as in edge-core, and evaluated for many objects at once by operations on
//! bitmaps. SyncTargets are numbered within their cluster, which keeps the bitmaps dense.

use edge_core::event::Event;
use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::Engine;
use super::registry::{Answer, Change, EVERYTHING, Id, Labels, Op, Registry, Selector, number, slot};
use crate::workload::World;

/// Objects of one scope with their labels, and the selectors that look for them there.
#[derive(Debug, Default)]
struct Postings {
    all: RoaringBitmap,
    with_label: HashMap<u32, RoaringBitmap>,
    with_key: HashMap<u32, RoaringBitmap>,
    /// Selectors, or what has them, by the label that leads to them.
    anchored: HashMap<u32, Vec<Id>>,
}

impl Postings {
    fn relabel(&mut self, id: u32, old: Option<&Labels>, new: Option<&Labels>) {
        let labels = |labels: Option<&Labels>| labels.map_or_else(Vec::new, |labels| labels.to_vec());
        let (old_labels, new_labels) = (labels(old), labels(new));
        for pair in old_labels.iter().filter(|pair| !new_labels.contains(pair)) {
            remove(&mut self.with_key, pair.0, id);
            remove(&mut self.with_label, pair.1, id);
        }
        for pair in new_labels.iter().filter(|pair| !old_labels.contains(pair)) {
            self.with_key.entry(pair.0).or_default().insert(id);
            self.with_label.entry(pair.1).or_default().insert(id);
        }
        if new.is_some() {
            self.all.insert(id);
        } else {
            self.all.remove(id);
        }
    }

    fn frequency(&self, label: u32) -> usize {
        self.with_label.get(&label).map_or(0, |ids| usize::try_from(ids.len()).unwrap_or(usize::MAX))
    }

    fn matching(&self, selector: &Selector) -> RoaringBitmap {
        let Selector::All(requirements) = selector else { return RoaringBitmap::new() };
        let mut positive: Vec<_> = requirements.iter().filter(|requirement| requirement.op == Op::In).collect();
        positive.sort_by_key(|requirement| requirement.labels.iter().map(|&l| self.frequency(l)).sum::<usize>());
        let of = |labels: &[u32]| -> RoaringBitmap {
            labels
                .iter()
                .filter_map(|label| self.with_label.get(label))
                .fold(RoaringBitmap::new(), |all, ids| all | ids)
        };
        let mut result = match positive.first() {
            Some(requirement) => of(&requirement.labels),
            None => self.all.clone(),
        };
        for requirement in positive.iter().skip(1) {
            match &*requirement.labels {
                [label] => match self.with_label.get(label) {
                    Some(ids) => result &= ids,
                    None => result.clear(),
                },
                labels => result &= of(labels),
            }
        }
        for requirement in requirements {
            let key = self.with_key.get(&requirement.key);
            match (requirement.op, key) {
                (Op::Exists | Op::ExistsNotIn, Some(ids)) => result &= ids,
                (Op::Exists | Op::ExistsNotIn, None) => result.clear(),
                (Op::DoesNotExist, Some(ids)) => result -= ids,
                _ => {}
            }
            if matches!(requirement.op, Op::NotIn | Op::ExistsNotIn) {
                for ids in requirement.labels.iter().filter_map(|label| self.with_label.get(label)) {
                    result -= ids;
                }
            }
        }
        result
    }

    /// Where selectors are found that an object with these labels may satisfy.
    fn candidates(&self, labels: &Labels) -> impl Iterator<Item = Id> {
        let anchors = labels.iter().map(|(_, label)| *label).chain([EVERYTHING]);
        anchors.filter_map(|anchor| self.anchored.get(&anchor)).flatten().copied()
    }

    fn anchor(&mut self, id: Id, anchors: &[u32]) {
        for &anchor in anchors {
            self.anchored.entry(anchor).or_default().push(id);
        }
    }

    fn unanchor(&mut self, id: Id, anchors: &[u32]) {
        for anchor in anchors {
            if let Some(list) = self.anchored.get_mut(anchor)
                && let Some(at) = list.iter().position(|have| *have == id)
            {
                list.swap_remove(at);
            }
        }
    }
}

fn remove(postings: &mut HashMap<u32, RoaringBitmap>, key: u32, id: u32) {
    if let Some(ids) = postings.get_mut(&key) {
        ids.remove(id);
    }
}

#[derive(Debug, Default)]
struct Cluster {
    /// Numbers of SyncTargets within the cluster.
    numbers: Vec<Id>,
    postings: Postings,
}

#[derive(Debug, Default)]
struct SyncTarget {
    /// Its number within its cluster, once it has one.
    number: Option<u32>,
    labels: Option<Labels>,
}

#[derive(Debug)]
struct Location {
    cluster: u32,
    labels: Labels,
    selector: Selector,
    anchors: Box<[u32]>,
    /// By number within the cluster.
    members: RoaringBitmap,
}

#[derive(Debug, Default)]
struct Placement {
    selectors: Vec<Selector>,
    anchors: Vec<Box<[u32]>>,
    selected: RoaringBitmap,
}

/// The objects, their members and their Locations.
#[derive(Debug, Default)]
pub struct Bitmaps {
    registry: Registry,
    clusters: Vec<Cluster>,
    sync_targets: Vec<SyncTarget>,
    locations: Vec<Option<Location>>,
    placements: Vec<Placement>,
    /// Locations by label, and EdgePlacements by what their selectors are found by.
    inventory: Postings,
    /// Which EdgePlacements select a Location.
    placements_of: Vec<RoaringBitmap>,
}

impl Bitmaps {
    fn take_in(&mut self, event: &Event) -> usize {
        match self.registry.change(event) {
            Change::SyncTarget { id, cluster, labels } => self.sync_target(id, cluster, labels),
            Change::Location { id, cluster, content } => self.location(id, cluster, content),
            Change::EdgePlacement { id, selectors } => self.placement(id, selectors),
        }
    }

    fn sync_target(&mut self, id: Id, cluster: u32, labels: Option<Labels>) -> usize {
        let target = slot(&mut self.sync_targets, id);
        if target.labels == labels {
            return 0;
        }
        let cluster = slot(&mut self.clusters, cluster);
        let within = *target.number.get_or_insert_with(|| {
            cluster.numbers.push(id);
            number(cluster.numbers.len() - 1)
        });
        let old = std::mem::replace(&mut target.labels, labels);
        let new = target.labels.as_ref();
        cluster.postings.relabel(within, old.as_ref(), new);
        let mut candidates: Vec<Id> =
            [old.as_ref(), new].into_iter().flatten().flat_map(|labels| cluster.postings.candidates(labels)).collect();
        candidates.sort_unstable();
        candidates.dedup();
        let mut rows = 0;
        for id in candidates {
            let Some(location) = &mut self.locations[id as usize] else { continue };
            let changed = match new.is_some_and(|labels| location.selector.matches(labels)) {
                true => location.members.insert(within),
                false => location.members.remove(within),
            };
            if changed {
                rows += len(&self.placements_of[id as usize]);
            }
        }
        rows
    }

    fn location(&mut self, id: Id, cluster: u32, content: Option<(Labels, Selector)>) -> usize {
        let postings = &mut slot(&mut self.clusters, cluster).postings;
        let old = slot(&mut self.locations, id).take();
        let placements = slot(&mut self.placements_of, id);
        if let Some(old) = &old {
            postings.unanchor(id, &old.anchors);
        }
        let new = content.map(|(labels, selector)| {
            let anchors = selector.anchors(|label| postings.frequency(label));
            postings.anchor(id, &anchors);
            let members = postings.matching(&selector);
            Location { cluster, labels, selector, anchors, members }
        });
        let (old_labels, new_labels) = (old.as_ref().map(|old| &old.labels), new.as_ref().map(|new| &new.labels));
        let before = std::mem::take(placements);
        if old_labels == new_labels {
            placements.clone_from(&before);
        } else {
            self.inventory.relabel(id, old_labels, new_labels);
            if let Some(labels) = new_labels {
                let candidates = self.inventory.candidates(labels);
                let selects = |placement: &Id| {
                    self.placements[*placement as usize].selectors.iter().any(|selector| selector.matches(labels))
                };
                placements.extend(candidates.filter(selects));
            }
            for placement in &before - &*placements {
                self.placements[placement as usize].selected.remove(id);
            }
            for placement in &*placements - &before {
                self.placements[placement as usize].selected.insert(id);
            }
        }
        let none = RoaringBitmap::new();
        let old_members = old.as_ref().map_or(&none, |old| &old.members);
        let new_members = new.as_ref().map_or(&none, |new| &new.members);
        let both = usize::try_from(before.intersection_len(placements)).unwrap_or(usize::MAX);
        let differ = usize::try_from(old_members.symmetric_difference_len(new_members)).unwrap_or(usize::MAX);
        let rows =
            both * differ + (len(&before) - both) * len(old_members) + (len(placements) - both) * len(new_members);
        self.locations[id as usize] = new;
        rows
    }

    fn placement(&mut self, id: Id, selectors: Option<Vec<Selector>>) -> usize {
        let old = std::mem::take(slot(&mut self.placements, id));
        for anchors in &old.anchors {
            self.inventory.unanchor(id, anchors);
        }
        let selectors = selectors.unwrap_or_default();
        let anchors: Vec<_> =
            selectors.iter().map(|selector| selector.anchors(|label| self.inventory.frequency(label))).collect();
        for anchors in &anchors {
            self.inventory.anchor(id, anchors);
        }
        let selected = selectors
            .iter()
            .map(|selector| self.inventory.matching(selector))
            .fold(RoaringBitmap::new(), |all, locations| all | locations);
        let mut rows = 0;
        for location in &old.selected ^ &selected {
            let placements = &mut self.placements_of[location as usize];
            if !placements.remove(id) {
                placements.insert(id);
            }
            rows += self.locations[location as usize].as_ref().map_or(0, |location| len(&location.members));
        }
        self.placements[id as usize] = Placement { selectors, anchors, selected };
        rows
    }
}

fn len(bitmap: &RoaringBitmap) -> usize {
    usize::try_from(bitmap.len()).unwrap_or(usize::MAX)
}

impl Engine for Bitmaps {
    fn name(&self) -> &'static str {
        "roaring bitmaps"
    }

    fn load(&mut self, world: &World) {
        for event in world.events() {
            self.take_in(event);
        }
    }

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            self.take_in(event);
        }
    }

    fn apply_counted(&mut self, event: &Event) -> usize {
        self.take_in(event)
    }

    fn answer(&self) -> Answer {
        let mut answer = Answer::default();
        for (placement, entry) in self.placements.iter().enumerate() {
            for location in &entry.selected {
                let Some(content) = &self.locations[location as usize] else { continue };
                let numbers = &self.clusters[content.cluster as usize].numbers;
                for within in &content.members {
                    answer.add(number(placement), location, numbers[within as usize], 1);
                }
            }
        }
        answer
    }
}
