//! Runs the simulation, seed by seed: `simulate [FIRST_SEED [COUNT]]`.
//!
//! ```shell
//! cargo run --release -p edge-core --features testing --example simulate -- 0 1000000
//! ```
//!
//! One seed is one run, and always the same one. The first seed that fails is cut down to what matters, and printed as
//! the text of a script: put it into a file below `edge-core/tests/simulation`, and it is a test.
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::num::NonZero;
use std::panic::catch_unwind;
use std::thread;

use edge_core::testing::{Simulation, SimulationScript, Tally};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let first = arguments.next().unwrap_or(0);
    let count = arguments.next().unwrap_or(1000);
    std::panic::set_hook(Box::new(|_| {}));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let (mut failed, mut total) = (Vec::new(), Tally::default());
    thread::scope(|scope| {
        let run = |from: usize| {
            (first..first + count).skip(from).step_by(threads).map(|seed| (seed, outcome(seed))).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..threads).map(|from| scope.spawn(move || run(from))).collect();
        for (seed, outcome) in all.into_iter().flat_map(|thread| thread.join().expect("a thread")) {
            match outcome {
                Ok(tally) => {
                    total.writes += tally.writes;
                    total.statuses += tally.statuses;
                    total.terms += tally.terms;
                    total.orphaned += tally.orphaned;
                }
                Err(message) => failed.push((seed, message)),
            }
        }
    });
    println!("{count} seeds from {first}: {} failed; {total:?}", failed.len());
    failed.sort_by_key(|(_, message)| message.len());
    for (seed, message) in failed.iter().take(20) {
        println!("seed {seed}: {}", message.lines().next().unwrap_or_default());
    }
    if let Some((seed, message)) = failed.first() {
        let kind = kind(message);
        let script = SimulationScript::of_seed(*seed);
        let script = script.shrunk(&mut |script| run(script).is_err_and(|message| self::kind(&message) == kind));
        println!("\nseed {seed}, cut down:\n\n{script}\n{}", run(&script).expect_err("it fails"));
        std::process::exit(1);
    }
}

fn outcome(seed: u64) -> Result<Tally, String> {
    run(&SimulationScript::of_seed(seed))
}

fn run(script: &SimulationScript) -> Result<Tally, String> {
    catch_unwind(|| Simulation::run(script)).map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(other) => other.downcast::<&str>().map_or_else(|_| "a panic".into(), |message| (*message).into()),
    })
}

/// What went wrong, without names and numbers: a script that is cut down must not fail for another reason.
fn kind(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    first.split(' ').filter(|word| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase())).take(3).collect()
}
