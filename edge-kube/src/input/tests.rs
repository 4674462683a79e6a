//! The readers against their references: go-yaml for scalars, serde_json for JSON, each other for documents.

mod hostile;
mod scalars;

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

    fn item(&mut self, node: Node<'a>) -> bool {
        self.items.push(plain(&node));
        false
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

#[test]
fn positions_are_lines_and_characters() {
    for text in ["é: 1\r\n\r\n'ü': {x: ß, z: [1, two]}\n", "\n\n\"ü\": {x: ß, z: [1, two]}\n"] {
        struct Root(Position);
        impl<'a> Sink<'a> for Root {
            fn begin_items(&mut self, _: &[Entry<'a>]) {}
            fn item(&mut self, _: Node<'a>) -> bool {
                false
            }
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

#[test]
fn the_standard_input_is_read_once_and_last() {
    let sources = super::source::find(&["-".into(), "Cargo.toml".into(), "-".into()], &mut Vec::new());
    let names: Vec<_> = sources.iter().map(|source| source.name().to_string()).collect();
    assert_eq!(names, ["Cargo.toml", "<stdin>"]);
}

fn json_value() -> impl Strategy<Value = Json> {
    let text = || {
        prop_oneof![
            "[ -~]{0,8}",
            "(yes|on|null|5|~|<<|items|kind|- a|a: b|# x|\\[|\\*a|&a|!t)",
            "[a-zé😀\n\t\\\\\"']{0,6}"
        ]
    };
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text().prop_map(Json::from),
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
        Json::Object(map) if !map.is_empty() => map
            .iter()
            .map(|(key, value)| format!("\n{pad}{}:{}", Json::from(key.as_str()), block(value, indent + 1)))
            .collect(),
        leaf => format!(" {leaf}"),
    }
}

const TOKENS: [&str; 44] = [
    "a",
    "b: ",
    "- ",
    "\n",
    "\n  ",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    " ",
    "? ",
    "&x ",
    "*x",
    "!t ",
    "!!int ",
    "\"",
    "'",
    "|",
    ">-\n",
    "#c",
    "---\n",
    "...\n",
    "%TAG ! a\n",
    "\t",
    "\\",
    "é",
    "\u{feff}",
    "\r",
    "0",
    "<<: ",
    "\u{2028}",
    "\"q\"",
    "|2\n",
    "items:",
    "kind: List\n",
    "apiVersion: v1\n",
    "apiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\n",
    "metadata:",
    "name: x\n",
    "labels: ",
    "\u{1}",
    "~",
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
            Ok(found) if found.len() == 1 => if let Some(expected) = expected {
                // The integer -0 is 0 to us, a float to serde_json.
                prop_assert_eq!(found[0].to_string(), expected.to_string().replace("-0.0", "0"));
            },
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
