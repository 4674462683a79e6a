//! The edge scheduler: adapts manifests, and the events of API servers, to edge-core.
//!
//! ```text
//!  manifests ──► input ──► Event ──► edge-core ──► slices, writes ──► commands print them
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod commands;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod input;
mod scheduler;
mod yaml;
