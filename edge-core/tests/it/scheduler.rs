//! The scheduler against the oracle and a model server, write by write.

use edge_core::testing::SchedulerMachine;
use proptest::prelude::*;

use crate::scripts::{Case, HASHES, cases, config};

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn slices_equal_oracle(case in cases(40, 60), hash in 0..HASHES.len(), max in prop::sample::select(&[1, 2, 3, 5, 8])) {
        SchedulerMachine::run(HASHES[hash], max, &case.script());
    }
}

/// `CASE='<hash>:<max>:<digits>' cargo test replay -- --ignored` runs one case again.
#[test]
#[ignore = "for a case at hand"]
fn replay() {
    let case = std::env::var("CASE").unwrap();
    let [hash, max, digits] = case.splitn(3, ':').collect::<Vec<_>>().try_into().unwrap();
    SchedulerMachine::run(HASHES[hash.parse::<usize>().unwrap()], max.parse().unwrap(), &Case::read(digits).script());
}
