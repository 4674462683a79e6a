//! `edge-kube plan`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use clap::ValueEnum;
use edge_core::object::{Destination, ObjectMeta, SinglePlacementSlice};
use edge_core::slices::{Verb, Write as SliceWrite};
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
    let world = World::load(&args.input)?;
    let writes = world.scheduler.plan(&world.published);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.output {
        Format::Text => print_text(&world, &writes, &mut out)?,
        Format::Json => {
            print_json(&Plan { writes: Items(Cell::new(Some(writes.iter().map(WriteJson::from)))) }, &mut out)?
        }
    }
    out.flush()?;
    world.report_conflicts()?;
    Ok(world)
}

#[derive(Serialize)]
#[serde(bound = "")]
struct Plan<I: Iterator<Item: Serialize>> {
    writes: Items<I>,
}

#[derive(Serialize)]
struct WriteJson<'a> {
    verb: &'static str,
    cluster: &'a str,
    name: &'a str,
    object: Option<&'a SinglePlacementSlice>,
    /// What a deletion requires; a replacement has it in its object.
    #[serde(skip_serializing_if = "Option::is_none")]
    preconditions: Option<Preconditions<'a>>,
}

/// As in `DeleteOptions` of Kubernetes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Preconditions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
}

impl<'a> From<&'a SliceWrite> for WriteJson<'a> {
    fn from(write: &'a SliceWrite) -> Self {
        let (uid, resource_version) = (write.uid.as_deref(), write.resource_version.as_deref());
        let known = write.verb == Verb::Delete && (uid.is_some() || resource_version.is_some());
        Self {
            preconditions: known.then_some(Preconditions { uid, resource_version }),
            verb: write.verb.as_str(),
            cluster: &write.key.cluster,
            name: &write.key.name,
            object: write.object.as_ref(),
        }
    }
}

fn print_text(world: &World, writes: &[SliceWrite], out: &mut impl Write) -> io::Result<()> {
    if writes.is_empty() {
        return writeln!(out, "nothing to do");
    }
    let mut published = world.published.clone();
    let mut verbs: BTreeMap<Verb, usize> = BTreeMap::new();
    let nothing = SinglePlacementSlice::default();
    for write in writes {
        let before = published.get(&write.key).unwrap_or(&nothing);
        let after = write.object.as_ref().unwrap_or(&nothing);
        print_write(write, before, after, out)?;
        published.apply(write);
        *verbs.entry(write.verb).or_default() += 1;
    }
    let verbs: Vec<String> = verbs.iter().map(|(verb, count)| format!("{count} {}", verb.as_str())).collect();
    writeln!(out, "{}: {}", counted(writes.len(), "write"), verbs.join(", "))
}

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
