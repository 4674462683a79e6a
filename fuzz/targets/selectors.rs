//! Any two selectors: valid or not, what they match, and whether they are equal, compared with a naive evaluation.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| edge_core::testing::naive::compare_selectors(bytes));
