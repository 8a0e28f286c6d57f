package opsboy

import "unicode/utf8"

// texts keeps each text once: the failures of a goal, and those of its modes,
// are often the same.
type texts map[string]*string

// known is how many texts are remembered, so that a long log of ever new ones
// costs no more than they do.
const known = 1 << 12

// keep returns what b says, as the old tool's JSON says it: each byte as a
// character of Latin-1.
func (t *texts) keep(b []byte) *string {
	if s, ok := (*t)[string(b)]; ok {
		return s
	}
	if *t == nil || len(*t) >= known {
		*t = make(texts)
	}
	s := latin1(b)
	(*t)[string(b)] = &s
	return &s
}

func latin1(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}

// same tells whether two texts are equal, or both missing.
func same(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// or returns what s says, or nothing.
func or(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
