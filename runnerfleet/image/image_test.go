package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packed is a package with the files given.
func packed(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInstallRunner(t *testing.T) {
	const script = "#!/bin/sh\ntouch installed\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		spoil bool
		err   string
	}{
		{"unpacked and installed", map[string]string{"run.sh": "run", "./bin/installdependencies.sh": script}, false, ""},
		{"another checksum", map[string]string{"./bin/installdependencies.sh": script}, true, "it has the SHA-256"},
		{"a file that would lie elsewhere", map[string]string{"../evil": "x"}, false, "unpack actions/runner: ../evil"},
		{"an installer that fails", map[string]string{"bin/installdependencies.sh": "#!/bin/sh\nexit 3\n"}, false, "exit status 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pack := packed(t, tt.files)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pack) }))
			defer srv.Close()
			sum := fmt.Sprintf("%x", sha256.Sum256(pack))
			if tt.spoil {
				sum = strings.Repeat("0", 64)
			}
			dir := filepath.Join(t.TempDir(), "runner")
			err := Package{URL: srv.URL, SHA256: sum}.install(t.Context(), dir, t.Output())
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || tt.err == "" && err != nil {
				t.Fatalf("got %v, want %q", err, tt.err)
			}
			_, installed := os.Stat(filepath.Join(dir, "installed"))
			if (installed == nil) != (tt.err == "") {
				t.Errorf("installed: %v", installed)
			}
			if _, err := os.Stat(filepath.Join(dir, "..", "evil")); err == nil {
				t.Error("a file lies outside")
			}
		})
	}
}

func TestCodename(t *testing.T) {
	if got := codename("NAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=bookworm\n"); got != "bookworm" {
		t.Errorf("got %s", got)
	}
}
