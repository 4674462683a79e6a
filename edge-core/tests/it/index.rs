//! The incremental index against the oracle, event by event.

use core::hash::Hasher;
use edge_core::testing::{Bytes, Change, IndexMachine, Op, Script};
use proptest::prelude::*;
use siphasher::sip::SipHasher24;

/// Scripts as lists of short byte strings, each of which is one change or step: so proptest can leave out any of them.
pub(crate) fn scripts(start: usize, ops: usize) -> impl Strategy<Value = Script> {
    let start = prop::collection::vec(prop::array::uniform20(any::<u8>()), 0..=start);
    let ops = prop::collection::vec(prop::array::uniform32((any::<u8>(), any::<u8>())), 0..=ops);
    (start, ops).prop_map(|(start, ops)| Script {
        start: start.iter().map(|bytes| Change::decode(&mut Bytes::new(bytes))).collect(),
        ops: ops
            .iter()
            .map(|bytes| {
                let bytes: Vec<u8> = bytes.iter().flat_map(|&(a, b)| [a, b]).collect();
                Op::decode(&mut Bytes::new(&bytes))
            })
            .collect(),
    })
}

pub(crate) fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    // PROPTEST_CASES asks for more.
    let cases = if default.cases == 256 { cases } else { default.cases };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..default }
}

/// Orders by hash that are as different, and as poor, as can be.
pub(crate) const HASHES: [Option<fn(&str) -> u64>; 4] =
    [None, Some(|name| (name.len() % 2) as u64), Some(|_| 0), Some(|name| u64::MAX - name.len() as u64)];

pub(crate) fn published_hash(name: &str) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    hasher.write(name.as_bytes());
    hasher.finish()
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn index_equals_oracle(script in scripts(40, 60), hash in 0..HASHES.len()) {
        IndexMachine::run(HASHES[hash], &script);
    }
}
