// Package result is a judged goal as other programs read it: JSON, JSON Lines,
// JUnit and SARIF, and as a bundle with which a failing block is seen again.
//
// The JSON is read back too. What it holds is all that a report shows, so an
// old report's data make a new report, and their history with it. Fields that
// this version does not know are kept. Decode is strict about what it knows: a
// verdict or a class that does not exist is an error, not a guess.
package result

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
)

// Schema is the version of the JSON; another one is refused.
const Schema = 1

// Goal is one goal on one arch and nginx core, judged. Times are UTC, in the
// form of TimeFormat.
type Goal struct {
	Run        string // what it is part of: a run's id, or the name of a log
	Arch       string // "linux x86_64"; "" when unknown
	Nginx      string // "1.29.2"; "" for what is tested without nginx
	Tested     string // when
	CommitDate string // as git prints it
	Log        Log
	Result     report.GoalResult
	Files      []File // in the order they ran; none when the log does not tell
	Other      Fields // what the JSON had besides
}

// TimeFormat is how times are written; as text they sort as they follow.
const TimeFormat = "2006-01-02 15:04:05"

// Log is where in a log a goal's part is.
type Log struct {
	Name   string `json:"name,omitempty"`
	Offset int64  `json:"byte_start,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
}

// File is a test file, and its blocks as far as they are known.
type File struct {
	Path    string  `json:"path"`
	Tests   int     `json:"tests"`
	Failed  int     `json:"failed,omitempty"`
	Skipped int     `json:"skipped,omitempty"`
	State   string  `json:"state,omitempty"` // passed, failed, skipped, not_run
	Why     string  `json:"why,omitempty"`   // of a skipped file
	Blocks  []Block `json:"blocks,omitempty"`
}

// Block is a block of a test file; State is passed, failed, skipped or not_run.
type Block struct {
	Number  int    `json:"number,omitempty"`
	Title   string `json:"title"`
	Ordinal int    `json:"ordinal"`
	Line    int    `json:"line,omitempty"`
	EndLine int    `json:"end_line,omitempty"`
	State   string `json:"state"`
}

// Project returns the goal's project, Mode its mode; a name that is no goal is
// all project.
func (g Goal) Project() string { p, _ := g.split(); return p }

// Mode returns the goal's mode.
func (g Goal) Mode() string { _, m := g.split(); return m }

func (g Goal) split() (project, mode string) {
	p, err := plan.ParseGoal(g.Result.Goal)
	if err != nil {
		return g.Result.Goal, ""
	}
	return p.Project, p.Mode
}

var reCore = regexp.MustCompile(`\d+\.\d+\.\d+`)

// Core finds the number of nginx's core in what a log says of its version, such
// as "nginx/1.29.2 (no pool)".
func Core(version string) string { return reCore.FindString(version) }

// Cell is one place of the report's matrix: a goal on an arch and an nginx
// core, as last tested. Name is one that no other cell has, such as
// "x86_64-1.29.2-tv-ngx_lua", safe as a file's name and in an address.
type Cell struct {
	Goal
	Name    string
	Earlier []Goal // the newest first
}

// Cells sorts results into cells: by arch, nginx core (the newest first, and
// last what is tested without), project and mode. Of equal times the later in
// gs counts as newer, as it does in one log that tests a goal twice; a result
// that is there twice counts once.
func Cells(gs []Goal) []Cell {
	groups := make(map[place][]Goal)
	for _, g := range gs {
		at := place{g.Arch, g.Nginx, g.Result.Goal}
		if !slices.ContainsFunc(groups[at], g.same) {
			groups[at] = append(groups[at], g)
		}
	}
	cells := make([]Cell, 0, len(groups))
	for _, all := range groups {
		slices.Reverse(all)
		slices.SortStableFunc(all, func(a, b Goal) int { return cmp.Compare(b.Tested, a.Tested) })
		cells = append(cells, Cell{Goal: all[0], Earlier: all[1:]})
	}
	slices.SortFunc(cells, compare)
	taken := make(map[string]bool)
	for i := range cells {
		cells[i].Name = free(cells[i].slug(), taken)
	}
	return cells
}

// same reports whether two results are one: read from two files, or twice.
func (g Goal) same(o Goal) bool {
	return g.Run == o.Run && g.Tested == o.Tested && g.Log == o.Log && g.Result.Commit == o.Result.Commit && g.Result.Goal == o.Result.Goal
}

// place is what the results of one cell have in common.
type place struct{ arch, nginx, goal string }

// slug is the name that a cell has unless another one has it.
func (g Goal) slug() string {
	parts := []string{cmp.Or(strings.TrimPrefix(g.Arch, "linux "), "unknown"), cmp.Or(g.Nginx, "none"), g.Result.Goal}
	for i, p := range parts {
		parts[i] = slug(p)
	}
	return strings.Join(parts, "-")
}

// slug keeps what every file system and address takes. It is not reversible,
// and "." and ".." cannot come out of it.
func slug(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, s)
	if len(s) > 100 {
		s = s[:100]
	}
	if strings.Trim(s, ".") == "" || strings.HasPrefix(s, ".") {
		s = "_" + s
	}
	return s
}

// free makes a name unique, for file systems that know no case as well.
func free(name string, taken map[string]bool) string {
	for taken[strings.ToLower(name)] {
		name += "_"
	}
	taken[strings.ToLower(name)] = true
	return name
}

func compare(a, b Cell) int {
	return cmp.Or(
		cmp.Compare(rank(arches, a.Arch), rank(arches, b.Arch)), cmp.Compare(a.Arch, b.Arch),
		compareCores(b.Nginx, a.Nginx),
		cmp.Compare(a.Project(), b.Project()),
		cmp.Compare(rank(modes, a.Mode()), rank(modes, b.Mode())), cmp.Compare(a.Mode(), b.Mode()),
	)
}

var (
	arches = []string{"linux x86_64", "linux i386", "linux aarch64"}
	modes  = []string{"t", "tr", "tw", "tv", "trv", "twv", "th", "thv", "tl", "to"}
)

func rank(list []string, s string) int {
	if i := slices.Index(list, s); i >= 0 {
		return i
	}
	return len(list)
}

// compareCores compares version numbers number by number; none is the smallest.
func compareCores(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if c := cmp.Or(cmp.Compare(len(as[i]), len(bs[i])), cmp.Compare(as[i], bs[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}
