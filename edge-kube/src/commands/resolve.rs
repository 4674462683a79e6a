//! `edge-kube resolve`.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

use edge_core::object::{ObjectKey, SinglePlacementSlice};
use edge_core::slices::Published;

use super::output::{self, Format};
use super::{Failure, Input, World, counted};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// How to print the slices
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

pub(super) fn run(args: &Args) -> Result<World, Failure> {
    let world = World::load(&args.input)?;
    let mut out = BufWriter::new(io::stdout().lock());
    output::print(|| slices(&world), args.output, &mut out)?;
    out.flush()?;
    drop(out);
    world.report_conflicts()?;
    Unknown::of(&world).report()?;
    Ok(world)
}

/// The slices as the API server would hold them: by EdgePlacement, then those that are not the scheduler's.
fn slices(world: &World) -> impl Iterator<Item = SinglePlacementSlice> {
    let ours = world.scheduler.placements().flat_map(|key| world.scheduler.resolve(&world.published, &key));
    ours.chain(world.published.foreign().filter_map(|key| world.published.get(key)).cloned())
}

/// UIDs that manifests do not tell.
#[derive(Default)]
struct Unknown {
    destinations: usize,
    sync_targets: HashSet<ObjectKey>,
    owners: HashSet<String>,
}

impl Unknown {
    fn of(world: &World) -> Self {
        let mut unknown = Self::default();
        if world.has_unknown_uids() {
            slices(world).for_each(|slice| unknown.count(&slice));
        }
        unknown
    }

    fn count(&mut self, slice: &SinglePlacementSlice) {
        // What is not ours is as its owner wants it.
        if Published::placement_name(slice).is_none() {
            return;
        }
        for destination in slice.destinations.iter().filter(|destination| destination.sync_target_uid.is_empty()) {
            self.destinations += 1;
            self.sync_targets
                .insert(ObjectKey::new(destination.cluster.as_str(), destination.sync_target_name.as_str()));
        }
        if slice.metadata.owner_references.is_empty() {
            self.owners.insert(slice.metadata.name.clone());
        }
    }

    fn report(&self) -> io::Result<()> {
        let mut stderr = io::stderr();
        if self.destinations > 0 {
            let destinations = counted(self.destinations, "destination");
            let sync_targets = counted(self.sync_targets.len(), "SyncTarget");
            writeln!(stderr, "syncTargetUID is empty in {destinations}: no metadata.uid in {sync_targets}")?;
        }
        if !self.owners.is_empty() {
            let slices = counted(self.owners.len(), "slice");
            writeln!(stderr, "ownerReference is left out in {slices}: no metadata.uid in the EdgePlacement")?;
        }
        Ok(())
    }
}
