//! Waiting for memory once instead of many times.

use core::hint::black_box;

/// Reads values that are about to be looked at one by one.
///
/// Each look would wait for memory, and often what it finds decides what comes next. These reads need nothing of each other,
/// so the processor has many of them under way at a time.
pub(crate) fn warm(values: impl Iterator<Item = usize>) {
    black_box(values.fold(0, usize::wrapping_add));
}
