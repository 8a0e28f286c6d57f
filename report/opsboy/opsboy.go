// Package opsboy writes what the old parse-logs of openresty/opsboy writes: for
// tools that were built on its JSON.
//
// It is a translation, not an opinion. Where the old tool has an answer this
// package has the same one, wrong ones included; docs/differences.md lists the
// few places where it has none to copy. What a log really says is for package
// report to tell.
//
// A log is read once, as a stream. A line can only matter if it starts like one
// of a few or holds one of a few phrases (filter.go, phrase.go), which is quick
// to deny; only the others go through the rules (line.go, goal.go, failure.go).
package opsboy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Parser reads logs one after another as the old tool reads its arguments: as
// one long log. The zero value is ready for the first.
type Parser struct {
	line       int     // how many, over all logs
	date, arch *string // the first found
	records    []*record
	rec        *record // of the goal that is being made; nil while something else is
	versions   versions
	test       *string // the last block header, of whichever goal
	samples    []byte  // of the last leak test, of whichever goal
	open       failing
	texts      texts
	phrases    []int // where in the lines at hand
}

const (
	// chunk is how much is read at once: it stays in the cache of a core.
	chunk = 128 << 10
	// longest is how much of a line is looked at, and of details kept.
	longest = 1 << 20
)

// Parse reads one log to its end. A line that the log's end cuts off counts as
// a line; of one longer than 1 MiB the rest is passed over.
func (p *Parser) Parse(log io.Reader) error {
	buf := make([]byte, chunk)
	kept := 0         // bytes of an unfinished line at the start of buf
	overlong := false // the line that goes on was too long
	for {
		n, err := log.Read(buf[kept:])
		b := buf[:kept+n]
		if overlong {
			b, overlong = restOfLine(b)
		}
		// What was kept has no newline in it.
		if whole := bytes.LastIndexByte(b[min(kept, len(b)):], '\n') + 1; whole > 0 {
			p.lines(b[:kept+whole])
			b = b[kept+whole:]
		}
		if len(b) == longest {
			p.lines(b)
			b, overlong = nil, true
		}
		if len(b) == len(buf) {
			buf = make([]byte, min(2*len(buf), longest))
		}
		kept = copy(buf, b)
		if errors.Is(err, io.EOF) {
			p.lines(buf[:kept])
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
	}
}

// restOfLine cuts from b what still belongs to a line that was too long, and
// tells whether the line goes on.
func restOfLine(b []byte) (rest []byte, goesOn bool) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return nil, true
	}
	return b[end+1:], false
}
