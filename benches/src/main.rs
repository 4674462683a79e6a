//! `cargo run --release -p benches -- help`: edge-core beside its peers, and what it is held to.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line")]

mod compare;
mod scaling;
mod writes;

use std::error::Error;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// The scheduler's own, for all that are compared.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures edge-core beside what one could use instead. Wants a quiet machine.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints a table of times on the reference workload and on a million SyncTargets
    Compare(compare::Args),
    /// Prints what the same event takes in ever larger worlds
    Scaling(scaling::Args),
    /// Prints how many slices of how many EdgePlacements one event writes
    Writes(writes::Args),
}

fn main() -> Result<(), Box<dyn Error>> {
    match Args::parse().command {
        Command::Compare(args) => compare::run(&args),
        Command::Scaling(args) => scaling::run(&args),
        Command::Writes(args) => writes::run(&args),
    }
}
