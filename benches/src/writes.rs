//! `writes`: how many slices one event writes.

use std::collections::BTreeSet;
use std::error::Error;

use benches::report::{self, Table, digits};
use benches::workload::{Case, Kind, Measured, Size, World};
use edge_core::event::Event;
use edge_core::index::DestinationRef;
use edge_core::publisher::{Action, Gate, Outcome, Publisher, Request, Time};
use edge_core::scheduler::Options;
use edge_core::slices::{Digest, Published, Write};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Put the table between the README's markers
    #[arg(long)]
    write_readme: bool,
    /// How many destinations a slice may have; may be given several times
    #[arg(long, default_values_t = [100, 1_000])]
    max_destinations_per_slice: Vec<usize>,
    /// How many SyncTargets there are; published figures are about 100000
    #[arg(long, default_value_t = Size::REFERENCE.sync_targets)]
    sync_targets: usize,
    /// How many objects each row changes
    #[arg(long, default_value_t = 40)]
    objects: usize,
}

const KINDS: [Kind; 7] = [
    Kind::RelabelSyncTarget,
    Kind::AddSyncTarget,
    Kind::DeleteSyncTarget,
    Kind::ChangeLocation,
    Kind::RelabelLocation,
    Kind::AddLocation,
    Kind::DeleteLocation,
];

pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let world = World::generate(Size::with_sync_targets(args.sync_targets));
    let mut heading = vec!["one event, the mean of many".to_string()];
    let mut rows = KINDS.map(|kind| vec![kind.name().to_string()]);
    for &max in &args.max_destinations_per_slice {
        heading.push(format!("EdgePlacements whose slices are written; slices of {max}"));
        heading.push("slices written for each".into());
        eprintln!("slices of {max}");
        let mut server = Server::new(Options::default().with_max_destinations_per_slice(max)?);
        world.events().for_each(|event| server.publisher.apply(event, Time::ZERO));
        server.publisher.set_gate(Gate::Open, Time::ZERO);
        server.write_all()?;
        for (kind, row) in KINDS.into_iter().zip(&mut rows) {
            let Total { events, writes, placements } = server.total(&Case::new(&world, kind, args.objects))?;
            row.push(digits(placements as f64 / events as f64));
            row.push(format!("{:.2}", writes as f64 / placements as f64));
        }
    }
    let mut table = Table::new(heading);
    rows.into_iter().for_each(|row| table.row(row));
    println!("{}", table.markdown());
    if args.write_readme {
        report::write_readme("writes", &table.markdown())?;
    }
    Ok(())
}

/// What some events came to.
#[derive(Debug, Default)]
struct Total {
    events: usize,
    /// Slices created, replaced and deleted.
    writes: usize,
    /// EdgePlacements that had slices written, once for each event.
    placements: usize,
}

/// The publisher, and an API server that does at once what it is asked.
#[derive(Debug)]
struct Server {
    publisher: Publisher,
    version: u64,
}

impl Server {
    fn new(options: Options) -> Self {
        Self { publisher: Publisher::new(options), version: 0 }
    }

    fn total(&mut self, case: &Case) -> Result<Total, Box<dyn Error>> {
        let mut total = Total::default();
        for flip in &case.flips {
            for (event, counts) in
                [(&flip.there, case.measured != Measured::Back), (&flip.back, case.measured != Measured::There)]
            {
                let (writes, placements) = self.happen(event)?;
                if counts {
                    total.events += 1;
                    total.writes += writes;
                    total.placements += placements;
                }
            }
        }
        Ok(total)
    }

    fn happen(&mut self, event: &Event) -> Result<(usize, usize), Box<dyn Error>> {
        self.publisher.apply(event, Time::ZERO);
        self.write_all()
    }

    /// Lets everything be written; tells how many writes there were, and of how many EdgePlacements.
    fn write_all(&mut self) -> Result<(usize, usize), Box<dyn Error>> {
        let (mut writes, mut placements) = (0, BTreeSet::new());
        while let Some(Request { id, action, .. }) = self.publisher.poll(Time::ZERO) {
            let Action::Write(write) = action else { return Err(format!("not a write: {action:?}").into()) };
            writes += 1;
            let owner = write.object.as_ref().and_then(Published::placement_name).map(str::to_string);
            placements.extend(owner.or_else(|| Some(self.publisher.published().placement(&write.key)?.name)));
            let outcome = self.answer(write);
            self.publisher.complete(id, outcome, Time::ZERO);
        }
        match self.publisher.is_idle() {
            true => Ok((writes, placements.len())),
            false => Err("the publisher does not come to rest".into()),
        }
    }

    fn answer(&mut self, write: Write) -> Outcome {
        self.version += 1;
        let Some(slice) = write.object else { return Outcome::Deleted };
        let mut metadata = slice.metadata;
        metadata.resource_version = self.version.to_string();
        if metadata.uid.is_empty() {
            metadata.uid = format!("uid-{}", self.version);
        }
        Outcome::ThinSlice(metadata, Digest::of(slice.destinations.iter().map(DestinationRef::from)))
    }
}
