//! The scheduler, live: watches objects, and keeps the SinglePlacementSlices as they should be.

pub(crate) mod backend;
pub(crate) mod backoff;
pub(crate) mod decode;
pub(crate) mod engine;
pub(crate) mod events;
pub(crate) mod inventory;
pub(crate) mod kcp;
pub(crate) mod kubernetes;
pub(crate) mod report;
pub(crate) mod rest;
pub(crate) mod source;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod watch;
