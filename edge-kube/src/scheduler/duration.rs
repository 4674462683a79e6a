//! Durations as Go writes them, for flags: `15s`, `1m30s`, `1.5h`, `250ms`.

use std::time::Duration;

/// Units and their nanoseconds; a longer name comes before one that it begins with.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Parses what Go's `time.ParseDuration` takes, without a sign: numbers with a unit each, or `0`.
///
/// # Errors
///
/// What was expected.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration such as 15s, 1m30s or 250ms".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, Duration::ZERO);
    if rest.is_empty() {
        return Err(expected());
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(expected)?;
        let (number, tail) = rest.split_at(end);
        let unit = |(name, _): &&(&str, u64)| tail.starts_with(name);
        let (name, nanos) = UNITS.iter().find(unit).ok_or_else(expected)?;
        total = total.checked_add(scaled(number, *nanos).ok_or_else(expected)?).ok_or_else(expected)?;
        rest = &tail[name.len()..];
    }
    Ok(total)
}

/// A decimal number of units, exactly.
fn scaled(number: &str, nanos: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Digits beyond the nanosecond of an hour say nothing.
    let digits = fraction.get(..fraction.len().min(15))?;
    let part: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let part = part * u128::from(nanos) / 10_u128.pow(u32::try_from(digits.len()).ok()?);
    Some(Duration::from_nanos(whole.checked_mul(nanos)?.checked_add(u64::try_from(part).ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in [
            ("0", 0),
            ("15s", 15_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("250ms", 250_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1m0.5s", 60_500_000_000),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("7ns", 7),
            ("0.0000000000000001h", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in ["", "15", "s", ".s", "1..5s", "-1s", "1 s", "1d", "1s ", "99999999999999h", "1h9999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
