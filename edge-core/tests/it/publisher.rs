//! The publisher against a model server: requests in flight, lost and late answers, a watch that lags, strangers.

use edge_core::testing::{Faults, PublisherMachine, Script};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::scripts::{Case, cases, config};

const SEED: RngSeed = RngSeed::Fixed(1);

fn faults() -> impl Strategy<Value = Faults> {
    (prop::sample::select(&[0, 10, 30]), any::<bool>(), 1..6_usize).prop_map(|(fail, strangers, concurrency)| Faults {
        fail,
        strangers,
        concurrency,
    })
}

proptest! {
    // The same histories in each run; the example `simulate` runs others.
    #![proptest_config(ProptestConfig { rng_seed: SEED, ..config(400) })]

    #[test]
    fn nothing_vanishes_and_all_is_right_at_rest(
        case in cases(40, 60),
        faults in faults(),
        seed in any::<u64>(),
        max in prop::sample::select(&[1, 2, 3, 5, 8]),
    ) {
        PublisherMachine::run(max, faults, seed, &case.script());
    }
}

/// `CASE='<max>:<fail>:<strangers>:<concurrency>:<seed>:<digits>' cargo test -p edge-core replay` runs the case at hand.
#[test]
fn replay_publisher() {
    let given = std::env::var("PUBLISHER_CASE").ok();
    let Some(case) = given.as_deref() else { return };
    let [max, fail, strangers, concurrency, seed, digits] = case.splitn(6, ':').collect::<Vec<_>>().try_into().unwrap();
    let faults = Faults {
        fail: fail.parse().unwrap(),
        strangers: strangers.parse().unwrap(),
        concurrency: concurrency.parse().unwrap(),
    };
    let script: Script = Case::read(digits).script();
    PublisherMachine::run(max.parse().unwrap(), faults, seed.parse().unwrap(), &script);
}
