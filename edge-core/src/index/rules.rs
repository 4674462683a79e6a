//! A selector over interned labels.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::matcher::{Item, Scope};
use super::postings::Postings;
use crate::id::{Id, KeyId, LabelId, ShapeId};
use crate::intern::Keys;
use crate::selector::{Rule, Selector};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Op {
    In,
    NotIn,
    Exists,
    ExistsNotIn,
    DoesNotExist,
}

/// What is asked of one key; `labels` are the values, sorted by id.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct IdRule {
    pub(super) key: KeyId,
    pub(super) op: Op,
    pub(super) labels: Box<[LabelId]>,
}

impl IdRule {
    /// Whether the rule holds for an item whose label of the key is this one, or which has none.
    fn holds(&self, label: Option<LabelId>) -> bool {
        let listed = |label: LabelId| match *self.labels {
            [only] => only == label,
            ref many => many.binary_search(&label).is_ok(),
        };
        match (self.op, label) {
            (Op::In, Some(label)) => listed(label),
            (Op::NotIn | Op::ExistsNotIn, Some(label)) => !listed(label),
            (Op::Exists, Some(_)) | (Op::NotIn | Op::DoesNotExist, None) => true,
            (Op::DoesNotExist, Some(_)) | (Op::In | Op::Exists | Op::ExistsNotIn, None) => false,
        }
    }

    fn needs_label(&self) -> bool {
        matches!(self.op, Op::In | Op::Exists | Op::ExistsNotIn)
    }
}

/// A selector in canonical form: equal rules mean equal selectors.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Rules {
    /// Sorted by key.
    rules: Box<[IdRule]>,
    /// How many of them hold only where there is a label of the key.
    needed: usize,
}

impl Rules {
    /// Holds a reference to each key and label that it names; [`Self::release`] gives them back.
    pub(super) fn acquire<I: Id>(
        selector: &Selector,
        scope: Scope,
        keys: &mut Keys,
        postings: &mut Postings<I>,
    ) -> Self {
        let mut rules: Vec<IdRule> = Vec::with_capacity(selector.requirements().len());
        for requirement in selector.requirements() {
            let (op, values) = match &requirement.rule {
                Rule::In(values) => (Op::In, values.as_slice()),
                Rule::NotIn(values) => (Op::NotIn, values.as_slice()),
                Rule::Exists => (Op::Exists, [].as_slice()),
                Rule::ExistsNotIn(values) => (Op::ExistsNotIn, values.as_slice()),
                Rule::DoesNotExist => (Op::DoesNotExist, [].as_slice()),
            };
            let key = keys.acquire(&requirement.key);
            let mut labels: Box<[LabelId]> = values.iter().map(|value| postings.name(scope, key, value)).collect();
            labels.sort_unstable();
            rules.push(IdRule { key, op, labels });
        }
        rules.sort_unstable_by_key(|rule| rule.key);
        Self { needed: rules.iter().filter(|rule| rule.needs_label()).count(), rules: rules.into() }
    }

    pub(super) fn release<I: Id>(self, keys: &mut Keys, postings: &mut Postings<I>) {
        for rule in self.rules {
            for label in rule.labels {
                postings.unname(label);
            }
            keys.release(rule.key);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &IdRule> {
        self.rules.iter()
    }

    /// Whether the item is selected.
    ///
    /// Cost: the smaller number, of rules or of labels, times the logarithm of the other: neither a selector of ten
    /// thousand expressions nor an object of ten thousand labels makes the other side pay for it.
    pub(super) fn match_item(&self, item: &Item, keys: &Keys) -> bool {
        let labels = &item.labels;
        if self.rules.len() <= labels.len() {
            let label = |key| keys.place(item.shape, key).map(|place| labels[place].label);
            return self.rules.iter().all(|rule| rule.holds(label(rule.key)));
        }
        // Every rule that needs its label must meet it; a rule whose label is absent holds otherwise.
        let mut needed = self.needed;
        let holds = keys.places(item.shape).iter().all(|&(key, place)| {
            let Ok(at) = self.rules.binary_search_by_key(&key, |rule| rule.key) else { return true };
            needed -= usize::from(self.rules[at].needs_label());
            self.rules[at].holds(Some(labels[place].label))
        });
        holds && needed == 0
    }

    /// A bit for each key that it asks about: where all others change, nothing changes for it.
    pub(super) fn key_bits(&self) -> u64 {
        self.rules.iter().fold(0, |bits, rule| bits | key_bit(rule.key))
    }

    /// The bits that the signature of every selected item has. It may be selected if it has them, and cannot be if not:
    /// that spares most evaluations.
    pub(super) fn signature(&self) -> u64 {
        self.rules.iter().fold(0, |bits, rule| match (rule.op, &*rule.labels) {
            (Op::In, [only]) => bits | label_bit(*only),
            (Op::In | Op::Exists | Op::ExistsNotIn, _) => bits | key_bit(rule.key),
            (Op::NotIn | Op::DoesNotExist, _) => bits,
        })
    }
}

/// Rules for many items, of which most have the keys that the one before had: then where to look is known already.
#[derive(Debug)]
pub(super) struct Plan<'r> {
    rules: &'r Rules,
    shape: Option<ShapeId>,
    /// For the shape: what the labels at some places have to be; `None` if it has a key too many or too few.
    checks: Option<Vec<(usize, &'r IdRule)>>,
}

impl<'r> Plan<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        Self { rules, shape: None, checks: None }
    }

    /// [`Rules::match_item`].
    pub(super) fn matches(&mut self, item: &Item, keys: &Keys) -> bool {
        if self.rules.rules.len() > item.labels.len() {
            return self.rules.match_item(item, keys);
        }
        if self.shape != Some(item.shape) {
            self.shape = Some(item.shape);
            self.checks = self.look_up(item.shape, keys);
        }
        let holds = |&(place, rule): &(usize, &IdRule)| rule.holds(Some(item.labels[place].label));
        self.checks.as_ref().is_some_and(|checks| checks.iter().all(holds))
    }

    fn look_up(&self, shape: ShapeId, keys: &Keys) -> Option<Vec<(usize, &'r IdRule)>> {
        let mut checks = Vec::with_capacity(self.rules.rules.len());
        for rule in &self.rules.rules {
            match keys.place(shape, rule.key) {
                Some(place) => checks.push((place, rule)),
                None if rule.holds(None) => {}
                None => return None,
            }
        }
        Some(checks)
    }
}

/// One bit for each label and one for each key.
pub(super) fn signature(labels: impl Iterator<Item = (KeyId, LabelId)>) -> u64 {
    labels.fold(0, |bits, (key, label)| bits | label_bit(label) | key_bit(key))
}

fn label_bit(label: LabelId) -> u64 {
    spread(label.index() as u64)
}

pub(super) fn key_bit(key: KeyId) -> u64 {
    spread(!(key.index() as u64))
}

/// Fibonacci hashing onto 64 bits: consecutive ids get different bits.
fn spread(id: u64) -> u64 {
    1 << (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58)
}
