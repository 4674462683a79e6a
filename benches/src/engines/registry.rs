//! Small numbers for names, so that no engine compares strings.

use std::collections::BTreeMap;

use edge_core::event::{Event, Holds};
use edge_core::object::ObjectKey;
use edge_core::selector::{self, Rule};
use hashbrown::HashMap;

/// The number of an object among those of its kind; an object that comes again has the number that it had.
pub(super) type Id = u32;

/// Of no label: where selectors are found that no single label leads to.
pub(super) const EVERYTHING: u32 = u32::MAX;

/// The labels of an object: numbers of the key, and of key and value together. Sorted.
pub(super) type Labels = Box<[(u32, u32)]>;

/// A selector on numbers: its requirements, at most one for a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Selector {
    /// All of these must hold.
    All(Box<[Requirement]>),
    /// It contradicts itself.
    Nothing,
}

/// What is asked of the label with one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Requirement {
    /// The key.
    pub(super) key: u32,
    /// What is asked.
    pub(super) op: Op,
    /// Numbers of labels with this key.
    pub(super) labels: Box<[u32]>,
}

/// What a requirement asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Op {
    In,
    NotIn,
    Exists,
    ExistsNotIn,
    DoesNotExist,
}

impl Requirement {
    fn holds(&self, labels: &[(u32, u32)]) -> bool {
        let value = labels.iter().find(|(key, _)| *key == self.key).map(|(_, label)| label);
        let among = value.is_some_and(|label| self.labels.contains(label));
        match self.op {
            Op::In => among,
            Op::NotIn => !among,
            Op::Exists => value.is_some(),
            Op::ExistsNotIn => value.is_some() && !among,
            Op::DoesNotExist => value.is_none(),
        }
    }
}

impl Selector {
    /// Whether an object with these labels is selected.
    pub(super) fn matches(&self, labels: &[(u32, u32)]) -> bool {
        match self {
            Self::All(requirements) => requirements.iter().all(|requirement| requirement.holds(labels)),
            Self::Nothing => false,
        }
    }

    /// The labels of which an object must have one to be selected: those of the positive requirement that is rarest by
    /// `frequency`, else [`EVERYTHING`].
    pub(super) fn anchors(&self, frequency: impl Fn(u32) -> usize) -> Box<[u32]> {
        let Self::All(requirements) = self else { return Box::default() };
        let positive = requirements.iter().filter(|requirement| requirement.op == Op::In);
        let rarest = positive.min_by_key(|requirement| requirement.labels.iter().map(|&l| frequency(l)).sum::<usize>());
        rarest.map_or_else(|| Box::from([EVERYTHING]), |requirement| requirement.labels.clone())
    }
}

/// An event on numbers; without content the object is gone.
#[derive(Debug)]
pub(super) enum Change {
    SyncTarget { id: Id, cluster: u32, labels: Option<Labels> },
    Location { id: Id, cluster: u32, content: Option<(Labels, Selector)> },
    EdgePlacement { id: Id, selectors: Option<Vec<Selector>> },
}

/// Gives out the numbers. The same events in the same order get the same numbers, in every engine.
#[derive(Debug, Default)]
pub(super) struct Registry {
    texts: HashMap<String, u32>,
    labels: HashMap<(u32, String), u32>,
    clusters: HashMap<String, u32>,
    sync_targets: HashMap<ObjectKey, Id>,
    locations: HashMap<ObjectKey, Id>,
    placements: BTreeMap<ObjectKey, Id>,
}

impl Registry {
    /// The event on numbers. What is invalid selects nothing: workloads have no such object.
    pub(super) fn change(&mut self, event: &Event) -> Change {
        match event {
            Event::SyncTarget(key, record) => Change::SyncTarget {
                cluster: self.cluster(&key.cluster),
                id: object(&mut self.sync_targets, key),
                labels: record.as_ref().and_then(|record| record.labels.as_ref()).map(|labels| self.labels(labels)),
            },
            Event::Location(key, record) => Change::Location {
                cluster: self.cluster(&key.cluster),
                id: object(&mut self.locations, key),
                content: record.as_ref().map(|record| {
                    let selector = match &record.holds {
                        Ok(Holds::Matching(selector)) => self.selector(selector),
                        Ok(Holds::Nothing) | Err(_) => Selector::Nothing,
                    };
                    (record.labels.as_ref().map(|labels| self.labels(labels)).unwrap_or_default(), selector)
                }),
            },
            Event::EdgePlacement(key, record) => Change::EdgePlacement {
                id: self.placement(key),
                selectors: record.as_ref().map(|record| {
                    let selectors = record.selectors.iter().flatten();
                    selectors.map(|selector| self.selector(selector)).collect()
                }),
            },
        }
    }

    /// The EdgePlacements that ever were.
    pub(super) fn placements(&self) -> impl Iterator<Item = (&ObjectKey, Id)> {
        self.placements.iter().map(|(key, &id)| (key, id))
    }

    /// The number of a Location that once was.
    pub(super) fn location(&self, cluster: &str, name: &str) -> Option<Id> {
        self.locations.get(&KeyRef { cluster, name }).copied()
    }

    /// The number of a SyncTarget that once was.
    pub(super) fn sync_target(&self, cluster: &str, name: &str) -> Option<Id> {
        self.sync_targets.get(&KeyRef { cluster, name }).copied()
    }

    fn placement(&mut self, key: &ObjectKey) -> Id {
        if let Some(&id) = self.placements.get(key) {
            return id;
        }
        let id = number(self.placements.len());
        self.placements.insert(key.clone(), id);
        id
    }

    fn cluster(&mut self, name: &str) -> u32 {
        let next = number(self.clusters.len());
        *self.clusters.entry_ref(name).or_insert(next)
    }

    fn text(&mut self, text: &str) -> u32 {
        let next = number(self.texts.len());
        *self.texts.entry_ref(text).or_insert(next)
    }

    fn label(&mut self, key: u32, value: &str) -> u32 {
        let next = number(self.labels.len());
        if let Some(&label) = self.labels.get(&LabelRef(key, value)) {
            return label;
        }
        self.labels.insert((key, value.into()), next);
        next
    }

    fn labels(&mut self, labels: &selector::Labels) -> Labels {
        let mut numbers: Labels = labels
            .iter()
            .map(|(key, value)| {
                let key = self.text(key);
                (key, self.label(key, value))
            })
            .collect();
        numbers.sort_unstable();
        numbers
    }

    fn selector(&mut self, selector: &selector::Selector) -> Selector {
        if selector.contradiction().is_some() {
            return Selector::Nothing;
        }
        let requirements = selector.requirements().iter().map(|requirement| {
            let (op, values) = match &requirement.rule {
                Rule::In(values) => (Op::In, values.as_slice()),
                Rule::NotIn(values) => (Op::NotIn, values.as_slice()),
                Rule::Exists => (Op::Exists, &[][..]),
                Rule::ExistsNotIn(values) => (Op::ExistsNotIn, values.as_slice()),
                Rule::DoesNotExist => (Op::DoesNotExist, &[][..]),
            };
            let key = self.text(&requirement.key);
            Requirement { key, op, labels: values.iter().map(|value| self.label(key, value)).collect() }
        });
        Selector::All(requirements.collect())
    }
}

#[derive(Hash)]
struct LabelRef<'a>(u32, &'a str);

impl hashbrown::Equivalent<(u32, String)> for LabelRef<'_> {
    fn equivalent(&self, (key, value): &(u32, String)) -> bool {
        self.0 == *key && self.1 == value
    }
}

/// An [`ObjectKey`], borrowed; hashes as it does.
#[derive(Hash)]
struct KeyRef<'a> {
    cluster: &'a str,
    name: &'a str,
}

impl hashbrown::Equivalent<ObjectKey> for KeyRef<'_> {
    fn equivalent(&self, key: &ObjectKey) -> bool {
        self.cluster == key.cluster && self.name == key.name
    }
}

fn object(ids: &mut HashMap<ObjectKey, Id>, key: &ObjectKey) -> Id {
    let next = number(ids.len());
    *ids.entry_ref(key).or_insert(next)
}

/// The next number: how many there are.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The entry of a number in a table that grows to hold it.
pub(super) fn slot<T: Default>(table: &mut Vec<T>, id: u32) -> &mut T {
    let at = id as usize;
    if table.len() <= at {
        table.resize_with(at + 1, T::default);
    }
    &mut table[at]
}

/// How many destinations there are, and a sum of hashes of them that does not depend on their order. Two engines that
/// have the same answer have the same destinations, as far as 64 bits can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many destinations all EdgePlacements have.
    pub destinations: u64,
    /// The sum.
    pub sum: u64,
}

impl Answer {
    /// Adds a destination `diff` times.
    pub(super) fn add(&mut self, placement: Id, location: Id, sync_target: Id, diff: isize) {
        let mut hash = u64::from(placement).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (u64::from(location) << 32 | u64::from(sync_target))).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ hash >> 29).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.destinations = self.destinations.wrapping_add_signed(diff as i64);
        self.sum = self.sum.wrapping_add(hash.wrapping_mul(diff as u64));
    }
}
