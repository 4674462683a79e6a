//! SinglePlacementSlices as YAML, JSON and table.

use std::cell::Cell;
use std::io::{self, Write};

use clap::ValueEnum;
use edge_core::object::SinglePlacementSlice;
use edge_core::slices::Published;
use serde::{Serialize, Serializer};

/// How to print SinglePlacementSlices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One document for each slice
    Yaml,
    /// One v1 List
    Json,
    /// One line for each destination
    Table,
}

/// Prints the slices one by one: they are made as they are printed.
pub(super) fn print(
    slices: impl Iterator<Item = SinglePlacementSlice>,
    format: Format,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        Format::Yaml => print_yaml(slices, out),
        Format::Json => print_json(&List { items: Items(Cell::new(Some(slices))) }, out),
        Format::Table => print_table(slices, out),
    }
}

fn print_yaml(slices: impl Iterator<Item = SinglePlacementSlice>, out: &mut impl Write) -> io::Result<()> {
    for (i, slice) in slices.enumerate() {
        if i > 0 {
            out.write_all(b"---\n")?;
        }
        serde_yaml::to_writer(&mut *out, &slice).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Four spaces, as kubectl prints JSON.
pub(super) fn print_json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, formatter))?;
    out.write_all(b"\n")
}

/// A `v1` List, as `kubectl get -o json` prints it.
struct List<I> {
    items: Items<I>,
}

impl<I: Iterator<Item: Serialize>> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            resource_version: &'static str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase", bound = "")]
        struct Wire<'a, I: Iterator<Item: Serialize>> {
            api_version: &'static str,
            items: &'a Items<I>,
            kind: &'static str,
            metadata: Metadata,
        }
        let metadata = Metadata { resource_version: "" };
        Wire { api_version: "v1", items: &self.items, kind: "List", metadata }.serialize(serializer)
    }
}

/// An iterator that can be serialized once.
pub(super) struct Items<I>(pub(super) Cell<Option<I>>);

impl<I: Iterator<Item: Serialize>> Serialize for Items<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

const HEADER: [&str; 7] = ["CLUSTER", "NAME", "PLACEMENT", "DESTINATION-CLUSTER", "LOCATION", "SYNCTARGET", "UID"];

fn print_table(slices: impl Iterator<Item = SinglePlacementSlice>, out: &mut impl Write) -> io::Result<()> {
    let mut rows: Vec<[String; 7]> = vec![HEADER.map(String::from)];
    for slice in slices {
        let cluster = slice.metadata.cluster().unwrap_or_default();
        let placement = Published::placement_name(&slice).unwrap_or("<none>");
        let row = |destination: [&str; 4]| {
            let [to, location, sync_target, uid] =
                destination.map(|cell| if cell.is_empty() { "<none>" } else { cell });
            [cluster, &slice.metadata.name, placement, to, location, sync_target, uid].map(String::from)
        };
        if slice.destinations.is_empty() {
            rows.push(row([""; 4]));
        }
        rows.extend(slice.destinations.iter().map(|destination| {
            let uid = &destination.sync_target_uid;
            row([&destination.cluster, &destination.location_name, &destination.sync_target_name, uid])
        }));
    }
    if rows.len() == 1 {
        // As kubectl: to a person, not into a pipe.
        return writeln!(io::stderr(), "No resources found");
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    for row in &rows {
        let (last, cells) = (&row[6], row[..6].iter().zip(widths));
        for (cell, width) in cells {
            write!(out, "{cell:width$}   ")?;
        }
        writeln!(out, "{last}")?;
    }
    Ok(())
}
