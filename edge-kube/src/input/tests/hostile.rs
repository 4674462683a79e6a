//! Time on inputs that were made to take long.

use std::time::{Duration, Instant};

use super::super::read;

/// Inputs that make one YAML library or another run for minutes, fill the memory or overflow the stack.
#[test]
fn hostile_inputs_are_answered_soon() {
    const SIZE: usize = 1 << 20;
    let long = |unit: &str| unit.repeat(SIZE / unit.len());
    let numbered = |of: &dyn Fn(usize) -> String| (0..SIZE / 16).map(of).collect::<String>();
    let mut inputs = Vec::new();
    for unit in [
        "[",
        "{",
        "[\n",
        "{a: ",
        "{\"a\":",
        "[[],",
        "[{",
        "? ",
        "?\n",
        "- ",
        "-\n",
        "&a ",
        "*a ",
        "*a\n",
        "!",
        "! ",
        "!a ",
        "!!int ",
        "\"",
        "'",
        "x",
        "x\n",
        " ",
        "\t",
        "\r",
        "\n",
        "a: b\r",
        "a: ",
        "a:",
        ":",
        ": ",
        ",",
        "#",
        "# c\n",
        "%TAG !a! b\n",
        "%foo b\n",
        "---\n",
        "--- ",
        "...\n",
        "--- a\n",
        "--- [\n",
        "|\n",
        "- |\n",
        "- >-\n\n",
        "é",
        "\u{2028}",
        "\u{85}",
        "\\",
        "<<: ",
        "- - - a\n",
        "a: *a\n",
        "- &a *a\n",
        "}",
        "]",
        "{}",
        "[] ",
        "{} ",
        "1",
        "0x",
        "1_",
        "- [a\n",
        "- {a\n",
        "? a\n",
        "? [\n",
        "- ? a\n",
        "a: |1\n",
    ] {
        inputs.push(long(unit));
        inputs.push(format!("a: {}", long(unit)));
        inputs.push(format!("a: {}x", long(unit)));
    }
    // The middle part many times.
    for parts in [
        "[§a,§]",
        "[§a,\n§]",
        "{§a: b,§}",
        "[§? a,§]",
        "[§\"a\":b,§]",
        "[§,§]",
        "\"§\\x41§\"",
        "\"§\n§\"",
        "'§''§'",
        "a: \"§x\n§",
        "a: |\n§ x\n§",
        "a: |\n§\n§",
        "a: >\n§  x\n\n§",
        "§k§: b",
        "!§%41§ a",
        "[§ #\n§",
        "[§a\n b,§]",
        "{\"items\":[§{},§{}]}",
        "{\"a\":[§1,§1]}",
        "{\"a\":\"§\\u00e9§\"}",
        "{\"a\":§1§}",
        "apiVersion: v1\nkind: List\nitems:\n§- 5\n§",
        "a: [§&a x,§]",
        "- &a x\n§- *a\n§",
        "- &a [x,x,x,x,x,x,x,x,x,x]\n§- *a\n§",
        "- &a {x: 1}\n- §? <<: *a\n  §",
        "a: &a {x: 1}\nb:\n§ <<: *a\n§",
        "a: &a {x: 1}\nb: {<<: [§*a,§]}",
    ] {
        let [open, unit, close] = parts.split('§').collect::<Vec<_>>().try_into().unwrap();
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
    inputs.push(format!(
        "a: &a {{{}}}\nb:\n{}",
        (0..10_000).map(|i| format!("k{i}: x,")).collect::<String>(),
        "- <<: *a\n".repeat(10_000)
    ));
    inputs
        .push(format!("a0: &a0 x\n{}", (1..3000).map(|i| format!("a{i}: &a{i} [*a{}]\n", i - 1)).collect::<String>()));
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
