package catalog

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
)

// guess is what a goal takes of which nothing is known.
const guess = 10 * time.Minute

// Input prepares the planning of goals that Goals returned, with estimates from
// block counts alone.
func (c *Catalog) Input(r plan.Request, goals []plan.Goal) plan.Input {
	return c.InputFrom(r, goals, &plan.History{})
}

// InputFrom is Input with what history knows. A goal's files are estimated one
// by one where all were measured; else they share the goal's duration by their
// blocks; else, where at least half of the blocks were measured, the others
// take as long as those; else they count by their blocks; and a goal without any
// of this counts ten minutes and is named in a warning.
func (c *Catalog) InputFrom(r plan.Request, goals []plan.Goal, h *plan.History) plan.Input {
	in := plan.Input{Options: r.Options, Limit: r.Limit, Split: r.Split, Lanes: r.Lanes}
	if arch, ok := c.Arch(r.Options.Arch); ok {
		if t, ok := arch.Instance(r.Options.InstanceType); ok {
			in.Cores = t.Cores
			in.Price = plan.Price{Type: t.Name, OnDemand: t.OnDemand, Spot: t.Spot, Date: arch.PricesOf}
		}
	}
	in.Boot = r.Boot
	if e, ok := h.Estimate(plan.Observation{Arch: r.Options.Arch, Phase: "boot"}); ok && !r.BootSet {
		in.Boot = e.P90
	}
	est := estimator{c: c, h: h, r: r, core: c.Core(r.Options.Nginx)}
	for _, g := range goals {
		in.Work = append(in.Work, est.work(g))
	}
	in.Basis = est.sentence()
	if in.Lanes != 1 {
		in.Basis += fmt.Sprintf("; CPU shares of %d goals measured, of %d stated for their modes", est.cpu, len(goals)-est.cpu)
	}
	if len(est.guessed) > 0 {
		in.Warnings = append(in.Warnings, fmt.Sprintf("no duration is known, ten minutes are guessed for each of: %s", strings.Join(est.guessed, " ")))
	}
	if len(est.counted) > 0 {
		in.Warnings = append(in.Warnings, fmt.Sprintf("no duration is known, blocks are counted for: %s", strings.Join(est.counted, " ")))
	}
	if missing := slices.Concat(est.guessed, est.counted); len(missing) > 0 {
		in.Warnings = append(append(in.Warnings, est.elsewhere(missing)...), c.Strays(h)...)
	}
	return in
}

// estimator turns goals into work and remembers what it had to guess.
type estimator struct {
	c       *Catalog
	h       *plan.History
	r       plan.Request
	core    string // nginx core that is asked for
	basis   basis
	cpu     int // goals whose CPU share was measured
	guessed []string
	counted []string
}

func (e *estimator) asked(g plan.Goal) plan.Observation {
	return plan.Observation{Arch: e.r.Options.Arch, Nginx: e.core, Goal: g.String()}
}

func (e *estimator) work(g plan.Goal) plan.Work {
	mode, _ := e.c.Mode(g.Mode)
	project, _ := e.c.Project(g.Project)
	w := plan.Work{Goal: g, Build: e.r.Build, CPUShare: mode.CPUShare}
	asked := e.asked(g)
	asked.Phase = "build"
	if est, ok := e.h.Estimate(asked); ok && !e.r.BuildSet {
		w.Build = est.P90
	}
	defer func() { alone(w.Files, project.Serial) }()
	known := e.known(g, project)
	if e.measured(&w, project, known) || e.shared(&w, project) || e.partly(&w, project, known) {
		e.basis.measured++
		return w
	}
	e.count(&w, project, mode)
	return w
}

// alone marks the files that may not share a machine with another lane; where
// the files are not known, that is all of the goal.
func alone(files []plan.File, patterns []string) {
	for i, f := range files {
		files[i].Serial = slices.ContainsFunc(patterns, func(pattern string) bool {
			match, err := path.Match(pattern, f.Path)
			return f.Path == "" || match && err == nil
		})
	}
}

// known looks up each file of a goal. Of a project whose files the catalog does
// not list, those that were tested of late are taken.
func (e *estimator) known(g plan.Goal, p plan.Project) []plan.File {
	paths := slices.Sorted(maps.Keys(p.Files))
	if len(paths) == 0 {
		paths = e.h.Files(e.asked(g))
	}
	var files []plan.File
	for _, name := range paths {
		asked := e.asked(g)
		asked.File = name
		if est, ok := e.h.Estimate(asked); ok {
			files = append(files, est)
		}
	}
	return files
}

// measured uses the durations of the goal's own files. Every file of the
// catalog must have one: a sum with holes would promise too much.
func (e *estimator) measured(w *plan.Work, p plan.Project, known []plan.File) bool {
	if len(known) == 0 || len(known) < len(p.Files) {
		return false
	}
	e.rest(w, known)
	return true
}

// partly lets files that were never measured take as long for a block as the
// others do, if those are half of the goal.
func (e *estimator) partly(w *plan.Work, p plan.Project, known []plan.File) bool {
	var all, seen int
	var mean, p90 time.Duration
	measured := map[string]bool{}
	for _, n := range p.Files {
		all += n
	}
	for _, f := range known {
		seen += p.Files[f.Path]
		mean, p90 = mean+f.Median, p90+f.P90
		measured[f.Path] = true
	}
	if seen == 0 || 2*seen < all {
		return false
	}
	e.rest(w, known)
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		if of := time.Duration(p.Files[name]); !measured[name] {
			w.Files = append(w.Files, plan.File{Path: name, Median: mean * of / time.Duration(seen), P90: p90 * of / time.Duration(seen)})
		}
	}
	slices.SortFunc(w.Files, func(a, b plan.File) int { return strings.Compare(a.Path, b.Path) })
	return true
}

// rest makes a goal rest on these files.
func (e *estimator) rest(w *plan.Work, files []plan.File) {
	var cpu, wall float64
	for _, f := range files {
		if f.CPUShare > 0 {
			cpu += f.CPUShare * f.Median.Seconds()
			wall += f.Median.Seconds()
		}
		e.basis = rests(e.basis, f)
	}
	if wall > 0 {
		w.CPUShare = cpu / wall
		e.cpu++
	}
	w.Files = slices.Clone(files)
}

// shared cuts the goal's own duration by the blocks of its files.
func (e *estimator) shared(w *plan.Work, p plan.Project) bool {
	est, ok := e.h.Estimate(e.asked(w.Goal))
	if !ok {
		return false
	}
	if est.CPUShare > 0 {
		w.CPUShare = est.CPUShare
		e.cpu++
	}
	w.Files = share(p, est.Median, est.P90)
	e.basis = rests(e.basis, est)
	return true
}

// count multiplies blocks by what one takes in the mode, or guesses.
func (e *estimator) count(w *plan.Work, p plan.Project, m plan.Mode) {
	blocks := 0
	for _, n := range p.Files {
		blocks += n
	}
	if blocks == 0 {
		w.Files = []plan.File{{Median: guess, P90: guess}}
		e.guessed = append(e.guessed, w.Goal.String())
		return
	}
	total := time.Duration(math.Round(float64(blocks)*m.PerBlock*1000)) * time.Millisecond
	w.Files = share(p, total, total)
	e.counted = append(e.counted, w.Goal.String())
}

// share gives each file its part of a duration by its blocks; the parts add up
// to the whole exactly. A project whose files are not known is one file.
func share(p plan.Project, mean, p90 time.Duration) []plan.File {
	total := 0
	for _, n := range p.Files {
		total += n
	}
	if total == 0 {
		return []plan.File{{Median: mean, P90: p90}}
	}
	var files []plan.File
	upTo := func(d time.Duration, blocks int) time.Duration {
		return time.Duration(float64(d) * (float64(blocks) / float64(total)))
	}
	before := 0
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		after := before + p.Files[name]
		median := upTo(mean, after) - upTo(mean, before)
		files = append(files, plan.File{Path: name, Median: median, P90: max(median, upTo(p90, after)-upTo(p90, before))})
		before = after
	}
	return files
}

// basis is what measured goals rest on, at their weakest.
type basis struct {
	measured int
	runs     int
	oldest   time.Time
}

func rests(b basis, e plan.File) basis {
	if b.runs == 0 || e.Runs < b.runs {
		b.runs = e.Runs
	}
	if !e.Newest.IsZero() && (b.oldest.IsZero() || e.Newest.Before(b.oldest)) {
		b.oldest = e.Newest
	}
	return b
}

// sentence says what all estimates rest on.
func (e *estimator) sentence() string {
	s := fmt.Sprintf("%d goals measured", e.basis.measured)
	if e.basis.measured > 0 {
		s += fmt.Sprintf(" (%d runs or more", e.basis.runs)
		if !e.basis.oldest.IsZero() {
			s += ", the oldest of " + e.basis.oldest.UTC().Format(time.DateOnly)
		}
		s += ")"
	}
	return s + fmt.Sprintf(", %d counted by blocks, %d guessed", len(e.counted), len(e.guessed))
}
