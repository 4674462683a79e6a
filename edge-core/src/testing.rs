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
//! * A machine ([`IndexMachine`]) runs a script and panics where the result differs from the oracle's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;
mod index_machine;
mod op;
mod oracle;

pub use bytes::Bytes;
pub use index_machine::IndexMachine;
pub use op::{Change, Instances, Op, Script, Tags};
pub use oracle::{Oracle, Wanted};
