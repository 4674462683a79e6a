//! YAML into trees, document by document.
//!
//! granit-parser finds the structure (it is linear in time and constant in memory on anything we could think of, which
//! other parsers are not); [`super::scalar`] says what scalars mean; [`Builder`] puts nodes together.
//!
//! An alias is not expanded but shares its anchor's node. What decoding visits counts expanded, though, so the sum of
//! all expansions is bounded in proportion to what is really written.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::node::{MAX_DEPTH, MAX_NODES, Malformed, Node, Position, Sink, Value, saturate, text_weight};
use super::scalar;
use super::tree::{Frame, Key, Open};

/// Nodes that aliases may add to a document of any size.
const ALIAS_ALLOWANCE: usize = 100_000;
/// Nodes that aliases may add for each node written.
const ALIAS_FACTOR: usize = 2;
/// What an anchor's own memory counts as, in nodes.
const ANCHOR_WEIGHT: usize = 2;

/// Hands each document of `text` to `sink`. Empty documents are skipped, as kubectl does.
pub(super) fn parse<'a>(text: &'a str, sink: &mut impl Sink<'a>) -> Result<(), Malformed> {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        // The builder counts the depth; the parser need not go deeper to no purpose.
        flow_nesting_limit: MAX_DEPTH + 1,
        block_nesting_limit: MAX_DEPTH + 1,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder {
        sink,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        live: 0,
        live_before_item: 0,
        written: 0,
        expanded: 0,
    };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| explained(&error))?;
        builder.event(event, &span)?;
    }
    Ok(())
}

fn position(marker: &Marker) -> Position {
    Position { line: saturate(marker.line()), column: saturate(marker.col() + 1) }
}

fn explained(error: &ScanError) -> Malformed {
    let reason = error.info();
    let at = position(error.marker());
    if reason.contains("recursion limit") || reason.contains("nesting limit") {
        return Malformed::too_deep(at);
    }
    Malformed::syntax(at, format!("invalid YAML: {reason}"))
}

/// A finished node, and what it adds to those around it.
pub(super) struct Built<'a> {
    pub(super) node: Node<'a>,
    /// Nodes in it, aliases expanded; long scalars count as several.
    pub(super) weight: usize,
    /// Levels of lists and objects in it.
    pub(super) height: usize,
}

/// What an alias refers to.
struct Anchor<'a> {
    node: Rc<Node<'a>>,
    weight: usize,
    height: usize,
}

struct Builder<'s, 'a, S> {
    sink: &'s mut S,
    /// The lists and objects that are not finished, outermost first.
    open: Vec<Frame<'a>>,
    anchors: HashMap<usize, Anchor<'a>>,
    root: Option<Node<'a>>,
    /// Nodes in memory.
    live: usize,
    /// Those before the current element of the root's `items`.
    live_before_item: usize,
    /// Nodes of this document, aliases not expanded.
    written: usize,
    /// Nodes that aliases of this document stand for.
    expanded: usize,
}

impl<'a, S: Sink<'a>> Builder<'_, 'a, S> {
    fn event(&mut self, event: Event<'a>, span: &Span) -> Result<(), Malformed> {
        let at = position(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let weight = text_weight(&text);
                if self.open.last().is_some_and(|frame| frame.wants_key()) {
                    return self.key(text, style, anchor, tag.as_deref(), at, weight);
                }
                let text = if is_absent(style, &text, span) { Cow::Borrowed("") } else { text };
                let value = meaning(text, style, tag.as_deref()).map_err(|reason| Malformed::rule(at, reason))?;
                self.finish(anchor, Built { node: Node { at, value }, weight, height: 0 })
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Frame::new(at, anchor, Open::List(Vec::new()))),
            Event::MappingStart(_, anchor, _) => self.begin(Frame::new(at, anchor, Open::object())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(frame) => {
                    let (anchor, built) = frame.close();
                    self.finish(anchor, built)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::UnresolvedAlias(name) => {
                Err(Malformed::rule(at, format!("unknown anchor: expected an &{name} before *{name}")))
            }
            Event::DocumentStart(..) => {
                (self.live, self.written, self.expanded) = (0, 0, 0);
                Ok(())
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                if let Some(root) = self.root.take().filter(|root| *root.value() != Value::Null) {
                    self.sink.document(root);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, weight: usize, at: Position) -> Result<(), Malformed> {
        self.written += weight;
        self.live += weight;
        if self.live > MAX_NODES { Err(Malformed::too_large(at)) } else { Ok(()) }
    }

    fn begin(&mut self, frame: Frame<'a>) -> Result<(), Malformed> {
        let at = frame.at;
        if self.open.last().is_some_and(|frame| frame.wants_key()) {
            return Err(Malformed::rule(at, format!("a key must be a string, found {}", frame.describe())));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Malformed::too_deep(at));
        }
        self.count(1, at)?;
        if let [root] = self.open.as_slice()
            && let Some(entries) = root.items_begin(&frame)
        {
            self.sink.begin_items(entries);
            self.live_before_item = self.live;
        }
        self.open.push(frame);
        Ok(())
    }

    fn key(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Position,
        weight: usize,
    ) -> Result<(), Malformed> {
        self.count(weight, at)?;
        if text == "<<" && is_merge(style, tag) {
            return self.set_key(Key::Merge, at);
        }
        let value = meaning(text, style, tag).map_err(|reason| Malformed::rule(at, reason))?;
        if anchor != 0 {
            self.count(ANCHOR_WEIGHT, at)?;
            let node = Rc::new(Node { at, value: value.clone() });
            self.anchors.insert(anchor, Anchor { node, weight, height: 0 });
        }
        self.named_key(value, at)
    }

    fn named_key(&mut self, value: Value<'a>, at: Position) -> Result<(), Malformed> {
        match scalar::key(value) {
            Ok(key) => self.set_key(Key::Named(key), at),
            Err(value) => {
                let found = Node { at, value }.describe();
                Err(Malformed::rule(at, format!("a key must be a string, found {found}")))
            }
        }
    }

    fn set_key(&mut self, key: Key<'a>, at: Position) -> Result<(), Malformed> {
        self.open.last_mut().map_or(Ok(()), |frame| frame.set_key(key, at))
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Malformed> {
        let Some(Anchor { node, weight, height }) = self.anchors.get(&anchor) else {
            return Err(Malformed::rule(at, "an alias must not stand inside of its own anchor"));
        };
        let (node, weight, height) = (Rc::clone(node), *weight, *height);
        self.count(1, at)?;
        self.expanded += weight;
        if self.expanded > ALIAS_ALLOWANCE.saturating_add(self.written.saturating_mul(ALIAS_FACTOR)) {
            return Err(Malformed::rule(at, "aliases expand to too much: expected a document near its written size"));
        }
        if self.open.len() + height > MAX_DEPTH {
            return Err(Malformed::too_deep(at));
        }
        if self.open.last().is_some_and(|frame| frame.wants_key()) {
            return self.named_key(node.value.clone(), at);
        }
        self.attach(Built { node: Node { at, value: Value::Shared(node) }, weight, height })
    }

    /// Names a new node if it has an anchor, and puts it where it belongs.
    fn finish(&mut self, anchor: usize, mut built: Built<'a>) -> Result<(), Malformed> {
        // A list or object was counted when it began.
        if !matches!(built.node.value, Value::List(_) | Value::Object(_)) {
            self.count(built.weight, built.node.at)?;
        }
        if anchor != 0 {
            let at = built.node.at;
            self.count(ANCHOR_WEIGHT, at)?;
            let node = Rc::new(built.node);
            self.anchors.insert(anchor, Anchor { node: Rc::clone(&node), weight: built.weight, height: built.height });
            built.node = Node { at, value: Value::Shared(node) };
        }
        self.attach(built)
    }

    fn attach(&mut self, built: Built<'a>) -> Result<(), Malformed> {
        let streams = matches!(self.open.as_slice(), [root, items] if root.items_begin(items).is_some());
        match self.open.last_mut() {
            None => self.root = Some(built.node),
            Some(_) if streams => {
                // What is anchored stays in memory, and with it the element that it stands in.
                if self.sink.item(built.node) || !self.anchors.is_empty() {
                    self.live_before_item = self.live;
                }
                self.live = self.live_before_item;
            }
            Some(frame) => {
                // Merging copies the fields of an alias.
                if frame.merges() {
                    self.live += built.weight;
                }
                frame.add(built)?;
            }
        }
        Ok(())
    }
}

/// The parser stands `~` for a node that is not there.
fn is_absent(style: ScalarStyle, text: &str, span: &Span) -> bool {
    style == ScalarStyle::Plain && text == "~" && span.start == span.end
}

/// The name of a tag of YAML's own (`int` for `!!int`), or `None` for another's.
fn own_tag(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace("tag:yaml.org,2002:")
}

fn is_merge(style: ScalarStyle, tag: Option<&Tag>) -> bool {
    match tag {
        None => style == ScalarStyle::Plain,
        Some(tag) => own_tag(tag).is_some_and(|name| name == "merge"),
    }
}

fn meaning<'a>(text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value<'a>, String> {
    match tag {
        None if style == ScalarStyle::Plain => Ok(scalar::plain(text)),
        None => Ok(Value::String(text)),
        Some(tag) => match own_tag(tag) {
            Some(name) => scalar::tagged(&name, text),
            None => Ok(Value::String(text)),
        },
    }
}
