//! End-to-end tests: `edge-kube` against real API servers, built with Go when they are first needed.
//!
//! ```text
//! cargo test -p edge-kube --features e2e --test e2e --locked             # all
//! cargo test -p edge-kube --features e2e --test e2e --locked -- kcp_0_11  # those on one server
//! ```
//!
//! Each server is started once for all tests of a run. `servers` builds and starts them, `env` is what a test runs in,
//! `oracle` says what must come out, `scenarios` are the tests; the modules named after a server list those that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(dead_code, reason = "the measurement, which shares the harness, uses more of it")]

mod client;
mod cluster;
mod env;
mod fixtures;
mod objects;
mod oracle;
mod proxy;
mod recorder;
mod scenarios;
mod scheduler;
mod selector;
mod servers;
mod truth;
mod turn;
mod workspace;

mod kcp_0_11;
mod kcp_0_22;
mod kubernetes;
