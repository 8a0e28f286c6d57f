package html

import (
	"fmt"
	"strings"
)

// GitHub takes 65,535 bytes in a check run's summary and text, 65,536
// characters in a comment, and 1 MiB in a job's summary, which is lost whole
// when it is longer. The rest is room for a marker and a last sentence.
const (
	budget    = 60_000
	jobBudget = 900 << 10
)

// sheet collects Markdown up to a budget. What does not fit is left out whole.
type sheet struct {
	b       strings.Builder
	most    int // bytes
	dropped int
	more    string // address of the whole
}

func newSheet(run RunView, most int) *sheet { return &sheet{more: run.URL, most: most} }

// room is kept for the sentence that says how much is not shown; it may hold an address.
const (
	room       = 200 + maxAddress
	maxAddress = 1000
)

// add writes a part if it fits, and reports whether it did.
func (s *sheet) add(part string) bool {
	if s.b.Len()+len(part) > s.most {
		s.dropped++
		return false
	}
	s.b.WriteString(part)
	return true
}

// full reports whether no list would have room for an entry.
func (s *sheet) full() bool { return s.b.Len()+room >= s.most }

// end closes what an added part has opened; the budget leaves room for it.
func (s *sheet) end(part string) { s.b.WriteString(part) }

func (s *sheet) addf(format string, args ...any) { s.add(fmt.Sprintf(format, args...)) }

// list writes n parts under a heading until one does not fit, or there are
// enough, and says how many are not shown. It reports whether it wrote anything.
func (s *sheet) list(heading string, n, most int, part func(i int) string) bool {
	if n == 0 || !s.add(heading) {
		return false
	}
	shown := 0
	for shown < min(n, most) {
		p := part(shown)
		if s.b.Len()+len(p)+room > s.most {
			break
		}
		s.b.WriteString(p)
		shown++
	}
	if left := n - shown; left > 0 {
		s.addf("\n…and %d more%s.\n", left, s.where())
	}
	s.add("\n")
	return true
}

func (s *sheet) where() string {
	if s.more == "" || len(s.more) > maxAddress || strings.ContainsAny(s.more, " <>()\n") {
		return ""
	}
	return fmt.Sprintf(" ([all of them](%s))", s.more)
}

// String returns the sheet, with a word on what was dropped.
func (s *sheet) String() string {
	if s.dropped > 0 {
		fmt.Fprintf(&s.b, "\n%s left out: the report is longer than GitHub takes%s.\n", plural(s.dropped, "section"), s.where())
	}
	return s.b.String()
}
