//! What must hold when a request goes out, and when a write takes effect.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use super::{Call, Place, Sender, Simulation, places};
use crate::index::PlacementState;
use crate::object::ObjectKey;
use crate::publisher::{Action, Gate, Request};
use crate::slices::{Verb, Write};
use crate::testing::server::Live;

impl Simulation {
    /// Nothing goes out before everything was listed, twice for one slice, or for an EdgePlacement that is being deleted.
    pub(super) fn check_dispatch(&self, index: usize, request: &Request) {
        let replica = &self.replicas[index];
        self.ensure(replica.gate != Gate::Closed, || format!("{index} may not write, and asks {:?}", request.action));
        self.ensure(replica.leads(), || format!("{index} does not lead, and asks {:?}", request.action));
        let Some(key) = subject(request) else { return };
        let alive = |call: &Call, sender: &Sender| match call {
            Call::Request(request) => {
                sender.replica == index && sender.term == replica.term && subject(request) == Some(key)
            }
            Call::Lease(_) => false,
        };
        let twice = self.flights.iter().any(|flight| alive(&flight.call, &flight.sender));
        self.ensure(!twice, || format!("{index} has two requests for {key}"));
        let Action::Write(write) = &request.action else { return };
        self.ensure(write.verb != Verb::Delete || replica.gate == Gate::Open, || format!("{key} is deleted too early"));
        let known = replica.publisher.published().placement(key);
        let index = replica.publisher.scheduler().index();
        let id = known.and_then(|owner| index.find_placement(&owner));
        let deleting = id.is_some_and(|id| index.placements[id].state == PlacementState::Deleting);
        self.ensure(!deleting, || format!("{key} is written, and its EdgePlacement is being deleted"));
    }

    /// No destination that was wanted at dispatch and ever since vanishes, and while something is unknown none at all.
    pub(super) fn check_write(&self, write: &Write, before: Option<&Live>, sender: &Sender) {
        let had: Vec<Place> = before.map(places).unwrap_or_default();
        if had.is_empty() {
            return;
        }
        // Only slices of the same logical cluster can have it.
        let in_cluster = self.server.live().iter().filter(|(key, _)| key.cluster == write.key.cluster);
        let has: BTreeSet<Place> = in_cluster.flat_map(|(_, live)| places(live)).collect();
        for place in had {
            let kept = sender.only_grows || sender.wanted.contains(&place);
            self.ensure(!kept || has.contains(&place), || {
                format!("{:?} {} of {} loses {place:?}", write.verb, write.key, sender.replica)
            });
        }
    }
}

/// The slice that a request is about.
fn subject(request: &Request) -> Option<&ObjectKey> {
    match &request.action {
        Action::Write(write) => Some(&write.key),
        Action::ReadSlice(key) => Some(key),
        Action::ReadPlacement(_) | Action::Status(_) => None,
    }
}
