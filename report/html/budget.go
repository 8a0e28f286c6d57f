package html

import (
	"fmt"
	"strings"
)

// GitHub takes 65,535 bytes in a check run's summary and text, and 65,536
// characters in a comment. The rest is room for a marker and a last sentence.
const budget = 60_000

// sheet collects Markdown up to a budget. What does not fit is left out whole.
type sheet struct {
	b       strings.Builder
	dropped int
	more    string // address of the whole
}

// add writes a part if it fits, and reports whether it did.
func (s *sheet) add(part string) bool {
	if s.b.Len()+len(part) > budget {
		s.dropped++
		return false
	}
	s.b.WriteString(part)
	return true
}

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
		if s.b.Len()+len(p)+200 > budget {
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
	if s.more == "" || strings.ContainsAny(s.more, " <>()\n") {
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
