//! The whole scheduler against a model of its surroundings; see `edge_core::testing::simulation`.

use std::fs;
use std::panic::catch_unwind;
use std::thread;

use edge_core::testing::{Simulation, SimulationScript};

/// For what changes. The example `simulate` runs others, and many more.
const SEEDS: std::ops::Range<u64> = 0..3_000;

/// Four threads, since one seed has nothing to do with another.
#[test]
fn seeds() {
    const THREADS: usize = 4;
    let run = |from: usize| {
        for seed in SEEDS.skip(from).step_by(THREADS) {
            let script = SimulationScript::of_seed(seed);
            if fails(&script) {
                let script = script.shrunk(&mut fails);
                panic!("seed {seed}; put this into edge-core/tests/simulation/<name>.txt:\n\n{script}");
            }
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|from| drop(scope.spawn(move || run(from)))));
}

fn fails(script: &SimulationScript) -> bool {
    catch_unwind(|| Simulation::run(script)).is_err()
}

/// Runs that failed once.
#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let script = SimulationScript::parse(&text);
        assert!(SimulationScript::parse(&script.to_string()) == script, "{}: text and script agree", file.display());
        Simulation::run(&script);
    }
}

/// Seeds do what they are for: much is written, leaders change, and dead schedulers' writes take effect.
#[test]
fn much_happens() {
    let tallies: Vec<_> = (0..200).map(|seed| Simulation::run(&SimulationScript::of_seed(seed))).collect();
    assert!(tallies.iter().map(|tally| tally.writes).sum::<usize>() > 2000, "{tallies:?}");
    assert!(tallies.iter().map(|tally| tally.statuses).sum::<usize>() > 500, "{tallies:?}");
    assert!(tallies.iter().map(|tally| tally.orphaned).sum::<usize>() > 5, "{tallies:?}");
}
