//! Reads manifests: from files and folders to the events that edge-core takes.
//!
//! ```text
//!  paths ──▶ source ──▶ yaml ─▶ tree ─┐                ┌─▶ events, slices
//!            (files,    json ─────────┴▶ document ─▶ object ─▶ invalid objects
//!             UTF-8)    (nodes with      (kinds,   (decode,
//!                        line:column)     lists)    validate)
//! ```
//!
//! Documents, and the elements of a top-level list, are decoded one by one and dropped: only what the scheduler keeps
//! stays in memory.
//!
//! There are two sorts of mistakes. A text that is no manifest cannot be read at all ([`InputError`]). An object of the
//! scheduler's kinds that an API server would refuse is data ([`InvalidObject`]): it exists, what it selects is not
//! known, and no other object is affected.
//!
//! The formats are read as kubectl reads them: a text that begins with `{` is JSON, or else YAML; YAML's scalars mean
//! what they mean to sigs.k8s.io/yaml. We are stricter in one thing: a key that is given twice is an error.

mod decode;
mod document;
mod error;
mod json;
mod lenient;
mod node;
mod object;
mod scalar;
mod source;
mod tree;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use edge_core::event::Event;
use edge_core::object::{EdgePlacement, Kind, ObjectKey, SinglePlacementSlice};

pub use error::{InputError, InvalidObject, Place, Problem};
pub(crate) use lenient::decode_json;
pub(crate) use scalar::is_plain_string;
pub(crate) use source::{is_hidden, is_manifest, read as read_bytes};

use document::{Batch, Documents, Origin};
use node::Malformed;

/// How to read manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The logical cluster of objects without the annotation `kcp.io/cluster`.
    pub default_cluster: String,
}

/// What the manifests say. None of it depends on the order of the arguments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// That each SyncTarget, Location and EdgePlacement exists, in this order, and by cluster and name; also those that
    /// are invalid.
    pub events: Vec<Event>,
    /// The slices, by cluster and name; each has the annotation `kcp.io/cluster`.
    pub slices: Vec<SinglePlacementSlice>,
    /// Slices that exist but cannot be decoded.
    pub undecodable_slices: Vec<ObjectKey>,
    /// What is wrong with objects of the four kinds, by file, line and column. Each that cannot be identified, or that
    /// no server could have, is only here.
    pub invalid: Vec<InvalidObject>,
    /// How many objects there are of each other `apiVersion/Kind`.
    pub skipped: BTreeMap<String, usize>,
}

/// Reads all manifests of `paths`: files of any name, folders with the `.yaml`, `.yml` and `.json` files in them and
/// below, and `-` for the standard input. A file is read once, however often it is named.
///
/// Time and memory are linear in the input; an input of more than 1 GiB is refused.
///
/// # Errors
///
/// Everything that stands in the way of reading, in all files: what cannot be opened, is no YAML or JSON or no object, or
/// is there twice.
///
/// ```
/// use edge_kube::input::{Options, load};
///
/// let file = std::env::temp_dir().join("edge-kube-doc-example.yaml");
/// std::fs::write(&file, "apiVersion: workload.kcp.io/v1alpha1\nkind: SyncTarget\nmetadata: {name: edge-1}\n")?;
/// let loaded = load(&[file], &Options { default_cluster: "root".into() })?;
/// assert_eq!(loaded.events[0].key().to_string(), "root/edge-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load(paths: &[PathBuf], options: &Options) -> Result<Loaded, InputError> {
    let mut problems = Vec::new();
    let mut all = Batch::default();
    let sources = source::find(paths, &mut problems);
    let names: Vec<Arc<str>> = sources.iter().map(source::Source::name).collect();
    for (file, (source, name)) in sources.iter().zip(&names).enumerate() {
        match source.read() {
            Ok(text) => all.append(read(file, name, &text, &options.default_cluster)),
            Err(problem) => problems.push(problem),
        }
    }
    finish(all, &names, problems)
}

/// Reads the manifests of one text; `name` is what messages call it.
///
/// # Errors
///
/// As [`load`].
pub fn parse(name: &str, bytes: Vec<u8>, options: &Options) -> Result<Loaded, InputError> {
    let names = [Arc::from(name)];
    match source::text(bytes) {
        Ok(text) => finish(read(0, &names[0], &text, &options.default_cluster), &names, Vec::new()),
        Err(malformed) => finish(Batch::default(), &names, vec![malformed.of(&names[0])]),
    }
}

/// The EdgePlacement that a text consists of, as far as it can be decoded.
pub(crate) fn placement(bytes: Vec<u8>) -> Option<EdgePlacement> {
    struct First(Option<EdgePlacement>);
    impl<'a> node::Sink<'a> for First {
        fn begin_items(&mut self, _root: &[node::Entry<'a>]) {}
        fn item(&mut self, _node: node::Node<'a>) -> bool {
            false
        }
        fn document(&mut self, root: node::Node<'a>) {
            self.0.get_or_insert_with(|| decode::decode(&root).0);
        }
    }
    let text = source::text(bytes).ok()?;
    let mut first = First(None);
    yaml::parse(&text, &mut first).ok()?;
    first.0
}

fn finish(mut all: Batch, names: &[Arc<str>], mut problems: Vec<Problem>) -> Result<Loaded, InputError> {
    problems.append(&mut all.problems);
    find_duplicates(&mut all, names, &mut problems);
    InputError::from_problems(problems)?;
    Ok(loaded(all))
}

/// Reads one text in the format that it has.
fn read(file: usize, name: &Arc<str>, text: &str, default_cluster: &str) -> Batch {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = || Documents::new(file, name, default_cluster);
    let mut json_error = None;
    if text.trim_start().starts_with('{') {
        let mut sink = documents();
        match json::parse(text, &mut sink) {
            Ok(()) => return sink.finish(None),
            Err(error) if !error.syntax => return sink.finish(Some(error)),
            // YAML's flow style looks like JSON, and JSON may be followed by more YAML documents.
            Err(error) => json_error = Some(error),
        }
    }
    let mut sink = documents();
    let yaml_error = yaml::parse(text, &mut sink).err();
    sink.finish(yaml_error.map(|yaml| better(json_error, yaml)))
}

/// The error of the format that the text rather is: the one that could be followed further.
fn better(json: Option<Malformed>, yaml: Malformed) -> Malformed {
    match json {
        Some(json) if !yaml.syntax || yaml.at > json.at => yaml,
        Some(json) => json,
        None => yaml,
    }
}

/// Sorts by identity and reports each object whose identity an earlier one has.
fn find_duplicates(all: &mut Batch, names: &[Arc<str>], problems: &mut Vec<Problem>) {
    let mut report = |kind: Kind, key: &ObjectKey, origin: Origin, first: Origin| {
        if let (Some(name), Some(first_name)) = (names.get(origin.0), names.get(first.0)) {
            let (place, first) = (origin.1.of(name), first.1.of(first_name));
            problems.push(Problem::Duplicate { place, kind, key: key.clone(), first });
        }
    };
    all.events.sort_by(|(a, at_a), (b, at_b)| (a.kind(), a.key(), at_a).cmp(&(b.kind(), b.key(), at_b)));
    let same_event = |(a, _): &(Event, Origin), (b, _): &(Event, Origin)| (a.kind(), a.key()) == (b.kind(), b.key());
    for same in all.events.chunk_by(same_event) {
        if let [(_, first), rest @ ..] = same {
            rest.iter().for_each(|(event, origin)| report(event.kind(), event.key(), *origin, *first));
        }
    }
    all.slices.sort_by(|(_, a, at_a), (_, b, at_b)| (a, at_a).cmp(&(b, at_b)));
    all.undecodable_slices.sort();
    let decoded = all.slices.iter().map(|(_, key, origin)| (key, *origin));
    let mut slices: Vec<(&ObjectKey, Origin)> =
        decoded.chain(all.undecodable_slices.iter().map(|(key, origin)| (key, *origin))).collect();
    slices.sort();
    for same in slices.chunk_by(|a, b| a.0 == b.0) {
        if let [(_, first), rest @ ..] = same {
            rest.iter().for_each(|(key, origin)| report(Kind::SinglePlacementSlice, key, *origin, *first));
        }
    }
}

fn loaded(mut all: Batch) -> Loaded {
    all.invalid.sort_by(|a, b| a.place.cmp(&b.place));
    Loaded {
        events: all.events.into_iter().map(|(event, _)| event).collect(),
        slices: all.slices.into_iter().map(|(slice, ..)| *slice).collect(),
        undecodable_slices: all.undecodable_slices.into_iter().map(|(key, _)| key).collect(),
        invalid: all.invalid,
        skipped: all.skipped,
    }
}
