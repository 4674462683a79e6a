//! Times of one engine on one workload.
//!
//! An event that is timed is a fresh copy: it was just decoded in real life too, so it is in the cache, while what
//! the index keeps about its object is not, as events go over the world without pattern.

use std::hint::black_box;
use std::slice;
use std::time::{Duration, Instant};

use edge_core::event::Event;

use crate::engines::Engine;
use crate::workload::{Case, Flip, Measured, World};

/// How many quick flips are timed together: reading the clock costs a quarter of the quickest event.
const CHUNK: usize = 64;

/// A flip that takes longer is not quick: a few of them may take all the time that there is.
const QUICK: Duration = Duration::from_micros(500);

/// Passes over the same events; the middle one counts.
const PASSES: usize = 5;

/// Quick passes go on for as long: a disturbance of some ten milliseconds must not be most of what is measured.
const AT_LEAST: Duration = Duration::from_millis(250);

/// How long others are made between passes of few flips: what they look at is many times what a cache holds.
const COOLING: Duration = Duration::from_millis(100);

/// How an engine did on the first events of a case.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// How many flips were made.
    pub flips: usize,
    /// What one event took, in nanoseconds; the mean.
    pub nanos: f64,
}

/// How events are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One by one.
    Single,
    /// One by one, and each destination that comes or goes is visited.
    Listed,
    /// So many as one change.
    Batches(usize),
}

/// Loads the world into a new engine, and tells how long that took.
#[must_use]
pub fn load(make: impl Fn() -> Box<dyn Engine>, world: &World) -> (Box<dyn Engine>, Duration) {
    let mut engine = make();
    let start = Instant::now();
    engine.load(world);
    (engine, start.elapsed())
}

/// Makes flips, as many as the budget allows and at least one chunk; then, if time is left, the same ones again.
pub fn within(engine: &mut dyn Engine, case: &Case, mode: Mode, budget: Duration) -> Sample {
    let start = Instant::now();
    let (first, flips) = pass(engine, case, mode, case.flips.len(), &|| start.elapsed() < budget);
    let mut nanos = vec![first];
    while start.elapsed() < budget && (nanos.len() < PASSES || start.elapsed() < AT_LEAST) {
        nanos.push(pass(engine, case, mode, flips, &|| true).0);
    }
    Sample { flips, nanos: median(&mut nanos) }
}

/// Makes the first `flips` flips, several times. Others are made in between: a few flips alone would have what they look
/// at in the cache, which flips that go over the world have not.
pub fn first(engine: &mut dyn Engine, case: &Case, mode: Mode, flips: usize) -> Sample {
    let mut time = || {
        let start = Instant::now();
        for others in case.flips[flips..].chunks(CHUNK).take_while(|_| start.elapsed() < COOLING) {
            times(engine, others, Mode::Single);
        }
        pass(engine, case, mode, flips, &|| true).0
    };
    let mut nanos: Vec<f64> = (0..PASSES).map(|_| time()).collect();
    Sample { flips, nanos: median(&mut nanos) }
}

/// How many destinations come or go with one event of the case; the mean over as many flips as the budget allows.
pub fn rows(engine: &mut dyn Engine, case: &Case, budget: Duration) -> f64 {
    let start = Instant::now();
    let (mut rows, mut flips) = (0, 0);
    for flip in &case.flips {
        rows += engine.apply_counted(&flip.there);
        // What undoes an event changes as much as the event.
        engine.apply_counted(&flip.back);
        flips += 1;
        if start.elapsed() >= budget {
            break;
        }
    }
    rows as f64 / flips as f64
}

/// Nanoseconds an event, and how many flips were made.
fn pass(engine: &mut dyn Engine, case: &Case, mode: Mode, limit: usize, go_on: &dyn Fn() -> bool) -> (f64, usize) {
    let mut spent = Duration::ZERO;
    let mut done = 0;
    let mut quick = false;
    while done < limit {
        let chunk = match mode {
            Mode::Batches(size) => size,
            _ if quick => CHUNK,
            _ => 2,
        };
        let flips = &case.flips[done..limit.min(done + chunk)];
        let [there, back] = times(engine, flips, mode);
        spent += match case.measured {
            Measured::Both => there + back,
            Measured::There => there,
            Measured::Back => back,
        };
        done += flips.len();
        quick = there + back < QUICK * u32::try_from(flips.len()).unwrap_or(u32::MAX);
        if !go_on() {
            break;
        }
    }
    let events = if case.measured == Measured::Both { 2 * done } else { done };
    (spent.as_nanos() as f64 / events as f64, done)
}

/// How long it takes to make some flips, and to undo them.
pub fn times(engine: &mut dyn Engine, flips: &[Flip], mode: Mode) -> [Duration; 2] {
    let mut time = |event: fn(&Flip) -> &Event| {
        let events: Vec<Event> = flips.iter().map(|flip| event(flip).clone()).collect();
        let start = Instant::now();
        match mode {
            Mode::Single => events.iter().for_each(|event| engine.apply(slice::from_ref(event))),
            Mode::Listed => {
                black_box(events.iter().map(|event| engine.apply_counted(event)).sum::<usize>());
            }
            Mode::Batches(_) => engine.apply(&events),
        }
        start.elapsed()
    };
    [time(|flip| &flip.there), time(|flip| &flip.back)]
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
