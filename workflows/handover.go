package workflows

import (
	"regexp"
	"strings"

	"github.com/rhysd/actionlint"
)

// What a script writes into the files behind these variables becomes the environment
// of later steps: after a line break in a value comes another variable, LD_PRELOAD too.
var (
	handover = regexp.MustCompile(`\bGITHUB_(?:ENV|PATH)\b`)
	written  = regexp.MustCompile(`>\s*["']?\$(?:\{|env:)?GITHUB_(?:ENV|PATH)\b|\b(?:tee|Out-File|Add-Content)\b.*\bGITHUB_(?:ENV|PATH)\b`)
	heredoc  = regexp.MustCompile(`<<-?\s*([A-Za-z_][A-Za-z0-9_]*)`) // one in quotes has no variables
	cleaned  = regexp.MustCompile(`\|\s*(?:tr\s+-[a-z]*d|head\s+-(?:n\s*)?1\b)`)
	assigns  = regexp.MustCompile(`^\s*(?:(?:export|local|readonly)\s+)?([A-Za-z_][A-Za-z0-9_]*)=`)
	closes   = regexp.MustCompile(`^(?:[})]|done\b|fi\b)`)
	// What somebody chooses who comments, opens a pull request or starts the workflow.
	chosen = regexp.MustCompile(`(?i)\bgithub\.(?:event|head_ref)\b|\binputs\.|\btojson\(\s*(?:github|inputs)\b`)
)

// persons are the variables that hold a person's text. Of environments the first
// that has a variable counts.
func persons(all ...*actionlint.Env) (names []string) {
	set := make(map[string]bool)
	for _, e := range all {
		if e == nil {
			continue
		}
		for _, v := range e.Vars {
			if v.Name == nil || v.Value == nil || set[v.Name.Value] {
				continue
			}
			set[v.Name.Value] = true
			if personal(v.Value.Value) {
				names = append(names, v.Name.Value)
			}
		}
	}
	return names
}

// personal reports whether an expression in a text gives what a person chooses.
func personal(text string) bool {
	for _, m := range expression.FindAllStringSubmatch(text, -1) {
		if !harmless.MatchString(m[1]) && chosen.MatchString(m[1]) {
			return true
		}
	}
	return false
}

// hands refuses that a script writes a person's text where the runner takes the
// environment of later steps from. Names are the variables that hold such text.
func (c *checker) hands(s *actionlint.String, names []string) {
	if s == nil || len(names) == 0 || !handover.MatchString(s.Value) {
		return
	}
	lines := strings.Split(s.Value, "\n")
	for _, line := range lines {
		if m := assigns.FindStringSubmatch(line); m != nil && uses(line[len(m[0]):], names) != "" {
			names = append(names, m[1])
		}
	}
	inside := handed(lines)
	line, col := s.Pos.Line, s.Pos.Col
	for i, text := range lines {
		name := uses(text, names)
		if name == "" || !inside[i] {
			continue
		}
		line, col = c.next(line, col, strings.TrimSpace(text))
		c.say(&actionlint.Pos{Line: line, Col: col}, "environment",
			"%s, which a person chooses, becomes part of the environment of later steps: a line break in it sets any variable; hand it to those steps by env", name)
		line, col = line+1, 1
	}
}

// uses returns the first of the variables that a line reads, as shells, PowerShell
// and scripts write that, unless it takes the line breaks out.
func uses(line string, names []string) string {
	if cleaned.MatchString(line) {
		return ""
	}
	for _, n := range names {
		if regexp.MustCompile(`\$(?:\{|env:)?` + regexp.QuoteMeta(n) + `\b|\benv(?:iron)?\b[^\n]*["'.]` + regexp.QuoteMeta(n) + `\b|%` + regexp.QuoteMeta(n) + `%`).MatchString(line) {
			return n
		}
	}
	return ""
}

// handed tells of each line of a script whether what it prints goes to such a file:
// by itself, as part of a group that is sent there, or as a here-document. Where no
// line says it in a way that is understood, all may.
func handed(lines []string) []bool {
	in := make([]bool, len(lines))
	for i, line := range lines {
		if !handover.MatchString(line) {
			continue
		}
		if !written.MatchString(line) {
			for k := range in {
				in[k] = true
			}
			return in
		}
		in[i] = true
		if m := heredoc.FindStringSubmatch(line); m != nil {
			for k := i + 1; k < len(lines) && strings.TrimSpace(lines[k]) != m[1]; k++ {
				in[k] = true
			}
		}
		if closes.MatchString(strings.TrimSpace(line)) {
			for k := i - 1; k >= 0; k-- {
				in[k] = true
				if indent(lines[k]) <= indent(line) && strings.TrimSpace(lines[k]) != "" {
					break
				}
			}
		}
		for k := i - 1; k >= 0 && strings.HasSuffix(lines[k], `\`); k-- {
			in[k] = true
		}
	}
	return in
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }
