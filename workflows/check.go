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
// commit and images by digest, no job may more than it names, no expression stands
// in a script that a person's text could reach, nor does such text become the
// environment of later steps, and every job ends and stands in a queue.
//
// What has "runs" and no "jobs" is an action, of which our rules for steps hold.
func Check(name string, text []byte) ([]Finding, error) {
	if top, is := actionFile(text); is {
		c := checker{file: name, lines: strings.Split(string(text), "\n")}
		c.action(top)
		return c.found, nil
	}
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
		c.found = append(c.found, Finding{name, max(1, f.Line), max(1, f.Column), f.Kind, f.Message})
	}
	flow, _ := actionlint.Parse(text) // its errors are among those found
	if flow == nil {
		if len(c.found) == 0 {
			return nil, errors.New("check " + name + ": it is no workflow")
		}
		return c.found, nil
	}
	c.workflow(flow)
	c.sort()
	return c.found, nil
}

// sort orders what was found by its place. What an alias repeats is said once.
func (c *checker) sort() {
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	c.found = slices.Compact(c.found)
}

type checker struct {
	file  string
	lines []string
	flow  *actionlint.Workflow
	fixed []string // rows of the job's matrix that the file itself spells out
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
	c.flow = w
	c.shell(w.Defaults)
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
		if j.WorkflowCall.InheritSecrets {
			c.say(j.Pos, "secret", "job %s hands every secret on: name those that the workflow needs", j.ID.Value)
		}
		return
	}
	c.fixed = spelt(j.Strategy)
	c.images(j)
	c.shell(j.Defaults)
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
		c.script(e.Shell)
		c.hands(e.Run, persons(s.Env, j.Env, c.flow.Env))
		if e.Run != nil && fetches.MatchString(e.Run.Value) && c.holdsSecret(j) {
			c.say(e.Run.Pos, "secret", "job %s holds a secret and fetches what somebody else wrote", j.ID.Value)
		}
	case *actionlint.ExecAction:
		if e.Uses == nil {
			return
		}
		c.pinned(e.Uses)
		if in, ok := e.Inputs["script"]; ok && in != nil {
			c.script(in.Value)
		}
		if strings.HasPrefix(strings.ToLower(e.Uses.Value), "actions/checkout@") && c.holdsSecret(j) {
			for _, name := range []string{"repository", "ref"} {
				if in := e.Inputs[name]; in != nil && in.Value != nil && c.foreign(j, s, in.Value.Value) {
					c.say(in.Value.Pos, "secret", "job %s holds a secret and checks out what somebody else wrote", j.ID.Value)
				}
			}
		}
	}
}

// shell is a script too: it is what scripts are handed to.
func (c *checker) shell(d *actionlint.Defaults) {
	if d != nil && d.Run != nil {
		c.script(d.Run.Shell)
	}
}

var (
	pinnedUse  = regexp.MustCompile(`^[^@]+@[0-9a-f]{40}$`)
	digestUse  = regexp.MustCompile(`^docker://.+@sha256:[0-9a-f]{64}$`)
	expression = regexp.MustCompile(`(?s)\$\{\{(.*?)\}\}`)
	// What GitHub itself makes, of which nobody chooses a word.
	harmless = regexp.MustCompile(`^\s*(github\.(sha|repository|repository_owner|run_id|run_number|run_attempt|repository_id|repository_owner_id|actor_id|server_url|api_url|workspace|action_path|event_name|job)|github\.event\.(number|issue\.number|pull_request\.number)|runner\.(os|arch|temp|tool_cache)|job\.status|strategy\.job-(index|total))\s*$`)
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
		if !harmless.MatchString(m[1]) && !slices.Contains(c.fixed, strings.ToLower(strings.TrimSpace(m[1]))) {
			c.say(&actionlint.Pos{Line: line, Col: col}, "script",
				"%s becomes part of the script, whatever it holds: hand it over by env and write \"$NAME\"", strings.Join(strings.Fields(m[0]), " "))
		}
		col += len(m[0])
	}
}

// next finds a text in the file from a place on; actionlint knows only where a
// script begins. Of what goes over lines the first counts.
func (c *checker) next(line, col int, text string) (int, int) {
	text, _, _ = strings.Cut(text, "\n")
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
