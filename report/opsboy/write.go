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
	out := bufio.NewWriter(w)
	if err := p.write(out); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return out.Flush()
}

func (p *Parser) write(out *bufio.Writer) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, part := range []struct {
		key  string
		text *string
	}{{"{\"arch\":", p.arch}, {",\"date\":", p.date}} {
		out.WriteString(part.key)
		if err := e.Encode(part.text); err != nil {
			return err
		}
	}
	out.WriteString(",\"records\":[\n")
	for i, r := range p.records {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	_, err := out.WriteString("]}\n")
	return err
}
