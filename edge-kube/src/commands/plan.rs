//! `edge-kube plan`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use clap::ValueEnum;
use edge_core::object::{Destination, ObjectKey, ObjectMeta, SinglePlacementSlice};
use edge_core::slices::{Published, Verb, Write as SliceWrite};
use serde::Serialize;

use super::output::{Items, print_json};
use super::{Failure, Input, World, counted};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// How to print the writes
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: which slice, which destinations come and go
    Text,
    /// Each write with the whole object
    Json,
}

pub(super) fn run(args: &Args) -> Result<World, Failure> {
    let mut world = World::load(&args.input)?;
    let World { scheduler, published, .. } = &mut world;
    let writes = scheduler.writes(published);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.output {
        Format::Text => print_text(published, writes, &mut out)?,
        Format::Json => print_json(&Plan { writes: Items(Cell::new(Some(writes.map(WriteJson::from)))) }, &mut out)?,
    }
    out.flush()?;
    drop(out);
    world.report_conflicts()?;
    Ok(world)
}

#[derive(Serialize)]
#[serde(bound = "")]
struct Plan<I: Iterator<Item: Serialize>> {
    writes: Items<I>,
}

#[derive(Serialize)]
struct WriteJson {
    verb: &'static str,
    cluster: String,
    name: String,
    object: Option<SinglePlacementSlice>,
    /// What a deletion requires; a replacement has it in its object.
    #[serde(skip_serializing_if = "Option::is_none")]
    preconditions: Option<Preconditions>,
}

/// As in `DeleteOptions` of Kubernetes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Preconditions {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

impl From<SliceWrite> for WriteJson {
    fn from(write: SliceWrite) -> Self {
        let SliceWrite { verb, key, object, uid, resource_version } = write;
        let known = verb == Verb::Delete && (uid.is_some() || resource_version.is_some());
        Self {
            verb: verb.as_str(),
            cluster: key.cluster,
            name: key.name,
            object,
            preconditions: known.then_some(Preconditions { uid, resource_version }),
        }
    }
}

fn print_text(published: &Published, writes: impl Iterator<Item = SliceWrite>, out: &mut impl Write) -> io::Result<()> {
    let mut verbs: BTreeMap<Verb, usize> = BTreeMap::new();
    let nothing = SinglePlacementSlice::default();
    // What helpers and slices that are written twice were written before. Such writes are close to each other.
    let mut recent: VecDeque<(ObjectKey, SinglePlacementSlice)> = VecDeque::new();
    for write in writes {
        let latest = recent.iter().rev().find(|(key, _)| *key == write.key).map(|(_, slice)| slice);
        let before = match write.verb {
            Verb::Create => &nothing,
            _ => latest.or_else(|| published.get(&write.key)).unwrap_or(&nothing),
        };
        print_write(&write, before, write.object.as_ref().unwrap_or(&nothing), out)?;
        *verbs.entry(write.verb).or_default() += 1;
        if let Some(object) = write.object {
            recent.push_back((write.key, object));
            if recent.len() > RECENT {
                recent.pop_front();
            }
        }
    }
    if verbs.is_empty() {
        return writeln!(out, "nothing to do");
    }
    let total = counted(verbs.values().sum(), "write");
    let verbs: Vec<String> = verbs.iter().map(|(verb, count)| format!("{count} {}", verb.as_str())).collect();
    writeln!(out, "{total}: {}", verbs.join(", "))
}

/// So many written slices are remembered for what comes after them.
const RECENT: usize = 100;

/// Cluster, Location and SyncTarget: sorted as the entries of a slice.
type Key<'a> = (&'a str, &'a str, &'a str);

/// The UIDs by destination.
fn by_key(slice: &SinglePlacementSlice) -> BTreeMap<Key<'_>, &str> {
    let mut entries = BTreeMap::new();
    for Destination { cluster, location_name, sync_target_name, sync_target_uid } in &slice.destinations {
        entries.insert((&**cluster, &**location_name, &**sync_target_name), &**sync_target_uid);
    }
    entries
}

/// A heading, then a line for each destination: `+` comes, `-` goes, `~` has a new UID.
fn print_write(
    write: &SliceWrite,
    before: &SinglePlacementSlice,
    after: &SinglePlacementSlice,
    out: &mut impl Write,
) -> io::Result<()> {
    let (old, new) = (by_key(before), by_key(after));
    let keys: BTreeSet<&Key<'_>> = old.keys().chain(new.keys()).collect();
    let mut lines = String::new();
    for key in keys {
        let uid = |uid: &str| String::from(if uid.is_empty() { "<unknown>" } else { uid });
        let (cluster, location, sync_target) = key;
        let destination = format!("{cluster}/{location}/{sync_target}");
        let _ = match (old.get(key), new.get(key)) {
            (Some(_), None) => writeln!(lines, "  - {destination}"),
            (Some(old), Some(new)) if old == new => Ok(()),
            (Some(old), Some(new)) => writeln!(lines, "  ~ {destination}: UID {} -> {}", uid(old), uid(new)),
            (None, _) => writeln!(lines, "  + {destination}"),
        };
    }
    let count = counted(if write.verb == Verb::Delete { old.len() } else { new.len() }, "destination");
    writeln!(out, "{} {}: {count}{}", write.verb.as_str(), write.key, remarks(write.verb, before, after, &lines))?;
    out.write_all(lines.as_bytes())
}

/// What a replacement changes besides destinations.
fn remarks(verb: Verb, before: &SinglePlacementSlice, after: &SinglePlacementSlice, lines: &str) -> String {
    let mut changes = Vec::new();
    if verb == Verb::Replace {
        let changed = |what: fn(&ObjectMeta) -> String, name: &'static str| {
            (what(&before.metadata) != what(&after.metadata)).then_some(name)
        };
        changes.extend(changed(|metadata| format!("{:?}", metadata.labels), "labels"));
        changes.extend(changed(|metadata| format!("{:?}", metadata.annotations), "annotations"));
        changes.extend(changed(|metadata| format!("{:?}", metadata.owner_references), "owner"));
        if lines.is_empty() && before.destinations != after.destinations {
            let duplicates = before.destinations.len() > after.destinations.len();
            changes.push(if duplicates { "duplicates" } else { "order of destinations" });
        }
    }
    if changes.is_empty() { String::new() } else { format!(" (changes {})", changes.join(", ")) }
}
