//! The scheduler, live: watches objects, and keeps the SinglePlacementSlices as they should be.

pub(crate) mod backend;
pub(crate) mod folder;
