//! The server answers nothing well for a while: that must not make the scheduler ask again and again.

use alloc::format;

use super::replica::Replica;
use super::script::Fate;
use super::{Call, Simulation};
use crate::publisher::Time;

/// How often a replica may ask about one object in the first instant, and in each second after. A failure is followed by a
/// pause of up to 200 ms that doubles with each; what fails may be a read, then a write, then a status.
const AT_ONCE: usize = 8;
const A_SECOND: usize = 4;

impl Simulation {
    /// Every request comes to the same end, while the streams are silent.
    pub(super) fn outage(&mut self, fate: Fate, time: Time) {
        let end = self.now + time;
        let seconds = usize::try_from(time.as_secs()).unwrap_or(usize::MAX) + 1;
        let each = AT_ONCE + A_SECOND * seconds;
        let mut asked = 0;
        while self.now < end {
            loop {
                let before = self.flights.len();
                for index in 0..self.replicas.len() {
                    self.dispatch(index);
                }
                if self.flights.len() == before {
                    break;
                }
                let requests = |call: &Call| usize::from(matches!(call, Call::Request(_)));
                asked += self.flights.iter().skip(before).map(|flight| requests(&flight.call)).sum::<usize>();
                let objects = self.subjects();
                let what = || format!("{asked} requests about {objects} objects, all {fate:?}");
                self.ensure(asked <= (1 + objects) * each, what);
                while self.flights.iter().any(|flight| flight.answer.is_none()) {
                    self.arrive(0, fate);
                }
                let mut before = usize::MAX;
                while self.flights.len() < before {
                    before = self.flights.len();
                    self.answer(0);
                }
            }
            self.sleep();
        }
    }

    /// What a request may be about.
    fn subjects(&self) -> usize {
        let of_one = |replica: &Replica| {
            let (publisher, counts) = (&replica.publisher, replica.publisher.counts());
            // Each EdgePlacement may be read, have a status, a first slice and a helper.
            counts.desired + publisher.published().iter().count() + 4 * publisher.scheduler().placements().count()
        };
        self.replicas.iter().map(of_one).sum()
    }
}
