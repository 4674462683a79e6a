//! Any text as manifests: see `edge_kube::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| edge_kube::fuzzing::manifests(bytes));
