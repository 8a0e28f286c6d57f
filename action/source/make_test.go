package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhoHasToWaitHearsForWhom asks for what another store is making.
func TestWhoHasToWaitHearsForWhom(t *testing.T) {
	dir := t.TempDir()
	first := &Store{Dir: dir}
	var said bytes.Buffer
	second := &Store{Dir: dir, Log: &said}
	defer func() { _ = errors.Join(first.Close(), second.Close()) }()
	_, err := first.Keep(t.Context(), "src", "x", func(string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := second.Keep(ctx, "src", "x", func(string) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who may wait no longer gets %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "ortest: waits for another process, which makes " + filepath.Join(dir, "src", "x") + "\n"; said.String() != want {
		t.Errorf("said %q, want %q", said.String(), want)
	}
	if _, err := second.Keep(t.Context(), "src", "x", func(string) error { return errors.New("made again") }); err != nil {
		t.Error(err)
	}
}

func TestHolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := Holders(path); got != "another process" {
		t.Errorf("this process is told as %q", got)
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if got, want := Holders(path), fmt.Sprintf("process %d (of ", cmd.Process.Pid); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q…", got, want)
	}
}

func TestKept(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	defer func() { _ = s.Close() }()
	began := time.Now().Add(-time.Second)
	dir, err := s.Keep(t.Context(), "project", "x", func(tmp string) error { return os.WriteFile(filepath.Join(tmp, "a"), nil, 0o644) })
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		build string
		since time.Time
		want  string
	}{
		{"what nobody made", "y", time.Time{}, ""},
		{"whenever it was made", "x", time.Time{}, dir},
		{"what was made since", "x", began, dir},
		{"at that very moment", "x", made.ModTime(), dir},
		{"an older one that somebody uses is passed by", "x", made.ModTime().Add(1), ""},
	} {
		if got, err := s.Kept("project", tt.build, tt.since); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("what was in use is gone: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Kept("project", "x", time.Now().Add(time.Hour)); got != "" || err != nil {
		t.Errorf("an older one: %q, %v", got, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an older one stays: %v", err)
	}
}
