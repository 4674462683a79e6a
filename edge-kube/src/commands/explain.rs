//! `edge-kube explain`.

use super::{Failure, Input, Name, World, parse_name};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// The EdgePlacement
    #[arg(long, value_name = "[CLUSTER/]NAME", value_parser = parse_name)]
    placement: Name,
    /// The Location
    #[arg(long, value_name = "[CLUSTER/]NAME", value_parser = parse_name)]
    location: Option<Name>,
    /// The SyncTarget
    #[arg(long, value_name = "[CLUSTER/]NAME", value_parser = parse_name)]
    sync_target: Option<Name>,
}

pub(super) fn run(args: &Args) -> Result<World, Failure> {
    let world = World::load(&args.input)?;
    let _ = args;
    Ok(world)
}
