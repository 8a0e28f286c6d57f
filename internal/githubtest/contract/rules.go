package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// GitHub's limits that stand in its prose and not in its schemas.
const (
	maxComment    = 65536 // characters
	maxMessage    = 64 << 10
	maxTitle      = 255 // characters
	maxInputs     = 65535
	maxLabels     = 100
	maxLabelChars = 256
)

type fields = map[string]any

// rules are what GitHub refuses beyond the schema, by operation.
var rules = map[string]func(body fields) []Fault{
	"checks/create":                              checkRunRules,
	"checks/update":                              checkRunRules,
	"issues/create-comment":                      commentRules,
	"issues/update-comment":                      commentRules,
	"actions/create-workflow-dispatch":           dispatchRules,
	"actions/generate-runner-jitconfig-for-repo": runnerRules,
	"actions/generate-runner-jitconfig-for-org":  runnerRules,
}

func broken(operation string, body fields) []Fault {
	if rule := rules[operation]; rule != nil {
		return rule(body)
	}
	return nil
}

// checkRunRules: a completed check run has a conclusion, only GitHub makes one
// stale, and annotations are bounded and point to lines that can exist.
func checkRunRules(body fields) []Fault {
	var faults []Fault
	conclusion, concluded := body["conclusion"]
	if body["status"] == "completed" && !concluded {
		faults = append(faults, Fault{"/conclusion", "is required when status is completed"})
	}
	if concluded && body["status"] != nil && body["status"] != "completed" {
		faults = append(faults, Fault{"/status", "must be completed when a conclusion is given"})
	}
	if conclusion == "stale" {
		faults = append(faults, Fault{"/conclusion", "only GitHub can set stale"})
	}
	if name, given := body["name"].(string); given && strings.TrimSpace(name) == "" {
		faults = append(faults, Fault{"/name", "is blank"})
	}
	output, _ := body["output"].(fields)
	annotations, _ := output["annotations"].([]any)
	for i, item := range annotations {
		if a, ok := item.(fields); ok {
			faults = append(faults, annotationRules(a, fmt.Sprintf("/output/annotations/%d", i))...)
		}
	}
	return faults
}

func annotationRules(a fields, where string) []Fault {
	var faults []Fault
	start, _ := a["start_line"].(float64)
	end, _ := a["end_line"].(float64)
	if start < 1 || end < start {
		faults = append(faults, Fault{where + "/end_line", "lines must be 1 or more and in order"})
	}
	_, column := a["start_column"]
	_, endColumn := a["end_column"]
	if (column || endColumn) && start != end {
		faults = append(faults, Fault{where + "/start_column", "columns are for annotations of a single line"})
	}
	for _, name := range []string{"message", "raw_details"} {
		if text, _ := a[name].(string); len(text) > maxMessage {
			faults = append(faults, Fault{where + "/" + name, "is longer than 64 KB"})
		}
	}
	if text, _ := a["title"].(string); utf8.RuneCountInString(text) > maxTitle {
		faults = append(faults, Fault{where + "/title", "is longer than 255 characters"})
	}
	if path, _ := a["path"].(string); path == "" || strings.HasPrefix(path, "/") {
		faults = append(faults, Fault{where + "/path", "is not relative to the repository"})
	}
	return faults
}

func commentRules(body fields) []Fault {
	text, ok := body["body"].(string)
	switch {
	case !ok:
		return nil // the schema's to say
	case strings.TrimSpace(text) == "":
		return []Fault{{"/body", "can't be blank"}}
	case utf8.RuneCountInString(text) > maxComment:
		return []Fault{{"/body", "is too long (maximum is 65536 characters)"}}
	}
	return nil
}

// dispatchRules: inputs reach the workflow as strings, and are bounded together.
func dispatchRules(body fields) []Fault {
	inputs, _ := body["inputs"].(fields)
	var faults []Fault
	size := 0
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		text, ok := inputs[name].(string)
		if !ok {
			raw, err := json.Marshal(inputs[name])
			if err != nil {
				panic("contract: " + err.Error()) // was JSON a moment ago
			}
			text = string(raw)
		}
		if _, nested := inputs[name].(fields); nested {
			faults = append(faults, Fault{"/inputs/" + name, "is an object"})
		}
		size += len(name) + len(text)
	}
	if size > maxInputs {
		faults = append(faults, Fault{"/inputs", "are too large (maximum is 65535 characters)"})
	}
	return faults
}

func runnerRules(body fields) []Fault {
	labels, _ := body["labels"].([]any)
	var faults []Fault
	if len(labels) > maxLabels {
		faults = append(faults, Fault{"/labels", "are more than 100"})
	}
	for i, label := range labels {
		if text, _ := label.(string); text == "" || utf8.RuneCountInString(text) > maxLabelChars {
			faults = append(faults, Fault{fmt.Sprintf("/labels/%d", i), "has not 1 to 256 characters"})
		}
	}
	return faults
}

// unknownFields lists the fields of a request's body that the description does
// not have. GitHub refuses some and overlooks others; a client that sends one
// is wrong either way.
func unknownFields(ref *openapi3.SchemaRef, value any, where string) []Fault {
	if ref == nil || ref.Value == nil {
		return nil
	}
	switch value := value.(type) {
	case []any:
		var faults []Fault
		for i, item := range value {
			faults = append(faults, unknownFields(ref.Value.Items, item, fmt.Sprintf("%s/%d", where, i))...)
		}
		return faults
	case fields:
		known, open := properties(ref.Value)
		var faults []Fault
		for _, name := range slices.Sorted(maps.Keys(value)) {
			switch schema := known[name]; {
			case schema != nil:
				faults = append(faults, unknownFields(schema, value[name], where+"/"+name)...)
			case !open:
				faults = append(faults, Fault{where + "/" + name, "is not a permitted key"})
			}
		}
		return faults
	}
	return nil
}

// properties returns the properties of a schema and of its alternatives, and
// whether it declares that it has more.
func properties(s *openapi3.Schema) (known map[string]*openapi3.SchemaRef, open bool) {
	known = maps.Clone(s.Properties)
	if known == nil {
		known = make(map[string]*openapi3.SchemaRef)
	}
	extra := s.AdditionalProperties
	open = extra.Schema != nil || extra.Has != nil && *extra.Has
	for _, list := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, alternative := range list {
			more, _ := properties(alternative.Value)
			for name, schema := range more {
				if known[name] == nil {
					known[name] = schema
				}
			}
		}
	}
	return known, open || len(known) == 0
}
