//! The integration tests of edge-core: one binary, one module for each subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod counts;
mod events;
mod fuzzing;
mod gate;
mod index;
mod merges;
mod moves;
mod outcomes;
mod published;
mod scheduler;
mod scripts;
mod selectors;
mod sightings;
mod simulation;
mod statuses;
mod table;
mod waits;
mod wire;
