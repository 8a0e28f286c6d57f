package opsboy

import "encoding/binary"

// phrases are what makes a line matter wherever in it they stand.
var phrases = []string{
	"# Looks like you planned ", "./util/build", "HEAD is now at ", "Installing LuaJIT ",
	"LeakTest: ", "Updating ", "WARNING: ", "fatal: not a git repository ",
}

// window is the length of the shortest phrase.
const window = len("WARNING: ")

// leap says, for each two bytes that may end a window of the text, how far the
// window can be moved without passing over a phrase (the search of Wu and
// Manber). 0 means that a phrase may end its first part here.
var leap = func() *[1 << 16]uint8 {
	table := new([1 << 16]uint8)
	for i := range table {
		table[i] = uint8(window - 1)
	}
	for _, s := range phrases {
		for i := 1; i < window; i++ {
			pair := binary.LittleEndian.Uint16([]byte(s[i-1:]))
			table[pair] = min(table[pair], uint8(window-1-i))
		}
	}
	return table
}()

// nextPhrase returns where in b, at or after from, the first phrase starts, or
// len(b).
func nextPhrase(b []byte, from int) int {
	for last := from + window - 1; last < len(b); {
		far := leap[binary.LittleEndian.Uint16(b[last-1:])]
		if far > 0 {
			last += int(far)
			continue
		}
		start := last - window + 1
		for _, s := range phrases {
			if len(b)-start >= len(s) && string(b[start:start+len(s)]) == s {
				return start
			}
		}
		last++
	}
	return len(b)
}
