//! Selectors against Kubernetes' own code, whose answers are in `testdata/selectors`, and against a naive evaluation.

use std::collections::BTreeSet;
use std::fs;

use edge_core::event::{Event, Holds, LocationRecord};
use edge_core::object::{LabelSelector, LabelSelectorRequirement, Location, ObjectKey, ResourceRef};
use edge_core::selector::{FieldError, Invalid, Labels, Selector, validate_name};
use edge_core::testing::naive::{LabelSet, compare_selectors, decompile, label_sets, matches};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

// === What Kubernetes says ===

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vectors {
    #[serde(rename = "apimachinery")]
    _apimachinery: String,
    label_sets: Vec<LabelSet>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    selector: LabelSelector,
    /// A `1` for each label set that it matches.
    #[serde(default)]
    matches: String,
    #[serde(default)]
    errors: BTreeSet<String>,
    #[serde(default)]
    bad_labels: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(rename = "apimachinery")]
    _apimachinery: String,
    rules: Vec<RuleRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleRow {
    rule: String,
    selector: Option<LabelSelector>,
    #[serde(default)]
    cases: Vec<Case>,
    #[serde(default)]
    errors: BTreeSet<String>,
    #[serde(default)]
    bad_labels: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    labels: LabelSet,
    matches: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Syntax {
    #[serde(rename = "apimachinery")]
    _apimachinery: String,
    syntax: Vec<Texts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Texts {
    of: String,
    letters: String,
    up_to: usize,
    /// A `1` for each text that is valid.
    valid: String,
}

fn load<T: DeserializeOwned>(file: &str) -> T {
    let path = format!("{}/../testdata/selectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `<field path>: <error type>` of each error, as the generator writes those of `ValidateLabelSelector`. That one does
/// not say which entry of `matchLabels` is wrong; [`bad_labels`] compares this.
fn errors(invalid: &Invalid) -> BTreeSet<String> {
    let error = |error: &FieldError| {
        let (kind, _) = error.reason.split_once(':').expect("a type and a detail");
        let path = if error.path.starts_with("selector.matchLabels[") { "selector.matchLabels" } else { &error.path };
        format!("{path}: {kind}")
    };
    invalid.errors().iter().map(error).collect()
}

fn bad_labels(invalid: &Invalid) -> BTreeSet<String> {
    let key = |path: &str| Some(path.strip_prefix("selector.matchLabels[")?.strip_suffix(']')?.to_string());
    invalid.errors().iter().filter_map(|error| key(&error.path)).collect()
}

/// Compiles and compares validity and errors.
fn compile(
    what: &str,
    selector: &LabelSelector,
    want: &BTreeSet<String>,
    want_labels: &BTreeSet<String>,
) -> Option<Selector> {
    match Selector::compile(selector, "selector") {
        Ok(compiled) => {
            assert!(want.is_empty(), "{what}: taken as {compiled}, but Kubernetes says {want:?}");
            Some(compiled)
        }
        Err(invalid) => {
            assert_eq!(&errors(&invalid), want, "{what}: {invalid}");
            assert_eq!(&bad_labels(&invalid), want_labels, "{what}: {invalid}");
            assert!(invalid.errors().iter().all(|error| error.path.starts_with("selector.")), "{what}: {invalid}");
            None
        }
    }
}

#[test]
fn vectors() {
    let Vectors { label_sets, vectors, .. } = load("vectors.json");
    let label_sets: Vec<Labels> = label_sets.into_iter().map(Labels::from).collect();
    let (mut valid, mut invalid, mut contradictions) = (0, 0, 0);
    for (i, Vector { selector, matches, errors, bad_labels }) in vectors.iter().enumerate() {
        let what = format!("vector {i}, {selector:?}");
        let Some(compiled) = compile(&what, selector, errors, bad_labels) else {
            invalid += 1;
            continue;
        };
        valid += 1;
        contradictions += usize::from(compiled.contradiction().is_some());
        let have: String = label_sets.iter().map(|labels| if compiled.matches(labels) { '1' } else { '0' }).collect();
        assert_eq!(&have, matches, "{what}: {compiled}");
        assert_eq!(canonical(&decompile(&compiled)), compiled, "{what}");
    }
    // A file that was cut off must not pass.
    assert!(valid >= 3000 && invalid >= 1000 && contradictions >= 100 && label_sets.len() >= 125);
}

#[test]
fn rules() {
    let RuleFile { rules, .. } = load("rules.json");
    assert!(rules.len() >= 120);
    let mut names = BTreeSet::new();
    for RuleRow { rule, selector, cases, errors, bad_labels } in &rules {
        assert!(names.insert(rule), "two rules are called {rule:?}");
        let Some(selector) = selector else {
            assert_eq!(holds(None), Holds::Nothing, "{rule}");
            assert!(cases.iter().all(|case| !case.matches), "{rule}");
            continue;
        };
        assert_eq!(errors.is_empty(), !cases.is_empty(), "{rule}");
        let Some(compiled) = compile(rule, selector, errors, bad_labels) else { continue };
        for Case { labels, matches } in cases {
            assert_eq!(compiled.matches(&labels.clone().into()), *matches, "{rule}: {compiled} on {labels:?}");
        }
        assert_eq!(holds(Some(selector.clone())), Holds::Matching(compiled), "{rule}");
    }
}

/// What a Location with this selector holds; `None` is what Go calls nil.
fn holds(instance_selector: Option<LabelSelector>) -> Holds {
    let mut location = Location::default();
    location.spec.instance_selector = instance_selector;
    location.spec.resource =
        Some(ResourceRef { group: None, version: "v1alpha1".into(), resource: "synctargets".into() });
    let Event::Location(_, Some(LocationRecord { holds, .. })) = Event::location(ObjectKey::new("root", "l"), location)
    else {
        panic!("not a Location")
    };
    holds.unwrap()
}

/// Every short text as a key, a value and an object's name.
#[test]
fn syntax() {
    let Syntax { syntax, .. } = load("syntax.json");
    let mut seen = BTreeSet::new();
    for Texts { of, letters, up_to, valid } in &syntax {
        let texts = texts(letters, *up_to);
        assert_eq!(texts.len(), valid.len());
        for (text, want) in texts.iter().zip(valid.bytes()) {
            let is_valid = match of.as_str() {
                "key" => Selector::compile(&expressions(&[(text, "Exists", &[])]), "").is_ok(),
                "value" => Selector::compile(&expressions(&[("a", "In", &[text])]), "").is_ok(),
                "name" => validate_name(text).is_ok(),
                other => panic!("unknown: {other}"),
            };
            assert_eq!(is_valid, want == b'1', "{of} {text:?}");
        }
        seen.insert(of.as_str());
    }
    assert_eq!(seen, BTreeSet::from(["key", "name", "value"]));
}

/// All texts of up to so many letters, shorter ones first, the last letter changing fastest.
fn texts(letters: &str, up_to: usize) -> Vec<String> {
    let (mut all, mut longest) = (vec![String::new()], vec![String::new()]);
    for _ in 0..up_to {
        longest =
            longest.iter().flat_map(|text| letters.chars().map(move |letter| format!("{text}{letter}"))).collect();
        all.extend_from_slice(&longest);
    }
    all
}

// === The canonical form ===

type Expression<'a> = (&'a str, &'a str, &'a [&'a str]);

fn expressions(list: &[Expression<'_>]) -> LabelSelector {
    let requirement = |&(key, operator, values): &Expression<'_>| LabelSelectorRequirement {
        key: key.into(),
        operator: operator.into(),
        values: values.iter().map(|&value| value.into()).collect(),
    };
    LabelSelector { match_expressions: list.iter().map(requirement).collect(), ..LabelSelector::default() }
}

fn with_labels(labels: &[(&str, &str)], list: &[Expression<'_>]) -> LabelSelector {
    let match_labels = labels.iter().map(|&(key, value)| (key.into(), value.into())).collect();
    LabelSelector { match_labels, ..expressions(list) }
}

fn canonical(selector: &LabelSelector) -> Selector {
    Selector::compile(selector, "selector").unwrap()
}

#[test]
fn text_of_the_canonical_form() {
    let check = |selector: LabelSelector, want: &str| assert_eq!(canonical(&selector).to_string(), want);
    check(LabelSelector::default(), "everything");
    check(with_labels(&[("env", "prod")], &[]), "env=prod");
    check(with_labels(&[("env", "")], &[]), "env=");
    check(expressions(&[("env", "In", &["prod"])]), "env=prod");
    check(expressions(&[("env", "In", &["prod", "dev", "prod"])]), "env in (dev,prod)");
    check(expressions(&[("env", "In", &["prod", ""])]), "env in (,prod)");
    check(expressions(&[("env", "NotIn", &["prod"])]), "env notin (prod)");
    check(expressions(&[("env", "NotIn", &["prod", "dev"])]), "env notin (dev,prod)");
    check(expressions(&[("gpu", "Exists", &[])]), "gpu");
    check(expressions(&[("gpu", "DoesNotExist", &[])]), "!gpu");
    check(expressions(&[("gpu", "NotIn", &["old"]), ("gpu", "Exists", &[])]), "gpu,gpu notin (old)");
    check(
        with_labels(&[("zone", "a"), ("example.com/site", "1")], &[("gpu", "DoesNotExist", &[])]),
        "example.com/site=1,!gpu,zone=a",
    );
    check(
        expressions(&[("gpu", "DoesNotExist", &[]), ("gpu", "Exists", &[])]),
        "nothing: the requirements on gpu contradict each other",
    );
}

#[test]
fn selectors_of_equal_meaning_are_equal() {
    let check = |a: LabelSelector, b: LabelSelector| {
        assert_eq!(canonical(&a), canonical(&b), "{a:?} and {b:?}");
        assert_eq!(canonical(&a).to_string(), canonical(&b).to_string());
    };
    check(with_labels(&[("a", "x")], &[]), expressions(&[("a", "In", &["x"])]));
    check(with_labels(&[("a", "x")], &[("a", "In", &["x", "y"])]), with_labels(&[("a", "x")], &[]));
    check(expressions(&[("a", "In", &["x", "y"])]), expressions(&[("a", "In", &["y", "x", "y"])]));
    check(
        expressions(&[("a", "Exists", &[]), ("b", "DoesNotExist", &[])]),
        expressions(&[("b", "DoesNotExist", &[]), ("a", "Exists", &[])]),
    );
    check(expressions(&[("a", "Exists", &[]), ("a", "Exists", &[])]), expressions(&[("a", "Exists", &[])]));
    check(expressions(&[("a", "Exists", &[]), ("a", "In", &["x"])]), expressions(&[("a", "In", &["x"])]));
    check(expressions(&[("a", "In", &["x", "y"]), ("a", "In", &["y", "z"])]), expressions(&[("a", "In", &["y"])]));
    check(expressions(&[("a", "In", &["x", "y"]), ("a", "NotIn", &["x"])]), expressions(&[("a", "In", &["y"])]));
    check(expressions(&[("a", "NotIn", &["x"]), ("a", "NotIn", &["y"])]), expressions(&[("a", "NotIn", &["y", "x"])]));
    check(
        expressions(&[("a", "DoesNotExist", &[]), ("a", "NotIn", &["x"])]),
        expressions(&[("a", "DoesNotExist", &[])]),
    );
    check(
        expressions(&[("a", "NotIn", &["x"]), ("a", "Exists", &[])]),
        expressions(&[("a", "Exists", &[]), ("a", "NotIn", &["x"]), ("a", "NotIn", &["x"])]),
    );
    check(
        expressions(&[("a", "In", &["x"]), ("a", "NotIn", &["x"])]),
        expressions(&[("a", "DoesNotExist", &[]), ("a", "Exists", &[])]),
    );
    check(with_labels(&[], &[]), LabelSelector::default());
}

// === Against a naive evaluation ===

const KEYS: [&str; 3] = ["a", "b", "example.com/a"];
const VALUES: [&str; 3] = ["", "x", "y"];

fn any_requirement() -> impl Strategy<Value = LabelSelectorRequirement> {
    let values = prop::collection::vec(prop::sample::select(&VALUES[..]), 1..4);
    let asks = prop_oneof![
        values.clone().prop_map(|values| ("In", values)),
        values.prop_map(|values| ("NotIn", values)),
        Just(("Exists", vec![])),
        Just(("DoesNotExist", vec![])),
    ];
    (prop::sample::select(&KEYS[..]), asks).prop_map(|(key, (operator, values))| LabelSelectorRequirement {
        key: key.into(),
        operator: operator.into(),
        values: values.into_iter().map(String::from).collect(),
    })
}

fn any_selector() -> impl Strategy<Value = LabelSelector> {
    let string = |from: &'static [&'static str]| prop::sample::select(from).prop_map(String::from);
    let match_labels = prop::collection::btree_map(string(&KEYS), string(&VALUES), 0..2);
    let match_expressions = prop::collection::vec(any_requirement(), 0..5);
    (match_expressions, match_labels)
        .prop_map(|(match_expressions, match_labels)| LabelSelector { match_expressions, match_labels })
}

proptest! {
    #[test]
    fn canonical_form_means_the_same(selector in any_selector()) {
        let compiled = canonical(&selector);
        let mut matches_some = false;
        for labels in label_sets(&KEYS, &VALUES) {
            let want = matches(&selector, &labels);
            matches_some |= want;
            prop_assert_eq!(compiled.matches(&labels.clone().into()), want, "{} on {:?}", &compiled, labels);
        }
        prop_assert_eq!(compiled.contradiction().is_some(), !matches_some, "{}", compiled);
    }

    /// The index shares work between equal selectors, so equality must be meaning, neither more nor less.
    #[test]
    fn equal_means_equal(a in any_selector(), b in any_selector()) {
        let (one, other) = (canonical(&a), canonical(&b));
        let same = label_sets(&KEYS, &VALUES).iter().all(|labels| matches(&a, labels) == matches(&b, labels));
        let equal = one == other || (one.contradiction().is_some() && other.contradiction().is_some());
        prop_assert_eq!(equal, same, "{} and {}", one, other);
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        (selector, shuffled) in any_selector().prop_flat_map(|selector| {
            let twice = [&selector.match_expressions[..], &selector.match_expressions[..]].concat();
            (Just(selector), Just(twice).prop_shuffle())
        }),
    ) {
        let other = LabelSelector { match_expressions: shuffled, match_labels: selector.match_labels.clone() };
        prop_assert_eq!(canonical(&selector), canonical(&other));
    }

    /// Whatever is written there, it is either matched or refused with paths into the selector.
    #[test]
    fn nothing_panics(keys in prop::collection::vec((".*", ".*", prop::collection::vec(".*", 0..3)), 0..4)) {
        let requirement = |(key, operator, values)| LabelSelectorRequirement { key, operator, values };
        let match_expressions = keys.into_iter().map(requirement).collect();
        let selector = LabelSelector { match_expressions, ..LabelSelector::default() };
        match Selector::compile(&selector, "selector") {
            Ok(compiled) => prop_assert_eq!(compiled.matches(&Labels::default()), matches(&selector, &LabelSet::new())),
            Err(invalid) => prop_assert!(errors(&invalid).iter().all(|error| error.starts_with("selector.matchExpressions["))),
        }
    }

    #[test]
    fn any_two_selectors(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        compare_selectors(&bytes);
    }
}
