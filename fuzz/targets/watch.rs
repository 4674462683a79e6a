//! Any line of a watch, and any object of an API server: see `edge_kube::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| edge_kube::fuzzing::watch_line(bytes));
