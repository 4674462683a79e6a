//! A scheduler that starts and finds slices of any sort brings them in order, as the oracle says.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| edge_core::testing::adopt(bytes));
