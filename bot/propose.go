package bot

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// A proposed expectation is short-lived, and one answer holds so many.
const (
	proposedFor  = 14 * 24 * time.Hour
	mostProposed = 20
)

// proposal is the entries that would expect the new failures of goals, ready
// for the catalog's files; "" when nothing is new.
func (b *Bot) proposal(c comment, r Run, goals []html.GoalView) string {
	var s strings.Builder
	n := 0
	for _, g := range goals {
		if g.Result == nil {
			continue
		}
		mode, project, _ := strings.Cut(g.Goal, "-")
		for _, f := range g.Result.Findings {
			if f.Class != report.New || f.File == "" || n == mostProposed {
				continue
			}
			n++
			fmt.Fprintf(&s, "# expectations/%s.yaml\n- id: %s\n  test: %s\n", project, quoted(entryID(g.Goal, f)), quoted(f.File))
			if f.Block != "" {
				fmt.Fprintf(&s, "  block: %s\n", quoted(f.Block))
			}
			fmt.Fprintf(&s, "  kind: %s\n  when: {mode: [%s]}\n  outcome: fails\n  class: upstream-bug\n", f.Kind, mode)
			fmt.Fprintf(&s, "  reason: %s\n", quoted(fmt.Sprintf("Seen in run %s at %.12s; to be looked into before it expires.", r.ID, r.Head)))
			fmt.Fprintf(&s, "  issue: %s\n  owner: %s\n  since: %s\n  expires: %s\n", quoted(fmt.Sprintf("%s/%s/pull/%d", b.Server, r.Repo, r.Pull)),
				quoted(c.Sender), b.Now().UTC().Format(time.DateOnly), b.Now().Add(proposedFor).UTC().Format(time.DateOnly))
		}
	}
	return s.String()
}

// entryID names an entry by the failure it expects, so that two proposals of
// the same one have the same.
func entryID(goal string, f report.Finding) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(goal))
	if len(name) > 48 {
		name = name[:48]
	}
	return strings.Trim(name, ".-") + "-" + digest(f.File, f.Block, f.Name, f.Kind)[:8]
}

// quoted is a text as YAML and JSON both write it.
func quoted(s string) string {
	raw, err := json.Marshal(strings.ToValidUTF8(s, "?"))
	if err != nil {
		return `""` // strings are always encoded
	}
	return string(raw)
}

// proposed is the answer that shows a proposal.
func proposed(entries string) Answer {
	if entries == "" {
		return understood("nothing new failed here, so there is nothing to expect.")
	}
	mark := "```"
	for strings.Contains(entries, mark) {
		mark += "`"
	}
	return understood(fmt.Sprintf("these entries of the catalog would expect what newly failed, for %d days. Read each before you propose it: an expectation hides a failure.\n\n%syaml\n%s%s",
		int(proposedFor.Hours()/24), mark, entries, mark))
}
