//! The manifests in a scheduler, and what was found about them.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use edge_core::event::Event;
use edge_core::object::ObjectKey;
use edge_core::scheduler::Scheduler;
use edge_core::slices::Published;

use super::{Failure, Input};
use crate::input::{self, InvalidObject};

/// Everything that the input says, settled.
pub(super) struct World {
    pub(super) scheduler: Scheduler,
    /// The SinglePlacementSlices of the input.
    pub(super) published: Published,
    pub(super) events: Vec<Event>,
    invalid: Vec<InvalidObject>,
}

impl World {
    /// Reads the input and reports what is wrong with it, and what was skipped, on stderr.
    pub(super) fn load(input: &Input) -> Result<Self, Failure> {
        let options = input::Options { default_cluster: input.cluster_name.clone() };
        let loaded = input::load(&input.paths, &options)?;
        let mut stderr = BufWriter::new(io::stderr().lock());
        for invalid in &loaded.invalid {
            writeln!(stderr, "{invalid}")?;
        }
        if !loaded.skipped.is_empty() {
            let kinds: Vec<String> = loaded.skipped.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            writeln!(stderr, "skipped objects of other kinds: {}", kinds.join(", "))?;
        }
        stderr.flush()?;
        let mut published: Published = loaded.slices.into_iter().collect();
        for key in loaded.undecodable_slices {
            published.insert_unreadable(key);
        }
        let mut scheduler = Scheduler::new(input.options());
        scheduler.apply_batch(&loaded.events);
        scheduler.settle(&published);
        Ok(Self { scheduler, published, events: loaded.events, invalid: loaded.invalid })
    }

    /// Says which EdgePlacements cannot have the first slice that they should have.
    pub(super) fn report_conflicts(&self) -> io::Result<()> {
        for placement in self.scheduler.placements().filter(|key| self.has_conflict(key)) {
            let ObjectKey { cluster, name } = &placement;
            writeln!(
                io::stderr(),
                "EdgePlacement {cluster}/{name}: SliceConflict: SinglePlacementSlice {cluster}/{name} belongs to \
                 somebody else; the first slice has another name"
            )?;
        }
        Ok(())
    }

    /// Whether the EdgePlacement's first slice cannot have its name. One that is being deleted needs none.
    fn has_conflict(&self, placement: &ObjectKey) -> bool {
        let held = self.scheduler.index().held(placement).is_some();
        self.scheduler.has_slice_conflict(placement) || (held && self.published.is_foreign(placement))
    }

    /// Whether the manifests leave a UID out that slices should have.
    pub(super) fn has_unknown_uids(&self) -> bool {
        self.events.iter().any(|event| match event {
            Event::SyncTarget(_, Some(record)) => record.uid.is_empty(),
            Event::EdgePlacement(_, Some(record)) => record.uid.is_empty(),
            _ => false,
        })
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::from(!self.invalid.is_empty()))
    }
}
