package workflows

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates/*.yml
var templates embed.FS

// File is the name under which the bot dispatches its workflow.
const File = "ortest.yml"

// The other workflow files: what those install who have no bot.
const (
	commentFile = "ortest-comment.yml"
	releaseFile = "ortest-release.yml"
	nightlyFile = "ortest-nightly.yml"
)

// Folder is where a repository has its workflow files.
const Folder = ".github/workflows/"

// SettingsFile is where a repository says how its workflow files are filled.
const SettingsFile = ".github/ortest.yml"

// checkout is the one action of others that the files use.
const checkout = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2"

// Settings are what the files are filled with. The zero value of each field
// but Commit stands for what Defaults has.
type Settings struct {
	Source      string   `yaml:"source"`      // OWNER/NAME of ortest itself
	Commit      string   `yaml:"commit"`      // of it: full SHA
	Version     string   `yaml:"version"`     // what the commit is called, for people
	Runner      string   `yaml:"runner"`      // label of GitHub's own runners
	Cloud       string   `yaml:"cloud"`       // ec2, hosted (GitHub's own runners test) or local
	Environment string   `yaml:"environment"` // the protected one that holds the secrets
	Branches    []string `yaml:"branches"`    // release branches, as workflows write patterns
	Tags        []string `yaml:"tags"`
	Targets     string   `yaml:"targets"` // flags and targets of a release, as after /ortest
	Nightly     string   `yaml:"nightly"` // the same of a night
	Cron        string   `yaml:"cron"`

	Variables map[string]string `yaml:"variables"` // further environment of the jobs, ORTEST_… and AWS_…
}

// Defaults are the settings of a repository that says nothing.
func Defaults() Settings {
	return Settings{
		Source: "ortest/ortest", Runner: "ubuntu-24.04", Cloud: "ec2", Environment: "ortest",
		Branches: []string{"release/**"}, Tags: []string{"v*"}, Targets: "t tv to", Nightly: "t", Cron: "17 2 * * *",
	}
}

var (
	sourceName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)
	fullSHA      = regexp.MustCompile(`^[0-9a-f]{40}$`)
	versionName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,60}$`)
	runnerName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$`)
	environment  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,60}$`)
	branchFilter = regexp.MustCompile(`^!?[A-Za-z0-9*?+\[][A-Za-z0-9*?+\[\]!._/-]{0,100}$`)
	cronField    = regexp.MustCompile(`^[0-9A-Za-z*/,-]{1,40}$`)
	variableName = regexp.MustCompile(`^(ORTEST|AWS)_[A-Z0-9_]{1,60}$`)
)

func (s Settings) complete() Settings {
	d := Defaults()
	for _, f := range []struct {
		to *string
		or string
	}{
		{&s.Source, d.Source}, {&s.Runner, d.Runner}, {&s.Cloud, d.Cloud}, {&s.Environment, d.Environment},
		{&s.Targets, d.Targets}, {&s.Nightly, d.Nightly}, {&s.Cron, d.Cron},
	} {
		if *f.to == "" {
			*f.to = f.or
		}
	}
	if s.Branches == nil {
		s.Branches = d.Branches
	}
	if s.Tags == nil {
		s.Tags = d.Tags
	}
	return s
}

// Validate names every setting that cannot be.
func (s Settings) Validate() error {
	s = s.complete()
	var bad []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			bad = append(bad, fmt.Errorf(format, args...))
		}
	}
	wrong(!sourceName.MatchString(s.Source), "source: %q is not OWNER/NAME", s.Source)
	wrong(!fullSHA.MatchString(s.Commit), "commit: %q is no full SHA of %s; a name such as v1 could come to mean something else", s.Commit, s.Source)
	wrong(s.Version != "" && !versionName.MatchString(s.Version), "version: %q is no name of a release", s.Version)
	wrong(!runnerName.MatchString(s.Runner), "runner: %q is no label of a runner, such as ubuntu-24.04", s.Runner)
	wrong(!slices.Contains([]string{"ec2", "hosted", "local"}, s.Cloud), "cloud: %q is none of: ec2, hosted, local", s.Cloud)
	wrong(!environment.MatchString(s.Environment), "environment: %q is no name of an environment", s.Environment)
	for _, p := range append(slices.Clone(s.Branches), s.Tags...) {
		wrong(!branchFilter.MatchString(p), "branches, tags: %q is no pattern of branches", p)
	}
	wrong(len(s.Branches)+len(s.Tags) == 0, "branches, tags: a release needs at least one of them")
	fields := strings.Fields(s.Cron)
	wrong(len(fields) != 5 || slices.ContainsFunc(fields, func(f string) bool { return !cronField.MatchString(f) }),
		"cron: %q has not the five fields minute, hour, day, month, weekday", s.Cron)
	for name, words := range map[string]string{"targets": s.Targets, "nightly": s.Nightly} {
		wrong(strings.ContainsAny(words, "\n\r${}"), "%s: %q is no line of targets", name, words)
	}
	for name, v := range s.Variables {
		wrong(!variableName.MatchString(name), "variables: %q does not begin with ORTEST_ or AWS_", name)
		wrong(strings.Contains(v, "${{") || strings.ContainsAny(v, "\n\r"), "variables.%s: one line without an expression is wanted", name)
	}
	return errors.Join(bad...)
}

// stage is a set of the jobs up and test.
type stage struct {
	Number         int
	Suffix, Before string // of the jobs' names: "", "-2"
	Env            string // of variables' names: "", "_2"
	Cloud          string
}

func stages(n int, cloud string) (all []stage) {
	for i := range n {
		s := stage{Number: i + 1, Cloud: cloud}
		if i > 0 {
			s.Suffix, s.Env = fmt.Sprintf("-%d", i+1), fmt.Sprintf("_%d", i+1)
			s.Before = all[i-1].Suffix
		}
		all = append(all, s)
	}
	return all
}

// Names are the workflow files that Render makes, in order.
func Names() []string { return []string{File, commentFile, releaseFile, nightlyFile} }

// Render fills a workflow file with settings.
func Render(name string, s Settings) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("render %q: there are %s", name, strings.Join(Names(), ", "))
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	s = s.complete()
	n := map[string]int{commentFile: 2, releaseFile: 3, nightlyFile: 1}[name]
	action := s.Source + "@" + s.Commit
	if s.Version != "" {
		action += " # " + s.Version
	}
	type variable struct{ Name, Value string }
	data := struct {
		Settings
		Checkout, Action string
		Stages           []stage
		Variables        []variable
	}{Settings: s, Checkout: checkout, Action: action, Stages: stages(n, s.Cloud)}
	for _, k := range slices.Sorted(maps.Keys(s.Variables)) {
		data.Variables = append(data.Variables, variable{k, s.Variables[k]})
	}
	return fill(name, data)
}

// fill executes a template. Its marks are << and >>, since {{ is the workflow's own.
func fill(name string, data any) ([]byte, error) {
	set, err := template.New(name).Delims("<<", ">>").Option("missingkey=error").Funcs(template.FuncMap{
		"quote": quoted, "json": func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
	}).ParseFS(templates, "templates/jobs.yml", "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("read template %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("fill %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// quoted is a scalar of YAML that means the text and nothing else.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// demoCommit stands where no action is fetched by it.
const demoCommit = "0000000000000000000000000000000000000000"

// Files returns the workflow files that the demo's repositories have, by their path
// there: the demo's runners have the action of this very binary.
func Files() map[string][]byte {
	b, err := Render(File, Settings{Commit: demoCommit})
	if err != nil {
		panic(err) // template and settings are this package's own
	}
	return map[string][]byte{Folder + File: b}
}
