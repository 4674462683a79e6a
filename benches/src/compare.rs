//! `compare`: the table of the README.

use std::error::Error;
use std::hint::black_box;
use std::slice;
use std::time::{Duration, Instant};

use benches::engines::{Answer, EdgeCore, Engine, PEERS};
use benches::measure::{self, Mode, Sample};
use benches::report::{self, Table, duration, grouped, ratio, time};
use benches::workload::{Case, Size, World};
use edge_core::scheduler::Options;
use edge_core::slices::{DEFAULT_DESTINATIONS_PER_SLICE, MAX_DESTINATIONS_PER_SLICE};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Put the table between the README's markers
    #[arg(long)]
    write_readme: bool,
    /// Only rows whose name contains this; may be given several times
    #[arg(long)]
    only: Vec<String>,
    /// How long each engine may take for each row; slow ones make fewer of the same events
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Leave out the million SyncTargets, for which this wants 16 GB of memory
    #[arg(long)]
    no_million: bool,
    /// How many destinations a slice of edge-core may have; a further column has slices of its default
    #[arg(long, value_name = "COUNT", default_value_t = MAX_DESTINATIONS_PER_SLICE, value_parser = slices)]
    max_destinations_per_slice: usize,
    /// How many SyncTargets the reference has here; published figures are about 100000
    #[arg(long, default_value_t = Size::REFERENCE.sync_targets)]
    sync_targets: usize,
}

/// Events in one change where they come in batches.
const BATCH: usize = 1_000;

/// How often edge-core loads a world; the middle one counts.
const LOADS: usize = 5;

fn slices(count: &str) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let count = count.parse()?;
    Options::default().with_max_destinations_per_slice(count)?;
    Ok(count)
}

impl Args {
    fn ours(&self) -> EdgeCore {
        let options = Options::default().with_max_destinations_per_slice(self.max_destinations_per_slice);
        EdgeCore::with_options(options.unwrap_or_default())
    }

    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| row.contains(part))
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let names = PEERS.map(|make| make().name().to_string());
    let mut heading = vec![
        "one event, the mean of many".into(),
        "destinations that come or go".into(),
        format!("edge-core, slices of {}", args.max_destinations_per_slice),
        "each of them visited".into(),
        format!("edge-core, slices of {DEFAULT_DESTINATIONS_PER_SLICE}"),
    ];
    heading.extend(names);
    let mut table = Table::new(heading);
    loads(args, Size::with_sync_targets(args.sync_targets), &mut table)?;
    events(args, &mut table)?;
    if !args.no_million {
        loads(args, Size::MILLION, &mut table)?;
    }
    let text = table.markdown();
    println!("{text}");
    if args.write_readme {
        report::write_readme("comparison", &text)?;
    }
    Ok(())
}

/// Times every engine loading a world.
fn loads(args: &Args, size: Size, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let name = format!("bulk load of {} SyncTargets", grouped(size.sync_targets));
    if !args.wants(&name) {
        return Ok(());
    }
    eprintln!("{name}");
    let world = World::generate(size);
    let ours = median_load(|| args.ours(), &world);
    let of_default_size = median_load(EdgeCore::new, &world);
    let (destinations, visit) = visit_all(args.ours(), &world);
    let mut cells =
        vec![name, grouped(destinations), duration(ours), duration(ours + visit), duration(of_default_size)];
    for make in PEERS {
        let (engine, theirs) = measure::load(make, &world);
        eprintln!("  {}: {}", engine.name(), duration(theirs));
        // Which ones these are is compared with the single events, of a world that is not as large.
        if engine.answer().destinations != destinations as u64 {
            return Err(format!("{} has not {destinations} destinations: {:?}", engine.name(), engine.answer()).into());
        }
        cells.push(format!("{} ({})", duration(theirs), ratio(theirs.as_secs_f64() / ours.as_secs_f64())));
    }
    table.row(cells);
    Ok(())
}

fn median_load(make: impl Fn() -> EdgeCore, world: &World) -> Duration {
    let mut times: Vec<Duration> = (0..LOADS).map(|_| measure::load(|| Box::new(make()), world).1).collect();
    times.sort_unstable();
    times[LOADS / 2]
}

/// Visits every destination of a world; tells how many there are, and how long that took.
fn visit_all(mut engine: EdgeCore, world: &World) -> (usize, Duration) {
    engine.load(world);
    let start = Instant::now();
    let index = engine.scheduler().index();
    let destinations = world.placements.iter().flat_map(|event| index.destinations(event.key())).flatten();
    (destinations.map(black_box).count(), start.elapsed())
}

/// Times every engine with single events, and with some in batches, on the reference workload.
fn events(args: &Args, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let world = World::generate(Size::with_sync_targets(args.sync_targets));
    let mut rows: Vec<(String, Case, Mode)> = Vec::new();
    for case in Case::all(&world) {
        let batched = (case.name == "SyncTarget, relabel")
            .then(|| (format!("{}, in batches of {}", case.name, grouped(BATCH)), case.clone(), Mode::Batches(BATCH)));
        rows.push((case.name.to_string(), case, Mode::Single));
        rows.extend(batched);
    }
    rows.retain(|(name, ..)| args.wants(name));
    if rows.is_empty() {
        return Ok(());
    }
    let budget = Duration::from_secs_f64(args.seconds);
    let mut checked = EdgeCore::checked();
    checked.load(&world);
    let expected = checked.answer();
    let changed = answer_between(&mut checked, &rows);
    let [mut ours, mut of_default_size] = [args.ours(), EdgeCore::new()];
    ours.load(&world);
    of_default_size.load(&world);
    let mut samples = Vec::new();
    let mut cells: Vec<Vec<String>> = Vec::new();
    for (name, case, mode) in &rows {
        let sample = measure::within(&mut ours, case, *mode, budget);
        let destinations = measure::rows(&mut checked, case, budget);
        let listed = match mode {
            Mode::Single => time(measure::within(&mut ours, case, Mode::Listed, budget).nanos),
            _ => String::new(),
        };
        let smaller = measure::within(&mut of_default_size, case, *mode, budget);
        cells.push(vec![name.clone(), report::digits(destinations), time(sample.nanos), listed, time(smaller.nanos)]);
        samples.push(sample);
    }
    if checked.answer() != expected {
        return Err("edge-core: the events do not undo each other".into());
    }
    for make in PEERS {
        let (mut peer, _) = measure::load(make, &world);
        eprintln!("{}: single events", peer.name());
        agree(peer.name(), expected, peer.answer())?;
        agree(peer.name(), changed, answer_between(&mut *peer, &rows))?;
        for (((_, case, mode), sample), cells) in rows.iter().zip(&samples).zip(&mut cells) {
            let theirs = measure::within(&mut *peer, case, *mode, budget);
            // The same events, as events differ a lot in what they change.
            let ours = match theirs.flips == sample.flips {
                true => *sample,
                false => measure::first(&mut ours, case, *mode, theirs.flips),
            };
            let cell = cell(theirs, ours);
            eprintln!("  {}: {cell}", cells[0]);
            cells.push(cell);
        }
        agree(peer.name(), expected, peer.answer())?;
    }
    cells.into_iter().for_each(|cells| table.row(cells));
    Ok(())
}

/// The answer after the first event of each case, which are undone then.
fn answer_between(engine: &mut dyn Engine, rows: &[(String, Case, Mode)]) -> Answer {
    let flips = || rows.iter().filter_map(|(_, case, _)| case.flips.first());
    flips().for_each(|flip| engine.apply(slice::from_ref(&flip.there)));
    let answer = engine.answer();
    flips().rev().for_each(|flip| engine.apply(slice::from_ref(&flip.back)));
    answer
}

fn agree(peer: &str, expected: Answer, found: Answer) -> Result<(), Box<dyn Error>> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{peer} has another answer than edge-core: {found:?}, not {expected:?}").into())
}

fn cell(theirs: Sample, ours: Sample) -> String {
    format!("{} ({})", time(theirs.nanos), ratio(theirs.nanos / ours.nanos))
}
