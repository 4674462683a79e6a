//! The incremental index against the oracle, event by event.

use edge_core::testing::IndexMachine;
use proptest::prelude::*;

use crate::scripts::{HASHES, cases, config};

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn index_equals_oracle(case in cases(40, 60), hash in 0..HASHES.len()) {
        IndexMachine::run(HASHES[hash], &case.script());
    }
}
