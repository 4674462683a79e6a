//! A document as a tree in which each node knows its place: what both formats become before decoding.
//!
//! Text is borrowed from the input where it stands there as it is meant, so that a tree costs about as much as its input.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// Deepest nesting of lists and objects. An API server's own decoder stops far above what any object needs, and our
/// code recurses along a tree.
pub(super) const MAX_DEPTH: usize = 128;

/// Most nodes that one object may have in memory. An API server refuses requests of more than about 3 MB, so an object
/// of this size is no object; the elements of a top-level list are counted one by one.
pub(super) const MAX_NODES: usize = 8_000_000;

/// What a text counts as, in nodes: a long one costs more than a node to copy.
pub(super) fn text_weight(text: &str) -> usize {
    1 + text.len() / 64
}

/// Up to here a linear search for a key is quicker than a table.
const SMALL: usize = 16;

/// A place in a file, both counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// Where `byte` stands in `text`. Lines end as in YAML: LF, CR LF or CR.
    pub(super) fn of_byte(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let ends = |(at, b): (usize, &u8)| *b == b'\n' || (*b == b'\r' && text.as_bytes().get(at + 1) != Some(&b'\n'));
        let line = before.bytes().enumerate().filter(|(at, b)| ends((*at, b))).count();
        let start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let column = before.get(start..).map_or(0, |rest| rest.chars().count());
        Self { line: saturate(line + 1), column: saturate(column + 1) }
    }
}

/// Lines and columns beyond 4 billion cannot occur in an input of at most 1 GiB.
pub(super) fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Why a text is not what it should be, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) at: Position,
    pub(super) reason: String,
    /// The text does not follow the grammar, so it may be of another format. Otherwise it does, and breaks another rule.
    pub(super) syntax: bool,
}

impl Malformed {
    pub(super) fn syntax(at: Position, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into(), syntax: true }
    }

    pub(super) fn rule(at: Position, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into(), syntax: false }
    }

    pub(super) fn too_deep(at: Position) -> Self {
        Self::rule(at, format!("nested too deeply: expected at most {MAX_DEPTH} levels"))
    }

    pub(super) fn too_large(at: Position) -> Self {
        Self::rule(at, format!("the object is too large: expected at most {MAX_NODES} values"))
    }
}

/// Takes the documents of an input, one by one.
pub(super) trait Sink<'a> {
    /// The field `items` of the document's root is a list, and `root` are the fields before it. Its elements come as
    /// [`Sink::item`], so that a list of any length needs the memory of one element.
    fn begin_items(&mut self, root: &[Entry<'a>]);
    /// An element of the root's `items`. True if it stays in memory until the end of the document.
    #[must_use]
    fn item(&mut self, node: Node<'a>) -> bool;
    /// The whole document; elements that were handed over are missing from it.
    fn document(&mut self, root: Node<'a>);
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node<'a> {
    pub(super) at: Position,
    pub(super) value: Value<'a>,
}

/// What JSON can say, with integers told apart from other numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Only above what `Int` holds.
    Unsigned(u64),
    Float(f64),
    String(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<Entry<'a>>),
    /// An anchored node or a reference to one; never itself `Shared`.
    Shared(Rc<Node<'a>>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry<'a> {
    pub(super) at: Position,
    pub(super) key: Cow<'a, str>,
    pub(super) node: Node<'a>,
}

impl<'a> Node<'a> {
    /// The value, wherever it stands.
    pub(super) fn value(&self) -> &Value<'a> {
        match &self.value {
            Value::Shared(node) => &node.value,
            value => value,
        }
    }

    /// The field `key`, if this is an object that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        match self.value() {
            Value::Object(entries) => get(entries, key),
            _ => None,
        }
    }

    /// The string that this is.
    pub(super) fn as_str(&self) -> Option<&str> {
        match self.value() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// What this is, for people: `integer 5`, `a list`.
    pub(super) fn describe(&self) -> String {
        match self.value() {
            Value::Null => "null".into(),
            Value::Bool(value) => format!("boolean {value}"),
            Value::Int(value) => format!("integer {value}"),
            Value::Unsigned(value) => format!("integer {value}"),
            Value::Float(value) => format!("number {value}"),
            Value::String(text) => format!("string {}", shortened(text)),
            Value::List(_) => "a list".into(),
            Value::Object(_) => "an object".into(),
            Value::Shared(node) => node.describe(),
        }
    }

    /// Where the field at `path` stands, or else the innermost part of the way to it that exists.
    ///
    /// Paths are those of Kubernetes: `spec.locationSelectors[2].matchLabels[example.com/zone]`.
    pub(super) fn locate(&self, path: &str) -> Position {
        let mut node = self;
        let mut at = self.at;
        let mut rest = path;
        while !rest.is_empty() {
            let (next, length) = match node.value() {
                Value::List(items) => match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
                    Some((index, _)) => {
                        let item = index.parse().ok().and_then(|index: usize| items.get(index));
                        (item.map(|item| (item.at, item)), index.len() + 2)
                    }
                    None => return at,
                },
                Value::Object(entries) => match step(entries, rest) {
                    Some((entry, length)) => (Some((entry.node.at, &entry.node)), length),
                    None => return at,
                },
                _ => return at,
            };
            let Some((place, inner)) = next else { return at };
            (node, at) = (inner, place);
            rest = rest.get(length..).unwrap_or_default();
        }
        at
    }
}

/// The field of `entries` that the path `rest` begins with, and how long that part of the path is. A key may hold any
/// character, so the longest one that fits is meant.
fn step<'e, 'a>(entries: &'e [Entry<'a>], rest: &str) -> Option<(&'e Entry<'a>, usize)> {
    let fits = |entry: &Entry<'a>| {
        let key = entry.key.as_ref();
        if let Some(inner) = rest.strip_prefix('[') {
            return inner.strip_prefix(key)?.starts_with(']').then_some(key.len() + 2);
        }
        let dot = usize::from(rest.starts_with('.'));
        let after = rest.get(dot..)?.strip_prefix(key)?;
        (after.is_empty() || after.starts_with(['.', '['])).then_some(key.len() + dot)
    };
    entries.iter().filter_map(|entry| fits(entry).map(|length| (entry, length))).max_by_key(|(_, length)| *length)
}

/// The field `key` of an object.
pub(super) fn get<'e, 'a>(entries: &'e [Entry<'a>], key: &str) -> Option<&'e Node<'a>> {
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
}

/// `text` in quotes, without what makes a line unreadable.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// An object that is being read.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// Filled once there are many fields.
    index: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Fields<'a> {
    /// Which entry has `key`. Constant time, since an object may have millions of fields.
    pub(super) fn find(&mut self, key: &str) -> Option<usize> {
        if self.entries.len() <= SMALL {
            return self.entries.iter().position(|entry| entry.key == key);
        }
        for (at, entry) in self.entries.iter().enumerate().skip(self.index.len()) {
            self.index.insert(entry.key.clone(), at);
        }
        self.index.get(key).copied()
    }

    /// An error if the object has `key` already.
    pub(super) fn refuse_twice(&mut self, key: &str, at: Position) -> Result<(), Malformed> {
        match self.find(key).and_then(|entry| self.entries.get(entry)) {
            None => Ok(()),
            Some(first) => {
                let Position { line, column } = first.at;
                let key = shortened(key);
                Err(Malformed::rule(at, format!("duplicate key {key}: already given at line {line}, column {column}")))
            }
        }
    }
}
