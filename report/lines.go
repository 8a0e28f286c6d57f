package report

import (
	"bytes"
	"errors"
	"io"
)

// maxText is how much of one line is looked at. A longer one is read to its
// end in bounded memory.
const maxText = 64 << 10

// A line is one line of a log without its ending. b is valid until the next
// line is read.
type line struct {
	b     []byte
	off   int64 // of its first byte in the log
	n     int   // from 1
	whole bool  // its newline was there
}

// lineReader reads lines in memory that does not grow with them.
type lineReader struct {
	r     io.Reader
	buf   []byte
	start int
	end   int
	off   int64 // of buf[start]
	n     int
	err   error
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: r, buf: make([]byte, 256<<10)}
}

// next returns the next line, or false at the end or when reading failed;
// failed tells which.
func (lr *lineReader) next() (line, bool) {
	scanned := 0
	for {
		if i := bytes.IndexByte(lr.buf[lr.start+scanned:lr.end], '\n'); i >= 0 {
			return lr.take(scanned+i, true), true
		}
		scanned = lr.end - lr.start
		if scanned >= len(lr.buf)-maxText/2 {
			l := lr.take(scanned, false)
			lr.discard()
			return l, true
		}
		if lr.err != nil {
			if scanned == 0 {
				return line{}, false
			}
			return lr.take(scanned, false), true
		}
		lr.fill()
	}
}

// take removes n bytes and their newline from the buffer.
func (lr *lineReader) take(n int, whole bool) line {
	b := lr.buf[lr.start : lr.start+n]
	lr.n++
	l := line{b: bytes.TrimSuffix(b[:min(n, maxText)], []byte("\r")), off: lr.off, n: lr.n, whole: whole}
	if whole {
		n++
	}
	lr.start += n
	lr.off += int64(n)
	return l
}

// discard reads on to the end of a line that is too long.
func (lr *lineReader) discard() {
	keep := lr.buf
	lr.buf = make([]byte, len(keep))
	for lr.err == nil {
		lr.start, lr.end = 0, 0
		lr.fill()
		if i := bytes.IndexByte(lr.buf[:lr.end], '\n'); i >= 0 {
			lr.start = i + 1
			lr.off += int64(i + 1)
			return
		}
		lr.off += int64(lr.end)
	}
	lr.start, lr.end = 0, 0
}

func (lr *lineReader) fill() {
	if lr.start > 0 {
		lr.end = copy(lr.buf, lr.buf[lr.start:lr.end])
		lr.start = 0
	}
	n, err := lr.r.Read(lr.buf[lr.end:])
	lr.end += n
	if err != nil {
		lr.err = err
	} else if n == 0 {
		lr.err = io.ErrNoProgress
	}
}

// failed returns what ended the log before its end, or nil.
func (lr *lineReader) failed() error {
	if lr.err == nil || errors.Is(lr.err, io.EOF) {
		return nil
	}
	return lr.err
}
