package result

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ortest/ortest/report"
)

// Fields are those of a JSON object that this version does not know.
type Fields map[string]json.RawMessage

// document is the JSON of a goal.
type document struct {
	Schema     int            `json:"schema"`
	Type       string         `json:"type"`
	Run        string         `json:"run,omitempty"`
	Goal       string         `json:"goal"`
	Project    string         `json:"project"`
	Mode       string         `json:"mode"`
	Arch       string         `json:"arch,omitempty"`
	Nginx      string         `json:"nginx_version,omitempty"`
	Repo       string         `json:"repo,omitempty"`
	Commit     string         `json:"commit,omitempty"`
	CommitDate string         `json:"commit_date,omitempty"`
	Tested     string         `json:"started,omitempty"`
	Deps       []dependency   `json:"deps,omitempty"`
	Verdict    report.Verdict `json:"verdict"`
	State      string         `json:"state"`
	Why        []string       `json:"why"`
	FilesPlan  int            `json:"files_planned"`
	FilesRun   int            `json:"files_run"`
	BlocksPlan int            `json:"blocks_planned"`
	BlocksRun  int            `json:"blocks_run"`
	Tests      int            `json:"tests"`
	Seconds    float64        `json:"seconds"`
	Findings   []finding      `json:"findings"`
	Warnings   []finding      `json:"warnings,omitempty"`
	RSS        []rss          `json:"rss,omitempty"`
	Files      []File         `json:"files,omitempty"`
	Log        *Log           `json:"log,omitempty"`
}

type dependency struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type finding struct {
	Type        string          `json:"type"`
	Path        string          `json:"path,omitempty"`
	Title       string          `json:"title,omitempty"`
	Number      int             `json:"number,omitempty"`
	Ordinal     int             `json:"ordinal,omitempty"`
	Line        int             `json:"line,omitempty"`
	EndLine     int             `json:"end_line,omitempty"`
	Message     string          `json:"message"`
	Trace       string          `json:"trace,omitempty"`
	Offset      int64           `json:"byte_start,omitempty"` // into the goal's log
	Fingerprint string          `json:"fingerprint,omitempty"`
	Judgement   *judgement      `json:"judgement,omitempty"`
	Samples     []report.Sample `json:"samples,omitempty"`
}

type judgement struct {
	Outcome string `json:"outcome"`
	Rule    string `json:"rule_id,omitempty"`
	Why     string `json:"why,omitempty"`
}

type rss struct {
	Block   string    `json:"block"` // "t/a.t TEST 3: title"
	Unit    string    `json:"unit"`
	Samples []float64 `json:"samples"`
}

type outcome struct {
	class report.Class
	word  string
}

// outcomes are the words of the schema for the classes.
var outcomes = []outcome{
	{report.New, "new"}, {report.Old, "known_on_base"}, {report.UnexpectedPass, "unexpected_pass"}, {report.Infrastructure, "infra"},
	{report.NotRun, "not_run"}, {report.Flaky, "flaky"}, {report.Expected, "expected"},
}

// MarshalJSON writes the goal in the schema, in one line.
func (g Goal) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(g.document())
	if err != nil || len(g.Other) == 0 {
		return b, err
	}
	names := make([]string, 0, len(g.Other))
	for name := range g.Other {
		names = append(names, name)
	}
	slices.Sort(names)
	out := bytes.NewBuffer(bytes.TrimSuffix(b, []byte("}")))
	for _, name := range names {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, ",%s:%s", key, g.Other[name])
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// state is what happened, apart from how it is judged.
func state(r report.GoalResult) string {
	switch {
	case r.Count(report.Infrastructure) > 0:
		return "infra"
	case r.Files == 0 && r.Tests == 0:
		return "not_run"
	case len(r.Findings) > r.Count(report.UnexpectedPass):
		return "failed"
	}
	return "passed"
}

func (g Goal) document() document {
	r := g.Result
	d := document{
		Schema: Schema, Type: "goal", Run: g.Run, Goal: r.Goal, Project: g.Project(), Mode: g.Mode(), Arch: g.Arch, Nginx: g.Nginx,
		Repo: r.Repo, Commit: r.Commit, CommitDate: g.CommitDate, Tested: g.Tested, Verdict: r.Verdict, State: state(r), Why: r.Why,
		FilesPlan: r.Planned, FilesRun: r.Files, BlocksPlan: r.Expected, BlocksRun: r.Blocks, Tests: r.Tests, Seconds: r.Seconds,
		Findings: findings(r.Findings), Warnings: findings(r.Warnings), Files: g.Files, Deps: deps(r),
	}
	if d.Findings == nil {
		d.Findings = []finding{}
	}
	for block, samples := range r.Leaks {
		x := rss{Block: block, Unit: "KiB", Samples: make([]float64, len(samples))}
		for i, s := range samples {
			x.Samples[i] = s.KiB
		}
		d.RSS = append(d.RSS, x)
	}
	slices.SortFunc(d.RSS, func(a, b rss) int { return strings.Compare(a.Block, b.Block) })
	if g.Log != (Log{}) {
		d.Log = &g.Log
	}
	return d
}

func deps(r report.GoalResult) []dependency {
	var all []dependency
	for name, v := range r.Versions {
		all = append(all, dependency{name, v})
	}
	slices.SortFunc(all, func(a, b dependency) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func findings(fs []report.Finding) []finding {
	var all []finding
	for _, f := range fs {
		x := finding{
			Type: f.Kind, Path: f.File, Title: f.Block, Number: f.Number, Ordinal: f.Ordinal, Line: f.Line, EndLine: f.EndLine,
			Message: f.Name, Trace: f.Detail, Offset: f.Offset, Fingerprint: f.Print, Samples: f.Samples,
		}
		if f.Class != "" {
			x.Judgement = &judgement{Outcome: string(f.Class), Rule: f.Rule, Why: f.Why}
			for _, o := range outcomes {
				if o.class == f.Class {
					x.Judgement.Outcome = o.word
				}
			}
		}
		all = append(all, x)
	}
	return all
}

// maxDocument bounds one result that is read; ours have some kilobytes.
const maxDocument = 64 << 20

// Decode reads results: one JSON object, or one a line. Objects of another type
// than "goal" are passed over. An error says which line or object it is about.
func Decode(r io.Reader) ([]Goal, error) {
	limited := &io.LimitedReader{R: bufio.NewReader(r), N: maxDocument}
	dec := json.NewDecoder(limited)
	var all []Goal
	for n := 1; ; n++ {
		limited.N = maxDocument
		var raw json.RawMessage
		err := dec.Decode(&raw)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil && limited.N <= 0:
			return nil, fmt.Errorf("result %d is longer than %d bytes", n, maxDocument)
		case err != nil:
			return nil, fmt.Errorf("read result %d, at byte %d: %w", n, dec.InputOffset(), err)
		}
		g, ok, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("read result %d: %w", n, err)
		}
		if ok {
			all = append(all, g)
		}
	}
}

// decode reads one object; ok is false for one of another type. Most objects are
// ours and have no other fields: they are read once.
func decode(raw []byte) (g Goal, ok bool, err error) {
	if !utf8.Valid(raw) {
		return g, false, errors.New("it is not UTF-8")
	}
	var d document
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	other := strict.Decode(&d) != nil
	if other {
		var head struct {
			Schema int    `json:"schema"`
			Type   string `json:"type"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return g, false, err
		}
		d = document{Schema: head.Schema, Type: head.Type}
	}
	if d.Schema != Schema {
		return g, false, fmt.Errorf(`it is no result of ortest: want an object with "schema": %d`, Schema)
	}
	if d.Type != "goal" {
		return g, false, nil
	}
	if other {
		if err := json.Unmarshal(raw, &d); err != nil {
			return g, false, err
		}
	}
	if g, err = d.goal(); err != nil || !other {
		return g, err == nil, err
	}
	var fields Fields
	if err := json.Unmarshal(raw, &fields); err != nil {
		return g, false, err
	}
	for name := range fields {
		if known[name] {
			delete(fields, name)
		}
	}
	if len(fields) > 0 {
		g.Other = fields
	}
	return g, true, nil
}
