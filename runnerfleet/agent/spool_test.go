package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/runnerfleet"
)

func TestSpool(t *testing.T) {
	const logLimit = runnerfleet.MaxLog - 200
	write := func(t *testing.T, dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sparse := func(t *testing.T, dir, name string, size int64) {
		t.Helper()
		write(t, dir, name, "")
		if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		fill func(t *testing.T, dir string)
		ok   bool
		err  error
		logs int    // length of the log
		tail string // of the log
	}{
		{"nothing yet", func(*testing.T, string) {}, false, nil, 0, ""},
		{"a log without its entry is not there yet", func(t *testing.T, d string) { write(t, d, "000000.log", "x") }, false, nil, 0, ""},
		{"a later entry waits for the first", func(t *testing.T, d string) { write(t, d, "000001.json", "{}") }, false, nil, 0, ""},
		{"an entry and its log", func(t *testing.T, d string) {
			write(t, d, "000000.log", "x\x00")
			write(t, d, "000000.json", "{}")
		}, true, nil, 2, "x\x00"},
		{"an entry without a log", func(t *testing.T, d string) { write(t, d, "000000.json", "{}") }, true, nil, 0, ""},
		{"a log at the bound is whole", func(t *testing.T, d string) {
			sparse(t, d, "000000.log", logLimit)
			write(t, d, "000000.json", "{}")
		}, true, nil, logLimit, "\x00"},
		{"a log above the bound is cut, and says so", func(t *testing.T, d string) {
			sparse(t, d, "000000.log", logLimit+1)
			write(t, d, "000000.json", "{}")
		}, true, nil, 0, "log cut here, after 33554232 of 33554233 bytes\n"},
		{"an entry at the bound", func(t *testing.T, d string) { sparse(t, d, "000000.json", runnerfleet.MaxMeta) }, true, nil, 0, ""},
		{"an entry above the bound", func(t *testing.T, d string) { sparse(t, d, "000000.json", runnerfleet.MaxMeta+1) }, true, errTooLong, 0, ""},
		{"a directory", func(t *testing.T, d string) {
			if err := os.Mkdir(filepath.Join(d, "000000.json"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, true, errNotRegular, 0, ""},
		{"a pipe does not hold the agent up", func(t *testing.T, d string) {
			if err := unix.Mkfifo(filepath.Join(d, "000000.json"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true, errNotRegular, 0, ""},
		{"a link within the spool is a link too", func(t *testing.T, d string) {
			write(t, d, "x", "{}")
			if err := os.Symlink("x", filepath.Join(d, "000000.json")); err != nil {
				t.Fatal(err)
			}
		}, true, errNotRegular, 0, ""},
		{"a hard link may be somebody else's file", func(t *testing.T, d string) {
			write(t, d, "x", "{}")
			if err := os.Link(filepath.Join(d, "x"), filepath.Join(d, "000000.json")); err != nil {
				t.Fatal(err)
			}
		}, true, errNotRegular, 0, ""},
		{"a log that is a link spoils its entry", func(t *testing.T, d string) {
			write(t, d, "000000.json", "{}")
			if err := os.Symlink("/etc/hostname", filepath.Join(d, "000000.log")); err != nil {
				t.Fatal(err)
			}
		}, true, errNotRegular, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := openSpool(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			tt.fill(t, dir)
			e, ok, err := s.peek()
			if ok != tt.ok || !errors.Is(err, tt.err) {
				t.Fatalf("peek = %v, %v; want %v, %v", ok, err, tt.ok, tt.err)
			}
			if tt.logs != 0 && len(e.log) != tt.logs || !strings.HasSuffix(string(e.log), tt.tail) || len(e.log) > runnerfleet.MaxLog {
				t.Errorf("log has %d bytes, want %d ending in %q", len(e.log), tt.logs, tt.tail)
			}
		})
	}
}

func TestFromEnv(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	env := []string{
		"PATH=/bin", "ORTEST_INSTANCE=i", "ORTEST_AGENT_URL=http://x", "ORTEST_AGENT_TOKEN_FILE=" + file,
		"ORTEST_AGENT_DIR=/d", "ORTEST_AGENT_DEADLINE=2026-01-02T15:00:00Z",
	}
	if _, err := FromEnv(env); err == nil {
		t.Error("accepted without a token")
	}
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(env); i++ {
		without := append(append([]string{}, env[:i]...), env[i+1:]...)
		if _, err := FromEnv(without); err == nil {
			t.Errorf("accepted without %s", env[i])
		}
	}
	c, err := FromEnv(env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Instance != "i" || c.URL != "http://x" || c.Token != "secret" || c.Dir != "/d" ||
		!c.Deadline.Equal(time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", c)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the token's file is still there")
	}
}
