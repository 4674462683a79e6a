//! Histories of objects, published slices and strangers' acts, compared with the oracle after every step.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| edge_core::testing::script(bytes));
