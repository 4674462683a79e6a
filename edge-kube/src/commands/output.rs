//! SinglePlacementSlices as YAML, JSON and table.

use std::cell::Cell;
use std::io::{self, Write};

use clap::ValueEnum;
use edge_core::object::{Destination, SinglePlacementSlice};
use edge_core::slices::Published;
use serde::{Serialize, Serializer};

use crate::yaml;

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

/// Prints the slices one by one: they are made as they are printed, so that a million destinations need no memory.
pub(super) fn print<I: Iterator<Item = SinglePlacementSlice>>(
    slices: impl Fn() -> I,
    format: Format,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        Format::Yaml => print_yaml(slices(), out),
        Format::Json => print_json(&List { items: Items(Cell::new(Some(slices()))) }, out),
        Format::Table => print_table(slices, out),
    }
}

fn print_yaml(slices: impl Iterator<Item = SinglePlacementSlice>, out: &mut impl Write) -> io::Result<()> {
    for (i, slice) in slices.enumerate() {
        if i > 0 {
            out.write_all(b"---\n")?;
        }
        yaml::write(&serde_json::to_value(&slice)?, out)?;
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

/// Goes through the slices twice: for the widths of the columns, and to print.
fn print_table<I: Iterator<Item = SinglePlacementSlice>>(
    slices: impl Fn() -> I,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut widths = HEADER.map(str::len);
    let mut empty = true;
    for slice in slices() {
        empty = false;
        each_row(&slice, |row| {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
            Ok(())
        })?;
    }
    if empty {
        // As kubectl: to a person, not into a pipe.
        return writeln!(io::stderr(), "No resources found");
    }
    print_row(HEADER, &widths, out)?;
    for slice in slices() {
        each_row(&slice, |row| print_row(row, &widths, out))?;
    }
    Ok(())
}

fn each_row(slice: &SinglePlacementSlice, mut act: impl FnMut([&str; 7]) -> io::Result<()>) -> io::Result<()> {
    let cluster = slice.metadata.cluster().unwrap_or_default();
    let placement = Published::placement_name(slice).unwrap_or_default();
    let mut row = |destination: [&str; 4]| {
        let [to, location, sync_target, uid] = destination;
        let row = [cluster, &slice.metadata.name, placement, to, location, sync_target, uid];
        act(row.map(|cell| if cell.is_empty() { "<none>" } else { cell }))
    };
    if slice.destinations.is_empty() {
        return row([""; 4]);
    }
    slice.destinations.iter().try_for_each(|destination| {
        let Destination { cluster, location_name, sync_target_name, sync_target_uid } = destination;
        row([cluster, location_name, sync_target_name, sync_target_uid])
    })
}

fn print_row(row: [&str; 7], widths: &[usize; 7], out: &mut impl Write) -> io::Result<()> {
    for (cell, width) in row[..6].iter().zip(widths) {
        write!(out, "{cell:width$}   ")?;
    }
    writeln!(out, "{}", row[6])
}
