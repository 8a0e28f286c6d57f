package report

import "bytes"

// always, in attention, says that any line with that first byte may matter.
const always = 1

// attention tells which lines without a ':' may matter: by their first byte, and
// by their second unless it is always. All others do not, but for prove's file lines.
var attention = [256]byte{
	'#': always, '<': always, '=': always, '{': always, '}': always, '1': '.',
	'A': always, 'B': always, 'D': always, 'F': always, 'H': 'E', 'I': always, 'N': 'o', 'P': 'r', 'S': 'e', 'T': 'e',
	'b': 'u', 'c': 'o', 'd': 'o', 'f': 'a', 'm': 'a', 'n': 'o', 'o': 'k',
}

// skim passes over whole lines in the buffer that cannot matter to a scan that
// is idle. Nearly all of a build's are of that kind, and a log
// is mostly builds.
func (lr *lineReader) skim() {
	buf := lr.buf[:lr.end]
	start, n := lr.start, lr.n
	for start < len(buf) {
		b := buf[start:]
		if attention[b[0]] == always {
			break
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		if lr.stop < start {
			lr.seek(start)
		}
		if i >= maxText || lr.stop < start+i || i > 1 && attention[b[0]] == b[1] || fileLine(b[:i]) {
			break
		}
		start += i + 1
		n++
	}
	lr.off += int64(start - lr.start)
	lr.start, lr.n = start, n
}

// fileLine reports whether a line may be prove's about a file: "t/a.t .. ok".
// Those with a time before the path hold a ':'.
func fileLine(b []byte) bool {
	i := bytes.IndexByte(b, ' ')
	return i > 0 && i+2 < len(b) && b[i+1] == '.' && b[i+2] == '.'
}
