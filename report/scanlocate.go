package report

import (
	"strconv"
	"strings"
)

// locate fills in the block that a name belongs to and returns what the name
// says beyond it.
func (s *scan) locate(f *Finding, text string) string {
	if s.census != nil {
		f.File = s.census.Path
		if i, what := s.census.find(text); i >= 0 {
			f.at(s.census.Blocks[i], what)
			return what
		}
	}
	n, ok := splitName(text)
	if s.census == nil {
		if f.File == "" || n.file != "" {
			f.File = n.file
		}
		if f.File == "" {
			f.File = s.here()
		}
		if tf := s.tests[f.File]; tf != nil {
			if i, what := tf.find(text); i >= 0 {
				f.at(tf.Blocks[i], what)
				return what
			}
		}
	}
	if !ok {
		return s.spec(f, text)
	}
	f.Block, f.Number = n.title, n.number
	return n.what
}

// at points a finding at a block, and at the section that what is about.
func (f *Finding) at(b Block, what string) {
	f.Block, f.Number, f.Ordinal = b.Title, b.Number, b.Ordinal
	f.Line, f.EndLine = b.lines(what)
}

// spec reads a name of busted's: "spec/a_spec.lua @ 12: it works".
func (s *scan) spec(f *Finding, text string) string {
	path, rest, ok := strings.Cut(text, " @ ")
	digits, what, colon := strings.Cut(rest, ": ")
	n, err := strconv.Atoi(digits)
	if !ok || !colon || err != nil || n < 1 || n > maxLine || s.census != nil || testPath(path) != nil || !strings.HasSuffix(path, ".lua") {
		return text
	}
	f.File, f.Line, f.EndLine = path, n, n
	return what
}

// locateRunning attributes a finding that names no block to the one that was
// running: the last header, or else the last block that TAP named.
func (s *scan) locateRunning(f *Finding) {
	text := s.header
	if text == "" {
		text = s.last
	}
	if text != "" {
		s.locate(f, text)
	}
	if f.File == "" {
		f.File = s.hfile
	}
}

// see counts that a block's name was printed. It returns nil for a text that
// names none.
func (s *scan) see(text string, n name, named bool, count func(*sighting)) *sighting {
	key, path := "", s.here()
	tf := s.census
	if tf == nil {
		if n.file != "" {
			path = n.file
		}
		tf = s.tests[path]
	}
	if tf != nil {
		if i, _ := tf.find(text); i >= 0 {
			key = blockKey(tf.Blocks[i].Number, tf.Blocks[i].Title)
		}
	}
	switch {
	case key != "":
	case s.census != nil || !named:
		return nil
	default:
		key = blockKey(n.number, n.title)
	}
	f := s.file(path)
	if f.seen == nil {
		f.seen = make(map[string]*sighting)
	}
	w := f.seen[key]
	if w == nil {
		if s.blocks == maxSeen {
			s.rec.Dropped++
			return nil
		}
		s.blocks++
		w = new(sighting)
		f.seen[key] = w
	}
	count(w)
	return w
}
