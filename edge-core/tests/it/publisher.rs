//! The publisher against a model server: requests in flight, lost and late answers, a watch that lags, strangers.

use edge_core::testing::{Faults, PublisherMachine, Script};
use proptest::prelude::*;

use crate::scripts::{Case, cases, config};

fn faults() -> impl Strategy<Value = Faults> {
    (prop::sample::select(&[0, 10, 30]), any::<bool>(), any::<bool>(), 1..6_usize)
        .prop_map(|(fail, strangers, thin, concurrency)| Faults { fail, strangers, thin, concurrency })
}

proptest! {
    #![proptest_config(config(400))]

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

/// Cases that once failed, one a line, as [`replay_publisher`] takes them.
const CASES: &str = include_str!("publisher_cases.txt");

#[test]
fn what_once_went_wrong() {
    CASES.lines().for_each(replay);
}

/// `PUBLISHER_CASE='<max>:<fail>:<strangers>:<thin>:<concurrency>:<seed>:<digits>' cargo test -p edge-core replay` runs the case at hand.
#[test]
fn replay_publisher() {
    if let Ok(case) = std::env::var("PUBLISHER_CASE") {
        replay(&case);
    }
}

fn replay(case: &str) {
    let [max, fail, strangers, thin, concurrency, seed, digits] =
        case.splitn(7, ':').collect::<Vec<_>>().try_into().unwrap();
    let faults = Faults {
        fail: fail.parse().unwrap(),
        strangers: strangers.parse().unwrap(),
        thin: thin.parse().unwrap(),
        concurrency: concurrency.parse().unwrap(),
    };
    let script: Script = Case::read(digits).script();
    PublisherMachine::run(max.parse().unwrap(), faults, seed.parse().unwrap(), &script);
}
