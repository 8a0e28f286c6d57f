package workflows

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

var (
	// What a pull request's author chooses: its commit, its branch, its repository.
	stranger = regexp.MustCompile(`(?i)\$\{\{.*(head|inputs\.|event\.|refs/pull).*\}\}|refs/pull/`)
	fetches  = regexp.MustCompile(`gh\s+pr\s+checkout|refs/pull/|\bpull/[^\s"']+/(head|merge)\b`)
	ofEnv    = regexp.MustCompile(`(?i)\benv\.([a-z0-9_]+)`)
)

// foreign reports whether a value is a stranger's to choose, also by way of a variable.
func (c *checker) foreign(j *actionlint.Job, s *actionlint.Step, value string) bool {
	if stranger.MatchString(value) {
		return true
	}
	for _, m := range ofEnv.FindAllStringSubmatch(value, -1) {
		for _, e := range []*actionlint.Env{s.Env, j.Env, c.flow.Env} {
			if e == nil {
				continue
			}
			if v, ok := e.Vars[strings.ToLower(m[1])]; ok && v.Value != nil && stranger.MatchString(v.Value.Value) {
				return true
			}
		}
	}
	return false
}

// holdsSecret reports whether a job has more than a token that reads.
func (c *checker) holdsSecret(j *actionlint.Job) bool {
	if j.Environment != nil || secretIn(j.Env) || secretIn(c.flow.Env) {
		return true
	}
	may := j.Permissions
	if may == nil {
		may = c.flow.Permissions
	}
	// Without a word GitHub may give everything.
	if may == nil || may.All != nil && may.All.Value == "write-all" {
		return true
	}
	for _, s := range may.Scopes {
		if s.Value != nil && s.Value.Value == "write" {
			return true
		}
	}
	return slices.ContainsFunc(j.Steps, func(s *actionlint.Step) bool {
		if secretIn(s.Env) {
			return true
		}
		e, ok := s.Exec.(*actionlint.ExecAction)
		if !ok {
			return false
		}
		for _, in := range e.Inputs {
			if in != nil && isSecret(in.Value) {
				return true
			}
		}
		return false
	})
}

func isSecret(s *actionlint.String) bool {
	return s != nil && strings.Contains(s.Value, "${{") && (strings.Contains(s.Value, "secrets.") || strings.Contains(s.Value, "secrets["))
}

func secretIn(e *actionlint.Env) bool {
	if e == nil {
		return false
	}
	for _, v := range e.Vars {
		if isSecret(v.Value) {
			return true
		}
	}
	return isSecret(e.Expression)
}

// spelt are the rows of a matrix of which every value stands in the file: whoever
// wrote that wrote the script too.
func spelt(s *actionlint.Strategy) (rows []string) {
	if s == nil || s.Matrix == nil || s.Matrix.Expression != nil || s.Matrix.Include != nil {
		return nil
	}
	for name, row := range s.Matrix.Rows {
		open := func(v actionlint.RawYAMLValue) bool { return strings.Contains(v.String(), "${{") }
		if row.Expression == nil && !slices.ContainsFunc(row.Values, open) {
			rows = append(rows, "matrix."+name)
		}
	}
	return rows
}
