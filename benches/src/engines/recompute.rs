//! Everything from scratch for each event, and what has changed by comparison with what was.

use edge_core::event::Event;

use super::Engine;
use super::registry::{Answer, Change, Id, Labels, Registry, Selector, number, slot};
use crate::workload::World;

/// The objects, and what was computed from them the last time.
///
/// It is as quick as recomputing can be: a Location meets only the SyncTargets of its own cluster, and what is
/// computed are the members of each Location and the Locations of each EdgePlacement; destinations are not spelled
/// out.
#[derive(Debug, Default)]
pub struct Recompute {
    registry: Registry,
    /// By logical cluster, sorted by number.
    sync_targets: Vec<Vec<(Id, Labels)>>,
    locations: Vec<Option<Location>>,
    placements: Vec<Option<Vec<Selector>>>,
    result: Computed,
}

#[derive(Debug)]
struct Location {
    cluster: u32,
    labels: Labels,
    selector: Selector,
}

#[derive(Debug, Default)]
struct Computed {
    /// The SyncTargets of each Location, sorted.
    members: Vec<Vec<Id>>,
    /// The Locations of each EdgePlacement, sorted.
    selected: Vec<Vec<Id>>,
}

impl Recompute {
    fn take_in(&mut self, event: &Event) {
        match self.registry.change(event) {
            Change::SyncTarget { id, cluster, labels } => {
                let targets = slot(&mut self.sync_targets, cluster);
                match (targets.binary_search_by_key(&id, |(have, _)| *have), labels) {
                    (Ok(at), Some(labels)) => targets[at].1 = labels,
                    (Ok(at), None) => drop(targets.remove(at)),
                    (Err(at), Some(labels)) => targets.insert(at, (id, labels)),
                    (Err(_), None) => {}
                }
            }
            Change::Location { id, cluster, content } => {
                *slot(&mut self.locations, id) =
                    content.map(|(labels, selector)| Location { cluster, labels, selector });
            }
            Change::EdgePlacement { id, selectors } => *slot(&mut self.placements, id) = selectors,
        }
    }

    fn compute(&self) -> Computed {
        let members = |location: &Option<Location>| {
            let Some(Location { cluster, selector, .. }) = location else { return Vec::new() };
            let targets = self.sync_targets.get(*cluster as usize).map_or(&[][..], Vec::as_slice);
            targets.iter().filter(|(_, labels)| selector.matches(labels)).map(|(id, _)| *id).collect()
        };
        let selected = |selectors: &Option<Vec<Selector>>| {
            let Some(selectors) = selectors else { return Vec::new() };
            let locations = self.locations.iter().enumerate();
            let matching = locations.filter(|(_, location)| {
                location.as_ref().is_some_and(|location| selectors.iter().any(|s| s.matches(&location.labels)))
            });
            matching.map(|(id, _)| number(id)).collect()
        };
        Computed {
            members: self.locations.iter().map(members).collect(),
            selected: self.placements.iter().map(selected).collect(),
        }
    }
}

impl Computed {
    fn members(&self, location: Id) -> &[Id] {
        self.members.get(location as usize).map_or(&[], Vec::as_slice)
    }

    /// How many destinations only one of both has.
    fn differences(&self, new: &Self) -> usize {
        let locations = self.members.len().max(new.members.len());
        let changed: Vec<usize> =
            (0..locations).map(|id| differences(self.members(number(id)), new.members(number(id)))).collect();
        let placements = self.selected.len().max(new.selected.len());
        let none = Vec::new();
        (0..placements)
            .map(|id| {
                let (old_ids, new_ids) =
                    (self.selected.get(id).unwrap_or(&none), new.selected.get(id).unwrap_or(&none));
                let mut rows = 0;
                merge(old_ids, new_ids, |location, in_old, in_new| {
                    rows += match (in_old, in_new) {
                        (true, true) => changed[location as usize],
                        (true, false) => self.members(location).len(),
                        _ => new.members(location).len(),
                    };
                });
                rows
            })
            .sum()
    }
}

/// How many elements only one of two sorted lists has.
pub(super) fn differences(a: &[Id], b: &[Id]) -> usize {
    let mut count = 0;
    merge(a, b, |_, in_a, in_b| count += usize::from(in_a != in_b));
    count
}

/// Visits the elements of two sorted lists in order, and tells which of them has each.
pub(super) fn merge(a: &[Id], b: &[Id], mut visit: impl FnMut(Id, bool, bool)) {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let Some(&id) = a.peek().into_iter().chain(b.peek()).min() {
        let in_a = a.next_if(|&&have| have == *id).is_some();
        let in_b = b.next_if(|&&have| have == *id).is_some();
        visit(*id, in_a, in_b);
    }
}

impl Engine for Recompute {
    fn name(&self) -> &'static str {
        "full recompute"
    }

    fn load(&mut self, world: &World) {
        world.events().for_each(|event| self.take_in(event));
        self.result = self.compute();
    }

    fn apply(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.take_in(event));
        self.result = self.compute();
    }

    fn apply_counted(&mut self, event: &Event) -> usize {
        self.take_in(event);
        let new = self.compute();
        let rows = self.result.differences(&new);
        self.result = new;
        rows
    }

    fn answer(&self) -> Answer {
        let mut answer = Answer::default();
        for (placement, locations) in self.result.selected.iter().enumerate() {
            for &location in locations {
                for &target in self.result.members(location) {
                    answer.add(number(placement), location, target, 1);
                }
            }
        }
        answer
    }
}
