//! Pure, incremental matching of EdgePlacements, Locations and SyncTargets.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod delta;
pub mod event;
mod id;
pub mod index;
mod intern;
mod leaves;
pub mod object;
mod order;
pub mod scheduler;
pub mod selector;
pub mod slices;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
