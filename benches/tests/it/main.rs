//! What the figures rest on: all engines have the same answers, and the worlds are what they are said to be.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod agree;
mod worlds;
