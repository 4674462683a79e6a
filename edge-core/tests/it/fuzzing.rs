//! What fuzzing found once, and the first inputs of each target: `fuzz/inputs`.

use std::fs;
use std::path::Path;

use edge_core::testing::{IndexMachine, SchedulerMachine, Script, adopt, naive};

/// The name of a target, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

#[test]
fn inputs_that_fuzzing_found() {
    let targets: [Target; 3] = [("adoption", adopt), ("script", script), ("selectors", naive::compare_selectors)];
    for (target, run) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/inputs").join(target);
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty());
        files.iter().for_each(|file| run(&fs::read(file).unwrap()));
    }
}

/// As in the fuzz target of that name.
fn script(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let script = Script::decode(rest);
    IndexMachine::run(None, &script);
    SchedulerMachine::run(None, [1, 2, 3, 5, 8][usize::from(first) % 5], &script);
}
