//! Runs the simulation, seed by seed: `simulate [FIRST_SEED [COUNT]]`.
//!
//! ```shell
//! cargo run --release -p edge-core --features testing --example simulate -- 0 1000000
//! ```
//!
//! One seed is one run, and always the same one. The first seed that fails is cut down to what matters, and printed as
//! the text of a script: put it into a file below `edge-core/tests/simulation`, and it is a test.
//! Exit codes: 0 if none fails, 1 if one does, 2 for wrong usage.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used)]

use std::num::NonZero;
use std::panic::catch_unwind;
use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use edge_core::testing::{Simulation, SimulationScript, Tally};

const USAGE: &str = "usage: simulate [FIRST_SEED [COUNT]]   (0 and 1000 unless given)";

/// Tells how far it is, after so many seeds.
const PROGRESS: u64 = 50_000;

fn main() {
    let (first, count) = arguments().unwrap_or_else(|wrong| {
        eprintln!("{wrong}\n{USAGE}");
        exit(2)
    });
    std::panic::set_hook(Box::new(|_| {}));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicU64::new(0);
    let (mut failed, mut total) = (Vec::new(), Tally::default());
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(|| runs(first, count, &next))).collect();
        for (tally, failures) in all.into_iter().map(|thread| thread.join().expect("a thread")) {
            add(&mut total, &tally);
            failed.extend(failures);
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
        exit(1);
    }
}

/// The first seed and how many, or what is wrong.
fn arguments() -> Result<(u64, u64), String> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| match arguments.next() {
        Some(text) => text.parse::<u64>().map_err(|_| format!("{text}: expected a number")),
        None => Ok(default),
    };
    let (first, count) = (number(0)?, number(1000)?);
    match arguments.next() {
        Some(text) => Err(format!("{text}: one argument too many")),
        None => Ok((first, count)),
    }
}

/// Runs the seeds that no other thread has taken.
fn runs(first: u64, count: u64, next: &AtomicU64) -> (Tally, Vec<(u64, String)>) {
    let (mut total, mut failed) = (Tally::default(), Vec::new());
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= count {
            return (total, failed);
        }
        if at > 0 && at.is_multiple_of(PROGRESS) {
            eprintln!("{at} of {count} seeds");
        }
        match outcome(first.wrapping_add(at)) {
            Ok(tally) => add(&mut total, &tally),
            Err(message) => {
                eprintln!("seed {}: {}", first.wrapping_add(at), message.lines().next().unwrap_or_default());
                failed.push((first.wrapping_add(at), message));
            }
        }
    }
}

fn add(total: &mut Tally, tally: &Tally) {
    total.writes += tally.writes;
    total.statuses += tally.statuses;
    total.terms += tally.terms;
    total.orphaned += tally.orphaned;
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
