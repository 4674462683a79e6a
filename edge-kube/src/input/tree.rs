//! Lists and objects of YAML while they are being read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::node::{Entry, Fields, Malformed, Node, Position, Value, text_weight};
use super::yaml::Built;

/// A key, until its value comes.
#[derive(Debug)]
pub(super) enum Key<'a> {
    Named(Cow<'a, str>),
    /// `<<`: the fields of the value, or of each of its elements, become fields of this object.
    Merge,
}

/// What is known of a list or object.
#[derive(Debug)]
pub(super) enum Open<'a> {
    List(Vec<Node<'a>>),
    Object {
        fields: Fields<'a>,
        key: Option<(Key<'a>, Position)>,
        /// Fields that a merge brought. They may be given again.
        merged: BTreeSet<usize>,
    },
}

impl Open<'_> {
    pub(super) fn object() -> Self {
        Self::Object { fields: Fields::default(), key: None, merged: BTreeSet::new() }
    }
}

/// A list or object that is not finished.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) at: Position,
    anchor: usize,
    open: Open<'a>,
    weight: usize,
    height: usize,
}

impl<'a> Frame<'a> {
    pub(super) fn new(at: Position, anchor: usize, open: Open<'a>) -> Self {
        Self { at, anchor, open, weight: 1, height: 1 }
    }

    pub(super) fn describe(&self) -> &'static str {
        match self.open {
            Open::List(_) => "a list",
            Open::Object { .. } => "an object",
        }
    }

    /// The next node is a key.
    pub(super) fn wants_key(&self) -> bool {
        matches!(self.open, Open::Object { key: None, .. })
    }

    /// The next node's fields are merged in.
    pub(super) fn merges(&self) -> bool {
        matches!(self.open, Open::Object { key: Some((Key::Merge, _)), .. })
    }

    /// The fields so far, if `self` is a document's root and `inner` the list of its field `items`. An anchored one may
    /// be needed again and is kept.
    pub(super) fn items_begin(&self, inner: &Self) -> Option<&[Entry<'a>]> {
        match (&self.open, &inner.open) {
            (Open::Object { fields, key: Some((Key::Named(key), _)), .. }, Open::List(_)) => {
                (key == "items" && self.anchor == 0 && inner.anchor == 0).then_some(fields.entries.as_slice())
            }
            _ => None,
        }
    }

    pub(super) fn set_key(&mut self, new: Key<'a>, at: Position) -> Result<(), Malformed> {
        if let Open::Object { fields, key, merged } = &mut self.open {
            if let Key::Named(name) = &new
                && (merged.is_empty() || fields.find(name).is_none_or(|entry| !merged.contains(&entry)))
            {
                fields.refuse_twice(name, at)?;
            }
            if let Key::Named(name) = &new {
                self.weight += text_weight(name);
            }
            *key = Some((new, at));
        }
        Ok(())
    }

    /// The next element, or the value of the key.
    pub(super) fn add(&mut self, built: Built<'a>) -> Result<(), Malformed> {
        self.weight += built.weight;
        self.height = self.height.max(built.height + 1);
        match &mut self.open {
            Open::List(items) => items.push(built.node),
            Open::Object { fields, key, merged } => match key.take() {
                Some((Key::Named(key), at)) => {
                    let entry = Entry { at, key, node: built.node };
                    let place = put(fields, entry);
                    merged.remove(&place);
                }
                Some((Key::Merge, at)) => merge(fields, merged, &built.node, at)?,
                None => {}
            },
        }
        Ok(())
    }

    pub(super) fn close(self) -> (usize, Built<'a>) {
        let value = match self.open {
            Open::List(items) => Value::List(items),
            Open::Object { fields, .. } => Value::Object(fields.entries),
        };
        let node = Node { at: self.at, value };
        (self.anchor, Built { node, weight: self.weight, height: self.height })
    }
}

/// Adds or replaces a field; returns its place.
fn put<'a>(fields: &mut Fields<'a>, entry: Entry<'a>) -> usize {
    match fields.find(&entry.key) {
        Some(place) => {
            if let Some(old) = fields.entries.get_mut(place) {
                *old = entry;
            }
            place
        }
        None => {
            fields.entries.push(entry);
            fields.entries.len() - 1
        }
    }
}

/// What go-yaml v2 does: the merged fields take the place of those *before* the `<<`, those after it take theirs, and of
/// several objects the first wins.
fn merge<'a>(
    fields: &mut Fields<'a>,
    merged: &mut BTreeSet<usize>,
    node: &Node<'a>,
    at: Position,
) -> Result<(), Malformed> {
    let mut merge_one = |node: &Node<'a>| match node.value() {
        Value::Object(entries) => {
            for entry in entries {
                merged.insert(put(fields, entry.clone()));
            }
            Ok(())
        }
        _ => Err(Malformed::rule(
            at,
            format!("a merge (<<) needs an object or a list of objects, found {}", node.describe()),
        )),
    };
    match node.value() {
        Value::List(items) => items.iter().rev().try_for_each(merge_one),
        _ => merge_one(node),
    }
}
