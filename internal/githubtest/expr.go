package githubtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Expressions of a workflow that are evaluated here, on the server's side: a
// path such as matrix.piece.label, and fromJSON or toJSON of one. Those inside
// of steps are the runner's business.
var (
	exprPattern = regexp.MustCompile(`\$\{\{(.*?)\}\}`)
	callPattern = regexp.MustCompile(`^(?i:(fromJSON|toJSON))\((.*)\)$`)
	pathPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)+$`)
)

// scope is what a path may start with: inputs, matrix, github.
type scope map[string]any

// text evaluates each expression in s and puts its value in its place.
func (sc scope) text(s string) (string, error) {
	var failed error
	out := exprPattern.ReplaceAllStringFunc(s, func(whole string) string {
		v, err := sc.value(exprPattern.FindStringSubmatch(whole)[1])
		if err != nil && failed == nil {
			failed = err
		}
		return textOf(v)
	})
	return out, failed
}

// whole evaluates a string that is one expression to its value, and any other
// string to a text.
func (sc scope) whole(s string) (any, error) {
	s = strings.TrimSpace(s)
	if m := exprPattern.FindStringSubmatch(s); m != nil && m[0] == s {
		return sc.value(m[1])
	}
	return sc.text(s)
}

func (sc scope) value(expr string) (any, error) {
	expr = strings.TrimSpace(expr)
	if m := callPattern.FindStringSubmatch(expr); m != nil {
		v, err := sc.value(m[2])
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(m[1], "toJSON") {
			raw, err := json.MarshalIndent(v, "", "  ")
			return string(raw), err
		}
		var parsed any
		dec := json.NewDecoder(strings.NewReader(textOf(v)))
		dec.UseNumber() // what is handed on to a job stays as it was written
		if err := dec.Decode(&parsed); err != nil {
			return nil, fmt.Errorf("fromJSON(%s): %w", strings.TrimSpace(m[2]), err)
		}
		return parsed, nil
	}
	if !pathPattern.MatchString(expr) {
		return nil, fmt.Errorf("expression %q is not one that this stand-in evaluates", expr)
	}
	names := strings.Split(expr, ".")
	v, known := sc[names[0]]
	if !known {
		return nil, fmt.Errorf("expression %q: unrecognized named-value %q", expr, names[0])
	}
	for _, name := range names[1:] {
		fields, isObject := v.(map[string]any)
		if !isObject {
			return nil, nil // as on GitHub, what is not there is null
		}
		v = fields[name]
	}
	return v, nil
}

// textOf is a value as GitHub writes it into a string.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "Array"
	}
	if _, isObject := v.(map[string]any); isObject {
		return "Object"
	}
	return fmt.Sprint(v)
}
