//! The scheduler, live: watches objects, and keeps the SinglePlacementSlices as they should be.

pub(crate) mod admin;
pub(crate) mod backend;
pub(crate) mod client;
mod duration;
pub(crate) mod flags;
pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod metrics;
