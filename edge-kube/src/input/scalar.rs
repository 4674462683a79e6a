//! What a YAML scalar means.
//!
//! kubectl reads manifests with sigs.k8s.io/yaml, which is go-yaml v2 and so mostly YAML 1.1: `on` is a boolean and `017`
//! is fifteen. These are its rules; a table test holds what it answers.

use std::borrow::Cow;

use super::node::Value;

/// The meaning of a plain scalar without a tag.
pub(super) fn plain(text: Cow<'_, str>) -> Value<'_> {
    match text.as_bytes().first() {
        None => return Value::Null,
        // Only these can begin anything but a string.
        Some(
            b'+'
            | b'-'
            | b'0'..=b'9'
            | b'.'
            | b'~'
            | b'y'
            | b'Y'
            | b'n'
            | b'N'
            | b't'
            | b'T'
            | b'f'
            | b'F'
            | b'o'
            | b'O',
        ) => {}
        Some(_) => return Value::String(text),
    }
    word(&text).or_else(|| number(&text)).unwrap_or(Value::String(text))
}

/// Whether a plain scalar means just its text.
pub(crate) fn is_plain_string(text: &str) -> bool {
    matches!(plain(Cow::Borrowed(text)), Value::String(_))
}

/// The meaning of a scalar with the tag `!!<name>`, whatever its quotes.
pub(super) fn tagged<'a>(name: &str, text: Cow<'a, str>) -> Result<Value<'a>, String> {
    let value = match name {
        "int" | "float" | "bool" | "null" => plain(text.clone()),
        "timestamp" if !is_timestamp(&text) => Value::Null,
        _ => return Ok(Value::String(text)),
    };
    match (name, value) {
        ("int", value @ (Value::Int(_) | Value::Unsigned(_)))
        | ("float", value @ Value::Float(_))
        | ("bool", value @ Value::Bool(_))
        | ("null", value @ Value::Null) => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "what a float is")]
        ("float", Value::Int(value)) => Ok(Value::Float(value as f64)),
        (name, _) => Err(format!("expected what the tag !!{name} says, found {}", super::node::shortened(&text))),
    }
}

/// The key that a scalar becomes, since JSON has only strings; or the value again if it can be no key.
pub(super) fn key(value: Value<'_>) -> Result<Cow<'_, str>, Value<'_>> {
    Ok(match value {
        Value::String(text) => text,
        Value::Bool(value) => value.to_string().into(),
        Value::Int(value) => value.to_string().into(),
        Value::Unsigned(value) => value.to_string().into(),
        Value::Float(value) => float_key(value).into(),
        value => return Err(value),
    })
}

fn word(text: &str) -> Option<Value<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        "~" | "null" | "Null" | "NULL" => Value::Null,
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Value<'static>> {
    match text.as_bytes().first()? {
        b'.' => {
            let between_digits = |at: usize| {
                let digit =
                    |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
                digit(at.checked_sub(1)) && digit(Some(at + 1))
            };
            let sound = text.match_indices('_').all(|(at, _)| between_digits(at));
            if sound { float(&text.replace('_', "")) } else { None }
        }
        b'+' | b'-' | b'0'..=b'9' => {
            // Go's integers have at most 64 digits with a sign and a prefix, floats some more; a long run of digits is
            // still a float.
            let text = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
            integer(&text).or_else(|| float(&text))
        }
        _ => None,
    }
}

/// As Go's `strconv.ParseInt` and `ParseUint` with base 0: the prefix decides, and a leading zero means octal.
fn integer(text: &str) -> Option<Value<'static>> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, text.get(1..)?),
        b'+' => (false, true, text.get(1..)?),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // Rust's parsers take a sign of their own.
    if !digits.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    match i64::try_from(value) {
        Ok(value) => Some(Value::Int(value)),
        Err(_) if !signed => u64::try_from(value).ok().map(Value::Unsigned),
        Err(_) => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, and finite.
fn float(text: &str) -> Option<Value<'static>> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole = digits(rest);
    rest = rest.get(whole..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if whole + length == 0 {
            return None;
        }
        rest = fraction.get(length..)?;
    } else if whole == 0 {
        return None;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = digits(exponent);
        if length == 0 {
            return None;
        }
        rest = exponent.get(length..)?;
    }
    if !rest.is_empty() {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float)
}

/// go-yaml's own quick check; what it says beyond that matters to no field of ours, as timestamps stay strings.
fn is_timestamp(text: &str) -> bool {
    text.len() > 4 && text.bytes().position(|b| !b.is_ascii_digit()) == Some(4) && text.as_bytes().get(4) == Some(&b'-')
}

/// As Go's `strconv.FormatFloat(value, 'g', -1, 32)`.
fn float_key(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "sigs.k8s.io/yaml formats keys with 32 bits")]
    let value = value as f32;
    if value.is_nan() {
        return ".nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Go takes the exponent form from six digits on.
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
