//! The original's way: for each event scan what it may concern, and rewrite the lists of destinations that it does.
//!
//! The shape is that of `pkg/scheduler` in KubeStellar's proof of concept of 2023 (reconcile_on_synctarget.go and its
//! siblings): a SyncTarget is tried against all Locations of its cluster, a Location against all EdgePlacements and
//! all SyncTargets of its cluster, an EdgePlacement against all Locations; and the one list of each EdgePlacement
//! concerned is filtered and extended. What the original does besides is left out: it parses each selector each time,
//! and copies names and UIDs.

use edge_core::event::Event;

use super::Engine;
use super::recompute::{differences, merge};
use super::registry::{Answer, Change, Id, Labels, Registry, Selector, number, slot};
use crate::workload::World;

/// A destination of an EdgePlacement.
type Row = (Id, Id);

/// The objects, and a list of destinations for each EdgePlacement.
#[derive(Debug, Default)]
pub struct Scan {
    registry: Registry,
    clusters: Vec<Cluster>,
    sync_targets: Vec<Option<Labels>>,
    locations: Vec<Option<Location>>,
    placements: Vec<Placement>,
    /// Which Locations hold a SyncTarget, sorted.
    locations_of: Vec<Vec<Id>>,
    /// Which EdgePlacements select a Location, sorted.
    placements_of: Vec<Vec<Id>>,
}

#[derive(Debug, Default)]
struct Cluster {
    sync_targets: Vec<Id>,
    locations: Vec<Id>,
}

#[derive(Debug)]
struct Location {
    cluster: u32,
    labels: Labels,
    selector: Selector,
    /// The SyncTargets that it holds, sorted.
    members: Vec<Id>,
}

#[derive(Debug, Default)]
struct Placement {
    /// `None` if it does not exist.
    selectors: Option<Vec<Selector>>,
    /// The Locations that it selects, sorted.
    selected: Vec<Id>,
    rows: Vec<Row>,
}

impl Placement {
    fn selects(&self, labels: &Labels) -> bool {
        self.selectors.iter().flatten().any(|selector| selector.matches(labels))
    }
}

impl Scan {
    fn take_in(&mut self, event: &Event) -> usize {
        match self.registry.change(event) {
            Change::SyncTarget { id, cluster, labels } => self.sync_target(id, cluster, labels),
            Change::Location { id, cluster, content } => self.location(id, cluster, content),
            Change::EdgePlacement { id, selectors } => self.placement(id, selectors),
        }
    }

    fn sync_target(&mut self, id: Id, cluster: u32, labels: Option<Labels>) -> usize {
        let known = slot(&mut self.sync_targets, id);
        // The original would go on: its informers tell it of everything.
        if *known == labels {
            return 0;
        }
        known.clone_from(&labels);
        let cluster = slot(&mut self.clusters, cluster);
        set(&mut cluster.sync_targets, id, labels.is_some());
        let holds = |location: &Id| {
            let location = self.locations[*location as usize].as_ref();
            location.zip(labels.as_ref()).is_some_and(|(location, labels)| location.selector.matches(labels))
        };
        let new: Vec<Id> = cluster.locations.iter().copied().filter(holds).collect();
        let old = std::mem::replace(slot(&mut self.locations_of, id), new.clone());
        merge(&old, &new, |location, _, now| {
            if let Some(location) = &mut self.locations[location as usize] {
                set(&mut location.members, id, now);
            }
        });
        let mut rows = 0;
        for placement in self.placements_of_any(old.iter().chain(&new)) {
            let entry = &mut self.placements[placement as usize];
            entry.rows.retain(|(_, target)| *target != id);
            let selected = |list: &[Id]| -> Vec<Id> {
                let holds = |location: &Id| self.placements_of[*location as usize].binary_search(&placement).is_ok();
                list.iter().copied().filter(holds).collect()
            };
            let now = selected(&new);
            rows += differences(&selected(&old), &now);
            entry.rows.extend(now.iter().map(|&location| (location, id)));
        }
        rows
    }

    fn location(&mut self, id: Id, cluster: u32, content: Option<(Labels, Selector)>) -> usize {
        let targets = &slot(&mut self.clusters, cluster).sync_targets;
        let holds = |selector: &Selector, target: &Id| {
            self.sync_targets[*target as usize].as_ref().is_some_and(|labels| selector.matches(labels))
        };
        let members: Vec<Id> = match &content {
            Some((_, selector)) => targets.iter().copied().filter(|target| holds(selector, target)).collect(),
            None => Vec::new(),
        };
        set(&mut self.clusters[cluster as usize].locations, id, content.is_some());
        let selects = |(placement, entry): (usize, &Placement)| {
            let (labels, _) = content.as_ref()?;
            entry.selects(labels).then(|| number(placement))
        };
        let new: Vec<Id> = self.placements.iter().enumerate().filter_map(selects).collect();
        let old = std::mem::replace(slot(&mut self.placements_of, id), new.clone());
        let before = slot(&mut self.locations, id).take().map(|location| location.members).unwrap_or_default();
        merge(&before, &members, |target, _, now| set(slot(&mut self.locations_of, target), id, now));
        let changed = differences(&before, &members);
        let mut rows = 0;
        merge(&old, &new, |placement, was, is| {
            let entry = &mut self.placements[placement as usize];
            set(&mut entry.selected, id, is);
            if was {
                entry.rows.retain(|(location, _)| *location != id);
            }
            if is {
                entry.rows.extend(members.iter().map(|&target| (id, target)));
            }
            rows += match (was, is) {
                (true, true) => changed,
                (true, false) => before.len(),
                _ => members.len(),
            };
        });
        self.locations[id as usize] = content.map(|(labels, selector)| Location { cluster, labels, selector, members });
        rows
    }

    fn placement(&mut self, id: Id, selectors: Option<Vec<Selector>>) -> usize {
        let mut entry = Placement { selectors, ..Placement::default() };
        for (location, content) in self.locations.iter().enumerate() {
            let Some(content) = content.as_ref().filter(|content| entry.selects(&content.labels)) else { continue };
            let location = number(location);
            entry.selected.push(location);
            // The original evaluates the selector again, although it knows who is selected.
            for &target in &self.clusters[content.cluster as usize].sync_targets {
                let labels = self.sync_targets[target as usize].as_ref();
                if labels.is_some_and(|labels| content.selector.matches(labels)) {
                    entry.rows.push((location, target));
                }
            }
        }
        let mut rows = 0;
        let old = std::mem::take(&mut slot(&mut self.placements, id).selected);
        merge(&old, &entry.selected, |location, was, is| {
            set(&mut self.placements_of[location as usize], id, is);
            if was != is {
                rows += self.locations[location as usize].as_ref().map_or(0, |location| location.members.len());
            }
        });
        self.placements[id as usize] = entry;
        rows
    }

    fn placements_of_any<'a>(&self, locations: impl Iterator<Item = &'a Id>) -> Vec<Id> {
        let mut all: Vec<Id> =
            locations.flat_map(|location| &self.placements_of[*location as usize]).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Puts an element into a sorted list, or takes it out.
fn set(list: &mut Vec<Id>, id: Id, present: bool) {
    match (list.binary_search(&id), present) {
        (Err(at), true) => list.insert(at, id),
        (Ok(at), false) => drop(list.remove(at)),
        _ => {}
    }
}

impl Engine for Scan {
    fn name(&self) -> &'static str {
        "linear scan, lists rewritten"
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
            for &(location, target) in &entry.rows {
                answer.add(number(placement), location, target, 1);
            }
        }
        answer
    }
}
