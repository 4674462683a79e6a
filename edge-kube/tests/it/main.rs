//! The integration tests, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod golden;
mod hostile;
mod input;
mod manifests;
mod scheduler;
