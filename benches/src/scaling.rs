//! `scaling`: what the same event takes in ever larger worlds.

use std::error::Error;
use std::time::Duration;

use benches::engines::{EdgeCore, Engine, Make, PEERS};
use benches::measure::{self, Mode};
use benches::report::{self, Chart, Counts, Line, Table, digits, grouped, time, top};
use benches::workload::{Case, Size, World};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Draw benches/scaling.svg, and put it and the table between the README's markers
    #[arg(long)]
    write: bool,
    /// How many SyncTargets the largest world has; a million want 16 GB of memory
    #[arg(long, default_value_t = 1_000_000)]
    up_to: usize,
    /// How long each engine may take for the events at each size
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// SyncTargets that are relabelled at each size.
const FLIPS: usize = 1_000;

const OURS: Make = || Box::<EdgeCore>::default();

pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let engines: Vec<Make> = [OURS].into_iter().chain(PEERS).collect();
    let line = |make: &Make| Line { name: make().name().into(), points: Vec::new() };
    let mut lines: Vec<Line> = engines.iter().map(line).collect();
    let names = lines.iter().map(|line| line.name.clone());
    let heading = ["SyncTargets", "destinations that come or go", "instructions of edge-core"].map(Into::into);
    let mut table = Table::new(heading.into_iter().chain(names));
    let counts = Counts::read()?;
    let sizes = [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|size| *size <= args.up_to);
    for size in sizes {
        let size = Size::with_constant_output(size);
        let world = World::generate(size);
        let mut index = EdgeCore::new();
        index.load(&world);
        let (case, rows) = Case::relabels_of_constant_output(&world, &mut index, FLIPS);
        drop(index);
        eprintln!("{} SyncTargets, {} relabels", grouped(size.sync_targets), case.flips.len());
        let instructions = counts.of(&format!("constant output {}", size.sync_targets)).map(grouped);
        let mut cells = vec![grouped(size.sync_targets), digits(rows), instructions.unwrap_or_default()];
        for (make, line) in engines.iter().zip(&mut lines) {
            let (mut engine, _) = measure::load(make, &world);
            let sample = measure::within(&mut *engine, &case, Mode::Single, Duration::from_secs_f64(args.seconds));
            eprintln!("  {}: {}", engine.name(), time(sample.nanos));
            line.points.push((size.sync_targets as f64, sample.nanos));
            cells.push(time(sample.nanos));
        }
        table.row(cells);
    }
    println!("{}", table.markdown());
    if args.write {
        let chart = Chart {
            title: "One SyncTarget gets another label; about a hundred destinations come or go".into(),
            sizes: "SyncTargets".into(),
            lines,
        };
        chart.write(&top().join("benches/scaling.svg"))?;
        let picture = "![Time of an event against the number of SyncTargets](benches/scaling.svg)";
        report::write_readme("scaling", &format!("{picture}\n\n{}", table.markdown()))?;
    }
    Ok(())
}
