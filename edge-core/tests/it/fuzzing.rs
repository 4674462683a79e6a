//! What fuzzing found once, and the first inputs of each target: `fuzz/inputs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use edge_core::testing::{adopt, naive, script};

/// The name of a target, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 3] = [("adoption", adopt), ("script", script), ("selectors", naive::compare_selectors)];

#[test]
fn inputs_that_fuzzing_found() {
    for (target, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/inputs").join(target);
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty());
        files.iter().for_each(|file| run(&fs::read(file).unwrap()));
    }
}

/// A target without inputs, or whose inputs nobody replays, would be forgotten.
#[test]
fn every_target_is_replayed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let names = |folder: &str| {
        let files = fs::read_dir(fuzz.join(folder)).unwrap().map(|file| file.unwrap().path());
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    // `edge_kube::fuzzing` replays two of them.
    let replayed: BTreeSet<_> =
        TARGETS.map(|(name, _)| name).into_iter().chain(["input", "watch"]).map(str::to_owned).collect();
    assert_eq!(names("targets"), replayed);
    assert_eq!(names("inputs"), replayed);
}
