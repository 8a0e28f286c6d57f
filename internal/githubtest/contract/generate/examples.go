package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// examplesOf returns GitHub's own examples of the kept operations:
//
//	METHOD PATH -> {"requests": [body, …], "answers": {status: [body, …]}}
//
// Package contract's tests use them as payloads that nobody here made up.
func examplesOf(doc object, keep subset) (object, error) {
	out := object{}
	for _, op := range keep.operations {
		described, ok := at(doc, "paths", op.path, op.method).(object)
		if !ok {
			return nil, fmt.Errorf("subset.txt: GitHub describes no %s", op)
		}
		found := object{}
		if requests := bodies(doc, described["requestBody"]); requests != nil {
			found["requests"] = requests
		}
		answers := object{}
		responses, _ := described["responses"].(object)
		for status, response := range responses {
			if list := bodies(doc, response); list != nil && strings.HasPrefix(status, "2") {
				answers[status] = list
			}
		}
		if len(answers) > 0 {
			found["answers"] = answers
		}
		if len(found) > 0 {
			out[op.String()] = found
		}
	}
	return out, nil
}

// bodies returns the JSON examples of a request body or response.
func bodies(doc object, v any) []any {
	examples, _ := at(follow(doc, v), "content", "application/json", "examples").(object)
	var out []any
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		example := follow(doc, examples[name])
		if value := at(example, "value"); value != nil {
			out = append(out, value)
		}
	}
	return out
}

// follow resolves a reference.
func follow(doc object, v any) any {
	ref, ok := at(v, "$ref").(string)
	if !ok {
		return v
	}
	return at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}
