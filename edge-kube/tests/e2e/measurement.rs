//! The measurement: what it does, and the tables that it makes.

mod api;
mod model;
mod phases;
mod running;
mod slices;
mod table;
mod usage;
mod world;

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use edge_core::slices::DEFAULT_DESTINATIONS_PER_SLICE;

use crate::env::{Env, Flavor};
use api::Api;
use model::Model;
use phases::{Bench, Events, Width, quiesce};
use running::Running;
use table::{Table, digits, median, ms, quantile, seconds, write_readme};
use world::Size;

/// Measures the scheduler on real API servers. Prints tables in Markdown; what it does goes to stderr.
///
/// It checks all slices against an oracle of its own and ends with an error if one is wrong. Nothing else should run on the
/// machine meanwhile. Needs Linux, Go for the first run (the servers are built), 8 GB of memory and 10 GB in the folder for
/// temporary files.
#[derive(Debug, Parser)]
struct Args {
    /// Which server; can be given more than once [default: all]
    #[arg(long, value_enum)]
    server: Vec<ServerFlag>,
    /// How many SyncTargets there are; a thousandth of it EdgePlacements, about ten times as many destinations
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    sync_targets: u32,
    /// Measure slice sizes against each other instead
    #[arg(long)]
    sweep: bool,
    /// How many events are measured, of each sort
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    events: u16,
    /// How many times publication, restart and what they are compared to are measured; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Most requests in flight, of the scheduler and of the load that it is compared to
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Most destinations of a slice
    #[arg(long, default_value_t = DEFAULT_DESTINATIONS_PER_SLICE)]
    max_destinations_per_slice: usize,
    /// Put the tables into README.md, between its two markers, too
    #[arg(long)]
    write_readme: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ServerFlag {
    Kubernetes,
    #[value(name = "kcp-0.11")]
    Kcp011,
}

impl ServerFlag {
    fn title(self) -> &'static str {
        match self {
            Self::Kubernetes => "Kubernetes 1.36",
            Self::Kcp011 => "kcp 0.11",
        }
    }

    fn flavor(self) -> Flavor {
        match self {
            Self::Kubernetes => Flavor::Kubernetes,
            Self::Kcp011 => Flavor::Kcp011,
        }
    }

    /// In how many logical clusters the objects are.
    fn clusters(self) -> usize {
        match self {
            Self::Kubernetes => 1,
            Self::Kcp011 => 16,
        }
    }
}

/// How long the scheduler is left alone to see what it does by itself.
const REST: Duration = Duration::from_secs(30);
const SLICE_SIZES: [usize; 4] = [100, 250, 500, 1000];

pub(crate) fn run() {
    let mut args = Args::parse();
    if args.server.is_empty() {
        args.server = ServerFlag::value_variants().into();
    }
    let mut text = String::new();
    if args.sweep {
        for server in &args.server {
            text += &format!("{}:\n\n{}\n", server.title(), sweep(*server, &args).markdown());
        }
    } else {
        let mut table = Table::default();
        for server in &args.server {
            table.join(measure(*server, &args));
        }
        text = format!("{}\n", table.markdown());
    }
    println!("{text}");
    if args.write_readme {
        write_readme(if args.sweep { "slice sizes" } else { "measurements" }, &text);
    }
}

fn prepare(server: ServerFlag, args: &Args) -> Bench {
    eprintln!("{}: starting", server.title());
    // It ends with the process: taking a hundred thousand objects away one by one would take minutes.
    let env: &Env = Box::leak(Box::new(Env::new(server.flavor(), "measure")));
    let size = Size { sync_targets: args.sync_targets as usize, clusters: server.clusters() };
    let clusters: Vec<_> = (0..size.clusters).map(|number| env.bound(&format!("ws-{number:02}"))).collect();
    let concurrency = args.concurrency.into();
    let api = Api::new(env, concurrency);
    size.create(&api, &clusters);
    quiesce(env);
    let begin = Instant::now();
    let model = Model::read(&api);
    let (targets, destinations) = (model.sync_targets.len(), model.destinations());
    eprintln!("  {targets} SyncTargets, {destinations} destinations; computed in {:.0?}", begin.elapsed());
    let bench = Bench { env, api, size, model, clusters, concurrency };
    quiesce(bench.env);
    bench
}

fn measure(server: ServerFlag, args: &Args) -> Table {
    let mut bench = prepare(server, args);
    let max = args.max_destinations_per_slice;
    let mut table = Table::new(["", server.title()]);
    let mut row = |name: &str, value: String| table.row([name.into(), value]);
    let [targets, placements] = [bench.model.sync_targets.len(), bench.model.placements.len()];
    row("SyncTargets, EdgePlacements", format!("{targets}, {placements}"));
    row("destinations", bench.model.destinations().to_string());

    eprintln!("{}: first publication", server.title());
    let (mut publications, mut bare, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..args.rounds {
        if round > 0 {
            bench.delete_slices();
        }
        let (running, publication) = bench.publish(max);
        running.stop();
        publications.push(publication);
        let (pace, sum) = bench.bare_writes();
        bare.push(pace.rate());
        bytes = sum;
    }
    let middle = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let ours = middle(publications.iter().map(|publication| publication.writes.rate()).collect());
    let bare = middle(bare);
    let last = publications.last().unwrap();
    let total = median(publications.iter().map(|publication| publication.total).collect());
    row("first publication: start to last slice", seconds(total));
    row("slices, and MB sent", format!("{}, {}", last.slices, digits(bytes as f64 / 1e6)));
    row("writes a second", format!("{ours:.0}"));
    row("of a bare load generator", format!("{bare:.0}: {:.0} % of it", ours / bare * 100.0));
    row("CPU: scheduler, server", format!("{}, {}", seconds(last.cpu.0), seconds(last.server_cpu.0)));
    row("peak memory after it", format!("{:.0} MB", last.peak_mb));

    eprintln!("{}: restart", server.title());
    let (mut restarts, mut serial, mut together) = (Vec::new(), Vec::new(), Vec::new());
    let mut running: Option<Running> = None;
    quiesce(bench.env);
    // The first lists after many writes are several times slower, whoever asks for them.
    let _ = bench.bare_lists();
    for _ in 0..args.rounds {
        if let Some(running) = running.take() {
            running.stop();
        }
        let [one_by_one, at_once] = bench.bare_lists();
        eprintln!("  bare lists: {one_by_one:.2?} one by one, {at_once:.2?} as the scheduler does it");
        serial.push(one_by_one);
        together.push(at_once);
        let (started, ready) = bench.restart(max);
        restarts.push(ready);
        running = Some(started);
    }
    let running = running.unwrap();
    let (ready, serial, together) = (median(restarts), median(serial), median(together));
    row("restart to ready, no write", seconds(ready));
    let times =
        |bare: Duration| format!("{}: {:.2} times that", seconds(bare), ready.as_secs_f64() / bare.as_secs_f64());
    row("bare lists, one by one", times(serial));
    row("bare lists, slices first, then the rest at once", times(together));

    eprintln!("{}: at rest", server.title());
    let rest = bench.rest(&running, REST);
    row("writes and CPU in 30 s at rest", format!("0, {}", ms(rest.0)));
    for (width, name) in [(Width::One, "that change one destination"), (Width::Any, "of any sort")] {
        eprintln!("{}: events {name}", server.title());
        let events = bench.events(&running, args.events.into(), width, max);
        for (what, value) in event_cells(events) {
            row(&format!("events {name}: {what}"), value);
        }
    }
    row("peak memory after restart and events", format!("{:.0} MB", running.peak_mb()));
    running.stop();
    table
}

/// What the tables say about events.
fn event_cells(mut events: Events) -> [(&'static str, String); 6] {
    let count = events.latency.len();
    let [p50, p99] = [0.5, 0.99].map(|part| quantile(&mut events.latency, part));
    let own = events.own.map(|bound| digits(bound * 1e3));
    let cells = [
        ("changed to all slices seen right, p50 and p99", format!("{}, {}", ms(p50), ms(p99))),
        ("the scheduler's own histogram, p50 and p99 below", format!("{}, {} ms", own[0], own[1])),
        ("slices written for each", digits(events.slices as f64 / count as f64)),
        ("kB written for each", digits(events.bytes as f64 / 1e3 / count as f64)),
        ("our CPU for each", format!("{} ms", digits(events.cpu.ms_each(count)))),
        ("the server's CPU for each", format!("{} ms", digits(events.server_cpu.ms_each(count)))),
    ];
    eprintln!("  {cells:?}");
    cells
}

fn sweep(server: ServerFlag, args: &Args) -> Table {
    let mut bench = prepare(server, args);
    let mut table = Table::new([
        "destinations of a slice at most",
        "slices",
        "MB",
        "first publication",
        "event p50",
        "event p99",
        "slices an event",
        "kB an event",
        "our CPU an event",
        "the server's",
    ]);
    for max in SLICE_SIZES {
        eprintln!("{}: slices of {max}", server.title());
        bench.delete_slices();
        let (running, publication) = bench.publish(max);
        let mut events = bench.events(&running, args.events.into(), Width::Any, max);
        running.stop();
        let count = events.latency.len();
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(&mut events.latency, part));
        table.row([
            max.to_string(),
            publication.slices.to_string(),
            digits(publication.bytes as f64 / 1e6),
            seconds(publication.total),
            ms(p50),
            ms(p99),
            digits(events.slices as f64 / count as f64),
            digits(events.bytes as f64 / 1e3 / count as f64),
            format!("{} ms", digits(events.cpu.ms_each(count))),
            format!("{} ms", digits(events.server_cpu.ms_each(count))),
        ]);
        eprintln!("{}", table.markdown());
    }
    table
}
