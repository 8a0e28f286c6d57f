package githubtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxLegs is how many jobs a matrix may make.
const maxLegs = 256

// matrixPattern is the one expression that makes a matrix here.
var matrixPattern = regexp.MustCompile(`^\$\{\{\s*(?i:fromJSON)\(\s*inputs\.([A-Za-z_][A-Za-z0-9_-]*)\s*\)\s*\}\}$`)

// workflowFile is what the server reads of a workflow.
type workflowFile struct {
	Name    string             `yaml:"name"`
	RunName string             `yaml:"run-name"`
	On      any                `yaml:"on"`
	Jobs    map[string]jobSpec `yaml:"jobs"`

	order []string // of the jobs
}

type jobSpec struct {
	Name     string `yaml:"name"`
	RunsOn   any    `yaml:"runs-on"`
	Needs    any    `yaml:"needs"`
	If       any    `yaml:"if"`
	Uses     string `yaml:"uses"`
	Timeout  any    `yaml:"timeout-minutes"`
	Strategy struct {
		Matrix map[string]any `yaml:"matrix"`
	} `yaml:"strategy"`
}

// inputSpec is one input of on.workflow_dispatch.
type inputSpec struct {
	Type     string `yaml:"type"`
	Required bool   `yaml:"required"`
	Default  any    `yaml:"default"`
	Options  []any  `yaml:"options"`
}

func parseWorkflow(text []byte) (workflowFile, error) {
	var f workflowFile
	if err := yaml.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("parse workflow: %w", err)
	}
	var order struct {
		Jobs yaml.MapSlice `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(text, &order); err != nil {
		return f, fmt.Errorf("parse workflow: %w", err)
	}
	for _, job := range order.Jobs {
		f.order = append(f.order, fmt.Sprint(job.Key))
	}
	if len(f.order) == 0 {
		return f, errors.New("parse workflow: no jobs")
	}
	return f, nil
}

// dispatchInputs returns the inputs of on.workflow_dispatch, and whether the
// workflow can be dispatched at all.
func (f workflowFile) dispatchInputs() (map[string]inputSpec, bool, error) {
	const event = "workflow_dispatch"
	switch on := f.On.(type) {
	case string:
		return nil, on == event, nil
	case []any:
		return nil, slices.Contains(on, any(event)), nil
	case map[string]any:
		body, found := on[event]
		if !found || body == nil {
			return nil, found, nil
		}
		raw, err := yaml.Marshal(body)
		if err != nil {
			return nil, true, fmt.Errorf("parse on.%s: %w", event, err)
		}
		var spec struct {
			Inputs map[string]inputSpec `yaml:"inputs"`
		}
		if err := yaml.Unmarshal(raw, &spec); err != nil {
			return nil, true, fmt.Errorf("parse on.%s: %w", event, err)
		}
		return spec.Inputs, true, nil
	}
	return nil, false, nil
}

// fillInputs checks the given inputs against the workflow's and adds defaults.
func fillInputs(specs map[string]inputSpec, given map[string]string) (map[string]string, error) {
	var unexpected []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := specs[name]; !known {
			unexpected = append(unexpected, name)
		}
	}
	if unexpected != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "Unexpected inputs provided: %q", unexpected)
	}
	out := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[name]
		value, has := given[name]
		switch {
		case !has && spec.Default != nil:
			value = fmt.Sprint(spec.Default)
		case spec.Required && value == "":
			return nil, refuse(http.StatusUnprocessableEntity, "Required input '%s' not provided", name)
		}
		if has && !spec.admits(value) {
			return nil, refuse(http.StatusUnprocessableEntity, "Provided value '%s' for input '%s' not in the list of allowed values", value, name)
		}
		out[name] = value
	}
	return out, nil
}

func (spec inputSpec) admits(value string) bool {
	switch spec.Type {
	case "boolean":
		return value == "true" || value == "false"
	case "choice":
		return slices.ContainsFunc(spec.Options, func(o any) bool { return fmt.Sprint(o) == value })
	}
	return true
}

// leg is one combination of a job's matrix.
type leg struct {
	values map[string]any
	inputs map[string]string // those from which its part of the matrix came, holding just it
	fixed  []string          // KEY:VALUE of what stands in the file itself
}

// expand returns the jobs of a workflow, each with the labels it asks for.
func (f workflowFile) expand(inputs map[string]string, github map[string]any) ([]Job, error) {
	given := make(map[string]any, len(inputs))
	for name, value := range inputs {
		given[name] = value
	}
	sc := scope{"inputs": given, "github": github}
	var jobs []Job
	for _, key := range f.order {
		spec := f.Jobs[key]
		if spec.Needs != nil || spec.If != nil || spec.Uses != "" {
			return nil, fmt.Errorf("job %s: needs, if and uses of a job are beyond this stand-in", key)
		}
		legs, err := spec.legs(sc)
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", key, err)
		}
		for _, l := range legs {
			j, err := spec.job(key, l, sc)
			if err != nil {
				return nil, fmt.Errorf("job %s: %w", key, err)
			}
			j.Inputs = maps.Clone(inputs)
			maps.Copy(j.Inputs, l.inputs)
			jobs = append(jobs, j)
		}
	}
	if len(jobs) > maxLegs {
		return nil, fmt.Errorf("%d jobs are more than the %d that a matrix may make", len(jobs), maxLegs)
	}
	return jobs, nil
}

// legs is the product of the matrix's keys; without a matrix it is one leg.
func (spec jobSpec) legs(sc scope) ([]leg, error) {
	legs := []leg{{}}
	for _, key := range slices.Sorted(maps.Keys(spec.Strategy.Matrix)) {
		if key == "include" || key == "exclude" {
			return nil, fmt.Errorf("matrix.%s is beyond this stand-in", key)
		}
		values, from, err := vector(spec.Strategy.Matrix[key], sc)
		if err != nil {
			return nil, fmt.Errorf("matrix.%s: %w", key, err)
		}
		var next []leg
		for _, l := range legs {
			for _, v := range values {
				next = append(next, l.with(key, v, from))
			}
		}
		if legs = next; len(legs) > maxLegs {
			return nil, fmt.Errorf("%d legs are more than the %d that a matrix may make", len(legs), maxLegs)
		}
	}
	return legs, nil
}

// vector returns the values of one key of a matrix, and the input that they
// came from, or "" when they stand in the file.
func vector(spec any, sc scope) (values []any, from string, err error) {
	if s, isText := spec.(string); isText {
		v, err := sc.whole(s)
		if err != nil {
			return nil, "", err
		}
		spec = v
		m := matrixPattern.FindStringSubmatch(strings.TrimSpace(s))
		if m == nil {
			return nil, "", errors.New("only a list or fromJSON of an input makes a matrix here")
		}
		from = m[1]
	}
	values, isList := spec.([]any)
	if !isList || len(values) == 0 {
		return nil, "", errors.New("matrix vector does not contain any values")
	}
	return values, from, nil
}

// with returns the leg with one more key.
func (l leg) with(key string, v any, from string) leg {
	next := leg{values: maps.Clone(l.values), inputs: maps.Clone(l.inputs), fixed: slices.Clone(l.fixed)}
	if next.values == nil {
		next.values, next.inputs = make(map[string]any), make(map[string]string)
	}
	next.values[key] = v
	if from == "" {
		next.fixed = append(next.fixed, key+":"+textOf(v))
		return next
	}
	raw, err := json.Marshal([]any{v})
	if err != nil {
		panic("githubtest: a value from JSON is no JSON: " + err.Error())
	}
	next.inputs[from] = string(raw)
	return next
}

// job returns the job of one leg.
func (spec jobSpec) job(key string, l leg, sc scope) (Job, error) {
	sc = maps.Clone(sc)
	sc["matrix"] = l.values
	j := Job{Key: key, Name: key, Matrix: l.fixed, Status: "queued"}
	if spec.Name != "" {
		name, err := sc.text(spec.Name)
		if err != nil {
			return j, fmt.Errorf("name: %w", err)
		}
		j.Name = name
	} else if len(l.values) > 0 {
		j.Name = key + " (" + strings.Join(leaves(l.values), ", ") + ")"
	}
	var err error
	if j.Minutes, err = sc.minutes(spec.Timeout); err != nil {
		return j, err
	}
	j.Labels, err = sc.labels(spec.RunsOn)
	return j, err
}

// minutes evaluates timeout-minutes, whose default is GitHub's six hours.
func (sc scope) minutes(timeout any) (int, error) {
	if timeout == nil {
		return 360, nil
	}
	text, err := sc.text(fmt.Sprint(timeout))
	if err != nil {
		return 0, fmt.Errorf("timeout-minutes: %w", err)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("timeout-minutes: %q is no number of minutes", text)
	}
	return n, nil
}

// leaves are the plain values within v, in order of their keys.
func leaves(v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var out []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = append(out, leaves(v[key])...)
		}
		return out
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, leaves(item)...)
		}
		return out
	}
	return []string{textOf(v)}
}

// labels evaluates runs-on: a label, a list of them, or an expression that
// gives either.
func (sc scope) labels(runsOn any) ([]string, error) {
	if s, isText := runsOn.(string); isText {
		v, err := sc.whole(s)
		if err != nil {
			return nil, fmt.Errorf("runs-on: %w", err)
		}
		if label, isText := v.(string); isText && label != "" {
			return []string{label}, nil
		}
		runsOn = v
	}
	list, isList := runsOn.([]any)
	if !isList || len(list) == 0 {
		return nil, errors.New("runs-on: no labels")
	}
	var labels []string
	for _, item := range list {
		label, err := sc.text(fmt.Sprint(item))
		if err != nil {
			return nil, fmt.Errorf("runs-on: %w", err)
		}
		labels = append(labels, label)
	}
	return labels, nil
}
