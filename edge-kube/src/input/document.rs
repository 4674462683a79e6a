//! Documents into objects: which kind each is, and what a list holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use edge_core::event::Event;
use edge_core::object::{Kind, ObjectKey, SinglePlacementSlice};

use super::error::{InvalidObject, Problem};
use super::node::{Entry, Malformed, Node, Position, Sink, Value, get};
use super::object::{Context, Read};

/// After so many, the rest of a file's problems would help nobody.
const MAX_PROBLEMS: usize = 20;

/// What was found, with the place of each.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<(Event, Origin)>,
    pub(super) slices: Vec<(Box<SinglePlacementSlice>, ObjectKey, Origin)>,
    pub(super) undecodable_slices: Vec<(ObjectKey, Origin)>,
    pub(super) invalid: Vec<InvalidObject>,
    pub(super) skipped: BTreeMap<String, usize>,
    pub(super) problems: Vec<Problem>,
}

/// The file, by its number, and the place in it.
pub(super) type Origin = (usize, Position);

impl Batch {
    /// Adds `other`.
    pub(super) fn append(&mut self, mut other: Self) {
        self.events.append(&mut other.events);
        self.slices.append(&mut other.slices);
        self.undecodable_slices.append(&mut other.undecodable_slices);
        self.invalid.append(&mut other.invalid);
        self.problems.append(&mut other.problems);
        for (kind, count) in other.skipped {
            *self.skipped.entry(kind).or_default() += count;
        }
    }
}

/// `apiVersion` and `kind`.
#[derive(Debug, Clone, Copy)]
struct Type<'t> {
    api_version: Option<&'t str>,
    kind: Option<&'t str>,
}

impl<'t> Type<'t> {
    const UNKNOWN: Self = Self { api_version: None, kind: None };

    /// What the elements of a list of this type are where they do not say. A plain `List` holds anything.
    fn of_elements(self) -> Self {
        match (self.api_version, self.kind.and_then(|kind| kind.strip_suffix("List"))) {
            (Some(api_version), Some(kind)) if !kind.is_empty() => {
                Self { api_version: Some(api_version), kind: Some(kind) }
            }
            _ => Self::UNKNOWN,
        }
    }
}

/// Collects the objects of one file.
pub(super) struct Documents<'a, 'c> {
    context: Context<'c>,
    file: usize,
    batch: Batch,
    list: Option<List<'a>>,
}

/// A top-level list, or what may turn out to be none: its `kind` can come last, and does when kubectl prints it.
#[derive(Default)]
struct List<'a> {
    /// The elements' type, if the list's own stands before them.
    elements: Option<(String, String)>,
    batch: Batch,
    /// Elements without a type of their own that came before the list's.
    waiting: Vec<Node<'a>>,
}

impl<'a, 'c> Documents<'a, 'c> {
    pub(super) fn new(file: usize, name: &'c Arc<str>, default_cluster: &'c str) -> Self {
        Self { context: Context { file: name, default_cluster }, file, batch: Batch::default(), list: None }
    }

    /// What was found, and `error` with it.
    pub(super) fn finish(mut self, error: Option<Malformed>) -> Batch {
        self.batch.problems.extend(error.map(|error| error.of(self.context.file)));
        self.batch
    }

    fn object(&self, node: &Node<'a>, default: Type<'_>, batch: &mut Batch) {
        if let Err(malformed) = self.try_object(node, default, batch)
            && batch.problems.len() < MAX_PROBLEMS
        {
            batch.problems.push(malformed.of(self.context.file));
        }
    }

    fn try_object(&self, node: &Node<'a>, default: Type<'_>, batch: &mut Batch) -> Result<(), Malformed> {
        if !matches!(node.value(), Value::Object(_)) {
            let found = node.describe();
            return Err(Malformed::rule(
                node.at,
                format!("expected an object with apiVersion and kind, found {found}"),
            ));
        }
        let api_version = field(node, "apiVersion", default.api_version)?;
        let kind = field(node, "kind", default.kind)?;
        if is_list(kind)
            && let Some(items) = node.get("items")
        {
            match items.value() {
                Value::List(_) | Value::Null => {}
                _ => {
                    return Err(Malformed::rule(
                        items.at,
                        format!("items: expected a list, found {}", items.describe()),
                    ));
                }
            }
        }
        if is_list(kind) && !matches!(node.get("items").map(Node::value), Some(Value::List(_))) {
            return Ok(());
        }
        if kind.ends_with("List")
            && let Some(Value::List(items)) = node.get("items").map(Node::value)
        {
            let elements = Type { api_version: Some(api_version), kind: Some(kind) }.of_elements();
            for item in items {
                self.object(item, elements, batch);
            }
            return Ok(());
        }
        match known(api_version, kind) {
            Some(kind) => self.known_object(kind, node, batch),
            None => *batch.skipped.entry(format!("{api_version}/{kind}")).or_default() += 1,
        }
        Ok(())
    }

    fn known_object(&self, kind: Kind, node: &Node<'a>, batch: &mut Batch) {
        let origin = (self.file, node.at);
        let (read, invalid) = self.context.read(kind, node);
        batch.invalid.extend(invalid);
        match read {
            Read::Event(event) => batch.events.push((event, origin)),
            Read::Slice(slice) => {
                let key = edge_core::object::Object::key(slice.as_ref(), self.context.default_cluster);
                batch.slices.push((slice, key, origin));
            }
            Read::UndecodableSlice(key) => batch.undecodable_slices.push((key, origin)),
            Read::Nothing => {}
        }
    }
}

impl<'a> Sink<'a> for Documents<'a, '_> {
    fn begin_items(&mut self, root: &[Entry<'a>]) {
        let text = |key| get(root, key).and_then(Node::as_str);
        let own = Type { api_version: text("apiVersion"), kind: text("kind") };
        let elements = own.of_elements();
        let elements =
            elements.api_version.zip(elements.kind).map(|(version, kind)| (version.to_owned(), kind.to_owned()));
        self.list = Some(List { elements, ..List::default() });
    }

    fn item(&mut self, node: Node<'a>) -> bool {
        let Some(mut list) = self.list.take() else { return false };
        let typed = node.get("apiVersion").is_some() && node.get("kind").is_some();
        let waits = list.elements.is_none() && !typed && matches!(node.value(), Value::Object(_));
        if waits {
            list.waiting.push(node);
        } else {
            let default = list
                .elements
                .as_ref()
                .map_or(Type::UNKNOWN, |(api_version, kind)| Type { api_version: Some(api_version), kind: Some(kind) });
            self.object(&node, default, &mut list.batch);
        }
        self.list = Some(list);
        waits
    }

    fn document(&mut self, root: Node<'a>) {
        let mut batch = std::mem::take(&mut self.batch);
        match self.list.take() {
            Some(list) if root.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List")) => {
                let text = |key| root.get(key).and_then(Node::as_str);
                let elements = Type { api_version: text("apiVersion"), kind: text("kind") }.of_elements();
                batch.append(list.batch);
                for node in &list.waiting {
                    self.object(node, elements, &mut batch);
                }
                // The rest of the list: no elements any more, but a type that must be sound.
                self.object(&root, Type::UNKNOWN, &mut batch);
            }
            // What stood in `items` belongs to a kind of its own.
            _ => self.object(&root, Type::UNKNOWN, &mut batch),
        }
        batch.problems.truncate(MAX_PROBLEMS);
        self.batch = batch;
    }
}

/// A field that must be a string.
fn field<'n>(node: &'n Node<'_>, key: &str, default: Option<&'n str>) -> Result<&'n str, Malformed> {
    match (node.get(key), default) {
        (None, Some(default)) => Ok(default),
        (None, None) => {
            Err(Malformed::rule(node.at, format!("expected an object with apiVersion and kind, found no {key}")))
        }
        (Some(value), _) => match value.as_str() {
            Some("") => Err(Malformed::rule(value.at, format!("{key}: expected a string that is not empty"))),
            Some(text) => Ok(text),
            None => Err(Malformed::rule(value.at, format!("{key}: expected a string, found {}", value.describe()))),
        },
    }
}

/// Whether the kind is a list of ours, or of anything.
fn is_list(kind: &str) -> bool {
    kind.strip_suffix("List").is_some_and(|of| of.is_empty() || Kind::ALL.iter().any(|known| known.as_str() == of))
}

fn known(api_version: &str, kind: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|known| known.as_str() == kind && known.api_version() == api_version)
}
