package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

type object = map[string]any

// named are the keywords whose value maps names to things: "description" in
// there is a name like any other.
var named = map[string]bool{
	"properties": true, "patternProperties": true, "paths": true, "schemas": true, "content": true,
	"responses": true, "headers": true, "parameters": true,
}

// literal are the keywords whose value is data rather than description.
var literal = map[string]bool{"enum": true, "default": true, "required": true}

// prose are the keywords that validate nothing.
var prose = map[string]bool{
	"description": true, "summary": true, "title": true, "example": true, "examples": true,
	"externalDocs": true, "tags": true, "deprecated": true, "callbacks": true,
}

// trim returns a copy without prose and extensions. names says that the keys
// of v are names. The one extension kept says that a path parameter may hold
// slashes.
func trim(v any, names bool) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = trim(v[i], false)
		}
		return out
	case object:
		out := object{}
		for key, value := range v {
			switch {
			case names:
				out[key] = trim(value, false)
			case literal[key]:
				out[key] = value
			case prose[key], strings.HasPrefix(key, "x-") && key != "x-multi-segment":
			default:
				_, isMap := value.(object)
				out[key] = trim(value, named[key] && isMap)
			}
		}
		return out
	}
	return v
}

// trimAPI returns the description of the kept operations alone.
func trimAPI(doc object, keep subset) (object, error) {
	paths := object{}
	for _, op := range keep.operations {
		described, ok := at(doc, "paths", op.path, op.method).(object)
		if !ok {
			return nil, fmt.Errorf("subset.txt: GitHub describes no %s", op)
		}
		item, _ := paths[op.path].(object)
		if item == nil {
			item = object{}
			paths[op.path] = item
		}
		item[op.method] = withDescriptions(trim(described, false).(object))
	}
	repair(paths)
	out := object{"openapi": "3.0.3", "info": info(doc), "paths": paths}
	components, err := closure(doc, paths)
	if err != nil {
		return nil, err
	}
	for _, response := range components["responses"] {
		response.(object)["description"] = ""
	}
	out["components"] = components
	return out, nil
}

// trimHooks returns the schemas of the kept webhooks, each of which GitHub
// names webhook-EVENT-ACTION.
func trimHooks(doc object, keep subset) (object, error) {
	schemas := object{}
	for _, event := range keep.events {
		name := "webhook-" + event
		if at(doc, "components", "schemas", name) == nil {
			return nil, fmt.Errorf("subset.txt: GitHub describes no event %s", event)
		}
		schemas[name] = object{"$ref": "#/components/schemas/" + name}
	}
	components, err := closure(doc, schemas)
	if err != nil {
		return nil, err
	}
	return object{"openapi": "3.0.3", "info": info(doc), "paths": object{}, "components": components}, nil
}

// repair undoes an edit of octokit's that serves its types and describes no
// real answer: an installation's account is a user or an enterprise, not both.
func repair(paths object) {
	list, ok := at(paths, "/app/installations", "get", "responses", "200", "content", "application/json", "schema").(object)
	if ok {
		list["items"] = object{"$ref": "#/components/schemas/installation"}
	}
}

func info(doc object) object {
	return object{"title": at(doc, "info", "title"), "version": at(doc, "info", "version"), "license": at(doc, "info", "license")}
}

// withDescriptions puts back the empty descriptions that the format requires
// of responses.
func withDescriptions(op object) object {
	responses, _ := op["responses"].(object)
	for _, r := range responses {
		if r := r.(object); r["$ref"] == nil {
			r["description"] = ""
		}
	}
	return op
}

// closure returns the trimmed components that v refers to, by kind and name,
// and those that they refer to in turn.
func closure(doc object, v any) (map[string]object, error) {
	out := map[string]object{}
	queue := refs(v)
	for len(queue) > 0 {
		ref := queue[0]
		queue = queue[1:]
		path := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		if len(path) != 3 || path[0] != "components" {
			return nil, fmt.Errorf("reference %s is not to a component", ref)
		}
		kind, name := path[1], path[2]
		if out[kind][name] != nil {
			continue
		}
		component := at(doc, path...)
		if component == nil {
			return nil, fmt.Errorf("reference %s leads nowhere", ref)
		}
		if out[kind] == nil {
			out[kind] = object{}
		}
		out[kind][name] = trim(component, false)
		queue = append(queue, refs(out[kind][name])...)
	}
	return out, nil
}

// refs returns every $ref in v, in a stable order.
func refs(v any) []string {
	var found []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			found = append(found, refs(item)...)
		}
	case object:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if ref, ok := v[key].(string); ok && key == "$ref" {
				found = append(found, ref)
				continue
			}
			found = append(found, refs(v[key])...)
		}
	}
	return found
}

// at walks down objects by name; nil when a step is missing.
func at(v any, path ...string) any {
	for _, name := range path {
		o, ok := v.(object)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}
