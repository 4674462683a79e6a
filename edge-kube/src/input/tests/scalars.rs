//! What scalars, keys and merges mean. The answers are those of sigs.k8s.io/yaml 1.6, which kubectl uses. We differ in
//! three things: a key given twice is an error, infinity and NaN are none, and an anchor ends with its document.

use serde_json::Value as Json;

use super::yaml_trees;

/// `value => scalars with this value`, the scalars separated by two spaces; numbers without a fraction as integers, as Go
/// prints them. `string` is the string of the same characters.
const SCALARS: &str = r#"
true =>  yes  Yes  YES  on  On  ON  y  Y  true  True  TRUE  !!bool yes  !!bool "yes"
false =>  no  off  Off  n  N  false  False  FALSE
null =>  ~  null  Null  NULL  &x  !!null ''  !!null ~  # comment
error =>  !!int foo  !!int 1.5  !!int 1e3  !!float foo  !!float yes  !!float 9223372036854775808  !!bool foo
error =>  !!null x  !!timestamp foo  @x  `x  - 5
string =>  yEs  tRue  nULL  _1  e3  1e  ._5  0x1p-2  0x  0b  0o  0b2  +  +-1  -+1  inf  nan  NaN  Infinity
string =>  2024-01-02  2024-01-02T03:04:05Z  2024-01-02 03:04:05  1:20  190:20:30  1,000  1.5.2  v1  <<  =
string =>  1e400  -1e400  0x10000000000000000  .  ..  .e3  x#y  it's  .5__0  .5_
"inf" =>  .inf  +.Inf
"NaN" =>  .NaN
"2024-01-02" =>  !!timestamp 2024-01-02
5 =>  5  +5  0b101  0B101  5 # five  !!int "5"  !!float 5  !<tag:yaml.org,2002:int> '5'
-5 =>  -5  -0b101
31 =>  0x1F  0X1f  +0x1F  0x1_F
-31 =>  -0x1F
15 =>  0o17  0O17  017  +017
-7 =>  -0o7
-15 =>  -017
8 =>  08
9 =>  09
2 =>  0b1_0
1000 =>  1_000  1e3  1E+3  1.e3
1 =>  1_  0x_1  1.
7 =>  0_7
10 =>  1__0
0 =>  0.  00  -0
10000000000 =>  1e1_0
16 =>  !!float 0x10
1.5 =>  1.5  +1.5  !!float "1.5"
0.5 =>  .5  +.5  .5_0
-0.5 =>  -.5
10.5 =>  1_0.5
9223372036854775807 =>  9223372036854775807
9223372036854775808 =>  9223372036854775808
-9223372036854775808 =>  -9223372036854775808
18446744073709551615 =>  18446744073709551615
1.8446744073709552e+19 =>  18446744073709551616
-9.223372036854776e+18 =>  -9223372036854775809
7.777777777777778e+23 =>  0777777777777777777777777
"-inf" =>  -.INF
"5" =>  "5"  !!str 5  !foo 5  ! 5  !!foo 5  !!map 5
"yes" =>  'yes'
"" =>  ''  !!str
"~" =>  !!str ~
{"b":"c"} =>  !!int {b: c}
"#;

/// `document => its JSON`; `\n` is a line break.
const DOCUMENTS: &str = r#"
5: x => {"5":"x"}
5.5: x => {"5.5":"x"}
yes: x => {"true":"x"}
0x10: x => {"16":"x"}
1e3: x => {"1000":"x"}
1e6: x => {"1e+06":"x"}
1.0: x => {"1":"x"}
1e20: x => {"1e+20":"x"}
1234567.5: x => {"1.2345675e+06":"x"}
0.00001: x => {"1e-05":"x"}
-0.0: x => {"-0":"x"}
0.0: x => {"0":"x"}
1e300: x => {".inf":"x"}
.nan: x => {".nan":"x"}
"yes": x => {"yes":"x"}
!!str 5: x => {"5":"x"}
2024-01-02: x => {"2024-01-02":"x"}
&a k: v\n*a : w => error
&a k: v\nx: {*a : w} => {"k":"v","x":{"k":"w"}}
~: x => error
? [a]\n: x => error
? {a: b}\n: x => error
{a: &a {x: 1}, b: {<<: *a, x: 3}} => {"a":{"x":1},"b":{"x":3}}
{a: &a {x: 1}, b: {x: 3, <<: *a}} => {"a":{"x":1},"b":{"x":1}}
{a: &a {x: 1}, c: &c {x: 2, z: 1}, b: {<<: [*a, *c]}} => {"a":{"x":1},"c":{"x":2,"z":1},"b":{"x":1,"z":1}}
b: {<<: {x: 1}, w: 2} => {"b":{"x":1,"w":2}}
b: {<<: [], w: 2} => {"b":{"w":2}}
b: {<<: {x: 1}, <<: {w: 1}} => {"b":{"x":1,"w":1}}
b: {"<<": {x: 1}} => {"b":{"<<":{"x":1}}}
b: {!!str <<: {x: 1}} => {"b":{"<<":{"x":1}}}
b: {!!merge <<: {x: 1}} => {"b":{"x":1}}
b: {<<: &m {x: 1}}\nc: *m => {"b":{"x":1},"c":{"x":1}}
b: {<<: 5} => error
b: {<<: [5]} => error
b: {<<: ~} => error
b: {<<: [[{x: 1}]]} => error
b: {<<: {x: 1}, x: 2, x: 3} => error
a: &a 1\nb: &a 2\nc: *a => {"a":1,"b":2,"c":2}
a: &x\nb: *x => {"a":null,"b":null}
a: &a [*a] => error
a: *b => error
a: &b 1\n---\na: *b => error
a: !!set {p, q} => {"a":{"p":null,"q":null}}
a: [b: c] => {"a":[{"b":"c"}]}
a: [1,2,] => {"a":[1,2]}
a:\n- b\n- c => {"a":["b","c"]}
%YAML 1.1\n---\na: b => {"a":"b"}
a: x\r\nb: w\r\n => {"a":"x","b":"w"}
a: x\rb: w => {"a":"x","b":"w"}
a: b: c => error
a:\n\tb: c => error
a:\n\t- b => error
a: \u{1} => error
a: "x"y => error
"#;

fn lines(table: &str) -> impl Iterator<Item = (&str, &str)> {
    table.trim().lines().map(|line| line.split_once(" =>").unwrap())
}

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

#[test]
fn scalars_mean_what_they_mean_to_kubectl() {
    for (expected, scalars) in lines(SCALARS) {
        for text in scalars.split("  ").skip(1) {
            let text = text.replace("\\n", "\n  ");
            check_scalar(
                &text,
                if expected == "string" { Json::from(text.as_str()).to_string() } else { expected.into() }.as_str(),
            );
        }
    }
    check_scalar("", "null");
    check_scalar("|\n  5", "\"5\\n\"");
}

#[test]
fn keys_become_strings_and_merges_follow_go() {
    for (text, expected) in lines(DOCUMENTS) {
        let text = text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t").replace("\\u{1}", "\u{1}");
        match yaml_trees(&text) {
            Ok(found) => {
                let expected: Json = serde_json::from_str(expected).expect(&text);
                assert_eq!(found[0].to_string(), expected.to_string(), "{text}");
            }
            Err(error) => assert_eq!(expected.trim(), "error", "{text}: {error:?}"),
        }
    }
}
