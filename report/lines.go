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
	plain bool  // neither ":" nor NUL is in it, nor is it too long, as in most lines of a build and in hardly any that matters
}

// lineReader reads lines in memory that does not grow with them.
type lineReader struct {
	r     io.Reader
	buf   []byte
	start int
	end   int
	stop  int   // between start and here are no ':' and no NUL
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
	i := bytes.IndexByte(lr.buf[lr.start:lr.end], '\n')
	if i < 0 {
		return lr.more()
	}
	return lr.take(i, true), true
}

// more returns a line whose end is not in the buffer yet.
func (lr *lineReader) more() (line, bool) {
	for {
		scanned := lr.end - lr.start
		if scanned >= len(lr.buf)-maxText/2 {
			l := lr.take(scanned, false)
			l.b = bytes.Clone(l.b)
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
		if i := bytes.IndexByte(lr.buf[lr.start+scanned:lr.end], '\n'); i >= 0 {
			return lr.take(scanned+i, true), true
		}
	}
}

// take removes n bytes and their newline from the buffer.
func (lr *lineReader) take(n int, whole bool) line {
	start := lr.start
	end := start + n
	if lr.stop < start {
		lr.seek(start)
	}
	l := line{b: lr.buf[start:end], off: lr.off, n: lr.n + 1, whole: whole, plain: lr.stop >= end && n < maxText}
	if n > 0 && l.b[n-1] == '\r' || n > maxText {
		l.b = bytes.TrimSuffix(l.b[:min(n, maxText)], []byte("\r"))
	}
	if whole {
		end++
	}
	lr.n, lr.start, lr.off = l.n, end, lr.off+int64(end-start)
	return l
}

// seek finds the next ':' or NUL, once for all the lines before it.
func (lr *lineReader) seek(start int) {
	lr.stop = lr.end
	for _, c := range []byte{':', 0} {
		if i := bytes.IndexByte(lr.buf[start:lr.stop], c); i >= 0 {
			lr.stop = start + i
		}
	}
}

// discard reads on to the end of a line that is too long.
func (lr *lineReader) discard() {
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
	lr.stop = -1
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
