package opsboy

import (
	"bytes"
	"slices"
)

// phrase makes a line matter wherever in the line it stands. It is sought by
// the one of its bytes that is the rarest in logs: to pass over all others the
// standard library has a fast loop.
type phrase struct {
	text   string
	rarest int
}

var phrases = []phrase{
	{"WARNING: ", len("WARNIN")},
	{"LeakTest: ", 0},
	{"./util/build", len("./util/")},
	{"# Looks like you planned ", len("# Looks like ")},
	{"=== Installing LuaJIT ", len("=== Installing Lua")},
	{"fatal: not a git repository (", len("fatal: not a git repository ")},
}

// appendPhrases appends where the phrases start in b, in order.
func appendPhrases(found []int, b []byte) []int {
	for _, p := range phrases {
		for from := 0; ; {
			n := bytes.IndexByte(b[from:], p.text[p.rarest])
			if n < 0 {
				break
			}
			start := from + n - p.rarest
			if start >= 0 && len(b)-start >= len(p.text) && string(b[start:start+len(p.text)]) == p.text {
				found = append(found, start)
			}
			from += n + 1
		}
	}
	slices.Sort(found)
	return found
}
