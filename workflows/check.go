package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// Finding is something wrong in a workflow file, and where: line and column
// count from 1.
type Finding struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Rule   string `json:"rule"`
	Text   string `json:"text"`
}

// String is the finding as compilers write theirs.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s [%s]", f.File, f.Line, f.Column, f.Text, f.Rule)
}

// Check returns what actionlint and our own rules find in a workflow file, in
// its order. Ours hold what actionlint leaves open: actions are pinned by
// commit, no job may more than it names, no expression stands in a script that
// a person's text could reach, and every job ends and stands in a queue.
func Check(name string, text []byte) ([]Finding, error) {
	lint, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: "", Pyflakes: ""})
	if err != nil {
		return nil, fmt.Errorf("start actionlint: %w", err)
	}
	found, err := lint.Lint(name, text, nil)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", name, err)
	}
	c := checker{file: name, lines: strings.Split(string(text), "\n")}
	for _, f := range found {
		c.found = append(c.found, Finding{name, f.Line, f.Column, f.Kind, f.Message})
	}
	flow, _ := actionlint.Parse(text) // its errors are among those found
	if flow == nil {
		if len(c.found) == 0 {
			return nil, errors.New("check " + name + ": it is no workflow")
		}
		return c.found, nil
	}
	c.workflow(flow)
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.found, nil
}

type checker struct {
	file  string
	lines []string
	found []Finding
}

func (c *checker) say(at *actionlint.Pos, rule, format string, args ...any) {
	f := Finding{File: c.file, Line: 1, Column: 1, Rule: rule, Text: fmt.Sprintf(format, args...)}
	if at != nil {
		f.Line, f.Column = at.Line, at.Col
	}
	c.found = append(c.found, f)
}

func (c *checker) workflow(w *actionlint.Workflow) {
	first := &actionlint.Pos{Line: 1, Col: 1}
	switch {
	case w.Permissions == nil:
		c.say(first, "permissions", "the workflow has no permissions: write \"permissions: {}\" and let each job name what it needs")
	default:
		c.least(w.Permissions, "the workflow")
		c.noWrite(w.Permissions)
	}
	queued := w.Concurrency != nil
	for _, j := range w.Jobs {
		c.job(j, queued)
	}
}

// least refuses what grants everything at once.
func (c *checker) least(p *actionlint.Permissions, of string) {
	if p.All != nil && p.All.Value != "" && p.All.Value != "none" {
		c.say(p.All.Pos, "permissions", "%s may %s: name the single permissions that it needs", of, p.All.Value)
	}
}

// noWrite leaves writing to the jobs that need it.
func (c *checker) noWrite(p *actionlint.Permissions) {
	for _, s := range p.Scopes {
		if s.Value != nil && s.Value.Value == "write" {
			c.say(s.Name.Pos, "permissions", "every job may write %s: give that to the job that needs it", s.Name.Value)
		}
	}
}

func (c *checker) job(j *actionlint.Job, queued bool) {
	if j.Permissions != nil {
		c.least(j.Permissions, "job "+j.ID.Value)
	}
	if !queued && j.Concurrency == nil {
		c.say(j.Pos, "concurrency", "job %s has no concurrency group, nor has the workflow: two runs of it would meet", j.ID.Value)
	}
	if j.WorkflowCall != nil {
		if u := j.WorkflowCall.Uses; u != nil {
			c.pinned(u)
		}
		return
	}
	if j.TimeoutMinutes == nil {
		c.say(j.Pos, "timeout", "job %s has no timeout-minutes: a job that hangs is paid for six hours", j.ID.Value)
	}
	for _, s := range j.Steps {
		c.step(j, s)
	}
}

func (c *checker) step(j *actionlint.Job, s *actionlint.Step) {
	switch e := s.Exec.(type) {
	case *actionlint.ExecRun:
		c.script(e.Run)
	case *actionlint.ExecAction:
		if e.Uses == nil {
			return
		}
		c.pinned(e.Uses)
		if in, ok := e.Inputs["script"]; ok && in != nil {
			c.script(in.Value)
		}
		if strings.HasPrefix(e.Uses.Value, "actions/checkout@") && holdsSecret(j) {
			if ref, ok := e.Inputs["ref"]; ok && ref != nil && ref.Value != nil && foreign.MatchString(ref.Value.Value) {
				c.say(ref.Value.Pos, "secret", "job %s holds a secret and checks out what somebody else wrote", j.ID.Value)
			}
		}
	}
}

var (
	pinnedUse  = regexp.MustCompile(`^[^@]+@[0-9a-f]{40}$`)
	digestUse  = regexp.MustCompile(`^docker://.+@sha256:[0-9a-f]{64}$`)
	expression = regexp.MustCompile(`\$\{\{(.*?)\}\}`)
	// What GitHub itself makes, of which nobody chooses a word.
	harmless = regexp.MustCompile(`^\s*(github\.(sha|run_id|run_number|run_attempt|repository_id|repository_owner_id|actor_id|server_url|api_url|workspace|action_path|event_name|job)|github\.event\.(number|issue\.number|pull_request\.number)|runner\.(os|arch|temp|tool_cache)|job\.status|strategy\.job-(index|total))\s*$`)
	foreign  = regexp.MustCompile(`\$\{\{.*(head|inputs\.|event\.|refs/pull).*\}\}|refs/pull/`)
)

func (c *checker) pinned(u *actionlint.String) {
	v := u.Value
	if strings.HasPrefix(v, "./") || pinnedUse.MatchString(v) || digestUse.MatchString(v) {
		return
	}
	c.say(u.Pos, "pin", "%q is not pinned: name a full commit SHA, with the version in a comment, since a tag can be moved", v)
}

// script refuses expressions in code: what they hold becomes part of it.
func (c *checker) script(s *actionlint.String) {
	if s == nil {
		return
	}
	line, col := s.Pos.Line, s.Pos.Col
	for _, m := range expression.FindAllStringSubmatch(s.Value, -1) {
		line, col = c.next(line, col, m[0])
		if !harmless.MatchString(m[1]) {
			c.say(&actionlint.Pos{Line: line, Col: col}, "script",
				"%s becomes part of the script, whatever it holds: hand it over by env and write \"$NAME\"", m[0])
		}
		col += len(m[0])
	}
}

// next finds a text in the file from a place on; actionlint knows only where a
// script begins. What is folded over lines stays at that place.
func (c *checker) next(line, col int, text string) (int, int) {
	for i := line; i <= len(c.lines); i++ {
		from := 0
		if i == line {
			from = min(col-1, len(c.lines[i-1]))
		}
		if at := strings.Index(c.lines[i-1][from:], text); at >= 0 {
			return i, from + at + 1
		}
	}
	return line, col
}

// holdsSecret reports whether a job can read more than GitHub's own token.
func holdsSecret(j *actionlint.Job) bool {
	if j.Environment != nil {
		return true
	}
	if j.Permissions != nil {
		for _, s := range j.Permissions.Scopes {
			if s.Value != nil && s.Value.Value == "write" {
				return true
			}
		}
	}
	has := func(s *actionlint.String) bool { return s != nil && strings.Contains(s.Value, "secrets.") }
	for _, s := range j.Steps {
		if s.Env != nil {
			for _, v := range s.Env.Vars {
				if has(v.Value) {
					return true
				}
			}
		}
		if e, ok := s.Exec.(*actionlint.ExecAction); ok {
			for _, in := range e.Inputs {
				if has(in.Value) {
					return true
				}
			}
		}
	}
	return false
}
