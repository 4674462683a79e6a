//! The readers against their references: go-yaml for scalars, serde_json for JSON, each other for documents.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::node::{Entry, Malformed, Node, Position, Sink, Value};
use super::{Documents, json, read, yaml};

/// Collects whole documents.
#[derive(Default)]
struct Trees {
    items: Vec<Json>,
    documents: Vec<Json>,
}

impl<'a> Sink<'a> for Trees {
    fn begin_items(&mut self, _: &[Entry<'a>]) {
        self.items.clear();
    }

    fn item(&mut self, node: Node<'a>) {
        self.items.push(plain(&node));
    }

    fn document(&mut self, root: Node<'a>) {
        let mut document = plain(&root);
        if !self.items.is_empty() {
            document["items"] = std::mem::take(&mut self.items).into();
        }
        self.documents.push(document);
    }
}

/// Without positions; what JSON cannot say becomes a string.
fn plain(node: &Node<'_>) -> Json {
    match node.value() {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Unsigned(value) => (*value).into(),
        Value::Float(value) if value.is_finite() => (*value).into(),
        Value::Float(value) => value.to_string().into(),
        Value::String(text) => text.as_ref().into(),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Object(entries) => entries.iter().map(|entry| (entry.key.to_string(), plain(&entry.node))).collect(),
        Value::Shared(_) => unreachable!(),
    }
}

fn trees(parse: impl FnOnce(&mut Trees) -> Result<(), Malformed>) -> Result<Vec<Json>, Malformed> {
    let mut sink = Trees::default();
    parse(&mut sink)?;
    Ok(sink.documents)
}

fn yaml_trees(text: &str) -> Result<Vec<Json>, Malformed> {
    trees(|sink| yaml::parse(text, sink))
}

fn json_trees(text: &str) -> Result<Vec<Json>, Malformed> {
    trees(|sink| json::parse(text, sink))
}

/// What `a: <text>` is, as JSON; numbers without a fraction as integers, as Go prints them.
fn check_scalar(text: &str, expected: &str) {
    let found = match yaml_trees(&format!("a: {text}\n")) {
        Ok(documents) => match &documents[0]["a"] {
            #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
            Json::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() < 1e15) => {
                (number.as_f64().unwrap() as i64).to_string()
            }
            value => value.to_string(),
        },
        Err(_) => "error".to_owned(),
    };
    assert_eq!(found, expected, "{text}");
}

/// The answers are those of sigs.k8s.io/yaml 1.6, which kubectl uses.
#[test]
fn scalars_mean_what_they_mean_to_kubectl() {
    for text in ["yes", "Yes", "YES", "on", "On", "ON", "y", "Y", "true", "True", "TRUE", "!!bool yes", "!!bool \"yes\""] {
        check_scalar(text, "true");
    }
    for text in ["no", "off", "Off", "n", "N", "false", "False", "FALSE"] {
        check_scalar(text, "false");
    }
    for text in ["", "~", "null", "Null", "NULL", "&x", "!!null ''", "!!null ~", "# comment"] {
        check_scalar(text, "null");
    }
    for text in [
        "yEs", "tRue", "nULL", "_1", "e3", "1e", "._5", "0x1p-2", "0x", "0b", "0o", "0b2", "+", "+-1", "-+1", "inf", "nan", "NaN",
        "Infinity", "2024-01-02", "2024-01-02T03:04:05Z", "2024-01-02 03:04:05", "1:20", "190:20:30", "1,000", "1.5.2", "v1",
        "<<", "=", "1e400", "-1e400", "0x10000000000000000", ".", "..", ".e3", "x#y", "it's", ".5__0", ".5_",
    ] {
        check_scalar(text, &format!("{text:?}"));
    }
    for (text, expected) in [
        ("5", "5"), ("+5", "5"), ("-5", "-5"), ("0x1F", "31"), ("0X1f", "31"), ("-0x1F", "-31"), ("+0x1F", "31"), ("0x1_F", "31"),
        ("0o17", "15"), ("0O17", "15"), ("-0o7", "-7"), ("017", "15"), ("-017", "-15"), ("+017", "15"), ("08", "8"), ("09", "9"),
        ("0b101", "5"), ("-0b101", "-5"), ("0B101", "5"), ("0b1_0", "2"), ("1_000", "1000"), ("1_", "1"), ("0x_1", "1"),
        ("0_7", "7"), ("1__0", "10"), ("1.", "1"), ("0.", "0"), ("00", "0"), ("-0", "0"), ("1e3", "1000"), ("1E+3", "1000"),
        ("1.e3", "1000"), ("1e1_0", "10000000000"), ("5 # five", "5"), ("!!int \"5\"", "5"), ("!!float 5", "5"),
        ("!!float 0x10", "16"), ("!<tag:yaml.org,2002:int> '5'", "5"),
    ] {
        check_scalar(text, expected);
    }
    for (text, expected) in [
        ("1.5", "1.5"), ("+1.5", "1.5"), (".5", "0.5"), ("-.5", "-0.5"), ("+.5", "0.5"), ("1_0.5", "10.5"), (".5_0", "0.5"),
        ("!!float \"1.5\"", "1.5"), ("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "9223372036854775808"),
        ("-9223372036854775808", "-9223372036854775808"), ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"), ("-9223372036854775809", "-9.223372036854776e+18"),
        ("0777777777777777777777777", "7.777777777777778e+23"), (".inf", "\"inf\""), ("-.INF", "\"-inf\""), ("+.Inf", "\"inf\""),
        (".NaN", "\"NaN\""), ("\"5\"", "\"5\""), ("'yes'", "\"yes\""), ("''", "\"\""), ("!!str 5", "\"5\""), ("!!str", "\"\""),
        ("!!str ~", "\"~\""), ("!foo 5", "\"5\""), ("! 5", "\"5\""), ("!!foo 5", "\"5\""), ("!!map 5", "\"5\""),
        ("!!timestamp 2024-01-02", "\"2024-01-02\""), ("|\n  5", "\"5\\n\""), ("!!int {b: c}", "{\"b\":\"c\"}"),
    ] {
        check_scalar(text, expected);
    }
    for text in [
        "!!int foo", "!!int 1.5", "!!int 1e3", "!!float foo", "!!float yes", "!!float 9223372036854775808", "!!bool foo",
        "!!null x", "!!timestamp foo", "@x", "`x", "- 5",
    ] {
        check_scalar(text, "error");
    }
}

#[test]
fn keys_become_strings_and_merges_follow_go() {
    for (text, expected) in [
        ("5: x", r#"{"5":"x"}"#), ("5.5: x", r#"{"5.5":"x"}"#), ("yes: x", r#"{"true":"x"}"#), ("0x10: x", r#"{"16":"x"}"#),
        ("1e3: x", r#"{"1000":"x"}"#), ("1e6: x", r#"{"1e+06":"x"}"#), ("1.0: x", r#"{"1":"x"}"#), ("1e20: x", r#"{"1e+20":"x"}"#),
        ("1234567.5: x", r#"{"1.2345675e+06":"x"}"#), ("0.00001: x", r#"{"1e-05":"x"}"#), ("-0.0: x", r#"{"-0":"x"}"#),
        ("0.0: x", r#"{"0":"x"}"#), ("1e300: x", r#"{".inf":"x"}"#), (".nan: x", r#"{".nan":"x"}"#), ("\"yes\": x", r#"{"yes":"x"}"#),
        ("!!str 5: x", r#"{"5":"x"}"#), ("2024-01-02: x", r#"{"2024-01-02":"x"}"#), ("&a k: v\n*a : w", "error"),
        ("&a k: v\nx: {*a : w}", r#"{"k":"v","x":{"k":"w"}}"#), ("~: x", "error"), ("? [a]\n: x", "error"), ("? {a: b}\n: x", "error"),
        ("{a: &a {x: 1}, b: {<<: *a, x: 3}}", r#"{"a":{"x":1},"b":{"x":3}}"#),
        ("{a: &a {x: 1}, b: {x: 3, <<: *a}}", r#"{"a":{"x":1},"b":{"x":1}}"#),
        ("{a: &a {x: 1}, c: &c {x: 2, z: 1}, b: {<<: [*a, *c]}}", r#"{"a":{"x":1},"c":{"x":2,"z":1},"b":{"x":1,"z":1}}"#),
        ("b: {<<: {x: 1}, w: 2}", r#"{"b":{"x":1,"w":2}}"#), ("b: {<<: [], w: 2}", r#"{"b":{"w":2}}"#),
        ("b: {<<: {x: 1}, <<: {w: 1}}", r#"{"b":{"x":1,"w":1}}"#), ("b: {\"<<\": {x: 1}}", r#"{"b":{"<<":{"x":1}}}"#),
        ("b: {!!str <<: {x: 1}}", r#"{"b":{"<<":{"x":1}}}"#), ("b: {!!merge <<: {x: 1}}", r#"{"b":{"x":1}}"#),
        ("b: {<<: &m {x: 1}}\nc: *m", r#"{"b":{"x":1},"c":{"x":1}}"#), ("b: {<<: 5}", "error"), ("b: {<<: [5]}", "error"),
        ("b: {<<: ~}", "error"), ("b: {<<: [[{x: 1}]]}", "error"), ("b: {<<: {x: 1}, x: 2, x: 3}", "error"),
        ("a: &a 1\nb: &a 2\nc: *a", r#"{"a":1,"b":2,"c":2}"#), ("a: &x\nb: *x", r#"{"a":null,"b":null}"#), ("a: &a [*a]", "error"),
        ("a: *b", "error"), ("a: &b 1\n---\na: *b", "error"), ("a: !!set {p, q}", r#"{"a":{"p":null,"q":null}}"#),
        ("a: [b: c]", r#"{"a":[{"b":"c"}]}"#), ("a: [1,2,]", r#"{"a":[1,2]}"#), ("a:\n- b\n- c", r#"{"a":["b","c"]}"#),
        ("%YAML 1.1\n---\na: b", r#"{"a":"b"}"#), ("a: x\r\nb: w\r\n", r#"{"a":"x","b":"w"}"#), ("a: x\rb: w", r#"{"a":"x","b":"w"}"#),
        ("a: b: c", "error"), ("a:\n\tb: c", "error"), ("a:\n\t- b", "error"), ("a: \u{1}", "error"), ("a: \"x\"y", "error"),
    ] {
        match yaml_trees(text) {
            Ok(found) => assert_eq!(found[0].to_string(), serde_json::from_str::<Json>(expected).expect(text).to_string(), "{text}"),
            Err(error) => assert_eq!(expected, "error", "{text}: {error:?}"),
        }
    }
}

#[test]
fn positions_are_lines_and_characters() {
    for text in ["é: 1\r\n\r\n'ü': {x: ß, z: [1, two]}\n", "\n\n\"ü\": {x: ß, z: [1, two]}\n"] {
        struct Root(Position);
        impl<'a> Sink<'a> for Root {
            fn begin_items(&mut self, _: &[Entry<'a>]) {}
            fn item(&mut self, _: Node<'a>) {}
            fn document(&mut self, root: Node<'a>) {
                self.0 = root.locate("ü.z[1]");
                assert_eq!(root.locate("ü.z[7].k"), root.locate("ü.z"));
                assert_eq!(root.locate("none"), root.at);
            }
        }
        let mut sink = Root(Position::START);
        yaml::parse(text, &mut sink).unwrap();
        assert_eq!(sink.0, Position { line: 3, column: 20 });
    }
    let error = json_trees("{\"é\":\n \"ü\" x}").unwrap_err();
    assert_eq!(error.at, Position { line: 2, column: 6 });
    assert_eq!(error.reason, "invalid JSON: expected ',' or '}', found 'x'");
}

/// Inputs that make one YAML library or another run for minutes, fill the memory or overflow the stack.
#[test]
fn hostile_inputs_are_answered_soon() {
    const SIZE: usize = 1 << 20;
    let long = |unit: &str| unit.repeat(SIZE / unit.len());
    let numbered = |of: &dyn Fn(usize) -> String| (0..SIZE / 16).map(of).collect::<String>();
    let mut inputs = Vec::new();
    for unit in [
        "[", "{", "[\n", "{a: ", "{\"a\":", "[[],", "[{", "? ", "?\n", "- ", "-\n", "&a ", "*a ", "*a\n", "!", "! ", "!a ", "!!int ", "\"",
        "'", "x", "x\n", " ", "\t", "\r", "\n", "a: b\r", "a: ", "a:", ":", ": ", ",", "#", "# c\n", "%TAG !a! b\n", "%foo b\n", "---\n",
        "--- ", "...\n", "--- a\n", "--- [\n", "|\n", "- |\n", "- >-\n\n", "é", "\u{2028}", "\u{85}", "\\", "<<: ", "- - - a\n", "a: *a\n",
        "- &a *a\n", "}", "]", "{}", "[] ", "{} ", "1", "0x", "1_", "- [a\n", "- {a\n", "? a\n", "? [\n", "- ? a\n", "a: |1\n",
    ] {
        inputs.push(long(unit));
        inputs.push(format!("a: {}", long(unit)));
        inputs.push(format!("a: {}x", long(unit)));
    }
    for (open, unit, close) in [
        ("[", "a,", "]"), ("[", "a,\n", "]"), ("{", "a: b,", "}"), ("[", "? a,", "]"), ("[", "\"a\":b,", "]"), ("[", ",", "]"), ("\"", "\\x41", "\""),
        ("\"", "\n", "\""), ("'", "''", "'"), ("a: \"", "x\n", ""), ("a: |\n", " x\n", ""), ("a: |\n", "\n", ""), ("a: >\n", "  x\n\n", ""),
        ("", "k", ": b"), ("!", "%41", " a"), ("[", " #\n", ""), ("[", "a\n b,", "]"), ("{\"items\":[", "{},", "{}]}"), ("{\"a\":[", "1,", "1]}"),
        ("{\"a\":\"", "\\u00e9", "\"}"), ("{\"a\":", "1", "}"), ("apiVersion: v1\nkind: List\nitems:\n", "- 5\n", ""), ("a: [", "&a x,", "]"),
        ("- &a x\n", "- *a\n", ""), ("- &a [x,x,x,x,x,x,x,x,x,x]\n", "- *a\n", ""), ("- &a {x: 1}\n- ", "? <<: *a\n  ", ""),
        ("a: &a {x: 1}\nb:\n", " <<: *a\n", ""), ("a: &a {x: 1}\nb: {<<: [", "*a,", "]}"),
    ] {
        inputs.push(format!("{open}{}{close}", long(unit)));
    }
    inputs.push(format!("{}{}{}", "[".repeat(120), long("a,"), "]".repeat(120)));
    inputs.push(numbered(&|i| format!("%TAG !a{i}! b\n")));
    inputs.push(numbered(&|i| format!("- &a{i} x\n")));
    inputs.push(numbered(&|i| format!("k{i}: x\n")));
    inputs.push(numbered(&|i| format!("\"k{i}\": &a{i} x\n")));
    inputs.push((0..1500).map(|i| format!("{}a:\n", " ".repeat(i))).collect());
    inputs.push(format!("a: |\n{}", (0..1500).map(|i| format!("{}\n", " ".repeat(i))).collect::<String>()));
    let laughs = (1..30).map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(",")));
    inputs.push(format!("a0: &a0 [x]\n{}", laughs.collect::<String>()));
    inputs.push(format!("a: &a {}\nb: [{}]\n", long("x"), "*a,".repeat(100_000)));
    inputs.push(format!("a: &a {{{}}}\nb:\n{}", (0..10_000).map(|i| format!("k{i}: x,")).collect::<String>(), "- <<: *a\n".repeat(10_000)));
    inputs.push(format!("a0: &a0 x\n{}", (1..3000).map(|i| format!("a{i}: &a{i} [*a{}]\n", i - 1)).collect::<String>()));
    let location = "apiVersion: scheduling.kcp.io/v1alpha1\nkind: Location\nmetadata: {name: a}\nspec: {instanceSelector: {matchLabels: {";
    inputs.push(format!("{location}{}}}}}}}", numbered(&|i| format!("\"! {i}\": x,"))));
    inputs.push(format!("{location}{}}}}}}}", numbered(&|i| format!("\"! {i}\": {i},"))));
    for input in &inputs {
        let head: String = input.chars().take(60).collect();
        let started = Instant::now();
        let batch = read(0, &"a.yaml".into(), input, "root");
        assert!(started.elapsed() < Duration::from_secs(30), "{head:?} took {:?}", started.elapsed());
        assert!(batch.problems.len() <= 21, "{head:?}");
    }
}

fn json_value() -> impl Strategy<Value = Json> {
    let text = || prop_oneof!["[ -~]{0,8}", "(yes|on|null|5|~|<<|items|kind|- a|a: b|# x|\\[|\\*a|&a|!t)", "[a-zé😀\n\t\\\\\"']{0,6}"];
    let leaf = prop_oneof![
        Just(Json::Null), any::<bool>().prop_map(Json::from), any::<i64>().prop_map(Json::from), any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from), text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map(text(), inner, 0..6).prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Block style, with JSON's quotes.
fn block(value: &Json, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Json::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("\n{pad}-{}", block(item, indent + 1))).collect()
        }
        Json::Object(map) if !map.is_empty() => {
            map.iter().map(|(key, value)| format!("\n{pad}{}:{}", Json::from(key.as_str()), block(value, indent + 1))).collect()
        }
        leaf => format!(" {leaf}"),
    }
}

const TOKENS: [&str; 44] = [
    "a", "b: ", "- ", "\n", "\n  ", "[", "]", "{", "}", ",", ":", " ", "? ", "&x ", "*x", "!t ", "!!int ", "\"", "'", "|", ">-\n", "#c", "---\n",
    "...\n", "%TAG ! a\n", "\t", "\\", "é", "\u{feff}", "\r", "0", "<<: ", "\u{2028}", "\"q\"", "|2\n", "items:", "kind: List\n",
    "apiVersion: v1\n", "apiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\n", "metadata:", "name: x\n", "labels: ", "\u{1}", "~",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn json_is_yaml(value in json_value()) {
        let value = serde_json::json!({ "root": value });
        let expected = json_trees(&value.to_string()).unwrap();
        prop_assert_eq!(expected[0].to_string(), value.to_string());
        prop_assert_eq!(&yaml_trees(&value.to_string()).unwrap(), &expected);
        prop_assert_eq!(&yaml_trees(&block(&value, 0)).unwrap(), &expected, "{}", block(&value, 0));
    }

    #[test]
    fn json_is_what_serde_json_takes(tokens in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"", "\\", "\\n", "1", "-", "0", ".5", "e3", "E-", "true", "false", "null", "nul", " ",
        "\n", "\t", "\r", "é", "\u{1}", "\u{7f}", "+", "{\"a\":", "[1,", "\\x",
    ]), 0..12)) {
        let text = tokens.concat();
        let expected = serde_json::from_str::<Json>(&text).ok();
        match json_trees(&text) {
            Ok(found) if found.len() == 1 => if let Some(expected) = expected { prop_assert_eq!(&found[0], &expected) },
            // Nothing, `null`, or several values.
            Ok(_) => prop_assert!(expected.is_none_or(|value| value.is_null())),
            Err(error) => prop_assert!(!error.syntax || expected.is_none(), "{:?}: {:?}", text, error),
        }
    }

    #[test]
    fn nothing_panics(tokens in prop::collection::vec(prop::sample::select(TOKENS.to_vec()), 0..24)) {
        let text = tokens.concat();
        let _ = read(0, &"a".into(), &text, "root");
        let _ = json::parse(&text, &mut Documents::new(0, &"a".into(), "root"));
    }
}
