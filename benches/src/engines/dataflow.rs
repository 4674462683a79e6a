//! differential-dataflow: the destinations as two joins over shared arrangements.
//!
//! ```text
//!  SyncTargets by (cluster, label) ─┐
//!                                   ├─ join ─► members by Location ─┐
//!  Locations by (cluster, anchor) ──┘                               ├─ join ─► destinations ─► answer
//!  Locations by label ──────────────┐                               │
//!                                   ├─ join ─► distinct pairs by Location
//!  EdgePlacements by anchor ────────┘
//! ```
//!
//! A selector is arranged under its rarest label, as in edge-core, so a join meets few candidates; whether one
//! matches is decided within the join, by the label sets and selectors that the numbers in the data stand for. One
//! worker, no thread, no logging. What comes out is added to an answer at once, and collected and netted only where
//! rows are counted.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::input::InputSession;
use differential_dataflow::operators::ThresholdTotal;
use edge_core::event::Event;
use hashbrown::HashMap;
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::dataflow::ProbeHandle;
use timely::worker::Worker;

use super::Engine;
use super::registry::{Answer, Change, EVERYTHING, Id, Labels, Registry, Selector, number, slot};
use crate::workload::World;

type Time = u32;

/// Where a selector looks for objects: a scope and a label.
type Place = (u32, u32);

/// An input of objects, or of selectors, under the places where they meet: with the number of a label set, or of a
/// selector.
type Input = InputSession<Time, (Place, (Id, u32)), isize>;

/// A destination: EdgePlacement, Location and SyncTarget.
type Row = (Id, Id, Id);

/// All Locations are in one scope.
const INVENTORY: u32 = 0;

/// Values under numbers, each once.
#[derive(Debug)]
struct Interned<T> {
    numbers: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    fn number(&mut self, value: &T) -> u32 {
        if let Some(&known) = self.numbers.get(value) {
            return known;
        }
        self.values.push(value.clone());
        let new = number(self.values.len() - 1);
        self.numbers.insert(value.clone(), new);
        new
    }
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

/// What the numbers in the data stand for. A number never changes its meaning, so it is as good as the value.
#[derive(Debug, Default)]
struct Meaning {
    labels: Interned<Labels>,
    selectors: Interned<Selector>,
}

impl Meaning {
    fn matches(&self, labels: u32, selector: u32) -> bool {
        self.selectors.values[selector as usize].matches(&self.labels.values[labels as usize])
    }
}

/// What comes out of the last join.
#[derive(Debug, Default)]
struct Output {
    answer: Answer,
    /// The destinations themselves, while somebody wants to know how many came or went.
    rows: Option<Vec<(Row, isize)>>,
}

/// What an object has put into the inputs, so that it can be taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entered {
    objects: Vec<(Place, (Id, u32))>,
    selectors: Vec<(Place, (Id, u32))>,
}

/// The dataflow and what feeds it.
pub struct Dataflow {
    worker: Worker,
    probe: ProbeHandle<Time>,
    now: Time,
    targets: Input,
    instance_selectors: Input,
    locations: Input,
    location_selectors: Input,
    registry: Registry,
    meaning: Rc<RefCell<Meaning>>,
    output: Rc<RefCell<Output>>,
    /// How many objects there are in each place, to tell which labels are rare.
    frequency: HashMap<Place, usize>,
    frequency_of_locations: HashMap<Place, usize>,
    entered_targets: Vec<Entered>,
    entered_locations: Vec<Entered>,
    entered_placements: Vec<Entered>,
}

impl fmt::Debug for Dataflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataflow").field("now", &self.now).field("output", &self.output).finish_non_exhaustive()
    }
}

impl Dataflow {
    /// A dataflow without data.
    #[must_use]
    pub fn new() -> Self {
        let allocator = Allocator::Thread(Thread::default());
        let mut worker = Worker::new(WorkerConfig::default(), allocator, None);
        let meaning = Rc::new(RefCell::new(Meaning::default()));
        let output = Rc::new(RefCell::new(Output::default()));
        let probe = ProbeHandle::new();
        let mut inputs = [Input::new(), Input::new(), Input::new(), Input::new()];
        worker.dataflow::<Time, _, _>(|scope| {
            let [targets, instance_selectors, locations, location_selectors] =
                inputs.each_mut().map(|input| input.to_collection(scope).arrange_by_key());
            let known = meaning.clone();
            let members = targets.join_core(instance_selectors, move |_, &(target, labels), &(location, selector)| {
                known.borrow().matches(labels, selector).then_some((location, target))
            });
            let known = meaning.clone();
            let pairs =
                locations.join_core(location_selectors, move |_, &(location, labels), &(placement, selector)| {
                    known.borrow().matches(labels, selector).then_some((location, placement))
                });
            // Several selectors of an EdgePlacement may select the same Location.
            let pairs = pairs.distinct_total().arrange_by_key();
            let sink = output.clone();
            members
                .arrange_by_key()
                .join_core(pairs, |&location, &target, &placement| [(placement, location, target)])
                .inspect_batch(move |_, rows| {
                    let mut output = sink.borrow_mut();
                    for ((placement, location, target), _, diff) in rows {
                        output.answer.add(*placement, *location, *target, *diff);
                    }
                    if let Some(kept) = &mut output.rows {
                        kept.extend(rows.iter().map(|(row, _, diff)| (*row, *diff)));
                    }
                })
                .probe_with(&probe);
        });
        let [targets, instance_selectors, locations, location_selectors] = inputs;
        Self {
            worker,
            probe,
            now: 0,
            targets,
            instance_selectors,
            locations,
            location_selectors,
            registry: Registry::default(),
            meaning,
            output,
            frequency: HashMap::new(),
            frequency_of_locations: HashMap::new(),
            entered_targets: Vec::new(),
            entered_locations: Vec::new(),
            entered_placements: Vec::new(),
        }
    }

    fn take_in(&mut self, event: &Event) {
        let meaning = &mut *self.meaning.borrow_mut();
        match self.registry.change(event) {
            Change::SyncTarget { id, cluster, labels } => {
                let objects = labels.map_or_else(Vec::new, |labels| objects(cluster, id, &labels, meaning));
                let new = Entered { objects, selectors: Vec::new() };
                let old = std::mem::replace(slot(&mut self.entered_targets, id), new.clone());
                update(&mut self.targets, &old.objects, &new.objects, Some(&mut self.frequency));
            }
            Change::Location { id, cluster, content } => {
                let frequency = &self.frequency;
                let new = content.map_or_else(Entered::default, |(labels, selector)| Entered {
                    objects: objects(INVENTORY, id, &labels, meaning),
                    selectors: selectors(cluster, id, &selector, meaning, frequency),
                });
                let old = std::mem::replace(slot(&mut self.entered_locations, id), new.clone());
                update(&mut self.locations, &old.objects, &new.objects, Some(&mut self.frequency_of_locations));
                update(&mut self.instance_selectors, &old.selectors, &new.selectors, None);
            }
            Change::EdgePlacement { id, selectors: all } => {
                let frequency = &self.frequency_of_locations;
                let all = all.into_iter().flatten();
                let mut new: Vec<_> =
                    all.flat_map(|selector| selectors(INVENTORY, id, &selector, meaning, frequency)).collect();
                new.sort_unstable();
                new.dedup();
                let new = Entered { objects: Vec::new(), selectors: new };
                let old = std::mem::replace(slot(&mut self.entered_placements, id), new.clone());
                update(&mut self.location_selectors, &old.selectors, &new.selectors, None);
            }
        }
    }

    /// Lets everything that was put in come out.
    fn run(&mut self) {
        self.now += 1;
        let inputs =
            [&mut self.targets, &mut self.instance_selectors, &mut self.locations, &mut self.location_selectors];
        for input in inputs {
            input.advance_to(self.now);
            input.flush();
        }
        while self.probe.less_than(&self.now) {
            self.worker.step();
        }
    }
}

impl Default for Dataflow {
    fn default() -> Self {
        Self::new()
    }
}

/// An object under each of its labels, and under none.
fn objects(scope: u32, id: Id, labels: &Labels, meaning: &mut Meaning) -> Vec<(Place, (Id, u32))> {
    let set = meaning.labels.number(labels);
    let places = labels.iter().map(|(_, label)| *label).chain([EVERYTHING]);
    places.map(|label| ((scope, label), (id, set))).collect()
}

/// A selector under the labels that lead to it.
fn selectors(
    scope: u32,
    id: Id,
    selector: &Selector,
    meaning: &mut Meaning,
    frequency: &HashMap<Place, usize>,
) -> Vec<(Place, (Id, u32))> {
    let anchors = selector.anchors(|label| frequency.get(&(scope, label)).copied().unwrap_or_default());
    let selector = meaning.selectors.number(selector);
    anchors.iter().map(|&anchor| ((scope, anchor), (id, selector))).collect()
}

fn update(
    input: &mut Input,
    old: &[(Place, (Id, u32))],
    new: &[(Place, (Id, u32))],
    mut frequency: Option<&mut HashMap<Place, usize>>,
) {
    if old == new {
        return;
    }
    for &(place, entry) in old {
        input.update((place, entry), -1);
        if let Some(count) = frequency.as_mut().and_then(|frequency| frequency.get_mut(&place)) {
            *count -= 1;
        }
    }
    for &(place, entry) in new {
        input.update((place, entry), 1);
        if let Some(frequency) = &mut frequency {
            *frequency.entry(place).or_default() += 1;
        }
    }
}

impl Engine for Dataflow {
    fn name(&self) -> &'static str {
        "differential-dataflow"
    }

    fn load(&mut self, world: &World) {
        world.events().for_each(|event| self.take_in(event));
        self.run();
    }

    fn apply(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.take_in(event));
        self.run();
    }

    fn apply_counted(&mut self, event: &Event) -> usize {
        self.output.borrow_mut().rows = Some(Vec::new());
        self.take_in(event);
        self.run();
        let mut rows = self.output.borrow_mut().rows.take().unwrap_or_default();
        consolidate(&mut rows);
        rows.len()
    }

    fn answer(&self) -> Answer {
        self.output.borrow().answer
    }
}
