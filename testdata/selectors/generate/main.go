// Command generate writes test vectors for label selectors. All expected results come from Kubernetes' own code:
// metav1.LabelSelectorAsSelector says whether a selector is valid and what it matches, and
// validation.ValidateLabelSelector says which fields are wrong.
//
// The same seed gives the same files, byte for byte.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	seed         = 20230601
	validCount   = 3200
	invalidCount = 1300
)

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "..", "where to write vectors.json, rules.json and syntax.json")
	flag.Parse()
	write(filepath.Join(*dir, "vectors.json"), vectorsFile(rand.New(rand.NewPCG(seed, seed))))
	write(filepath.Join(*dir, "rules.json"), rulesFile())
	write(filepath.Join(*dir, "syntax.json"), syntaxFile())
}

// === What Kubernetes says ===

// verdict is what Kubernetes' code says of one selector.
type verdict struct {
	// Errors are the distinct `<field path>: <error type>` of ValidateLabelSelector, sorted, for a selector at `selector`.
	Errors []string `json:"errors,omitempty"`
	// BadLabels are the keys of matchLabels whose entry alone is invalid; ValidateLabelSelector's paths do not name them.
	BadLabels []string `json:"badLabels,omitempty"`

	selector labels.Selector
}

// judge asks both functions and stops where they disagree on validity: we claim to follow both.
func judge(selector *metav1.LabelSelector) verdict {
	path := field.NewPath("selector")
	options := validation.LabelSelectorValidationOptions{}
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	errs := validation.ValidateLabelSelector(selector, options, path)
	if (err != nil) != (len(errs) > 0) {
		log.Fatalf("LabelSelectorAsSelector and ValidateLabelSelector disagree on %s: %v; %v", compact(selector), err, errs)
	}
	result := verdict{selector: compiled}
	for _, e := range errs {
		result.Errors = append(result.Errors, fmt.Sprintf("%s: %s", e.Field, e.Type))
	}
	slices.Sort(result.Errors)
	result.Errors = slices.Compact(result.Errors)
	if selector != nil {
		for key, value := range selector.MatchLabels {
			if len(validation.ValidateLabels(map[string]string{key: value}, path)) > 0 {
				result.BadLabels = append(result.BadLabels, key)
			}
		}
		slices.Sort(result.BadLabels)
	}
	return result
}

// === vectors.json ===

var (
	// Few keys and values, so that requirements meet on one key, contradict each other, and match often.
	coreKeys   = []string{"a", "b", "example.com/a"}
	coreValues = []string{"", "x", "y"}

	rareKeys   = []string{"A", "a.b_c-D", "0", "a.b/c", "example.com/A_b", "x-1.y/" + long("n", 63), long("k", 63)}
	rareValues = []string{"X", "x.y_z-0", "0", "xx", long("v", 63)}

	badKeys = []string{
		"", "-a", "a-", ".a", "a.", "_a", "a_", " a", "a ", "a b", "a\n", "a\t", "a:b", "a=b", "ä", "１", "\u212a", "a\u200b",
		long("k", 64), "/", "//", "/a", "a/", "a/b/c", "a//b", "A.com/a", "a..b/c", ".a/b", "a./b", "-a/b", "a-/b", "a_b/c", "a.-b/c",
		"ä.com/a", " a/b", "a /b", "a/ b", "a/-b", "a/b_", "a.com/" + long("k", 64), long("p", 254) + "/a",
	}
	badValues = []string{
		"-", "-x", "x-", ".x", "x.", "_x", "x_", " ", " x", "x ", "x y", "x\n", "\t", "x/y", "x,y", "x:y", "x=y", "%", "\"", "\u0000",
		"ü", "xü", "ſ", "\u212a", "x\u200b", "１", "🦀", long("v", 64), long("ü", 32),
	}
	operators    = []metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist"}
	badOperators = []metav1.LabelSelectorOperator{
		"", "in", "IN", "notin", "Notin", "exists", "Doesnotexist", "doesnotexist", "Equals", "NotEquals", "=", "==", "!=", "!",
		"Gt", "Lt", " In", "In ", "İn",
	}
)

// labelSets are those that each valid selector is matched against: all combinations of the core keys being absent, having one of the
// core values or one that no selector names; and some odd ones. Matching does not care whether labels are valid.
func labelSets() []map[string]string {
	sets := []map[string]string{{}}
	for _, key := range coreKeys {
		var wider []map[string]string
		for _, set := range sets {
			wider = append(wider, set)
			for _, value := range append([]string{"other"}, coreValues...) {
				with := map[string]string{key: value}
				for k, v := range set {
					with[k] = v
				}
				wider = append(wider, with)
			}
		}
		sets = wider
	}
	for _, key := range rareKeys {
		sets = append(sets, map[string]string{key: "x"})
	}
	for _, value := range rareValues {
		sets = append(sets, map[string]string{"a": value})
	}
	for _, value := range []string{" x", "x ", "-", "ü", "x,y", long("v", 64)} {
		sets = append(sets, map[string]string{"a": value, "b": value})
	}
	return append(sets,
		map[string]string{"": "x", "/a": "x", "a/": "x", "ä": "x"},
		map[string]string{"a": "x", "b": "y", "c": "x", "d": "x", "example.com/b": "x", "A": "X", "0": "0"},
	)
}

type vector struct {
	Selector *metav1.LabelSelector `json:"selector"`
	// Matches has a 1 for each label set that the selector matches, else 0.
	Matches string `json:"matches,omitempty"`
	verdict
}

func vectorsFile(random *rand.Rand) []byte {
	sets := labelSets()
	var valid, invalid []string
	matched, never := 0, 0
	seen := map[string]bool{}
	for len(valid) < validCount || len(invalid) < invalidCount {
		selector := randomSelector(random)
		if len(invalid) < invalidCount && random.IntN(2) == 0 {
			for range 1 + random.IntN(3) {
				spoil(random, selector)
			}
		}
		text := compact(selector)
		if seen[text] {
			continue
		}
		seen[text] = true
		row := vector{Selector: selector, verdict: judge(selector)}
		if len(row.Errors) > 0 {
			if len(invalid) < invalidCount {
				invalid = append(invalid, compact(row))
			}
			continue
		}
		if len(valid) == validCount {
			continue
		}
		var matches strings.Builder
		for _, set := range sets {
			matches.WriteByte("01"[btoi(row.selector.Matches(labels.Set(set)))])
		}
		row.Matches = matches.String()
		matched += strings.Count(row.Matches, "1")
		never += btoi(!strings.Contains(row.Matches, "1"))
		valid = append(valid, compact(row))
	}
	log.Printf("%d valid selectors × %d label sets: %d of %d pairs match, %d selectors match no set; %d invalid selectors",
		len(valid), len(sets), matched, len(valid)*len(sets), never, len(invalid))
	var lines []string
	for _, set := range sets {
		lines = append(lines, compact(set))
	}
	return list(header(), "labelSets", lines, "vectors", append(valid, invalid...))
}

func randomSelector(random *rand.Rand) *metav1.LabelSelector {
	selector := &metav1.LabelSelector{}
	for range max(0, random.IntN(5)-2) {
		set(selector, pick(random, coreKeys, rareKeys), pick(random, coreValues, rareValues))
	}
	for range random.IntN(4) {
		expression := metav1.LabelSelectorRequirement{
			Key:      pick(random, coreKeys, rareKeys),
			Operator: operators[random.IntN(len(operators))],
		}
		if expression.Operator == "In" || expression.Operator == "NotIn" {
			for range 1 + random.IntN(3) {
				expression.Values = append(expression.Values, pick(random, coreValues, rareValues))
			}
		}
		selector.MatchExpressions = append(selector.MatchExpressions, expression)
	}
	return selector
}

// spoil makes one thing wrong, or at least different.
func spoil(random *rand.Rand, selector *metav1.LabelSelector) {
	if len(selector.MatchExpressions) == 0 || random.IntN(6) == 0 {
		if random.IntN(2) == 0 {
			set(selector, one(random, badKeys), pick(random, coreValues, badValues))
		} else {
			set(selector, one(random, coreKeys), one(random, badValues))
		}
		return
	}
	expression := &selector.MatchExpressions[random.IntN(len(selector.MatchExpressions))]
	switch random.IntN(4) {
	case 0:
		expression.Key = one(random, badKeys)
	case 1:
		expression.Operator = one(random, badOperators)
	case 2:
		expression.Operator = one(random, operators)
	case 3:
		expression.Values = append(expression.Values, one(random, badValues))
		random.Shuffle(len(expression.Values), func(i, j int) {
			expression.Values[i], expression.Values[j] = expression.Values[j], expression.Values[i]
		})
	}
}

func set(selector *metav1.LabelSelector, key, value string) {
	if selector.MatchLabels == nil {
		selector.MatchLabels = map[string]string{}
	}
	selector.MatchLabels[key] = value
}

// pick takes one of the rare ones now and then.
func pick(random *rand.Rand, common, rare []string) string {
	if random.IntN(24) == 0 {
		return one(random, rare)
	}
	return one(random, common)
}

func one[T any](random *rand.Rand, from []T) T {
	return from[random.IntN(len(from))]
}

// === Text ===

func long(letter string, times int) string {
	return strings.Repeat(letter, times)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compact is JSON in ASCII: some of the letters cannot be seen, or not be told from others.
func compact(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		log.Fatal(err)
	}
	var ascii strings.Builder
	for _, letter := range strings.TrimSpace(text.String()) {
		if letter < utf8.RuneSelf {
			ascii.WriteRune(letter)
			continue
		}
		for _, unit := range utf16.Encode([]rune{letter}) {
			fmt.Fprintf(&ascii, `\u%04x`, unit)
		}
	}
	return ascii.String()
}

// header names what computed the results.
func header() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "k8s.io/apimachinery" {
				version = module.Version
			}
		}
	}
	return fmt.Sprintf("{\n\"apimachinery\": %q", version)
}

// list writes an object of lists with one element a line, so that a diff shows which elements changed.
func list(header string, namesAndLines ...any) []byte {
	var text bytes.Buffer
	text.WriteString(header)
	for i := 0; i < len(namesAndLines); i += 2 {
		fmt.Fprintf(&text, ",\n%q: [\n%s\n]", namesAndLines[i], strings.Join(namesAndLines[i+1].([]string), ",\n"))
	}
	text.WriteString("\n}\n")
	return text.Bytes()
}

func write(path string, content []byte) {
	if !json.Valid(content) {
		log.Fatalf("%s: not JSON", path)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		log.Fatal(err)
	}
	log.Printf("%s: %d bytes", path, len(content))
}
