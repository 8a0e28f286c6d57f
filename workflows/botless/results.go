package botless

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Bounds of what the results of a run may be: they come from jobs that ran a
// stranger's code.
const (
	maxArtifact  = 256 << 20 // bytes of one, packed
	maxEntry     = 64 << 20  // bytes of one file that it holds
	maxUnpacked  = 4 << 30   // bytes of all that all hold
	maxArtifacts = 3 * maxMatrix
)

var (
	artifactForm = regexp.MustCompile(`^ortest-[a-z0-9-]{1,80}$`)
	resultName   = regexp.MustCompile(`^([0-9]{6}\.(json|log)|piece\.txt)$`)
)

// results keeps or fetches the results of pieces.
func (j Job) results(ctx context.Context) error {
	store, err := newArtifacts()
	if err != nil {
		return err
	}
	switch command := os.Getenv("INPUT_COMMAND"); command {
	case "put":
		dir, err := jobFolder("ORTEST_SPOOL", "ortest-spool")
		if err != nil {
			return err
		}
		name := cmp.Or(os.Getenv("INPUT_NAME"), artifactOf(dir))
		if !artifactForm.MatchString(name) {
			return usage(fmt.Errorf("INPUT_NAME: %q is not of the form %s", name, artifactForm))
		}
		packed, n, err := packResults(dir)
		if err != nil {
			return err
		}
		fmt.Fprintf(j.Stdout, "%s: %d files, %d bytes\n", name, n, len(packed))
		return store.put(ctx, name, packed)
	case "get":
		dir, err := jobFolder("ORTEST_RESULTS", "ortest-results")
		if err != nil {
			return err
		}
		n, err := store.get(ctx, dir)
		fmt.Fprintf(j.Stdout, "%d results\n", n)
		return err
	default:
		return usage(fmt.Errorf("INPUT_COMMAND: %q is neither put nor get", command))
	}
}

// artifactName is what a piece's artifact is called.
func artifactName(piece string) string { return "ortest-" + strings.ReplaceAll(piece, "/", "-") }

// artifactOf makes an artifact's name of the piece whose results lie in a directory.
func artifactOf(dir string) string {
	id, err := os.ReadFile(filepath.Join(dir, pieceFile))
	if err != nil {
		return ""
	}
	return artifactName(strings.TrimSpace(string(id)))
}

// packResults makes a zip file of a spool.
func packResults(dir string) ([]byte, int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, fmt.Errorf("read results: %w", err)
	}
	var packed bytes.Buffer
	z, n := zip.NewWriter(&packed), 0
	for _, e := range entries {
		if !e.Type().IsRegular() || !resultName.MatchString(e.Name()) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, 0, fmt.Errorf("read results: %w", err)
		}
		w, err := z.Create(e.Name())
		if err == nil {
			_, err = w.Write(raw)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("pack results: %w", err)
		}
		n++
	}
	if err := z.Close(); err != nil {
		return nil, 0, fmt.Errorf("pack results: %w", err)
	}
	return packed.Bytes(), n, nil
}

// unpackResults writes the entries of a piece, and nothing else that an archive may
// hold. Of left, the bytes that may still be written, it takes what they have.
func unpackResults(packed []byte, dir string, left *int64) error {
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return fmt.Errorf("unpack results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range z.File {
		if !resultName.MatchString(f.Name) || !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return fmt.Errorf("unpack results: %w", err)
		}
		raw, err := io.ReadAll(io.LimitReader(r, min(*left, maxEntry)+1))
		if err := errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("unpack results: %w", err)
		}
		if *left -= int64(len(raw)); *left < 0 || len(raw) > maxEntry {
			return fmt.Errorf("unpack results: %s is too long, or all results together are", f.Name)
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}
