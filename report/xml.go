package report

import (
	"bytes"
	"html"
	"strings"
)

// xmlError is an <error> or a <fatal_signal> of valgrind's XML that is being
// read. It is read line by line, since a process that was killed leaves no end.
type xmlError struct {
	c     capture
	end   string // the tag that closes it
	frame map[string]string
}

// openXML begins at the tag of an error. All else in valgrind's XML is no finding.
func (s *scan) openXML(l line) {
	tag := string(bytes.TrimSpace(l.b))
	x := &xmlError{c: capture{f: Finding{Kind: kindMemcheck, Offset: l.off}}}
	switch tag {
	case "<error>":
		x.end = "</error>"
	case "<fatal_signal>":
		x.end, x.c.f.Kind = "</fatal_signal>", kindCrash
	default:
		return
	}
	s.closeOpen()
	s.rec.Proving = true
	s.locateRunning(&x.c.f)
	s.xml = x
}

// insideXML takes the lines of the error that is open: each begins with a tag.
func (s *scan) insideXML(l line) bool {
	b := bytes.TrimSpace(l.b)
	if len(b) == 0 {
		return true
	}
	if b[0] != '<' {
		s.closeXML()
		return false
	}
	if string(b) == s.xml.end {
		s.closeXML()
		return true
	}
	tag, text, _ := bytes.Cut(b[1:], []byte(">"))
	text, _, _ = bytes.Cut(text, []byte("</"))
	s.xml.take(string(tag), html.UnescapeString(s.text(text)))
	return true
}

// take reads one tag and its text.
func (x *xmlError) take(tag, text string) {
	switch tag {
	case "what", "text", "event":
		if x.c.f.Name == "" {
			x.c.f.Name = reLoss.ReplaceAllString(text, "")
		}
		x.c.write([]byte(text))
	case "signame":
		x.c.f.Name = "Process terminating with default action of signal " + text
	case "auxwhat":
		x.c.write([]byte(text))
	case "frame":
		x.frame = make(map[string]string)
	case "ip", "fn", "file", "line", "obj":
		if x.frame != nil {
			x.frame[tag] = clip(text, maxPath)
		}
	case "/frame":
		x.c.write([]byte(x.place()))
		x.frame = nil
	}
}

// place writes a frame as valgrind's text does.
func (x *xmlError) place() string {
	f := x.frame
	var b strings.Builder
	b.WriteString("   at " + f["ip"] + ": ")
	if f["fn"] == "" {
		b.WriteString("???")
	}
	b.WriteString(f["fn"])
	switch {
	case f["file"] != "":
		b.WriteString(" (" + f["file"] + ":" + f["line"] + ")")
	case f["obj"] != "":
		b.WriteString(" (in " + f["obj"] + ")")
	}
	return b.String()
}

func (s *scan) closeXML() {
	if x := s.xml; x != nil {
		s.xml = nil
		x.c.f.Detail = x.c.detail.String()
		x.c.f.what = frames(x.c.f.Detail)
		s.add(x.c.f)
	}
}
