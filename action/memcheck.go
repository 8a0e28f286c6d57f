package action

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ortest/ortest/action/valgrind"
	"github.com/ortest/ortest/report"
)

// memcheck has valgrind tell in XML what it finds, and remembers which of the
// project's suppressions were of use.
type memcheck struct {
	dir    string // folders for the XML are made in it; "": valgrind's text is left as it comes
	blocks map[string][]string
	all    []suppression

	mu    sync.Mutex
	used  map[string]bool
	files map[string]bool // that were tested
}

// suppression is one of the project's file.
type suppression struct {
	name string
	line int
}

// suppressFile is where Test::Nginx looks for them.
const suppressFile = "valgrind.suppress"

// memchecked asks for XML where valgrind runs servers. The suites of commands and
// libraries read themselves what valgrind prints, so theirs stays text.
func (r *run) memchecked(context.Context) error {
	if !r.cfg.Mode.Valgrind || !r.uses("nginx") || r.whole() != nil {
		return nil
	}
	m := &r.memcheck
	m.dir, m.blocks, m.used, m.files = r.tmp, map[string][]string{}, map[string]bool{}, map[string]bool{}
	for _, f := range r.result.Manifest.Files {
		for _, b := range f.Blocks {
			name := b.Title
			if b.Number > 0 {
				name = fmt.Sprintf("TEST %d: %s", b.Number, b.Title)
			}
			m.blocks[f.Path] = append(m.blocks[f.Path], name)
		}
	}
	root, err := os.OpenRoot(r.src)
	if err != nil {
		return fmt.Errorf("read suppressions: %w", err)
	}
	defer root.Close()
	text := r.source(root, suppressFile)
	if text == nil {
		return nil
	}
	var named []byte
	m.all, named = nameApart(text)
	if r.cfg.Only != "" {
		m.all = nil // what the others need is not seen
	}
	if bytes.Equal(text, named) {
		return nil
	}
	if err := root.WriteFile(suppressFile, named, 0o644); err != nil {
		return fmt.Errorf("name suppressions: %w", err)
	}
	return nil
}

// nameApart gives each suppression a name of its own: valgrind counts by name, and
// most were pasted with the name that valgrind itself proposes.
func nameApart(text []byte) (all []suppression, named []byte) {
	seen := map[string]bool{}
	n, opened := 0, false
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		n++
		switch word := string(bytes.TrimSpace(line)); {
		case word == "{":
			opened = true
		case opened && word != "" && word[0] != '#':
			opened = false
			if seen[word] {
				word = fmt.Sprintf("%s (line %d)", word, n)
				line = []byte("   " + word + "\n")
			}
			seen[word] = true
			all = append(all, suppression{word, n})
		}
		out.Write(line)
	}
	return all, out.Bytes()
}

// test runs a test file and puts valgrind's findings into its log.
func (m *memcheck) test(ctx context.Context, run func(context.Context, command, io.Writer) (outcome, error), c command, log io.Writer) (outcome, error) {
	dir, err := os.MkdirTemp(m.dir, "valgrind-")
	if err != nil {
		return outcome{}, fmt.Errorf("make folder for valgrind: %w", err)
	}
	defer os.RemoveAll(dir)
	// In a lane it is memory of the lane, which can be found by a descriptor only.
	xml := filepath.Join(dir, "xml")
	if err := os.Mkdir(xml, 0o700); err != nil {
		return outcome{}, fmt.Errorf("make folder for valgrind: %w", err)
	}
	var inLane *os.File
	var broken error
	c.shared = func(f *os.File) {
		inLane = f
		// Without the link nothing of valgrind would be read.
		broken = errors.Join(os.Remove(xml), os.Symlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), xml))
	}
	held := valgrind.NewLog(xml, m.blocks[c.file])
	c.env, c.share = valgrind.Env(c.env, xml), xml
	got, err := run(ctx, c, held)
	if inLane != nil {
		defer inLane.Close()
		got.unread = full(inLane)
	}
	used, whole, unsaid := held.Finish(log)
	got.unread = got.unread || !whole
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[c.file] = true
	for _, name := range used {
		m.used[name] = true
	}
	return got, errors.Join(err, broken, unsaid)
}

// full tells whether no more can be written where a folder lies.
func full(dir *os.File) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(int(dir.Fd()), &st) == nil && (st.Bavail == 0 || st.Ffree == 0)
}

// maxUnused bounds how many suppressions a line names.
const maxUnused = 20

// unused says which of the suppressions matched nothing. It can be said only
// when all files of the goal were tested here.
func (m *memcheck) unused(all report.Manifest) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.all) == 0 || len(all.Others) > 0 || len(m.files) < len(all.Files) {
		return ""
	}
	var lines []string
	for _, s := range m.all {
		if !m.used[s.name] {
			lines = append(lines, fmt.Sprint(s.line))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	n := len(lines)
	if n > maxUnused {
		lines = append(lines[:maxUnused], "…")
	}
	return fmt.Sprintf("ortest: warning: %d of %d suppressions of %s matched nothing: lines %s\n", n, len(m.all), suppressFile, strings.Join(lines, ", "))
}
