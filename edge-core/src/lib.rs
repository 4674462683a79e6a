//! Which edge clusters each EdgePlacement's workload goes to: the pure core of the edge scheduler.
//!
//! EdgePlacements select Locations by label, Locations hold SyncTargets (edge clusters) by label, and the pairs of both are
//! the destinations of the EdgePlacement. This crate keeps them up to date event by event, cuts them into
//! SinglePlacementSlices and tells which writes bring what is published there.
//!
//! ```text
//!  event ──► object ──► selector ──► index ──► delta ──► slices ──► writes
//! ```
//!
//! # Contents
//!
//! * [`object`]: the four kinds in their Kubernetes wire form;
//! * [`selector`]: label selectors by Kubernetes' rules;
//! * [`event`]: what happens, as lean records; what is wrong with an object is a part of its record;
//! * [`index`]: the incremental matching, and questions to it;
//! * [`delta`]: what an event changed, and its destinations row by row;
//! * [`slices`]: layout, published slices and planned writes;
//! * [`lease`]: which of several replicas may write;
//! * [`scheduler`]: all of it together. **Start here.**
//!
//! # What it promises
//!
//! * It does no I/O, reads no clock and spawns nothing: it is `no_std` and needs an allocator only.
//! * The same events in the same order give the same result, everywhere and always; the destinations of valid objects
//!   do not even depend on the order.
//! * Bad input is data: no object affects another, nothing panics, and what cannot be resolved stays as it was.
//! * Memory is in proportion to the objects that exist. No row per destination is stored.
//!
//! # When not to use it
//!
//! It answers "which", not "how many" or "which is best": there is no scoring, no capacity and no preference here. And it
//! places by label only; a set of a few dozen clusters needs no index.
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
pub mod lease;
mod leaves;
mod lists;
pub mod object;
pub mod order;
pub mod publisher;
pub mod scheduler;
pub mod selector;
pub mod slices;
mod sorted;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod warm;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
