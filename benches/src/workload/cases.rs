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

/// What happens in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    NoChange,
    RelabelSyncTarget,
    AddSyncTarget,
    DeleteSyncTarget,
    ChangeLocation,
    RelabelLocation,
    AddLocation,
    DeleteLocation,
    AddPlacement,
    ChangePlacement,
    DeletePlacement,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoChange,
        Self::RelabelSyncTarget,
        Self::AddSyncTarget,
        Self::DeleteSyncTarget,
        Self::ChangeLocation,
        Self::RelabelLocation,
        Self::AddLocation,
        Self::DeleteLocation,
        Self::AddPlacement,
        Self::ChangePlacement,
        Self::DeletePlacement,
    ];

    /// What it is called in tables and filters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoChange => "SyncTarget, no change",
            Self::RelabelSyncTarget => "SyncTarget, relabel",
            Self::AddSyncTarget => "SyncTarget, add",
            Self::DeleteSyncTarget => "SyncTarget, delete",
            Self::ChangeLocation => "Location, selector",
            Self::RelabelLocation => "Location, relabel",
            Self::AddLocation => "Location, add",
            Self::DeleteLocation => "Location, delete",
            Self::AddPlacement => "EdgePlacement, add",
            Self::ChangePlacement => "EdgePlacement, change",
            Self::DeletePlacement => "EdgePlacement, delete",
        }
    }
}

/// New objects are numbered from here.
const NEWCOMERS: usize = 5_000_000;

/// The seed of events.
const SEED: u64 = 2;

impl Case {
    /// So many flips of a sort that the mean of what they change settles.
    pub const FLIPS: usize = 20_000;

    /// So many events have their instructions counted.
    pub const COUNTED: usize = 200;

    /// What happens to up to `count` objects, which are spread over the world. What is changed takes over what another
    /// object says, so that shapes of selectors stay as frequent as they are.
    #[must_use]
    pub fn new(world: &World, kind: Kind, count: usize) -> Self {
        let objects = &mut Objects::new(SEED, world.size);
        let (flips, measured) = match kind {
            Kind::NoChange => (changes(&world.sync_targets, count, |event, _| event.clone()), Measured::Both),
            Kind::RelabelSyncTarget => {
                (changes(&world.sync_targets, count, |event, _| objects.relabelled(event)), Measured::Both)
            }
            Kind::ChangeLocation => (changes(&world.locations, count, with_selector_of), Measured::Both),
            Kind::RelabelLocation => (changes(&world.locations, count, with_labels_of), Measured::Both),
            Kind::ChangePlacement => (changes(&world.placements, count, with_selectors_of), Measured::Both),
            Kind::AddSyncTarget | Kind::DeleteSyncTarget => {
                let count = count.min(world.sync_targets.len());
                (newcomers(count, |number| objects.sync_target(number).event()), measured(kind))
            }
            Kind::AddLocation | Kind::DeleteLocation => {
                let count = count.min(world.locations.len());
                (newcomers(count, |number| objects.location(number).event()), measured(kind))
            }
            Kind::AddPlacement | Kind::DeletePlacement => {
                let count = count.min(world.placements.len());
                (newcomers(count, |number| objects.placement(number).event()), measured(kind))
            }
        };
        Self { name: kind.name(), flips, measured }
    }

    /// A case of each kind.
    #[must_use]
    pub fn all(world: &World) -> Vec<Self> {
        Kind::ALL.into_iter().map(|kind| Self::new(world, kind, Self::FLIPS)).collect()
    }
}

/// New objects come first, and go.
fn measured(kind: Kind) -> Measured {
    match kind {
        Kind::DeleteSyncTarget | Kind::DeleteLocation | Kind::DeletePlacement => Measured::Back,
        _ => Measured::There,
    }
}

/// Objects that become what `change` makes of them and of another one, and then what they were.
fn changes(objects: &[Event], count: usize, mut change: impl FnMut(&Event, &Event) -> Event) -> Vec<Flip> {
    let objects = spread(objects, count);
    let others = objects.iter().cycle().skip(1);
    objects.iter().zip(others).map(|(event, other)| flip(change(event, other), event)).collect()
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
        for event in spread(&world.sync_targets, Self::FLIPS) {
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

/// New objects.
fn newcomers(count: usize, object: impl FnMut(usize) -> Event) -> Vec<Flip> {
    let events = (NEWCOMERS..NEWCOMERS + count).map(object);
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
