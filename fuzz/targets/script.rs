//! Histories of objects, published slices and strangers' acts, compared with the oracle after every step.
#![no_main]

use edge_core::testing::{IndexMachine, SchedulerMachine, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let script = Script::decode(rest);
    let max = [1, 2, 3, 5, 8][usize::from(first) % 5];
    IndexMachine::run(None, &script);
    SchedulerMachine::run(None, max, &script);
});
