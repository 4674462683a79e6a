//! Instructions that single events take on top of a full index, slices laid out after each: a gate.
//!
//! Counted by valgrind, so neither noise nor the speed of the machine matters. `gate` runs the cases of `suite` and
//! holds what they take against `benches/instructions.txt`.
#![allow(missing_docs, clippy::print_stdout)]

mod gate;
mod suite;

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    // Gungraun starts this program again and again, with arguments of its own.
    if args.iter().any(|arg| arg == gate::JSON || arg.starts_with("--gungraun")) {
        suite::run();
        return Ok(());
    }
    gate::run(&args)
}
