//! What edge-core is measured on, and what it is measured against.
//!
//! ```text
//!  random ──► workload (World, Case) ──► engines: edge-core and four others ──► measure ──► table, chart
//! ```
//!
//! * [`workload`]: seeded worlds, and events on top of them. The same size gives the same on every machine.
//! * [`engines`]: edge-core, and what one could use instead, behind one trait. All give the same answers; that is
//!   checked.
//! * [`measure`]: times of one engine on one workload.
//! * [`report`]: tables and a picture, and their place in the README.
//!
//! The criterion suites and the gates are in `suites/` and `tests/`; `cargo run --release -p benches -- help` names the
//! commands.

pub mod engines;
pub mod measure;
mod random;
pub mod report;
pub mod workload;

pub use random::{Random, Zipf};
