//! Names and labels of slices.

use alloc::format;
use alloc::string::String;
use core::hash::Hasher;
use siphasher::sip::SipHasher24;

use super::fence::Fence;

/// The label, and for names too long for a label value also the annotation, that names a slice's EdgePlacement.
pub const SOURCE_PLACEMENT: &str = "edge.kcp.io/source-placement";

const NAME_MAX: usize = 253;
const LABEL_VALUE_MAX: usize = 63;
/// A dash and 64 bits in hexadecimal digits.
const SUFFIX: usize = 17;

/// The name of a slice: the EdgePlacement's for the first one, unless a stranger has it; else a readable prefix and a
/// hash of all that tells the slice from others.
pub(super) fn slice_name(cluster: &str, placement: &str, fence: &Fence, attempt: u32) -> String {
    if fence.is_first() && attempt == 0 {
        return placement.into();
    }
    suffixed(placement, NAME_MAX, &[cluster, placement, &fence.annotation(attempt)])
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
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xff); // no name contains it: ("a", "bc") and ("ab", "c") differ
    }
    let mut end = name.len().min(max - SUFFIX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let prefix = name[..end].trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{prefix}-{:016x}", hasher.finish())
}
