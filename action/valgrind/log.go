// Package valgrind tells of which block each of valgrind's findings is.
//
// On the console the findings of several processes run into each other, their
// suppressions name no process at all, and what a process says when it ends
// comes after the name of the next block. So valgrind is asked for XML, which it
// writes into a file for each process, and what it would have printed is put
// into the log here, below the name of the block that the process served: the
// log looks as ever, and whoever reads it finds each report whole.
package valgrind

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Env adds to an environment what makes valgrind write XML into a folder. It
// comes by the environment, since the suites themselves call valgrind; and the
// folder in a variable of its own, since options end at a blank. -s counts the
// suppressions.
func Env(env []string, dir string) []string {
	options := "-s --xml=yes --xml-file=%q{ORTEST_VALGRIND}/%p.xml"
	for _, kv := range env {
		if own, ok := strings.CutPrefix(kv, "VALGRIND_OPTS="); ok {
			options = own + " " + options
		}
	}
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, "VALGRIND_OPTS=") })
	return append(env, "VALGRIND_OPTS="+options, "ORTEST_VALGRIND="+dir)
}

const (
	maxFile  = 4 << 20  // bytes that are read of a process
	maxTotal = 16 << 20 // and of all of them
)

// Log holds the log of a test file back until its end.
//
// It looks at the folder whenever a block is named: in the order of the names
// and the processes lies which belongs to which. A name stands alone before a
// server starts or after it was told to reload, and again with each assertion.
// So a process belongs to the block that is named next after it began. A server
// that lives through several blocks is different: what it says belongs to the
// name that stood before, and its workers serve one block each.
type Log struct {
	dir     string
	names   []string
	text    []byte
	line    int // where the last line that has not ended begins
	headers []header
	born    map[string]int // of a process's file: the header of its block
	order   []string       // the files as they were first seen
}

// header is where a block's name stands alone in a line.
type header struct {
	name string
	end  int              // offset in the log behind the line
	size map[string]int64 // of each file when the line was read
}

// NewLog holds back the log of a test whose blocks have these names, while
// valgrind writes into dir.
func NewLog(dir string, names []string) *Log {
	return &Log{dir: dir, names: names, born: map[string]int{}}
}

// Write never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	for {
		i := bytes.IndexByte(l.text[l.line:], '\n')
		if i < 0 {
			return len(p), nil
		}
		line := string(l.text[l.line : l.line+i])
		l.line += i + 1
		l.read(line)
	}
}

var reAssertion = regexp.MustCompile(`^(?:not )?ok [0-9]+ - `)

func (l *Log) read(line string) {
	rest := line[len(reAssertion.FindString(line)):]
	switch {
	case rest == line && l.named(line):
		l.headers = append(l.headers, header{line, l.line, l.look(len(l.headers))})
	case rest != line:
		l.look(len(l.headers) - 1)
	}
}

// named reports whether a line is a block's name; the test file's path may
// stand before it.
func (l *Log) named(line string) bool {
	_, name, ok := strings.Cut(line, ".t ")
	return slices.Contains(l.names, line) || ok && slices.Contains(l.names, name)
}

// look notes which processes are new, and how much each has said.
func (l *Log) look(block int) map[string]int64 {
	size := map[string]int64{}
	list, err := os.ReadDir(l.dir)
	if err != nil {
		return size
	}
	slices.SortFunc(list, func(a, b os.DirEntry) int { return pid(a.Name()) - pid(b.Name()) })
	for _, e := range list {
		if fi, err := e.Info(); err == nil {
			size[e.Name()] = fi.Size()
		}
		if _, seen := l.born[e.Name()]; !seen && filepath.Ext(e.Name()) == ".xml" {
			l.born[e.Name()] = block
			l.order = append(l.order, e.Name())
		}
	}
	return size
}

func pid(name string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(name, ".xml"))
	return n
}

// Finish writes the log with the findings in their places, and returns the
// names of the suppressions that matched, and whether all was read.
func (l *Log) Finish(w io.Writer) (used []string, whole bool, err error) {
	l.look(len(l.headers) - 1)
	processes, whole := l.processes()
	below := make([]strings.Builder, len(l.headers)+1) // the last is the end of the log
	for _, p := range l.placed(processes) {
		used = append(used, p.used...)
		for _, f := range p.findings {
			below[p.of(f, l.headers)].WriteString(f.text)
		}
	}
	from := 0
	for i, h := range l.headers {
		if _, err := w.Write(slices.Concat(l.text[from:h.end], []byte(below[i].String()))); err != nil {
			return nil, whole, err
		}
		from = h.end
	}
	tail := slices.Clone(l.text[from:])
	if rest := below[len(l.headers)].String(); rest != "" {
		if len(tail) > 0 && tail[len(tail)-1] != '\n' {
			tail = append(tail, '\n')
		}
		tail = append(tail, rest...)
	}
	_, err = w.Write(tail)
	return used, whole, err
}

func (l *Log) processes() (all map[string]process, whole bool) {
	all, left := map[string]process{}, int64(maxTotal)
	whole = true
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return all, false
	}
	defer root.Close()
	for _, name := range l.order {
		fi, err := root.Lstat(name)
		if err != nil || !fi.Mode().IsRegular() {
			continue // a test may put anything there
		}
		whole = whole && fi.Size() <= min(maxFile, left)
		if left <= 0 {
			continue
		}
		f, err := root.Open(name)
		if err != nil {
			continue
		}
		most := min(maxFile, left)
		p := parse(io.LimitReader(f, most))
		if fi.Size() > most {
			// At its end: it is not known of which block the rest is.
			p.findings = append(p.findings, finding{fi.Size(), fmt.Sprintf("ortest: of the %d bytes that valgrind wrote of process %s only %d are read\n", fi.Size(), p.pid, most)})
		}
		all[name] = p
		left -= min(maxFile, fi.Size())
		f.Close()
	}
	return all, whole
}

// place is a process and the header of its block; -1 leaves it to each finding.
type place struct {
	process
	file  string
	block int
}

// placed gives each process its block.
func (l *Log) placed(all map[string]process) []place {
	pids := map[string]bool{}
	for _, p := range all {
		pids[p.pid] = true
	}
	roots := 0
	for _, p := range all {
		if !pids[p.parent] {
			roots++
		}
	}
	var out []place
	at, began := map[string]int{}, 0
	for _, file := range l.order {
		p, ok := all[file]
		if !ok {
			continue
		}
		to := place{p, file, max(0, l.born[file])}
		switch root := !pids[p.parent]; {
		case len(l.headers) == 0:
		case root && roots == len(l.headers):
			// Each name has its server.
			to.block = began
		case root && roots == 1:
			to.block = -1
		case !root && roots == len(l.headers):
			to.block = at[p.parent]
		}
		if !pids[p.parent] {
			began++
		}
		at[p.pid] = to.block
		out = append(out, to)
	}
	return out
}

// of returns below which header a finding belongs.
func (p place) of(f finding, headers []header) int {
	if p.block >= 0 {
		return p.block
	}
	for i := len(headers) - 1; i > 0; i-- {
		if headers[i].size[p.file] < f.end {
			return i
		}
	}
	return 0
}
