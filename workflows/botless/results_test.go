package botless

import (
	"archive/zip"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNobodySpeaksForAnother reads results as artifacts left them: a piece is believed
// under its own name alone.
func TestNobodySpeaksForAnother(t *testing.T) {
	dir := t.TempDir()
	for artifact, piece := range map[string]string{
		"ortest-77-1-p1-1": "77-1/p1/1", "ortest-77-1-p9-1": "77-1/p2/1", "ortest-77-1-p3-1": "77-1/p3/1", "ortest-77-1-p33-1": "77-1/p3/1",
	} {
		if err := os.MkdirAll(filepath.Join(dir, artifact), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{pieceFile: piece + "\n", "000000.json": `{"seq":0}`} {
			if err := os.WriteFile(filepath.Join(dir, artifact, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	came, err := readResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(came)); !slices.Equal(got, []string{"77-1/p1/1", "77-1/p3/1"}) {
		t.Errorf("results are believed of %v, want of p1, and of p3 by its own artifact", got)
	}
}

// TestUnpackIsBounded: what all archives of a run hold together has an end, and 1 byte
// more is refused.
func TestUnpackIsBounded(t *testing.T) {
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	for _, name := range []string{"000000.log", "000001.log"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(strings.Repeat("0", 1000)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		left int64
		good bool
	}{{2000, true}, {1999, false}} {
		left := tt.left
		if err := unpackResults(packed.Bytes(), t.TempDir(), &left); (err == nil) != tt.good {
			t.Errorf("with %d bytes left: %v", tt.left, err)
		}
	}
}
