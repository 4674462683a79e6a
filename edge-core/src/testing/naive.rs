//! What selectors mean, word for word as the Kubernetes documentation says it, and the compiled form compared with that.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::Bytes;
use crate::object::{LabelSelector, LabelSelectorRequirement};
use crate::selector::{Rule, Selector};

/// The labels of one object.
pub type LabelSet = BTreeMap<String, String>;

/// Whether a valid selector matches an object with these labels.
///
/// # Panics
///
/// If an operator is none of the four.
pub fn matches(selector: &LabelSelector, labels: &LabelSet) -> bool {
    selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && selector.match_expressions.iter().all(|LabelSelectorRequirement { key, operator, values }| {
            match (operator.as_str(), labels.get(key)) {
                ("In", value) => value.is_some_and(|value| values.contains(value)),
                ("NotIn", value) => value.is_none_or(|value| !values.contains(value)),
                ("Exists", value) => value.is_some(),
                ("DoesNotExist", value) => value.is_none(),
                other => panic!("not a requirement: {other:?}"),
            }
        })
}

/// Whether Kubernetes takes a selector.
pub fn is_valid(selector: &LabelSelector) -> bool {
    selector.match_labels.iter().all(|(key, value)| is_key(key) && is_value(value))
        && selector.match_expressions.iter().all(|LabelSelectorRequirement { key, operator, values }| {
            let takes_values = match operator.as_str() {
                "In" | "NotIn" => true,
                "Exists" | "DoesNotExist" => false,
                _ => return false,
            };
            is_key(key) && takes_values != values.is_empty() && values.iter().all(|value| is_value(value))
        })
}

/// A name of at most 63 letters, digits, `-`, `_` and `.` that begins and ends with a letter or digit; before a slash, if
/// there is one, a DNS subdomain of at most 253.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_label = |label: &str| {
        is_bounded(label) && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    !name.is_empty()
        && is_value(name)
        && prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_label))
}

fn is_value(value: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    value.is_empty() || (value.len() <= 63 && value.chars().all(inner) && is_bounded(value))
}

fn is_bounded(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A selector that says what a canonical form says.
pub fn decompile(selector: &Selector) -> LabelSelector {
    let mut wire = LabelSelector::default();
    let mut ask = |key: &str, operator: &str, values: &[String]| {
        let requirement =
            LabelSelectorRequirement { key: key.into(), operator: operator.into(), values: values.to_vec() };
        wire.match_expressions.push(requirement);
    };
    if let Some(key) = selector.contradiction() {
        ask(key, "Exists", &[]);
        ask(key, "DoesNotExist", &[]);
    }
    for requirement in selector.requirements() {
        let key = &requirement.key;
        match &requirement.rule {
            Rule::In(values) => ask(key, "In", values),
            Rule::NotIn(values) => ask(key, "NotIn", values),
            Rule::Exists => ask(key, "Exists", &[]),
            Rule::ExistsNotIn(values) => {
                ask(key, "Exists", &[]);
                ask(key, "NotIn", values);
            }
            Rule::DoesNotExist => ask(key, "DoesNotExist", &[]),
        }
    }
    wire
}

/// Each of `keys` absent, with each of `values`, and with one that is none of them: no two selectors over these keys and
/// values differ in meaning but agree on all of these.
pub fn label_sets(keys: &[&str], values: &[&str]) -> Vec<LabelSet> {
    let mut sets = vec![LabelSet::new()];
    for key in keys {
        let with = |value: &str| {
            let with = |set: &LabelSet| {
                set.iter().map(|(k, v)| (k.clone(), v.clone())).chain([(key.to_string(), value.into())]).collect()
            };
            sets.iter().map(with).collect::<Vec<_>>()
        };
        let wider: Vec<LabelSet> = values.iter().copied().chain(["other"]).flat_map(with).collect();
        sets.extend(wider);
    }
    sets
}

/// Compiles two selectors that follow from `bytes`, and compares what they mean and whether they are equal.
///
/// # Panics
///
/// If validity, meaning, equality or the canonical form is wrong.
pub fn compare_selectors(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let keys = [word(&mut bytes, "a"), word(&mut bytes, "example.com/a"), word(&mut bytes, "b")];
    let values = [word(&mut bytes, ""), word(&mut bytes, "x"), word(&mut bytes, "y")];
    let (keys, values) = (keys.each_ref().map(String::as_str), values.each_ref().map(String::as_str));
    let wire = [selector(&keys, &values, &mut bytes), selector(&keys, &values, &mut bytes)];
    let compiled = wire.each_ref().map(|wire| Selector::compile(wire, "selector"));
    for (wire, compiled) in wire.iter().zip(&compiled) {
        assert_eq!(compiled.is_ok(), is_valid(wire), "{wire:?} is valid or not: {compiled:?}");
        if let Err(invalid) = compiled {
            assert!(invalid.errors().iter().all(|error| error.path.starts_with("selector.match")), "{invalid}");
        }
    }
    let [Ok(one), Ok(other)] = compiled else { return };
    let mut same = true;
    for labels in label_sets(&keys, &values) {
        let want = wire.each_ref().map(|wire| matches(wire, &labels));
        same &= want[0] == want[1];
        assert_eq!(
            [&one, &other].map(|selector| selector.matches(&labels.clone().into())),
            want,
            "{wire:?} {labels:?}"
        );
    }
    let equal = one == other || (one.contradiction().is_some() && other.contradiction().is_some());
    assert_eq!(equal, same, "equal means equal: {one} and {other}");
    for selector in [one, other] {
        assert!(selector.requirements().is_sorted_by(|a, b| a.key < b.key), "{selector}: sorted, one for a key");
        assert_eq!(
            Selector::compile(&decompile(&selector), "again").as_ref(),
            Ok(&selector),
            "{selector} is canonical"
        );
        assert!(!format!("{selector}").is_empty());
    }
}

/// A word: the usual one, or any other, also one that is none.
fn word(bytes: &mut Bytes<'_>, usual: &str) -> String {
    let letters = ['a', 'A', '0', '-', '_', '.', '/', ' ', 'ü', '\n', '\u{0}'];
    match bytes.weighted(&[70, 20, 10]) {
        0 => usual.into(),
        1 => (0..bytes.below(6)).map(|_| bytes.pick(&letters)).collect(),
        _ => {
            let part = bytes.pick(&["a", "a.", "a-", "a/", "/", "ü"]);
            part.repeat(bytes.pick(&[1, 31, 32, 62, 63, 64, 126, 127, 253, 254])) + bytes.pick(&["", "a", "/a", "."])
        }
    }
}

fn selector(keys: &[&str], values: &[&str], bytes: &mut Bytes<'_>) -> LabelSelector {
    let mut selector = LabelSelector::default();
    for _ in 0..bytes.weighted(&[60, 30, 10]) {
        selector.match_labels.insert(bytes.pick(keys).into(), bytes.pick(values).into());
    }
    for _ in 0..bytes.below(6) {
        let operator = bytes.pick(&["In", "NotIn", "Exists", "DoesNotExist", "In", "NotIn", "Exists", "in"]);
        let usual = matches!(operator, "In" | "NotIn") != bytes.percent(2);
        let values = (0..if usual { 1 + bytes.below(3) } else { 0 }).map(|_| bytes.pick(values).into()).collect();
        selector.match_expressions.push(LabelSelectorRequirement {
            key: bytes.pick(keys).into(),
            operator: operator.into(),
            values,
        });
    }
    selector
}
