//! Names and labels of slices.

use alloc::format;
use alloc::string::String;
use core::hash::Hasher;
use siphasher::sip::SipHasher24;

use super::fence::annotate;
use crate::order::Position;

/// The label, and for names too long for a label value also the annotation, that names a slice's EdgePlacement.
pub const SOURCE_PLACEMENT: &str = "edge.kcp.io/source-placement";

const NAME_MAX: usize = 253;
const LABEL_VALUE_MAX: usize = 63;
/// A dash and 64 bits in hexadecimal digits.
const SUFFIX: usize = 17;

/// The name of a slice: the EdgePlacement's for the first one, unless a stranger has it; else a readable prefix and a
/// hash of all that tells the slice from others.
pub(super) fn slice_name(cluster: &str, placement: &str, fence: Position<'_>, attempt: u32) -> String {
    if fence.cluster.name().is_empty() && attempt == 0 {
        return placement.into();
    }
    with_suffix(placement, Stem::new(cluster, placement).suffix(fence, attempt))
}

/// What the names of an EdgePlacement's slices have in common, hashed once.
pub(super) struct Stem(SipHasher24);

impl Stem {
    pub(super) fn new(cluster: &str, placement: &str) -> Self {
        let mut hasher = SipHasher24::new_with_keys(0, 0);
        [cluster, placement].into_iter().for_each(|part| write_part(&mut hasher, part));
        Self(hasher)
    }

    /// What ends the name of a slice, as a number.
    pub(super) fn suffix(&self, fence: Position<'_>, attempt: u32) -> u64 {
        let mut hasher = self.0;
        annotate(fence, attempt, |text| hasher.write(text.as_bytes()));
        write_part(&mut hasher, "");
        hasher.finish()
    }
}

/// The number that a name ends with, if it could be the name of a slice.
pub(super) fn suffix_of(name: &str) -> Option<u64> {
    let (_, digits) = name.rsplit_once('-')?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_suffix = digits.len() == SUFFIX - 1 && digits.bytes().all(is_digit);
    u64::from_str_radix(digits, 16).ok().filter(|_| is_suffix)
}

/// The name of the `number`th slice that only helps others to change places, and is deleted last.
pub(crate) fn helper_name(cluster: &str, placement: &str, number: usize) -> String {
    suffixed(placement, NAME_MAX, &[cluster, placement, "helper", &format!("{number}")])
}

/// The label value for an EdgePlacement's name; whether the full name has to stand in an annotation.
pub(super) fn label_value(placement: &str) -> (String, bool) {
    if placement.len() <= LABEL_VALUE_MAX {
        return (placement.into(), false);
    }
    (suffixed(placement, LABEL_VALUE_MAX, &[placement]), true)
}

fn suffixed(name: &str, max: usize, parts: &[&str]) -> String {
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    parts.iter().for_each(|part| write_part(&mut hasher, part));
    cut_with_suffix(name, max, hasher.finish())
}

fn write_part(hasher: &mut SipHasher24, part: &str) {
    hasher.write(part.as_bytes());
    hasher.write_u8(0xff); // no name contains it: ("a", "bc") and ("ab", "c") differ
}

/// The name of a further slice, whose suffix is known.
pub(super) fn with_suffix(placement: &str, suffix: u64) -> String {
    cut_with_suffix(placement, NAME_MAX, suffix)
}

fn cut_with_suffix(name: &str, max: usize, suffix: u64) -> String {
    let mut end = name.len().min(max - SUFFIX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let prefix = name[..end].trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{prefix}-{suffix:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_slices_tell_their_number() {
        let name = helper_name("ws", "place", 0);
        assert_eq!(suffix_of(&name).map(|suffix| with_suffix("place", suffix)), Some(name));
        for other in ["place", "place-0123456789abcde", "place-+123456789abcdef", "place-0123456789ABCDEF", ""] {
            assert_eq!(suffix_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_cut_as_little_as_need_be() {
        let long = "n".repeat(300);
        assert_eq!(with_suffix(&long, 1), alloc::format!("{}-{:016x}", "n".repeat(236), 1));
        assert_eq!(label_value(&long).0.len(), 63);
        assert_eq!(with_suffix(&alloc::format!("n{}", "é".repeat(300)), 1), alloc::format!("n-{:016x}", 1));
    }
}
