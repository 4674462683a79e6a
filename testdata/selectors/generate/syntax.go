package main

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// texts are all that can be written with up to so many of these letters, shorter ones first, the last letter changing fastest.
type texts struct {
	Letters string `json:"letters"`
	UpTo    int    `json:"upTo"`
}

func (t texts) all() []string {
	all, longest := []string{""}, []string{""}
	for range t.UpTo {
		var longer []string
		for _, text := range longest {
			for _, letter := range t.Letters {
				longer = append(longer, text+string(letter))
			}
		}
		all, longest = append(all, longer...), longer
	}
	return all
}

// syntaxFile says of every short text whether it is a label key, a label value and the name of an object.
func syntaxFile() []byte {
	checks := []struct {
		what string
		errs func(string) []string
	}{
		{"key", validation.IsQualifiedName},
		{"value", validation.IsValidLabelValue},
		{"name", validation.IsDNS1123Subdomain},
	}
	var lines []string
	for _, t := range []texts{{"aA-_./ ü", 4}, {"aA-./", 5}, {"a-./", 6}} {
		for _, check := range checks {
			row := struct {
				Of string `json:"of"`
				texts
				// Valid has a 1 for each text that is valid, else 0.
				Valid string `json:"valid"`
			}{Of: check.what, texts: t}
			var valid strings.Builder
			for _, text := range t.all() {
				valid.WriteByte("01"[btoi(len(check.errs(text)) == 0)])
			}
			row.Valid = valid.String()
			lines = append(lines, compact(row))
		}
	}
	return list(header(), "syntax", lines)
}
