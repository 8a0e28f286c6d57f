package report

import (
	"bytes"
	"strings"
)

// sameBlock is the block that the last assertion was of. A suite that passes
// prints several for each block, one after another, of which only the end differs.
type sameBlock struct {
	name []byte // such as "- t/a.t TEST 5: title - "
	cur  string // the file that was current
	w    *sighting
}

// remember notes the block of an assertion, if others of it can be known by
// their beginning: without a test file at hand, and when its title leaves no
// doubt where it ends.
func (s *scan) remember(text string, n name, w *sighting) {
	s.same.w = nil
	end := len(text) - len(n.what)
	if w == nil || n.what == "" || s.census != nil || s.tests != nil || strings.Contains(n.title, " - ") || !strings.HasSuffix(text[:end], n.title+" - ") {
		return
	}
	s.same.name = append(append(s.same.name[:0], "- "...), text[:end]...)
	s.same.cur, s.same.w = s.cur, w
}

// again counts an assertion that passed, of the same block as the one before.
func (s *scan) again(rest []byte) bool {
	if s.same.w == nil || s.same.cur != s.cur || !bytes.HasPrefix(rest, s.same.name) {
		return false
	}
	what := bytes.TrimPrefix(rest[len(s.same.name):], []byte("response_body - "))
	if bytes.IndexByte(what, '#') >= 0 || bytes.Contains(what, []byte(" - ")) {
		return false
	}
	s.current().Tests++
	s.same.w.ran++
	return true
}
