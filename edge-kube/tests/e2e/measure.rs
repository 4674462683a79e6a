//! Measures the scheduler on real API servers, built and started as for the end-to-end tests.
//!
//! ```text
//! cargo test --release -p edge-kube --features e2e --test measure --locked -- [--help]
//! ```
//!
//! Not a test: nothing fails when a figure is bad, only when a slice is wrong, or something was written that had not to be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it ends where it cannot go on")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
#![allow(dead_code, reason = "the end-to-end tests use the rest of these modules")]

mod client;
mod cluster;
mod env;
mod fixtures;
mod measurement;
mod oracle;
mod proxy;
mod scheduler;
mod selector;
mod servers;
mod turn;
mod workspace;

fn main() {
    measurement::run();
}
