package arch

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Room is a package and the packages of ours that it may import.
type Room struct {
	Path string
	May  []string
}

// rooms is the import table; docs/architecture.md shows it. What stands below
// internal is not in it: only tests, cmd/ortest and internal itself import that.
var rooms = []Room{
	{".", nil},
	{"plan", []string{"plan/recipe"}},
	{"plan/recipe", nil},
	{"plan/catalog", []string{"plan", "plan/recipe"}},
	{"report", []string{"plan"}},
	{"report/result", []string{"report", "plan"}},
	{"report/expect", []string{"report", "plan"}},
	{"report/suite", []string{"report", "plan"}},
	{"report/html", []string{"report", "report/result", "plan"}},
	{"report/opsboy", nil},
	{"workflows", []string{"plan"}},
	{"workflows/botless", []string{"workflows", "plan", "plan/catalog", "action", "report", "report/html", "bot", "bot/github", "runnerfleet", "runnerfleet/ec2", "runnerfleet/image", "runnerfleet/local"}},
	{"action", []string{"action/crash", "action/lane", "action/source", "action/unit", "action/valgrind", "plan", "plan/catalog", "plan/recipe", "report", "report/html"}},
	{"action/lane", []string{"action/crash"}},
	{"action/source", []string{"plan/recipe"}},
	{"action/unit", []string{"plan/recipe"}},
	{"action/valgrind", nil},
	{"action/crash", nil},
	{"action/root32", nil},
	{"action/local", []string{"action", "action/lane", "action/source", "plan", "report"}},
	{"runnerfleet", []string{"plan"}},
	{"runnerfleet/queue", nil},
	{"runnerfleet/ec2", []string{"runnerfleet"}},
	{"runnerfleet/process", nil},
	{"runnerfleet/image", []string{"action", "action/unit", "plan", "plan/catalog", "plan/recipe"}},
	{"runnerfleet/local", []string{"runnerfleet", "runnerfleet/process"}},
	{"runnerfleet/agent", []string{"runnerfleet", "runnerfleet/process", "plan"}},
	{"runnerfleet/fleettest", []string{"runnerfleet", "runnerfleet/queue"}},
	{"store", []string{"plan", "report", "runnerfleet", "bot"}},
	{"bot", []string{"plan", "plan/catalog", "plan/recipe", "report", "report/html", "workflows", "runnerfleet", "runnerfleet/queue"}},
	{"bot/github", []string{"bot", "bot/release", "report", "plan", "runnerfleet", "workflows"}},
	{"bot/trace", []string{"bot", "plan", "runnerfleet"}},
	{"bot/release", []string{"bot", "plan", "plan/catalog", "report"}},
	{"bot/web", []string{"bot", "bot/release", "report", "report/html", "plan", "runnerfleet"}},
	{"examples", nil},
}

// fakes are the packages that exist for tests alone; they are held to what
// holds for tests. Only tests, internal and cmd/ortest import them, and beside
// them the projects under test and the root, which embeds action.yml.
var (
	fakes    = []string{"runnerfleet/fleettest"}
	forTests = append([]string{"examples", "."}, fakes...)
)

// Door is a vendor and the only folders it comes in by.
type Door struct {
	Vendor string // prefix of an import path
	Rooms  []string
}

var doors = []Door{
	{"github.com/google/go-github", []string{"bot/github"}},
	{"github.com/bradleyfalzon/ghinstallation", []string{"bot/github"}},
	{"github.com/aws/", []string{"runnerfleet/ec2"}},
	{"database/sql", []string{"store"}},
	{"modernc.org/sqlite", []string{"store"}},
	{"github.com/pressly/goose", []string{"store"}},
	{"github.com/riverqueue/", []string{"store"}},
	{"github.com/jackc/", []string{"store"}},
	{"github.com/sethvargo/go-githubactions", []string{"action"}},
	{"github.com/spf13/cobra", []string{"cmd/ortest"}},
	{"github.com/getkin/kin-openapi", []string{"internal"}},
}

// pure are the rooms that know only what they are handed, and the packages of
// the standard library that would tell them more.
var (
	pure    = []string{"plan", "report"}
	outside = []string{"os", "os/exec", "net", "net/http", "syscall", "io/ioutil", "crypto/rand"}
)

// folders are the whole top level; another one needs a decision record.
var folders = []string{
	"action", "bin", "bot", "cmd", "deploy", "docs", "examples", "internal",
	"plan", "report", "runnerfleet", "store", "workflows",
}

func importRules() []Rule {
	return []Rule{
		{"a package imports only what the import table allows", checkRooms},
		{"a vendor comes in by its own door", checkDoors},
		{"plan and report are pure", checkPure},
		{"the top level has no other folder than the design names", checkFolders},
	}
}

// imports calls visit with every import of the module's files.
func (t Tree) imports(visit func(f File, imported string, o Offence)) {
	for _, f := range t.Files {
		for _, spec := range f.AST.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has accepted it
			}
			visit(f, imported, t.at(f, spec, "%s imports %s", f.Dir(), imported))
		}
	}
}

func checkRooms(t Tree) (out []Offence) {
	for dir, files := range t.packages() {
		if !free(dir) && room(dir) == nil {
			out = append(out, Offence{Path: files[0].Path, Text: fmt.Sprintf("%s is not in the import table", dir)})
		}
	}
	t.imports(func(f File, imported string, o Offence) {
		to, ours := strings.CutPrefix(imported, module)
		to = path.Join(".", to)
		if ours && to != f.Dir() && !mayImport(f, to) {
			out = append(out, o)
		}
	})
	return out
}

// mayImport holds a test to its package's row, and adds what is made for tests
// and what lies beside it: the local cloud is tried with the real agent.
func mayImport(f File, to string) bool {
	switch {
	case below(to, "cmd"):
		return false
	case free(f.Dir()):
		return true
	case f.Test && (below(to, "internal") || slices.Contains(forTests, to) || wing(to) == wing(f.Dir())):
		return true
	}
	r := room(f.Dir())
	return r != nil && slices.Contains(r.May, to)
}

// wing returns the top-level folder.
func wing(dir string) string {
	top, _, _ := strings.Cut(dir, "/")
	return top
}

// free reports whether a folder is outside the table.
func free(dir string) bool { return below(dir, "cmd") || below(dir, "internal") }

func room(dir string) *Room {
	i := slices.IndexFunc(rooms, func(r Room) bool { return r.Path == dir })
	if i < 0 {
		return nil
	}
	return &rooms[i]
}

// below reports whether a slash-separated path is dir or lies in it.
func below(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

func checkDoors(t Tree) (out []Offence) {
	t.imports(func(f File, imported string, o Offence) {
		for _, d := range doors {
			inside := slices.ContainsFunc(d.Rooms, func(r string) bool { return below(f.Dir(), r) })
			if !inside && strings.HasPrefix(imported, d.Vendor) {
				o.Text += "; only " + strings.Join(d.Rooms, " and ") + " may"
				out = append(out, o)
			}
		}
	})
	return out
}

func checkPure(t Tree) (out []Offence) {
	clean := func(f File) bool { return !f.Test && slices.Contains(pure, f.Dir()) }
	t.imports(func(f File, imported string, o Offence) {
		if clean(f) && slices.Contains(outside, imported) {
			out = append(out, o)
		}
	})
	return append(out, t.calls(clean, "time", "Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker")...)
}

func checkFolders(t Tree) (out []Offence) {
	entries, err := fs.ReadDir(t.FS, ".")
	if err != nil {
		return []Offence{{Path: ".", Text: err.Error()}}
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(folders, e.Name()) {
			out = append(out, Offence{Path: e.Name(), Text: "is a new top-level folder"})
		}
	}
	for dir := range t.packages() {
		if path.Dir(dir) == "cmd" && dir != "cmd/ortest" {
			out = append(out, Offence{Path: dir, Text: "is a second binary; there is one, with subcommands"})
		}
	}
	return out
}
