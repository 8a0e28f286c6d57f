package report

import (
	"strings"
)

// capture is a finding that is still being read.
type capture struct {
	f      Finding
	detail strings.Builder
	kept   bool // f is to be added when it ends
	named  bool // its name is whole
	over   bool // more lines than are kept
}

func (s *scan) closeOpen() {
	if c := s.open; c != nil {
		s.open = nil
		if c.kept {
			c.f.Detail = c.detail.String()
			s.join(c.f)
		}
	}
}

// join keeps a failure's diagnostics with its "not ok" line, which comes first
// when both are printed to one stream.
func (s *scan) join(f Finding) {
	for i := len(s.rec.Findings) - 1; i >= 0 && i >= len(s.rec.Findings)-maxRecords; i-- {
		if old := &s.rec.Findings[i]; old.tap == tapOnly && f.Kind == old.Kind && sameName(f.said, old.said) {
			old.tap = tapSeen
			if f.Detail != "" && s.kept+len(f.Detail) <= maxKept {
				s.kept += len(f.Detail)
				old.Detail = clip(f.Detail, maxDetail)
			}
			if old.Line == 0 {
				old.File, old.Line, old.EndLine = f.File, f.Line, f.EndLine
			}
			return
		}
	}
	s.add(f)
}

// write appends a line to what a finding shows.
func (c *capture) write(b []byte) {
	if c.detail.Len()+len(b) >= maxDetail {
		c.over = true
		return
	}
	if !c.over {
		c.detail.WriteString(strings.ToValidUTF8(string(b), "\uFFFD")) // a test may print any bytes
		c.detail.WriteByte('\n')
	}
}
