package catalog

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Bounds of a catalog that travels.
const (
	maxPacked   = 4 << 20
	maxUnpacked = 64 << 20
)

// Pack returns all files of the catalog in one piece, so that another machine can
// work with just this revision; Unpack reads it. What is too large for that is an error.
// Nobody changes what it returns.
func (c *Catalog) Pack() ([]byte, error) { return c.packed() }

func (c *Catalog) pack() ([]byte, error) {
	texts := make(map[string]string, len(c.files))
	for name, text := range c.files {
		texts[name] = string(text)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(z).Encode(texts), z.Close()); err != nil {
		return nil, fmt.Errorf("pack catalog %s: %w", c.Revision, err)
	}
	if packed.Len() > maxPacked {
		return nil, fmt.Errorf("catalog %s: %d bytes when packed, at most %d can be handed to a job", c.Revision, packed.Len(), maxPacked)
	}
	return packed.Bytes(), nil
}

// Unpack reads what Pack made, checks it whole as Load does, and returns it only if
// it is the revision that is wanted.
func Unpack(revision string, packed []byte) (*Catalog, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack catalog %s: %w", clip(revision), err)
	}
	var texts map[string]string
	if err := json.NewDecoder(io.LimitReader(z, maxUnpacked)).Decode(&texts); err != nil {
		return nil, fmt.Errorf("unpack catalog %s: %w", clip(revision), err)
	}
	files := make(map[string][]byte, len(texts))
	for name, text := range texts {
		if err := known(name); err != nil {
			return nil, fmt.Errorf("unpack catalog %s: %w", clip(revision), err)
		}
		files[name] = []byte(text)
	}
	c, err := build(files)
	if err != nil {
		return nil, fmt.Errorf("unpack catalog %s:\n%w", clip(revision), err)
	}
	if c.Revision != revision {
		return nil, fmt.Errorf("unpack catalog %s: its files are %s", clip(revision), c.Revision)
	}
	return c, nil
}
