package bot

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// newNonce returns 128 random bits in hex. It is part of a label that nobody
// can foresee, so that no job but the planned one reaches the piece's runner.
func newNonce() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// digest names a text by content, to see whether a view needs to be written again.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
