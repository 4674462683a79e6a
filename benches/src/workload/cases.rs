//! Single events on top of a full index.

use std::ops::RangeInclusive;

use edge_core::event::Event;

use super::World;
use super::objects::{Exists, Objects};
use crate::engines::{EdgeCore, Engine};

/// An event, and one that undoes it.
#[derive(Debug, Clone)]
pub struct Flip {
    /// The event.
    pub there: Event,
    /// What brings the world back.
    pub back: Event,
}

/// Which halves of the flips count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// Both: they are of one kind.
    Both,
    /// The event alone.
    There,
    /// What undoes it.
    Back,
}

/// One kind of event, at many objects. No object occurs twice, so the flips may be made in any order and nesting.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is called in tables and filters.
    pub name: &'static str,
    /// The events.
    pub flips: Vec<Flip>,
    /// Which of them count.
    pub measured: Measured,
}

/// How many flips there are at most of a case: enough that the mean of what they change settles.
const FLIPS: usize = 20_000;

/// New objects are numbered from here.
const NEWCOMERS: usize = 5_000_000;

/// The seed of events.
const SEED: u64 = 2;

impl Case {
    /// The names of [`Self::all`].
    pub const NAMES: [&'static str; 11] = [
        "SyncTarget, no change",
        "SyncTarget, relabel",
        "SyncTarget, add",
        "SyncTarget, delete",
        "Location, selector",
        "Location, relabel",
        "Location, add",
        "Location, delete",
        "EdgePlacement, add",
        "EdgePlacement, change",
        "EdgePlacement, delete",
    ];

    /// Every kind of event, each at up to 20 000 objects that are spread over the world.
    #[must_use]
    pub fn all(world: &World) -> Vec<Self> {
        let objects = &mut Objects::new(SEED, world.size);
        let sync_targets = spread(&world.sync_targets, FLIPS);
        let no_op: Vec<Flip> = sync_targets.iter().map(|&event| flip(event.clone(), event)).collect();
        let relabels: Vec<Flip> = sync_targets.iter().map(|event| flip(objects.relabelled(event), event)).collect();
        let targets = newcomers(&sync_targets, |number| objects.sync_target(number).event());
        let locations = spread(&world.locations, FLIPS);
        let selectors = locations.iter().enumerate().map(|(at, event)| {
            // The selector of another Location: shapes stay as frequent as they are.
            flip(with_selector_of(event, locations[(at + 1) % locations.len()]), event)
        });
        let selectors: Vec<Flip> = selectors.collect();
        let labels = locations
            .iter()
            .enumerate()
            .map(|(at, event)| flip(with_labels_of(event, locations[(at + 1) % locations.len()]), event));
        let labels: Vec<Flip> = labels.collect();
        let added = newcomers(&locations, |number| objects.location(number).event());
        let placements = spread(&world.placements, FLIPS);
        let changes = placements
            .iter()
            .enumerate()
            .map(|(at, event)| flip(with_selectors_of(event, placements[(at + 1) % placements.len()]), event));
        let changes: Vec<Flip> = changes.collect();
        let new = newcomers(&placements, |number| objects.placement(number).event());
        let all = [
            (no_op, Measured::Both),
            (relabels, Measured::Both),
            (targets.clone(), Measured::There),
            (targets, Measured::Back),
            (selectors, Measured::Both),
            (labels, Measured::Both),
            (added.clone(), Measured::There),
            (added, Measured::Back),
            (new.clone(), Measured::There),
            (changes, Measured::Both),
            (new, Measured::Back),
        ];
        let cases = Self::NAMES.into_iter().zip(all);
        cases.map(|(name, (flips, measured))| Self { name, flips, measured }).collect()
    }

    /// The case of a name.
    #[must_use]
    pub fn named(world: &World, name: &str) -> Option<Self> {
        Self::all(world).into_iter().find(|case| case.name == name)
    }
}

impl Case {
    /// Relabels of up to `count` SyncTargets that each change about as many destinations, whatever the size of the
    /// world; and how many, in the mean. The engine holds the world, which is one of
    /// [`super::Size::with_constant_output`].
    pub fn relabels_of_constant_output(world: &World, engine: &mut EdgeCore, count: usize) -> (Self, f64) {
        const ROWS: RangeInclusive<usize> = 80..=125;
        let objects = &mut Objects::new(SEED, world.size);
        let mut changed = Vec::new();
        let mut flips = Vec::new();
        for event in spread(&world.sync_targets, FLIPS) {
            let flip = flip(objects.relabelled(event), event);
            let rows = engine.apply_counted(&flip.there);
            engine.apply_counted(&flip.back);
            if ROWS.contains(&rows) {
                changed.push(rows);
                flips.push(flip);
                if flips.len() == count {
                    break;
                }
            }
        }
        let mean = changed.iter().sum::<usize>() as f64 / changed.len().max(1) as f64;
        (Self { name: "SyncTarget, relabel, constant output", flips, measured: Measured::Both }, mean)
    }
}

fn flip(there: Event, back: &Event) -> Flip {
    Flip { there, back: back.clone() }
}

/// Up to `count` events, far apart and in an order without pattern: caches are cold, as they are for a real event.
fn spread(events: &[Event], count: usize) -> Vec<&Event> {
    let mut random = crate::Random::new(SEED);
    let mut order: Vec<&Event> = events.iter().collect();
    let count = count.min(order.len());
    for at in 0..count {
        let left = (order.len() - at) as u64;
        order.swap(at, at + usize::try_from(random.below(left)).unwrap_or_default());
    }
    order.truncate(count);
    order
}

/// As many new objects as there are of these.
fn newcomers(like: &[&Event], mut object: impl FnMut(usize) -> Event) -> Vec<Flip> {
    let events = (NEWCOMERS..NEWCOMERS + like.len()).map(&mut object);
    events
        .map(|there| {
            let key = there.key().clone();
            let back = match there {
                Event::SyncTarget(..) => Event::SyncTarget(key, None),
                Event::Location(..) => Event::Location(key, None),
                Event::EdgePlacement(..) => Event::EdgePlacement(key, None),
            };
            Flip { there, back }
        })
        .collect()
}

fn with_selector_of(event: &Event, other: &Event) -> Event {
    let mut changed = event.clone();
    if let (Event::Location(_, Some(record)), Event::Location(_, Some(other))) = (&mut changed, other) {
        record.holds.clone_from(&other.holds);
    }
    changed
}

fn with_labels_of(event: &Event, other: &Event) -> Event {
    let mut changed = event.clone();
    if let (Event::Location(_, Some(record)), Event::Location(_, Some(other))) = (&mut changed, other) {
        record.labels.clone_from(&other.labels);
    }
    changed
}

fn with_selectors_of(event: &Event, other: &Event) -> Event {
    let mut changed = event.clone();
    if let (Event::EdgePlacement(_, Some(record)), Event::EdgePlacement(_, Some(other))) = (&mut changed, other) {
        record.selectors.clone_from(&other.selectors);
    }
    changed
}
