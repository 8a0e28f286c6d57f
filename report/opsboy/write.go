package opsboy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// Write ends the parsing and writes what was found as the old tool's JSON, a
// record on a line and keys in order, in ASCII. A byte of a log is a character of
// Latin-1 there, and what was a number in the log is a text.
func (p *Parser) Write(w io.Writer) error {
	p.closeFailure()
	if err := p.judge(); err != nil {
		return err
	}
	out := bufio.NewWriter(w) // keeps its first error for Flush
	fmt.Fprintf(out, "{\"arch\":%s,\n\"date\":%s,\n\"records\":[", quoted(p.arch), quoted(p.date))
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	comma := "\n"
	for _, r := range p.records {
		fmt.Fprint(out, comma)
		comma = ","
		line.Reset()
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("write record of line %d: %w", r.Line, err)
		}
		writeASCII(out, line.Bytes())
	}
	fmt.Fprint(out, "]}\n")
	return out.Flush()
}

// writeASCII writes JSON with all but ASCII escaped: the old tools do not expect
// UTF-8.
func writeASCII(out *bufio.Writer, b []byte) {
	for len(b) > 0 {
		n := bytes.IndexFunc(b, func(r rune) bool { return r >= utf8.RuneSelf })
		if n < 0 {
			n = len(b)
		}
		fmt.Fprintf(out, "%s", b[:n])
		if b = b[n:]; len(b) > 0 {
			r, size := utf8.DecodeRune(b)
			fmt.Fprintf(out, "\\u%04x", r)
			b = b[size:]
		}
	}
}

// quoted is what is known of a whole log; neither its arch nor its date has a
// character that JSON escapes.
func quoted(s *string) string {
	if s == nil {
		return "null"
	}
	return `"` + *s + `"`
}
