package opsboy

import (
	"bytes"
	"regexp"
	"strings"
)

// rule is one kind of line that the old tool knows. Its pattern is tried only
// on a line that has its mark, since that is cheap to see.
type rule struct {
	mark    []byte
	first   bool // the mark stands first in the line
	pattern *regexp.Regexp
}

// in returns what the rule's groups hold in the line, the whole match first, or
// nil if the line is not of its kind.
func (r rule) in(line []byte) [][]byte {
	if r.first && bytes.HasPrefix(line, r.mark) || !r.first && bytes.Contains(line, r.mark) {
		return r.pattern.FindSubmatch(line)
	}
	return nil
}

// starts makes the rule of a line that starts with mark, has that of one that
// holds it somewhere.
func starts(mark, rest string) rule {
	return rule{[]byte(mark), true, perl("^" + regexp.QuoteMeta(mark) + rest)}
}

func has(mark, pattern string) rule { return rule{[]byte(mark), false, perl(pattern)} }

// perl compiles a pattern to match what Perl would in a string of bytes.
func perl(pattern string) *regexp.Regexp {
	return regexp.MustCompile(strings.NewReplacer(`\S`, `[^\t-\r ]`, `\s`, `[\t-\r ]`).Replace(pattern))
}

var (
	luajitUpdated  = has("Updating ", `Updating [a-f0-9]+\.\.([a-f0-9]+)`)
	luajitHead     = has("HEAD is now at ", `HEAD is now at ([a-f0-9]+)`)
	luajitVersion  = has("=== Installing LuaJIT ", `=== Installing LuaJIT (\d+\S+)`)
	opensslVersion = starts("built with OpenSSL ", `(\d+\.\d+\.\d+.*)`)
	dated          = has("-", `^(?:DATE )?(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})$`)
	archI386       = has("i386", `^(?:ARCH )?Linux .*\bi386\b`)
	archAMD64      = has("x86_64", `^(?:ARCH )?Linux .*\bx86_64\b`)

	goalName     = starts("t", `([rvwhlo]*)-(resty-cli|sregex|(?:ngx_|lua-)[-_A-Za-z0-9]+)$`)
	commit       = starts("commit ", `([0-9a-f]+)$`)
	commitDate   = has("Date:", `Date:\s+([A-Z][a-z]{2} [A-Z][a-z]{2} \d+ .*)`)
	nginxError   = starts("nginx: [", `(?:emerg|alert|error)\] `)
	compiler     = has(": error: ", `^/home/\S+?\w+\.c:\d+:\d+: error: .*`)
	shell        = starts("sh: -c: line ", `\d+: .*error`)
	warning      = has("WARNING: ", `\bWARNING: (.+)`)
	built        = has("./util/build", `\./util/build2?\.sh (\d+\.\d+\.\d+)\b`)
	leakSlope    = has("LeakTest: k=", `LeakTest: k=(\d+(?:\.\d+)?)`)
	bailout      = starts("Bailout called.", `\s*`)
	planned      = has("# Looks like you planned ", `# Looks like you planned \d+ tests? but ran \d+\.`)
	totals       = starts("Files=", `(\d+),\s+Tests=(\d+),\s+(\d+)\s+wallclock secs`)
	valgrind     = starts("==", `\d+==\s+`)
	valgrindMore = starts("==", `\d+== `)
	processGone  = has("the nginx process ", `the nginx process \d+ is gone`)
	failedOf     = has("Looks like you failed ", `^\s*Looks like you failed \d+ tests of \d+\.\s*$`)
)

// header returns the block that a line names, as prove's diagnostics or
// Test::Nginx start it: with its file or without.
func header(line []byte) (block []byte, ok bool) {
	if block, ok = headerOfFile(line); ok {
		return block, true
	}
	return line, isBlock(line)
}

func headerOfFile(line []byte) (block []byte, ok bool) {
	n := 0
	for n < len(line) && inPath[line[n]] {
		n++
	}
	if n == 0 || len(line) <= n+2 || line[n] != '.' || line[n+1] != 't' || !isSpace(line[n+2]) {
		return nil, false
	}
	return line[n+3:], isBlock(line[n+3:])
}

// inPath holds the bytes of a test file's path, but for its extension.
var inPath = func() (table [256]bool) {
	for c := range table {
		table[c] = c == '-' || c == '/' || isWord(byte(c))
	}
	return table
}()

func isBlock(b []byte) bool {
	b, ok := bytes.CutPrefix(b, []byte("TEST "))
	n := digits(b)
	return ok && n > 0 && bytes.HasPrefix(b[n:], []byte(": "))
}

// digits returns how many digits b starts with.
func digits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// after returns what follows the prefix of a line.
func after(prefix string, line []byte) (rest []byte, ok bool) {
	if len(line) < len(prefix) || string(line[:len(prefix)]) != prefix {
		return nil, false
	}
	return line[len(prefix):], true
}

// spaces are Perl's, in a string of bytes.
const spaces = "\t\n\v\f\r "

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
