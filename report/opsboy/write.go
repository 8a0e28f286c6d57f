package opsboy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Write ends the parsing and writes what was found as the old tool's JSON, a
// record on a line and keys in order. A byte of a log is a character of
// Latin-1 there, and what was a number in the log is a text.
func (p *Parser) Write(w io.Writer) error {
	p.closeFailure()
	if err := p.judge(); err != nil {
		return err
	}
	out := bufio.NewWriter(w) // keeps its first error for Flush
	fmt.Fprintf(out, "{\"arch\":%s,\n\"date\":%s,\n\"records\":[", quoted(p.arch), quoted(p.date))
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	comma := "\n"
	for _, r := range p.records {
		fmt.Fprint(out, comma)
		comma = ","
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("write record of line %d: %w", r.Line, err)
		}
	}
	fmt.Fprint(out, "]}\n")
	return out.Flush()
}

// quoted is what is known of a whole log; neither its arch nor its date has a
// character that JSON escapes.
func quoted(s *string) string {
	if s == nil {
		return "null"
	}
	return `"` + *s + `"`
}
