package valgrind

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// process is what valgrind wrote of one process. A process that was killed
// left no end, and what came before it counts.
type process struct {
	pid, parent string
	findings    []finding
	used        []string // names of the suppressions that matched, of processes that ended
}

// finding is one error in the form of valgrind's text.
type finding struct {
	end  int64 // offset in the XML behind it
	text string
}

// element is any element: protocol versions add some, and the order counts.
type element struct {
	XMLName xml.Name
	Text    string    `xml:",chardata"`
	Inner   []element `xml:",any"`
}

func (e element) child(name string) string {
	for _, c := range e.Inner {
		if c.XMLName.Local == name {
			return strings.TrimSpace(c.Text)
		}
	}
	return ""
}

// parse reads a process as far as it can be read.
func parse(r io.Reader) process {
	var p process
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if err != nil {
			return p
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local == "valgrindoutput" {
			continue
		}
		var e element
		if d.DecodeElement(&e, &start) != nil {
			return p
		}
		switch start.Name.Local {
		case "pid":
			p.pid = number(e.Text)
		case "ppid":
			p.parent = number(e.Text)
		case "error", "fatal_signal":
			p.findings = append(p.findings, finding{d.InputOffset(), p.text(e)})
		case "suppcounts":
			for _, pair := range e.Inner {
				p.used = append(p.used, pair.child("name"))
			}
		}
	}
}

// number keeps what can stand between valgrind's equals signs.
func number(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 10 || strings.Trim(s, "0123456789") != "" {
		return "0"
	}
	return s
}

// text writes an error as valgrind does without XML.
func (p process) text(e element) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
		fmt.Fprintf(&b, "==%s== %s\n", p.pid, text)
	}
	if e.XMLName.Local == "fatal_signal" {
		line("Process terminating with default action of signal %s (%s)", e.child("signo"), e.child("signame"))
		if event := e.child("event"); event != "" {
			if at := e.child("siaddr"); at != "" {
				event += " at address " + at
			}
			line(" %s", event)
		}
	}
	raw := ""
	for _, c := range e.Inner {
		switch c.XMLName.Local {
		case "what":
			line("%s", c.Text)
		case "xwhat":
			line("%s", c.child("text"))
		case "auxwhat":
			line(" %s", c.Text)
		case "xauxwhat":
			line(" %s", c.child("text"))
		case "stack":
			for i, f := range c.Inner {
				line("   %s %s", []string{"at", "by"}[min(i, 1)], frame(f))
			}
		case "suppression":
			raw = strings.Trim(c.child("rawtext"), "\n")
		}
	}
	fmt.Fprintf(&b, "==%s== \n", p.pid)
	if raw != "" {
		b.WriteString(raw + "\n")
	}
	return b.String()
}

// frame writes one frame of a stack.
func frame(e element) string {
	text := e.child("ip") + ": "
	fn := e.child("fn")
	if fn == "" {
		fn = "???"
	}
	text += fn
	switch {
	case e.child("file") != "":
		text += " (" + e.child("file")
		if n := e.child("line"); n != "" {
			text += ":" + n
		}
		text += ")"
	case e.child("obj") != "":
		text += " (in " + e.child("obj") + ")"
	}
	return text
}
