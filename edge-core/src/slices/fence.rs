//! Fences: the lower bounds of slices.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::cmp::Ordering;

use crate::order::{HASH_VERSION, Hashed, NameHash, Position};

/// The annotation that holds a slice's fence: `v1/<attempt>/<cluster>/<location>/<syncTarget>`.
///
/// `v1` is the version of the hash that orders destinations, the attempt is which of its possible names the slice has, and
/// the rest is the first destination that the slice may hold. An empty SyncTarget means all of the Location.
pub const FENCE_ANNOTATION: &str = "edge.kcp.io/slice-fence";

/// A place in the order of destinations, with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence {
    /// Cluster, Location and SyncTarget, one after the other.
    names: Box<str>,
    /// Where the Location and the SyncTarget begin.
    starts: [u32; 2],
    hashes: [u64; 3],
}

impl Fence {
    pub(super) fn at(place: Position<'_>) -> Self {
        let parts = [place.cluster, place.location, place.sync_target];
        let length = |part: Hashed<'_>| u32::try_from(part.name().len()).unwrap_or(u32::MAX);
        let location = length(parts[0]);
        Self {
            names: parts.iter().map(|part| part.name()).collect::<String>().into(),
            starts: [location, location + length(parts[1])],
            hashes: parts.map(Hashed::hash),
        }
    }

    /// Before everything: the fence of every first slice.
    pub(crate) fn first() -> Self {
        let nothing = Hashed::new(0, "");
        Self::at(Position { cluster: nothing, location: nothing, sync_target: nothing })
    }

    pub(super) fn is_first(&self) -> bool {
        self.names.is_empty()
    }

    pub(crate) fn place(&self) -> Position<'_> {
        let [location, sync_target] = self.starts.map(|start| start as usize);
        Position {
            cluster: Hashed::new(self.hashes[0], &self.names[..location]),
            location: Hashed::new(self.hashes[1], &self.names[location..sync_target]),
            sync_target: Hashed::new(self.hashes[2], &self.names[sync_target..]),
        }
    }

    /// Reads an annotation; `None` if it is of another version or not readable.
    pub(super) fn parse(annotation: &str, hash: NameHash) -> Option<(Self, u32)> {
        let mut parts = annotation.split('/');
        let mut next = || parts.next();
        let (version, attempt) = (next()?, next()?);
        let (cluster, location, sync_target) = (next()?, next()?, next()?);
        if version != HASH_VERSION || parts.next().is_some() || (cluster.is_empty() != location.is_empty()) {
            return None;
        }
        let place = Position {
            cluster: hash.hashed(cluster),
            location: hash.hashed(location),
            sync_target: hash.hashed(sync_target),
        };
        Some((Self::at(place), attempt.parse().ok()?))
    }
}

/// What the annotation says of a fence, and of which of its possible names the slice has.
pub(super) fn annotation(fence: Position<'_>, attempt: u32) -> String {
    let mut annotation = String::new();
    annotate(fence, attempt, |text| annotation.push_str(text));
    annotation
}

/// [`annotation`] piece by piece.
pub(super) fn annotate(fence: Position<'_>, attempt: u32, mut push: impl FnMut(&str)) {
    push(HASH_VERSION);
    match attempt {
        0 => push("/0"), // as nearly always
        _ => push(&format!("/{attempt}")),
    }
    for part in [fence.cluster, fence.location, fence.sync_target] {
        push("/");
        push(part.name());
    }
}

/// A range of the order, from its fence up to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) lower: Fence,
    /// `None` means no end.
    pub(crate) upper: Option<Fence>,
}

impl Span {
    pub(crate) fn contains(&self, place: Position<'_>) -> bool {
        self.lower.place() <= place && self.upper.as_ref().is_none_or(|upper| place < upper.place())
    }

    /// Whether it has all that another one has.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let to_end = match (&self.upper, &other.upper) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(a), Some(b)) => a >= b,
        };
        self.lower <= other.lower && to_end
    }
}

impl PartialOrd for Fence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fence {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}
