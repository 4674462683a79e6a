//! YAML as kubectl prints it.
//!
//! Written for every reader: names such as `on`, `y` or `012` are quoted, since kubectl's own YAML library, which is of
//! version 1.1, takes them for booleans and numbers. serde_yaml does not quote all of them.

use std::io::{self, Write};

use serde_json::Value;

use crate::input::is_plain_string;

/// Writes a mapping, one entry a line, as a document.
pub(crate) fn write(value: &Value, out: &mut impl Write) -> io::Result<()> {
    block(value, 0, false, out)
}

/// A value in block style. `inline` says that the cursor stands behind `- ` already.
fn block(value: &Value, indent: usize, mut inline: bool, out: &mut impl Write) -> io::Result<()> {
    let mut pad = |out: &mut dyn Write| -> io::Result<()> {
        if std::mem::take(&mut inline) { Ok(()) } else { write!(out, "{:indent$}", "") }
    };
    match value {
        Value::Object(entries) if !entries.is_empty() => entries.iter().try_for_each(|(key, value)| {
            pad(out)?;
            text(key, out)?;
            out.write_all(b":")?;
            match value {
                // kubectl does not indent the items of a list within a mapping.
                Value::Array(items) if !items.is_empty() => {
                    out.write_all(b"\n")?;
                    block(value, indent, false, out)
                }
                Value::Object(entries) if !entries.is_empty() => {
                    out.write_all(b"\n")?;
                    block(value, indent + 2, false, out)
                }
                _ => {
                    out.write_all(b" ")?;
                    scalar(value, out)
                }
            }
        }),
        Value::Array(items) if !items.is_empty() => items.iter().try_for_each(|item| {
            pad(out)?;
            out.write_all(b"- ")?;
            block(item, indent + 2, true, out)
        }),
        _ => scalar(value, out),
    }
}

fn scalar(value: &Value, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::String(value) => text(value, out)?,
        // Null, booleans, numbers, and what is empty look the same in JSON.
        _ => write!(out, "{value}")?,
    }
    out.write_all(b"\n")
}

/// Plain where no reader can mistake it, else in double quotes.
fn text(text: &str, out: &mut impl Write) -> io::Result<()> {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
    let plain = text.bytes().all(safe)
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        // A date, or a number to some reader.
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && is_plain_string(text);
    if plain {
        return out.write_all(text.as_bytes());
    }
    out.write_all(b"\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            '\n' => out.write_all(b"\\n")?,
            // What YAML does not allow, or takes for a line break or a byte order mark.
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                write!(out, "\\u{:04x}", u32::from(c))?;
            }
            _ => write!(out, "{c}")?,
        }
    }
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn yaml(value: &Value) -> String {
        let mut out = Vec::new();
        write(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_looks_as_kubectl_prints_it() {
        let value =
            json!({"a": [{"b": "x", "c": ["y", {}]}, []], "d": {"e": {}, "f": {"g/h": 1}}, "i": null, "j": true});
        let expected = "a:\n- b: x\n  c:\n  - \"y\"\n  - {}\n- []\nd:\n  e: {}\n  f:\n    g/h: 1\ni: null\nj: true\n";
        assert_eq!(yaml(&value), expected);
    }

    #[test]
    fn what_a_reader_could_mistake_is_quoted() {
        let mistakable = [
            "y",
            "N",
            "yes",
            "No",
            "on",
            "OFF",
            "true",
            "null",
            "Null",
            "",
            "~",
            "012",
            "0x1f",
            "1e3",
            "0b11",
            "1.5",
            "123",
            "2001-01-01",
            "12:30:45",
            "-",
            ".",
            "a: b",
            "a #b",
            " a",
            "a ",
            "a\nb",
            "é",
            "\u{2028}",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "{",
            "[",
            "'",
            "\"",
            "<<",
            "=",
            "root:compute",
        ];
        for text in mistakable {
            assert!(yaml(&json!({"a": text})).starts_with("a: \""), "{text:?}");
        }
        for text in ["dev", "8c0a7003-ad18-4bf0-90a0-b1d74cda2437", "edge.kcp.io/v1alpha1", "v1/0/ws1/eu/"] {
            assert_eq!(yaml(&json!({"a": text})), format!("a: {text}\n"));
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>(), "[a-z0-9.:/ -]{0,6}", "[\\x00-\\x20\u{80}-\u{a0}a]{0,4}"];
        let leaf = prop_oneof![
            text.clone().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        /// serde_yaml, which shares no code with the writer, reads the same value.
        #[test]
        fn another_library_reads_what_was_written(value in values()) {
            let value = json!({ "value": value });
            prop_assert_eq!(serde_yaml::from_str::<Value>(&yaml(&value)).unwrap(), value);
        }
    }
}
