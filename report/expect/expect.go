// Package expect keeps the lists of known failures in order: it carries the old
// tool's white list over (Import), and says which entries are dead, double, too
// wide or not needed any more (Lint, Try).
//
// It judges nothing. What an entry covers is decided by package report alone,
// so what is said here of an entry is what a verdict would say.
package expect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/report"
)

// Source returns the census of a project's test files, or false when the
// project is not at hand.
type Source func(project string) ([]report.TestFile, bool)

// Entry is what the importer makes of one old entry, and what goes into a file.
type Entry struct {
	ID      string
	Broad   bool
	Test    string
	Block   string
	Number  int
	Ordinal int
	Kind    string
	Match   []Match
	Mode    []string
	Arch    []string
	Budget  int
	Reason  string
	Issue   string
	Owner   string
	Since   time.Time
	Expires time.Time
	From    int // number of the old entry; not written
}

// Match is one condition on a finding's field; exactly one of the others is set.
type Match struct {
	Field, Contains, Regex string
}

// Write returns a project's file: header, one comment line each, and the
// entries by test, number and id.
func Write(header []string, entries []Entry) []byte {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Test, b.Test), cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID))
	})
	var s strings.Builder
	for _, line := range header {
		s.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	for _, e := range entries {
		s.WriteString("\n")
		e.write(&s)
	}
	return []byte(s.String())
}

func (e Entry) write(s *strings.Builder) {
	sep := "- "
	put := func(key, value string) {
		fmt.Fprintf(s, "%s%s: %s\n", sep, key, value)
		sep = "  "
	}
	put("id", quoted(e.ID))
	if e.Broad {
		put("broad", "true")
	}
	put("test", quoted(e.Test))
	if e.Block != "" {
		put("block", quoted(e.Block))
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"number", e.Number}, {"ordinal", e.Ordinal}} {
		if n.value > 0 {
			put(n.key, fmt.Sprint(n.value))
		}
	}
	put("kind", e.Kind)
	if len(e.Match) > 0 {
		s.WriteString("  match:\n")
	}
	for _, m := range e.Match {
		how, text := "contains", m.Contains
		if m.Regex != "" {
			how, text = "regex", m.Regex
		}
		fmt.Fprintf(s, "  - field: %s\n    %s: %s\n", m.Field, how, quoted(text))
	}
	if len(e.Mode)+len(e.Arch) > 0 {
		s.WriteString("  when:\n")
		for _, w := range []struct {
			key    string
			values []string
		}{{"mode", e.Mode}, {"arch", e.Arch}} {
			if len(w.values) > 0 {
				fmt.Fprintf(s, "    %s: [%s]\n", w.key, strings.Join(w.values, ", "))
			}
		}
	}
	put("outcome", "fails")
	put("strict", "false")
	if e.Budget > 1 {
		put("budget", fmt.Sprint(e.Budget))
	}
	put("class", "imported")
	put("reason", quoted(e.Reason))
	put("issue", e.Issue)
	put("owner", e.Owner)
	put("since", e.Since.Format(time.DateOnly))
	put("expires", e.Expires.Format(time.DateOnly))
}

// quoted writes a YAML string of one line.
func quoted(s string) string {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0xfeff || r >= 0x80 && r < 0xa0 {
			return fmt.Sprintf("%q", s)
		}
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
