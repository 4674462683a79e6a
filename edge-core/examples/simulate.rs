//! Runs the publisher against the model server, seed by seed: `simulate [FIRST_SEED [COUNT]]`.
//!
//! ```shell
//! cargo run --release -p edge-core --features testing --example simulate -- 0 100000
//! ```
//!
//! One seed is one run, and always the same one. The seeds that fail are printed at the end, with the shortest history.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::cast_possible_truncation)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use edge_core::testing::{Faults, PublisherMachine, Script};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let first = arguments.next().unwrap_or(0);
    let count = arguments.next().unwrap_or(1000);
    let message = Arc::new(Mutex::new(String::new()));
    let hook = Arc::clone(&message);
    std::panic::set_hook(Box::new(move |info| {
        *hook.lock().expect("no panic while held") = info.to_string();
    }));
    let mut failed: Vec<(u64, String)> = Vec::new();
    let mut writes = 0;
    for seed in first..first + count {
        match catch_unwind(AssertUnwindSafe(|| run(seed))) {
            Ok(machine) => writes += machine.writes,
            Err(_) => failed.push((seed, message.lock().expect("no panic while held").clone())),
        }
    }
    println!("{count} seeds from {first}: {} failed, {writes} writes", failed.len());
    failed.sort_by_key(|(_, message)| message.len());
    for (seed, message) in failed.iter().take(12) {
        println!("seed {seed}: {}", message.lines().nth(1).unwrap_or_default());
    }
    if let Some((seed, message)) = failed.first() {
        println!("seed {seed}: {message}");
        std::process::exit(1);
    }
}

/// Everything about a run follows from its seed.
fn run(seed: u64) -> PublisherMachine {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let faults = Faults {
        fail: [0, 10, 30][(next() % 3) as usize],
        strangers: next().is_multiple_of(2),
        thin: next().is_multiple_of(2),
        concurrency: 1 + (next() % 5) as usize,
    };
    let max = [1, 2, 3, 5, 8][(next() % 5) as usize];
    let length = 40 + next() % 900;
    let bytes: Vec<u8> = (0..length).map(|_| (next() >> 32) as u8).collect();
    PublisherMachine::run(max, faults, next(), &Script::decode(&bytes))
}
