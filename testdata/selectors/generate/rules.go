package main

import (
	"encoding/json"
	"log"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// rule is a hand-written row: what it shows, the selector as JSON, and the labels to match if it is valid.
type rule struct {
	name     string
	selector string
	labels   []string
}

// is builds a row.
func is(name, selector string, labels ...string) rule {
	return rule{name, selector, labels}
}

// expressions builds a selector of `key operator value…` texts, split at '|'.
func expressions(texts ...string) string {
	selector := metav1.LabelSelector{}
	for _, text := range texts {
		parts := strings.Split(text, "|")
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: parts[0], Operator: metav1.LabelSelectorOperator(parts[1]), Values: parts[2:],
		})
	}
	return compact(selector)
}

func matchLabels(keysAndValues ...string) string {
	return `{"matchLabels":` + labelSet(keysAndValues...) + `}`
}

func labelSet(keysAndValues ...string) string {
	set := map[string]string{}
	for i := 0; i < len(keysAndValues); i += 2 {
		set[keysAndValues[i]] = keysAndValues[i+1]
	}
	return compact(set)
}

func rules() []rule {
	const none = `{}`
	ax, ay, aEmpty := labelSet("a", "x"), labelSet("a", "y"), labelSet("a", "")
	bx := labelSet("b", "x")
	// 253 characters in labels of 63, which is what DNS allows; Kubernetes only limits the whole.
	prefix := strings.Repeat(long("p", 62)+".", 4) + "p"
	return []rule{
		// Nothing and everything.
		is("A nil selector matches nothing", `null`, none, ax),
		is("An empty selector matches everything", `{}`, none, ax),
		is("Empty lists are as good as absent ones", `{"matchLabels":{},"matchExpressions":[]}`, none, ax),
		is("Null lists are as good as absent ones", `{"matchLabels":null,"matchExpressions":null}`, none, ax),
		is("Unknown fields do not make a requirement", `{"matchFields":[{"key":"a"}]}`, none, ax),

		// The operators.
		is("In matches one of its values", expressions("a|In|x|y"), ax, ay, labelSet("a", "z")),
		is("In does not match when the key is absent", expressions("a|In|x"), none, bx),
		is("In compares whole values, and case", expressions("a|In|x"), labelSet("a", "xx"), labelSet("a", "X"), aEmpty),
		is("Keys are compared with case", expressions("a|In|x"), labelSet("A", "x")),
		is("A key with a prefix is another key", expressions("a|In|x"), labelSet("example.com/a", "x")),
		is("In with the empty value matches the empty value, not an absent key", expressions("a|In|"), aEmpty, none, ax),
		is("In may name a value twice", expressions("a|In|x|x"), ax, none),
		is("NotIn matches other values", expressions("a|NotIn|x|y"), ax, ay, labelSet("a", "z")),
		is("NotIn also matches when the key is absent", expressions("a|NotIn|x"), none, bx),
		is("NotIn with the empty value refuses the empty value only", expressions("a|NotIn|"), aEmpty, none, ax),
		is("Exists matches any value, also the empty one", expressions("a|Exists"), ax, aEmpty),
		is("Exists does not match when the key is absent", expressions("a|Exists"), none, bx),
		is("DoesNotExist matches when the key is absent", expressions("a|DoesNotExist"), none, bx),
		is("DoesNotExist refuses any value, also the empty one", expressions("a|DoesNotExist"), ax, aEmpty),
		is("matchLabels asks for key and value", matchLabels("a", "x"), ax, ay, none),
		is("matchLabels with the empty value asks for the key", matchLabels("a", ""), aEmpty, ax, none),

		// All requirements must hold.
		is("Requirements on several keys must all hold", expressions("a|In|x", "b|NotIn|x"), ax, labelSet("a", "x", "b", "x"), labelSet("a", "x", "b", "y")),
		is("matchLabels and matchExpressions must both hold",
			`{"matchLabels":{"a":"x"},"matchExpressions":[{"key":"b","operator":"Exists"}]}`, ax, labelSet("a", "x", "b", ""), bx),
		is("matchLabels and In on one key intersect",
			`{"matchLabels":{"a":"x"},"matchExpressions":[{"key":"a","operator":"In","values":["x","y"]}]}`, ax, ay, none),
		is("matchLabels and a disjoint In on one key match nothing",
			`{"matchLabels":{"a":"x"},"matchExpressions":[{"key":"a","operator":"In","values":["y"]}]}`, ax, ay, none),
		is("matchLabels and NotIn of its value match nothing",
			`{"matchLabels":{"a":"x"},"matchExpressions":[{"key":"a","operator":"NotIn","values":["x"]}]}`, ax, ay, none),
		is("matchLabels and DoesNotExist on one key match nothing",
			`{"matchLabels":{"a":"x"},"matchExpressions":[{"key":"a","operator":"DoesNotExist"}]}`, ax, none),
		is("The same requirement twice is the same as once", expressions("a|In|x", "a|In|x"), ax, ay, none),
		is("In and In on one key intersect", expressions("a|In|x|y", "a|In|y|z"), ax, ay, labelSet("a", "z"), none),
		is("Disjoint In and In match nothing", expressions("a|In|x", "a|In|y"), ax, ay, none),
		is("In and NotIn on one key subtract", expressions("a|In|x|y", "a|NotIn|x"), ax, ay, none),
		is("In and NotIn of all its values match nothing", expressions("a|In|x|y", "a|NotIn|y|x|z"), ax, ay, labelSet("a", "z"), none),
		is("In and Exists on one key are In", expressions("a|Exists", "a|In|x"), ax, ay, none),
		is("In and DoesNotExist match nothing", expressions("a|In|x", "a|DoesNotExist"), ax, ay, none),
		is("NotIn and NotIn on one key unite", expressions("a|NotIn|x", "a|NotIn|y"), ax, ay, labelSet("a", "z"), none),
		is("Exists and NotIn need the key with another value", expressions("a|Exists", "a|NotIn|x"), ax, ay, aEmpty, none),
		is("DoesNotExist and NotIn on one key are DoesNotExist", expressions("a|DoesNotExist", "a|NotIn|x"), ax, ay, none),
		is("Exists and DoesNotExist match nothing", expressions("a|Exists", "a|DoesNotExist"), ax, aEmpty, none),
		is("A contradiction on one key is not mended by another", expressions("b|Exists", "a|Exists", "a|DoesNotExist"), bx, labelSet("a", "x", "b", "x"), none),
		is("Matching does not validate labels: an invalid value is another value", expressions("a|NotIn|x", "a|Exists"), labelSet("a", " x"), labelSet("a", "-ü-"), labelSet("a", long("x", 64))),
		is("Matching does not validate labels: an invalid value is not trimmed", expressions("a|In|x"), labelSet("a", " x"), labelSet("a", "x ")),
		is("Matching does not validate labels: invalid keys are other keys", expressions("a|DoesNotExist"), labelSet("/a", "x", "a/", "x", "", "x")),

		// Operators that are none.
		is("An unknown operator is invalid", expressions("a|Equals|x")),
		is("An operator in lower case is invalid", expressions("a|in|x")),
		is("An operator in upper case is invalid", expressions("a|IN|x")),
		is("An empty operator is invalid", expressions("a|")),
		is("An absent operator is invalid", `{"matchExpressions":[{"key":"a"}]}`),
		is("A null operator is invalid", `{"matchExpressions":[{"key":"a","operator":null}]}`),
		is("An operator with a space is invalid", expressions("a|In |x")),
		is("Gt is for node selectors", expressions("a|Gt|1")),
		is("Lt is for node selectors", expressions("a|Lt|1")),
		is("Values are checked under an unknown operator", expressions("a|equals|-x")),

		// Numbers of values.
		is("In without values is invalid", expressions("a|In")),
		is("In with null values is invalid", `{"matchExpressions":[{"key":"a","operator":"In","values":null}]}`),
		is("NotIn without values is invalid", expressions("a|NotIn")),
		is("Exists with a value is invalid", expressions("a|Exists|x")),
		is("Exists with the empty value is invalid", expressions("a|Exists|")),
		is("Exists with an empty list of values is valid", `{"matchExpressions":[{"key":"a","operator":"Exists","values":[]}]}`, ax, none),
		is("DoesNotExist with a value is invalid", expressions("a|DoesNotExist|x")),
		is("DoesNotExist with an invalid value is wrong twice", expressions("a|DoesNotExist|x y")),

		// Keys.
		is("An empty key is invalid", expressions("|Exists")),
		is("An absent key is invalid", `{"matchExpressions":[{"operator":"Exists"}]}`),
		is("An empty key in matchLabels is invalid", matchLabels("", "x")),
		is("A key of 63 characters is valid", expressions(long("k", 63)+"|Exists"), labelSet(long("k", 63), ""), none),
		is("A key of 64 characters is invalid", expressions(long("k", 64)+"|Exists")),
		is("A key of one character is valid", expressions("Z|Exists"), labelSet("Z", ""), none),
		is("A key may have dashes, underscores and dots inside, even in a row", expressions("a-_.-b|Exists"), labelSet("a-_.-b", "")),
		is("A key may not begin with a dash", expressions("-a|Exists")),
		is("A key may not end with a dash", expressions("a-|Exists")),
		is("A key may not begin with a dot", expressions(".a|Exists")),
		is("A key may not end with a dot", expressions("a.|Exists")),
		is("A key may not begin with an underscore", expressions("_a|Exists")),
		is("A key may not end with an underscore", expressions("a_|Exists")),
		is("A key may not have a space", expressions("a b|Exists")),
		is("A key may not end with a line feed", expressions("a\n|Exists")),
		is("A key may not be a space", expressions(" |Exists")),
		is("A key is ASCII", expressions("schlüssel|Exists")),
		is("A key is ASCII, not what folds to it", expressions("\u212a|Exists")),
		is("A prefix and a name", expressions("example.com/a|Exists"), labelSet("example.com/a", ""), ax),
		is("A prefix of 253 characters is valid", expressions(prefix+"/a|Exists"), labelSet(prefix+"/a", ""), ax),
		is("A prefix of 254 characters is invalid", expressions(prefix+"p/a|Exists")),
		is("A part of a prefix may be longer than 63 characters", expressions(long("p", 253)+"/a|Exists"), ax),
		is("A name of 63 characters after a prefix is valid", expressions(prefix+"/"+long("k", 63)+"|Exists"), ax),
		is("A name of 64 characters after a prefix is invalid", expressions("example.com/"+long("k", 64)+"|Exists")),
		is("A prefix may not have upper case", expressions("Example.com/a|Exists")),
		is("A name after a prefix may have upper case", expressions("example.com/A|Exists"), ax),
		is("A prefix may not be empty", expressions("/a|Exists")),
		is("A name after a prefix may not be empty", expressions("a/|Exists")),
		is("A slash alone is invalid", expressions("/|Exists")),
		is("A key may not have two slashes", expressions("a/b/c|Exists")),
		is("A key may not have two slashes in a row", expressions("a//b|Exists")),
		is("A prefix may not have an underscore", expressions("a_b/c|Exists")),
		is("A prefix may not begin with a dash", expressions("-a/b|Exists")),
		is("A prefix may not end with a dash", expressions("a-/b|Exists")),
		is("A part of a prefix may not end with a dash", expressions("a-.b/c|Exists")),
		is("A part of a prefix may not be empty", expressions("a..b/c|Exists")),
		is("A prefix may not begin with a dot", expressions(".a/b|Exists")),
		is("A prefix may not end with a dot", expressions("a./b|Exists")),
		is("A prefix may be digits", expressions("1.2/3|Exists"), labelSet("1.2/3", "")),
		is("A name after a prefix may not end with a dash", expressions("example.com/a-|Exists")),
		is("A prefix may not have a space", expressions("a b/c|Exists")),
		is("A prefix is ASCII", expressions("ä.de/a|Exists")),
		is("A key is checked in matchLabels too", matchLabels("a/b/c", "x")),

		// Values.
		is("A value of 63 characters is valid", expressions("a|In|"+long("v", 63)), labelSet("a", long("v", 63)), labelSet("a", long("v", 64))),
		is("A value of 64 characters is invalid", expressions("a|In|"+long("v", 64))),
		is("Lengths are in bytes", expressions("a|In|"+long("ü", 63))),
		is("A value may have upper case, dashes, underscores and dots inside", expressions("a|In|A-_.b"), labelSet("a", "A-_.b"), labelSet("a", "a-_.b")),
		is("A value may not begin with a dash", expressions("a|In|-x")),
		is("A value may not end with a dash", expressions("a|NotIn|x-")),
		is("A value may not begin with a dot", expressions("a|In|.x")),
		is("A value may not end with a dot", expressions("a|In|x.")),
		is("A value may not begin with an underscore", expressions("a|In|_x")),
		is("A value may not end with an underscore", expressions("a|In|x_")),
		is("A value may not be a space", expressions("a|In| ")),
		is("A value may not end with a space", expressions("a|In|x ")),
		is("A value may not end with a line feed", expressions("a|In|x\n")),
		is("A value may not have a slash", expressions("a|In|x/y")),
		is("A value may not have a comma", expressions("a|In|x,y")),
		is("A value is ASCII", expressions("a|In|ü")),
		is("A value is ASCII, not what folds to it", expressions("a|In|ſ")),
		is("One bad value among good ones is named", expressions("a|In|x|-|y")),
		is("A value is checked in matchLabels too", matchLabels("a", "-x")),

		// Where errors are.
		is("Each bad expression is named", expressions("a|In|x", "b|in|x", "-|Exists", "c|In")),
		is("Key, operator and value of one expression may all be wrong", expressions("-|in|-")),
		is("Bad and good labels", matchLabels("a", "x", "b", "-", "-", "x")),
		is("A bad requirement is not saved by a contradiction", expressions("a|Exists", "a|DoesNotExist", "b|In")),
	}
}

type ruleCase struct {
	Labels  json.RawMessage `json:"labels"`
	Matches bool            `json:"matches"`
}

type ruleRow struct {
	Rule     string          `json:"rule"`
	Selector json.RawMessage `json:"selector"`
	Cases    []ruleCase      `json:"cases,omitempty"`
	verdict
}

func rulesFile() []byte {
	var lines []string
	seen := map[string]bool{}
	for _, rule := range rules() {
		if seen[rule.name] {
			log.Fatalf("two rules are called %q", rule.name)
		}
		seen[rule.name] = true
		var selector *metav1.LabelSelector
		parse(rule.selector, &selector)
		row := ruleRow{Rule: rule.name, Selector: json.RawMessage(rule.selector), verdict: judge(selector)}
		if (len(row.Errors) > 0) != (len(rule.labels) == 0) {
			log.Fatalf("%s: valid selectors need label sets, and only they: %v", rule.name, row.Errors)
		}
		for _, text := range rule.labels {
			var set labels.Set
			parse(text, &set)
			row.Cases = append(row.Cases, ruleCase{json.RawMessage(text), row.selector.Matches(set)})
		}
		lines = append(lines, strings.ReplaceAll(strings.ReplaceAll(compact(row), `,"cases":`, ",\n  \"cases\":"), `,{"labels":`, ",\n    {\"labels\":"))
	}
	log.Printf("%d rules", len(lines))
	return list(header(), "rules", lines)
}

func parse(text string, into any) {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		log.Fatalf("%s: %v", text, err)
	}
}
