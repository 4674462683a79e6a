//! Random scripts for the property tests, and their failures as text.

use core::fmt;
use core::hash::Hasher;

use edge_core::testing::{Bytes, Change, Op, Script};
use proptest::prelude::*;
use siphasher::sip::SipHasher24;

/// A script as short byte strings, each of which is one change or step: so proptest can leave out any of them.
///
/// It prints as the script and, in hexadecimal digits, as what [`Case::read`] takes: a failure becomes a test by one line.
#[derive(Clone)]
pub(crate) struct Case {
    start: Vec<Vec<u8>>,
    ops: Vec<Vec<u8>>,
}

impl Case {
    /// Reads the digits: steps are set apart by dots, what is there at the start comes before the slash.
    pub(crate) fn read(digits: &str) -> Self {
        let step = |step: &str| {
            let pairs = step.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
        };
        let steps = |steps: &str| steps.split_terminator('.').map(step).collect();
        let (start, ops) = digits.split_once('/').unwrap();
        Self { start: steps(start), ops: steps(ops) }
    }

    pub(crate) fn script(&self) -> Script {
        Script {
            start: self.start.iter().map(|bytes| Change::decode(&mut Bytes::new(bytes))).collect(),
            ops: self.ops.iter().map(|bytes| Op::decode(&mut Bytes::new(bytes))).collect(),
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = |step: &Vec<u8>| {
            let end = step.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            step[..end].iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "."
        };
        let digits = |steps: &[Vec<u8>]| steps.iter().map(step).collect::<String>();
        write!(f, "{}/{}\n{:?}", digits(&self.start), digits(&self.ops), self.script())
    }
}

/// Scripts of up to so many changes at the start, and so many steps.
pub(crate) fn cases(start: usize, ops: usize) -> impl Strategy<Value = Case> {
    let start = prop::collection::vec(prop::array::uniform20(any::<u8>()), 0..=start);
    let ops = prop::collection::vec(prop::array::uniform32((any::<u8>(), any::<u8>())), 0..=ops);
    (start, ops).prop_map(|(start, ops)| Case {
        start: start.iter().map(|bytes| bytes.to_vec()).collect(),
        ops: ops.iter().map(|bytes| bytes.iter().flat_map(|&(a, b)| [a, b]).collect()).collect(),
    })
}

/// So many cases by default; `PROPTEST_CASES` asks for more or less in proportion, 256 being the default, and
/// `PROPTEST_MAX_SHRINK_ITERS` for less effort to make a failure small.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: (cases * default.cases).div_ceil(256),
        failure_persistence: None,
        max_shrink_iters: default.max_shrink_iters.min(20_000),
        ..default
    }
}

/// How names are hashed; `None` is the published way.
type Hash = Option<fn(&str) -> u64>;

/// Orders of names that are as different, and as poor, as can be; `None` is the published one. In the last two the upper half
/// tells some names apart: alone, or with a little of the lower half.
pub(crate) const HASHES: [Hash; 6] = [
    None,
    Some(|name| (name.len() % 2) as u64),
    Some(|_| 0),
    Some(|name| u64::MAX - name.len() as u64),
    Some(|name| (published_hash(name) & 3) << 62),
    Some(|name| (published_hash(name) & 1) << 32 | published_hash(name) >> 8 & 1),
];

/// SipHash-2-4 with an all-zero key.
pub(crate) fn published_hash(name: &str) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    hasher.write(name.as_bytes());
    hasher.finish()
}
