//! What is said of manifests that are wrong.

use edge_core::event::Event;
use edge_core::selector::Labels;

use super::{Folder, keys, load_text, location, target};

/// The lines about invalid objects.
fn invalid(content: &str) -> Vec<String> {
    let folder = Folder::new();
    folder.write("a.yaml", content);
    let loaded = folder.load(&["a.yaml"]).unwrap();
    loaded.invalid.iter().map(|line| folder.relative(&line.to_string())).collect()
}

fn errors(content: impl AsRef<[u8]>) -> Vec<String> {
    let folder = Folder::new();
    folder.write("a.yaml", content);
    let error = folder.load(&["a.yaml"]).unwrap_err();
    let text = folder.relative(&error.to_string());
    assert_eq!(text.lines().count(), error.problems().len());
    text.lines().map(str::to_owned).collect()
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    for (text, expected) in [
        ("- a\n", "a.yaml:1:1: expected an object with apiVersion and kind, found a list"),
        ("---\nhello\n", "a.yaml:2:1: expected an object with apiVersion and kind, found string \"hello\""),
        ("[{}]", "a.yaml:1:1: expected an object with apiVersion and kind, found a list"),
        ("{} []", "a.yaml:1:1: expected an object with apiVersion and kind, found no apiVersion"),
        ("\n  a: b\n", "a.yaml:2:3: expected an object with apiVersion and kind, found no apiVersion"),
        ("apiVersion: v1\nkind: 5\n", "a.yaml:2:7: kind: expected a string, found integer 5"),
        ("apiVersion: v1\nkind: ''\n", "a.yaml:2:7: kind: expected a string that is not empty"),
        (
            "apiVersion: v1\nkind: List\nitems:\n- null\n",
            "a.yaml:4:3: expected an object with apiVersion and kind, found null",
        ),
        (
            "apiVersion: v1\nkind: List\nitems:\n- {a: b}\n",
            "a.yaml:4:3: expected an object with apiVersion and kind, found no apiVersion",
        ),
        ("a: b\nc: d\na: e\n", "a.yaml:3:1: duplicate key \"a\": already given at line 1, column 1"),
        ("{\"a\": 1,\n \"\\u0061\": 2}", "a.yaml:2:2: duplicate key \"a\": already given at line 1, column 2"),
        ("yes: 1\ntrue: 2\n", "a.yaml:2:1: duplicate key \"true\": already given at line 1, column 1"),
        ("{\"a\": [1,", "a.yaml:1:10: invalid JSON: expected a value, found the end of the input"),
        ("{\"a\": \"x", "a.yaml:1:9: invalid JSON: expected '\"' at the end of the string, found the end of the input"),
        ("{\"a\": 1} x", "a.yaml:1:10: invalid JSON: expected a value, found 'x'"),
        ("a: *b\n", "a.yaml:1:4: unknown anchor: expected an &b before *b"),
        ("a: &b [*b]\n", "a.yaml:1:8: an alias must not stand inside of its own anchor"),
        ("? [a]\n: b\n", "a.yaml:1:3: a key must be a string, found a list"),
        ("~: b\n", "a.yaml:1:1: a key must be a string, found null"),
        ("a: !!int x\n", "a.yaml:1:10: expected what the tag !!int says, found \"x\""),
        ("a: {<<: 5}\n", "a.yaml:1:5: a merge (<<) needs an object or a list of objects, found integer 5"),
        ("é: \0\n", "a.yaml:1:4: expected text, found a NUL byte"),
    ] {
        let found = errors(text);
        assert!(found.iter().any(|line| line == expected), "{text:?}: {found:?}");
    }
    for (bytes, expected) in [
        (&b"a: b\n\xc3\xa9: \xff\n"[..], "a.yaml:2:4: expected UTF-8, found the byte 0xff"),
        (b"\xff\xfea\0", "a.yaml:1:1: expected UTF-8, found UTF-16"),
    ] {
        assert_eq!(errors(bytes), [expected]);
    }
    for (text, place) in [
        ("a: \"x\n", "a.yaml:2:1: "),
        ("a:\n- b\n c\n- [\n", "a.yaml:4:3: "),
        ("a: b: c\n", "a.yaml:1:5: "),
        ("a: @x", "a.yaml:1:4: "),
    ] {
        let found = errors(text);
        assert!(found[0].starts_with(&format!("{place}invalid YAML: ")), "{text:?}: {found:?}");
    }
}

#[test]
fn depth_and_aliases_are_bounded() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    for text in [
        nested("[", "]", 129),
        nested("{\"a\":", "}", 129).replace(":}", ":1}"),
        "- ".repeat(129) + "a",
        nested("{a: ", "}", 200),
    ] {
        assert!(errors(&text)[0].ends_with("nested too deeply: expected at most 128 levels"), "{text}");
    }
    for text in [nested("[", "]", 128), nested("{\"a\":", "}", 128).replace(":}", ":1}"), "- ".repeat(128) + "a"] {
        assert!(errors(&text)[0].contains("expected an object with apiVersion and kind"), "{text}");
    }
    let chain: String = (1..129).map(|i| format!("a{i}: &a{i} [*a{}]\n", i - 1)).collect();
    assert!(errors(format!("a0: &a0 x\n{chain}"))[0].ends_with("nested too deeply: expected at most 128 levels"));
    let laughs: String =
        (1..9).map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(","))).collect();
    assert!(errors(format!("a0: &a0 x\n{laughs}"))[0].contains("aliases expand to too much"));

    let shared = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: workload.kcp.io/v1alpha1\n  kind: SyncTarget\n  metadata: {name: a, labels: &l {x: w}}\n\
                  - apiVersion: workload.kcp.io/v1alpha1\n  kind: SyncTarget\n  metadata: {name: b, labels: {<<: *l, z: '1'}}\n";
    let Event::SyncTarget(_, Some(record)) = &load_text(shared).unwrap().events[1] else { panic!() };
    assert_eq!(record.labels, Some(Labels::from_iter([("x", "w"), ("z", "1")])));
}

#[test]
fn wrong_types_make_an_object_invalid() {
    assert_eq!(
        invalid(&location(
            "  labels:\n    env: on\n    example.com/rack: 5\n    empty: null\nspec:\n  instanceSelector: {matchLabels: {a: ~}}\n"
        )),
        ["a.yaml:6:10: Location root/l: metadata.labels.env: expected a string, found boolean true; \
          metadata.labels[example.com/rack]: expected a string, found integer 5; \
          spec.instanceSelector.matchLabels.a: expected a string, found null"]
    );
    assert_eq!(
        invalid(
            "apiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\nmetadata: {name: p, generation: x}\nspec:\n  locationSelectors:\n  - null\n  - []\n  \
             - matchExpressions: [{key: a, operator: In, values: [~, 1.5]}, {key: b, operator: 5}]\n  - matchLabels: {'b d': x}\n  upsync: {}\n"
        ),
        [
            "a.yaml:3:33: EdgePlacement root/p: metadata.generation: expected an integer of 64 bits, found string \"x\"; \
          spec.locationSelectors[0]: expected an object, found null; spec.locationSelectors[1]: expected an object, found a list; \
          spec.locationSelectors[2].matchExpressions[0].values[0]: expected a string, found null; \
          spec.locationSelectors[2].matchExpressions[0].values[1]: expected a string, found number 1.5; \
          spec.locationSelectors[2].matchExpressions[1].operator: expected a string, found integer 5; \
          spec.locationSelectors[3].matchLabels[b d]: Invalid value: \"b d\": the name of a label key must be alphanumeric characters, \
          '-', '_' or '.', starting and ending with an alphanumeric character, 1 to 63 characters, with at most one '/' before it; \
          spec.upsync: expected a list, found an object"
        ]
    );
}

#[test]
fn an_invalid_object_still_exists() {
    let loaded = load_text(format!(
        "{}---\n{}---\napiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\nmetadata: {{name: p, uid: u, generation: 7, deletionTimestamp: '2024-01-02T03:04:05Z', labels: [x]}}\n---\n\
         apiVersion: edge.kcp.io/v1alpha1\nkind: SinglePlacementSlice\nmetadata: {{name: s}}\ndestinations: [5]\n",
        location("  labels: {env: prod}\nspec: 5\n"),
        target("t").replace("env: prod", "env: 1"),
    ))
    .unwrap();
    assert_eq!(keys(&loaded), ["SyncTarget root/t", "Location root/l", "EdgePlacement root/p"]);
    assert_eq!(loaded.invalid.len(), 4);
    assert_eq!(loaded.undecodable_slices[0].to_string(), "root/s");
    let [
        Event::SyncTarget(_, Some(target)),
        Event::Location(_, Some(location)),
        Event::EdgePlacement(_, Some(placement)),
    ] = loaded.events.as_slice()
    else {
        panic!()
    };
    assert!(target.labels.is_none() && target.invalid.is_some());
    assert_eq!(location.labels, Some(Labels::from_iter([("env", "prod")])));
    assert!(location.holds.is_err());
    assert_eq!((placement.uid.as_str(), placement.generation, placement.deleting), ("u", 7, true));
    assert!(placement.selectors.is_err());
}

#[test]
fn an_object_without_an_identity_is_only_reported() {
    for (metadata, line) in [
        ("", "a.yaml:3:9: Location root/?: metadata.name: Required value: name is required"),
        ("{}", "a.yaml:3:11: Location root/?: metadata.name: Required value: name is required"),
        ("{name: 5}", "a.yaml:3:18: Location root/?: metadata.name: expected a string, found integer 5"),
        ("5", "a.yaml:3:11: Location ?/?: metadata: expected an object, found integer 5"),
        (
            "{name: l, annotations: {kcp.io/cluster: 5}}",
            "a.yaml:3:51: Location ?/l: metadata.annotations[kcp.io/cluster]: expected a string, found integer 5",
        ),
        (
            "{name: l, annotations: []}",
            "a.yaml:3:34: Location ?/l: metadata.annotations: expected an object, found a list",
        ),
        ("{name: \"A\\nb\"}", "a.yaml:3:18: Location root/A\\nb: metadata.name: Invalid value: \"A\\nb\": "),
        (
            "{name: l, annotations: {kcp.io/cluster: a b}}",
            "a.yaml:3:51: Location a b/l: metadata.annotations[kcp.io/cluster]: Invalid value: \"a b\": ",
        ),
    ] {
        let text = format!("apiVersion: scheduling.kcp.io/v1alpha1\nkind: Location\nmetadata: {metadata}\n");
        let found = invalid(&text);
        assert!(found.len() == 1 && found[0].starts_with(line), "{found:?}");
        assert!(load_text(&text).unwrap().events.is_empty());
        let slice = text.replace("scheduling", "edge").replace("Location", "SinglePlacementSlice");
        let loaded = load_text(&slice).unwrap();
        assert!(
            loaded.slices.is_empty() && loaded.undecodable_slices.is_empty() && loaded.invalid.len() == 1,
            "{slice}"
        );
    }
}

#[test]
fn semantic_errors_point_at_the_field() {
    let placement = "apiVersion: edge.kcp.io/v1alpha1\nkind: EdgePlacement\nmetadata: {name: p}\nspec:\n  locationSelectors:\n  - {}\n";
    for (selector, place) in [
        (
            "{matchExpressions: [{key: a, operator: Inn}]}",
            "7:44: EdgePlacement root/p: spec.locationSelectors[1].matchExpressions[0].operator: ",
        ),
        (
            "{matchExpressions: [{key: a}]}",
            "7:25: EdgePlacement root/p: spec.locationSelectors[1].matchExpressions[0].operator: ",
        ),
        (
            "{matchLabels: {x: w, a.b/c: '-'}}",
            "7:33: EdgePlacement root/p: spec.locationSelectors[1].matchLabels[a.b/c]: ",
        ),
        ("{matchLabels: {'a]b': x}}", "7:27: EdgePlacement root/p: spec.locationSelectors[1].matchLabels[a]b]: "),
    ] {
        let found = invalid(&format!("{placement}  - {selector}\n"));
        assert!(found.len() == 1 && found[0].starts_with(&format!("a.yaml:{place}")), "{found:?}");
    }
    // The lines come in the order of the file.
    let folder = Folder::new();
    folder.write("b.yaml", location("spec: 5\n"));
    folder.write(
        "a.yaml",
        format!(
            "{}---\n{}",
            location("spec: 6\n").replace("name: l", "name: z"),
            location("spec: 7\n").replace("name: l", "name: a")
        ),
    );
    let lines: Vec<_> = folder
        .load(&["b.yaml", "a.yaml"])
        .unwrap()
        .invalid
        .iter()
        .map(|line| folder.relative(&line.to_string()))
        .collect();
    let starts = ["a.yaml:5:7: Location root/z", "a.yaml:11:7: Location root/a", "b.yaml:5:7: Location root/l"];
    assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{lines:?}");
}

/// The limit on the size of an object is none on the length of a list, unless its elements have to wait for their type.
#[test]
fn lists_may_be_long() {
    let item = |i: usize| {
        format!(
            "{{apiVersion: workload.kcp.io/v1alpha1, kind: SyncTarget, metadata: {{name: t{i}, labels: {{a: b, c: d, e: f}}}}}}"
        )
    };
    let items: String = (0..200_000).map(|i| format!("- {}\n", item(i))).collect();
    assert_eq!(load_text(format!("apiVersion: v1\nitems:\n{items}kind: List\n")).unwrap().events.len(), 200_000);
    let json = items
        .replace("- {", ",{")
        .replace("{", "{\"")
        .replace("}", "\"}")
        .replace(": ", "\":\"")
        .replace(", ", "\",\"");
    let json = json.replace("\"{", "{").replace("}\"", "}");
    let json = json.strip_prefix(',').unwrap();
    let list = format!("{{\"apiVersion\":\"v1\",\"items\":[{json}],\"kind\":\"List\"}}");
    assert_eq!(load_text(list).unwrap().events.len(), 200_000);
    let untyped = "- {a: b}\n".repeat(4_000_000);
    let error = errors(format!("items:\n{untyped}kind: List\napiVersion: v1\n"));
    assert!(error[0].ends_with("the object is too large: expected at most 8000000 values"), "{error:?}");
}
