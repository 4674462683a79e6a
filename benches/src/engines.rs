//! Engines that keep the destinations of EdgePlacements up to date, behind one trait.
//!
//! | engine | what it is | slices |
//! |---|---|---|
//! | [`EdgeCore`] | this project | yes |
//! | [`Recompute`] | all from scratch for each event | no |
//! | [`Scan`] | the original's way: scan for each event, rewrite lists | one list each |
//! | [`Bitmaps`] | posting lists and members as roaring bitmaps | no |
//! | [`Dataflow`] | differential-dataflow | no |
//!
//! **The others are given an easier task.** They take valid objects only whose UIDs stay, they lay out no slices,
//! and they get their selectors compiled: canonical, on interned numbers (`engines/registry.rs`), not evaluated as
//! strings.

mod bitmaps;
mod dataflow;
mod edge;
mod recompute;
mod registry;
mod scan;

pub use bitmaps::Bitmaps;
pub use dataflow::Dataflow;
pub use edge::EdgeCore;
pub use recompute::Recompute;
pub use registry::Answer;
pub use scan::Scan;

use edge_core::event::Event;

use crate::workload::World;

/// Keeps the destinations of all EdgePlacements up to date.
pub trait Engine {
    /// What it is called in tables.
    fn name(&self) -> &'static str;

    /// Takes in a whole world as one change.
    fn load(&mut self, world: &World);

    /// Takes in events as one change; of an object there is at most one.
    fn apply(&mut self, events: &[Event]);

    /// Takes in one event and tells how many destinations came or went.
    fn apply_counted(&mut self, event: &Event) -> usize;

    /// What stands for all destinations of all EdgePlacements.
    fn answer(&self) -> Answer;
}

/// Makes an engine that knows of nothing.
pub type Make = fn() -> Box<dyn Engine>;

/// What edge-core is compared with.
pub const PEERS: [Make; 4] = [
    || Box::<Recompute>::default(),
    || Box::<Scan>::default(),
    || Box::<Bitmaps>::default(),
    || Box::new(Dataflow::new()),
];
