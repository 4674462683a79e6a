//! A run as data: settings, and acts one after the other.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::super::act::Act as Meddling;
use super::super::op::MAXIMA;
use super::super::{Bytes, Change};
use crate::object::{Kind, LabelSelector};
use crate::publisher::{StatusFields, Time};

/// How many bytes an act is made of.
const ACT: usize = 40;

/// What is the same all the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// How many destinations a slice may hold.
    pub(super) max: usize,
    /// How many requests a replica may have in flight.
    pub(super) concurrency: usize,
    /// Schedulers; two elect a leader by a Lease, one needs none.
    pub(super) replicas: usize,
    /// In percent: requests that fail while work goes on.
    pub(super) fail: u8,
    pub(super) fields: StatusFields,
    /// Some objects have no UID, as in manifests.
    pub(super) unknown_uids: bool,
    /// Slices are seen as digests, and their changes as metadata, but for those that are read.
    pub(super) thin: bool,
}

/// What becomes of a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is carried out and answered.
    Done,
    /// Refused at the door with 5xx.
    Refused,
    /// 429 with Retry-After.
    Busy,
    Forbidden,
    /// 422.
    Rejected,
    /// 404: the workspace or the API is away, for those who create.
    Away,
    /// It never arrives, and nobody knows.
    Lost,
    /// It is carried out, and nobody knows.
    Unanswered,
    /// Nobody knows, and it is carried out later, unless something else was first.
    Late,
}

/// What a replica's watch of one kind goes through.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    /// The last thing is told twice.
    Repeat,
    /// The stream, or a list that goes on, breaks and starts over; a watch goes on from where it was.
    Break,
    /// The server forgets its history: who is behind gets 410, and lists.
    Expire,
}

/// Something happens. `nth` picks among what there is at that moment; without anything nothing happens.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Things go their way for a few steps: streams tell, requests go out, arrive and are answered. `seed` says which.
    Work { replica: usize, steps: u8, seed: u8 },
    /// A stream tells some of what it has.
    Tell { replica: usize, kind: Kind, count: u8 },
    /// A replica sends a request.
    Dispatch { replica: usize },
    /// A request reaches the server.
    Arrive { nth: u8, fate: Fate },
    /// An answer reaches who asked.
    Answer { nth: u8 },
    /// A request that was given up on takes effect.
    Haunt { nth: u8 },
    /// Time passes.
    Pass(Time),
    /// For so long every request comes to this end, and the streams are silent.
    Outage { fate: Fate, time: Time },
    /// Users change objects.
    Users(Vec<Change>),
    /// An EdgePlacement appears that has the name of a slice.
    Usurp { nth: u8, selectors: Vec<LabelSelector> },
    /// A stranger meddles with slices.
    Stranger(Meddling),
    /// The garbage collector deletes a slice whose owners are gone or go.
    Collect { nth: u8 },
    /// Somebody takes the finalizers off a slice that is being deleted.
    Release { nth: u8 },
    /// A stream has trouble.
    Stream { replica: usize, kind: Kind, trouble: Trouble },
    /// A replica dies; its requests are still under way.
    Crash { replica: usize },
    /// It starts again, perhaps with other settings.
    Start { replica: usize, max: Option<usize> },
    /// A replica stands still.
    Pause { replica: usize },
    /// It goes on as if nothing had happened.
    Resume { replica: usize },
    /// A source that is not listed yet turns up: until `false` nothing may be taken away.
    Unknown { replica: usize, unknown: bool },
    /// An admission policy refuses every write of a slice from now on.
    Refuse { nth: u8 },
    /// It is lifted.
    Permit,
}

/// A run. Its text is one line of hexadecimal digits for the settings and one for each act; what follows `#` is for people.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    settings: [u8; 8],
    acts: Vec<Vec<u8>>,
}

impl Script {
    /// The run that a seed stands for.
    pub fn of_seed(seed: u64) -> Self {
        // SplitMix64: seeds that are close to each other give runs that are not.
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        let settings = next().to_le_bytes();
        let length = 20 + next() % 220;
        let act = |next: &mut dyn FnMut() -> u64| (0..ACT / 8).flat_map(|_| next().to_le_bytes()).collect();
        let acts = (0..length).map(|_| trimmed(act(&mut next))).collect();
        Self { settings, acts }
    }

    /// Reads the text of a run.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(digits, _)| digits).trim());
        let mut lines = lines.filter(|line| !line.is_empty()).map(|line| {
            let pairs = line.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
            pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<u8>>()
        });
        let mut settings = [0; 8];
        for (to, from) in settings.iter_mut().zip(lines.next().unwrap_or_default()) {
            *to = from;
        }
        Self { settings, acts: lines.collect() }
    }

    pub(super) fn settings(&self) -> Settings {
        Settings::decode(&mut Bytes::new(&self.settings))
    }

    pub(super) fn acts(&self) -> impl Iterator<Item = Act> + '_ {
        self.acts.iter().map(|bytes| Act::decode(&mut Bytes::new(bytes)))
    }

    /// A shorter run that fails as well: without acts, bytes and settings that do not matter.
    #[must_use]
    pub fn shrunk(&self, fails: &mut dyn FnMut(&Self) -> bool) -> Self {
        let mut best = self.clone();
        let mut length = best.acts.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            let mut removed = false;
            while at < best.acts.len() {
                let mut shorter = best.clone();
                shorter.acts.drain(at..(at + length).min(best.acts.len()));
                if fails(&shorter) {
                    (best, removed) = (shorter, true);
                } else {
                    at += length;
                }
            }
            if length == 1 && !removed {
                break;
            }
            length = length.div_ceil(2).max(1);
        }
        for at in 0..best.settings.len() {
            let mut simpler = best.clone();
            simpler.settings[at] = 0;
            if simpler != best && fails(&simpler) {
                best = simpler;
            }
        }
        for at in 0..best.acts.len() {
            for byte in (0..best.acts[at].len()).rev() {
                let mut simpler = best.clone();
                if let Some(byte) = simpler.acts[at].get_mut(byte) {
                    *byte = 0;
                }
                simpler.acts[at] = trimmed(core::mem::take(&mut simpler.acts[at]));
                if simpler != best && fails(&simpler) {
                    best = simpler;
                }
            }
        }
        best
    }
}

/// Bytes that are not there are zero.
fn trimmed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end.max(1));
    bytes
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(f, "{} # {:?}", digits(&self.settings), self.settings())?;
        self.acts
            .iter()
            .zip(self.acts())
            .try_for_each(|(bytes, act)| writeln!(f, "{} # {}", digits(bytes), format!("{act:?}").replace("---", "")))
    }
}

// === Out of bytes: dry ones give the simplest ===

impl Settings {
    fn decode(bytes: &mut Bytes<'_>) -> Self {
        Self {
            max: bytes.pick(&MAXIMA),
            concurrency: 1 + bytes.below(6),
            replicas: if bytes.percent(35) { 2 } else { 1 },
            fail: bytes.pick(&[0, 5, 20]),
            fields: bytes.pick(&[StatusFields::All, StatusFields::All, StatusFields::Original, StatusFields::Off]),
            unknown_uids: bytes.percent(10),
            thin: bytes.percent(50),
        }
    }
}

impl Act {
    fn decode(bytes: &mut Bytes<'_>) -> Self {
        let which = bytes.weighted(&[62, 16, 16, 26, 14, 8, 8, 40, 2, 20, 7, 5, 12, 4, 4, 3, 3, 2, 3, 1]);
        let replica = bytes.below(2);
        let nth = bytes.byte();
        let kind = [Kind::SinglePlacementSlice, Kind::EdgePlacement, Kind::Location, Kind::SyncTarget];
        match which {
            0 => Self::Work { replica, steps: 1 + bytes.byte() % 60, seed: nth },
            1 => Self::Tell { replica, kind: bytes.pick(&kind), count: 1 + nth % 8 },
            2 => Self::Dispatch { replica },
            3 => Self::Arrive { nth, fate: Fate::decode(bytes) },
            4 => Self::Answer { nth },
            5 => Self::Haunt { nth },
            6 => {
                let time = Time::from_millis(1 << (nth % 15));
                if bytes.percent(30) {
                    Self::Outage { fate: Fate::failure(bytes.byte()), time }
                } else {
                    Self::Pass(time)
                }
            }
            7 => Self::Users((0..1 + bytes.below(2)).map(|_| Change::decode(bytes)).collect()),
            8 => Self::Usurp { nth, selectors: [LabelSelector::default()].into() },
            9 => Self::Stranger(Meddling::decode(bytes)),
            10 => Self::Collect { nth },
            11 => Self::Release { nth },
            12 => Self::Stream {
                replica,
                kind: bytes.pick(&kind),
                trouble: bytes.pick(&[Trouble::Repeat, Trouble::Break, Trouble::Expire]),
            },
            13 => Self::Crash { replica },
            14 => Self::Start { replica, max: bytes.percent(20).then(|| bytes.pick(&MAXIMA)) },
            15 => Self::Pause { replica },
            16 => Self::Resume { replica },
            17 => Self::Unknown { replica, unknown: bytes.percent(50) },
            18 => Self::Refuse { nth },
            _ => Self::Permit,
        }
    }
}

impl Fate {
    fn decode(bytes: &mut Bytes<'_>) -> Self {
        let weights = [40, 4, 4, 4, 3, 2, 10, 18, 15];
        Self::ALL[bytes.weighted(&weights)]
    }

    const ALL: [Self; 9] = [
        Self::Done,
        Self::Refused,
        Self::Busy,
        Self::Forbidden,
        Self::Rejected,
        Self::Away,
        Self::Lost,
        Self::Unanswered,
        Self::Late,
    ];

    /// One that is a failure.
    pub(super) fn failure(nth: u8) -> Self {
        Self::ALL[1 + usize::from(nth) % (Self::ALL.len() - 1)]
    }
}
