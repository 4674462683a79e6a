//! The scheduler against the oracle and a model server, write by write.

use edge_core::testing::SchedulerMachine;
use proptest::prelude::*;

use crate::index::{HASHES, config, scripts};

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn slices_equal_oracle(script in scripts(40, 60), hash in 0..HASHES.len(), max in prop::sample::select(&[1, 2, 3, 5, 8])) {
        SchedulerMachine::run(HASHES[hash], max, &script);
    }
}
