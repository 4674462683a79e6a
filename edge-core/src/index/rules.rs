//! A selector over interned labels.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::id::{Id, KeyId, LabelId};
use crate::intern::Interner;
use crate::selector::{Rule, Selector};

/// A label of an item, and where the item stands in that label's posting list.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemLabel {
    pub(super) key: KeyId,
    pub(super) label: LabelId,
    pub(super) at: u32,
}

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
    pub(super) fn acquire(selector: &Selector, interner: &mut Interner) -> Self {
        let mut rules: Vec<IdRule> = Vec::with_capacity(selector.requirements().len());
        for requirement in selector.requirements() {
            let (op, values) = match &requirement.rule {
                Rule::In(values) => (Op::In, values.as_slice()),
                Rule::NotIn(values) => (Op::NotIn, values.as_slice()),
                Rule::Exists => (Op::Exists, [].as_slice()),
                Rule::ExistsNotIn(values) => (Op::ExistsNotIn, values.as_slice()),
                Rule::DoesNotExist => (Op::DoesNotExist, [].as_slice()),
            };
            let mut labels: Box<[LabelId]> = values.iter().map(|v| interner.acquire(&requirement.key, v)).collect();
            labels.sort_unstable();
            rules.push(IdRule { key: interner.acquire_key(&requirement.key), op, labels });
        }
        rules.sort_unstable_by_key(|rule| rule.key);
        Self { needed: rules.iter().filter(|rule| rule.needs_label()).count(), rules: rules.into() }
    }

    pub(super) fn release(self, interner: &mut Interner) {
        for rule in self.rules {
            for label in rule.labels {
                interner.release(label);
            }
            interner.release_key(rule.key);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &IdRule> {
        self.rules.iter()
    }

    /// Whether an item with these labels, sorted by key, is selected.
    ///
    /// Cost: the smaller number, of rules or of labels, times the logarithm of the other: neither a selector of ten
    /// thousand expressions nor an object of ten thousand labels makes the other side pay for it.
    pub(super) fn match_labels(&self, labels: &[ItemLabel]) -> bool {
        if self.rules.len() <= labels.len() {
            let value = |key| labels.binary_search_by_key(&key, |label| label.key).ok().map(|at| labels[at].label);
            return self.rules.iter().all(|rule| rule.holds(value(rule.key)));
        }
        // Every rule that needs its label must meet it; a rule whose label is absent holds otherwise.
        let mut needed = self.needed;
        let holds = labels.iter().all(|label| {
            let Ok(at) = self.rules.binary_search_by_key(&label.key, |rule| rule.key) else { return true };
            needed -= usize::from(self.rules[at].needs_label());
            self.rules[at].holds(Some(label.label))
        });
        holds && needed == 0
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

/// One bit for each label and one for each key.
pub(super) fn signature(labels: &[ItemLabel]) -> u64 {
    labels.iter().fold(0, |bits, label| bits | label_bit(label.label) | key_bit(label.key))
}

fn label_bit(label: LabelId) -> u64 {
    spread(label.index() as u64)
}

fn key_bit(key: KeyId) -> u64 {
    spread(!(key.index() as u64))
}

/// Fibonacci hashing onto 64 bits: consecutive ids get different bits.
fn spread(id: u64) -> u64 {
    1 << (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58)
}
