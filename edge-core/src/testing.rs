//! Random histories and what must hold after each step, for property tests, fuzzing and benches (feature `testing`).
//!
//! ```text
//!  bytes ──decode──► Script of Ops ──► machine ──► Index / Scheduler
//!                                         │             │
//!                                         └──► Oracle ──┴──► compared after every step
//! ```
//!
//! * A history is **data** ([`Script`]), decoded from bytes: proptest shrinks the bytes, a fuzzer makes them up, and a
//!   failing script can be written down as a test.
//! * The [`Oracle`] computes the destinations from scratch by the rules themselves. It shares no code with the index.
//! * A machine ([`IndexMachine`], [`SchedulerMachine`]) runs a script and panics where the result differs from the oracle's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod act;
mod adoption;
mod bytes;
mod index_machine;
pub mod naive;
mod op;
mod oracle;
mod scheduler_machine;
mod server;
mod simulation;

pub use act::{Act, Mark};
pub use adoption::adopt;
pub use bytes::Bytes;
pub use index_machine::IndexMachine;
pub use op::{Change, Instances, Op, Script, Tags};
pub use oracle::{Oracle, Wanted};
pub use scheduler_machine::SchedulerMachine;
pub use server::Server;
pub use simulation::{Script as SimulationScript, Simulation, Tally};

/// A history that follows from `bytes` runs as the oracle says, with slices and without.
///
/// # Panics
///
/// If it does not.
pub fn script(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let script = Script::decode(rest);
    IndexMachine::run(None, &script);
    SchedulerMachine::run(None, [1, 2, 3, 5, 8][usize::from(first) % 5], &script);
}

/// An order that depends on the seed alone.
fn shuffle<T>(list: &mut [T], seed: usize) {
    let mut state = seed as u64 ^ 0x9E37_79B9_7F4A_7C15;
    for at in (1..list.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        list.swap(at, (state >> 33) as usize % (at + 1));
    }
}
