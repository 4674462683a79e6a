//! The command line: what it takes, and its exit codes.
//!
//! 0 is fine, also for empty input; 1 says that some objects are invalid while the others were answered; 2 is a wrong
//! use, or input that cannot be read. Of the scheduler 0 means that it was told to stop, 1 that it cannot go on.

mod explain;
mod manifests;
mod output;
mod plan;
mod resolve;
mod scheduler;
mod world;

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use edge_core::object::ObjectKey;
use edge_core::scheduler::Options;
use edge_core::selector::validate_cluster_name;
use edge_core::slices::{DEFAULT_DESTINATIONS_PER_SLICE, MAX_DESTINATIONS_PER_SLICE};

use crate::input::InputError;
use world::World;

/// Decides which edge clusters each EdgePlacement's workload goes to.
#[derive(Debug, Parser)]
#[command(name = "edge-kube", version, max_term_width = 100, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the SinglePlacementSlices that manifests result in
    ///
    /// Reads EdgePlacements, Locations and SyncTargets, and prints the SinglePlacementSlices as the API server would hold
    /// them. SinglePlacementSlices in the input are the current ones: they are adopted, as the scheduler would.
    #[command(after_help = EXIT_CODES)]
    Resolve(resolve::Args),
    /// Print the writes that the scheduler would make
    ///
    /// The input holds the existing SinglePlacementSlices too. The writes are in an order that is safe one by one: no write
    /// drops a destination that is wanted and that no other slice has.
    #[command(after_help = EXIT_CODES)]
    Plan(plan::Args),
    /// Explain why a SyncTarget is, or is not, a destination
    ///
    /// Without --location it looks at all Locations, without --sync-target at all SyncTargets of the Locations' clusters.
    #[command(after_help = EXIT_CODES)]
    Explain(explain::Args),
    /// Print what one applies to a server before the scheduler can work there
    ///
    /// The output is nothing but YAML for `kubectl apply -f -`.
    Manifests(manifests::Args),
    /// Keep the SinglePlacementSlices right, live
    #[command(long_about = scheduler::ABOUT, after_long_help = scheduler::AFTER_HELP, after_help = scheduler::MORE)]
    Scheduler(Box<scheduler::Args>),
}

const EXIT_CODES: &str = "\
Exit codes:
  0  fine, also for empty input
  1  some objects are invalid (each has a line on stderr); the others were answered
  2  wrong usage, or input that cannot be read";

/// What all commands take.
#[derive(Debug, Args)]
struct Input {
    /// Files and folders with manifests (YAML or JSON); `-` is the standard input
    ///
    /// Of a folder, the files that end in .yaml, .yml or .json are read, those of its subfolders too. What begins with a
    /// dot is left out.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Logical cluster of objects without the annotation kcp.io/cluster
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = parse_cluster)]
    cluster_name: String,
    /// Most destinations of a SinglePlacementSlice, from 1 to 1000
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DESTINATIONS_PER_SLICE, value_parser = parse_max)]
    max_destinations_per_slice: usize,
}

impl Input {
    fn options(&self) -> Options {
        // The parser has checked the range already.
        Options::default().with_max_destinations_per_slice(self.max_destinations_per_slice).unwrap_or_default()
    }
}

pub(crate) fn parse_cluster(name: &str) -> Result<String, String> {
    validate_cluster_name(name).map(|()| name.into())
}

pub(crate) fn parse_max(text: &str) -> Result<usize, String> {
    let range = format!("expected a number from 1 to {MAX_DESTINATIONS_PER_SLICE}");
    let max: usize = text.parse().map_err(|_| range.clone())?;
    Options::default().with_max_destinations_per_slice(max).map(|_| max).map_err(|_| range)
}

/// `[CLUSTER/]NAME`.
#[derive(Debug, Clone)]
struct Name {
    cluster: Option<String>,
    name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cluster {
            Some(cluster) => write!(f, "{cluster}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn parse_name(text: &str) -> Result<Name, String> {
    let (cluster, name) = match text.split_once('/') {
        Some((cluster, name)) => (Some(parse_cluster(cluster)?), name),
        None => (None, text),
    };
    if name.is_empty() || name.contains('/') {
        return Err("expected NAME or CLUSTER/NAME".into());
    }
    Ok(Name { cluster, name: name.into() })
}

/// Why a command gave no answer: exit code 2.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("error: {kind} {name} does not exist in the input")]
    Missing { kind: &'static str, name: Name },
    #[error("error: {kind} {name} exists in more than one logical cluster: {}", list(.candidates))]
    Ambiguous { kind: &'static str, name: Name, candidates: Vec<ObjectKey> },
    #[error("error: cannot write the output: {0}")]
    Output(#[from] io::Error),
}

fn list(keys: &[ObjectKey]) -> String {
    keys.iter().map(ObjectKey::to_string).collect::<Vec<_>>().join(", ")
}

/// `1 destination`, `2 destinations`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Says how a subcommand was used wrongly, as the parser does, and exits with 2.
fn wrong_usage(subcommand: &str, message: &str) -> ! {
    let mut command = Cli::command();
    command.build();
    let command = command.find_subcommand_mut(subcommand).map_or_else(Cli::command, |found| found.clone());
    command.clone().error(ErrorKind::ArgumentConflict, message).exit()
}

/// A variable that is set to nothing is as good as not set: so it is where a manifest fills in what may be absent.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

/// Parses the arguments, runs the command and tells the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match &cli.command {
        Command::Resolve(args) => resolve::run(args).map(|world| world.exit_code()),
        Command::Plan(args) => plan::run(args).map(|world| world.exit_code()),
        Command::Explain(args) => explain::run(args).map(|world| world.exit_code()),
        Command::Manifests(args) => manifests::run(args).map(|()| ExitCode::SUCCESS),
        Command::Scheduler(args) => return scheduler::run(args),
    };
    match result {
        Ok(code) => code,
        // Whoever reads the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to be done where even this cannot be written.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(2)
        }
    }
}
