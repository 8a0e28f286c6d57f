package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// repeats is how often the button runs what newly failed.
const repeats = 5

// repeated begins a sentence of a result that says how stable a failure is.
const repeated = "repeated: "

// newFiles returns the test files of goals with new failures, by goal; a goal
// without files is repeated as a whole, since a failure of it names none.
func newFiles(goals []html.GoalView) map[string][]string {
	files := make(map[string][]string)
	for _, g := range goals {
		if g.Result == nil {
			continue
		}
		whole, mine := false, []string{}
		for _, f := range g.Result.Findings {
			switch {
			case f.Class != report.New:
			case f.File == "" || f.File == report.Suite:
				whole = true
			case !slices.Contains(mine, f.File):
				mine = append(mine, f.File)
			}
		}
		if whole {
			mine = nil
		}
		if whole || len(mine) > 0 {
			files[g.Goal] = mine
		}
	}
	return files
}

// planRepeats plans each goal's files five times, one after another on one
// machine, so that each time begins where the one before left the machine.
func (b *Bot) planRepeats(ctx context.Context, words []string, files map[string][]string) (planned, error) {
	var goals []plan.Goal
	for name := range files {
		g, err := plan.ParseGoal(name)
		if err != nil {
			return planned{}, err
		}
		goals = append(goals, g)
	}
	slices.SortFunc(goals, func(a, b plan.Goal) int { return strings.Compare(a.String(), b.String()) })
	req, c, err := b.request(ctx, words)
	if err != nil {
		return planned{}, err
	}
	req.Split = "never"
	in := b.estimates(ctx, c, req, goals)
	for i := range in.Work {
		w := &in.Work[i]
		w.Files = repeatedFiles(w.Files, files[w.Goal.String()])
	}
	p, err := plan.Pack(in)
	if err != nil {
		return planned{}, err
	}
	out := planned{Plan: p, stage: make([]int, len(p.Buckets)), catalog: c}
	for i := range p.Buckets {
		out.Buckets[i].Pieces = fivefold(p.Buckets[i].Pieces, files)
	}
	return out, nil
}

// repeatedFiles returns the estimates of those files, five times as long. Of
// files that were never measured nothing is known.
func repeatedFiles(all []plan.File, only []string) []plan.File {
	var some []plan.File
	for _, f := range all {
		if len(only) == 0 || slices.Contains(only, f.Path) {
			some = append(some, f)
		}
	}
	for _, path := range only {
		if !slices.ContainsFunc(some, func(f plan.File) bool { return f.Path == path }) {
			some = append(some, plan.File{Path: path, Median: time.Minute, P90: time.Minute})
		}
	}
	for i := range some {
		some[i].Median *= repeats
		some[i].P90 *= repeats
	}
	return some
}

// fivefold cuts pieces that last five times as long into five.
func fivefold(pieces []plan.Piece, files map[string][]string) []plan.Piece {
	var all []plan.Piece
	for _, p := range pieces {
		p.Files = files[p.Goal.String()]
		p.Parts, p.Estimate, p.P90 = repeats, p.Estimate/repeats, p.P90/repeats
		for p.Part = 1; p.Part <= repeats; p.Part++ {
			all = append(all, p)
		}
	}
	return all
}

// repeatedResult is what a goal comes to after its new failures were repeated:
// what it came to before, with what the repeats say of it. They excuse nothing
// but what an expectation with a rate covers.
func (b *Bot) repeatedResult(ctx context.Context, r Run, goal string) (report.GoalResult, error) {
	first, err := b.firstOf(ctx, r, goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	ev, err := b.Evidence(ctx, first, goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	same, err := b.sameCommit(ctx, first, goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	exps, err := b.expectations(ctx, r, goal)
	if err != nil {
		return report.GoalResult{}, err
	}
	opts := report.JudgeOptions{Now: b.Now(), Arch: r.Plan.Options.Arch, Same: same}
	before := report.Judge(ev, exps, opts)
	var times []report.GoalResult
	for _, p := range r.Pieces {
		if p.Goal.String() != goal {
			continue
		}
		alone := r
		alone.Pieces = []Piece{p}
		ev, err := b.Evidence(ctx, alone, goal)
		if err != nil {
			return report.GoalResult{}, err
		}
		got := report.Judge(ev, exps, report.JudgeOptions{Now: opts.Now, Arch: opts.Arch})
		got.Findings = append(got.Findings, elsewhere(before, p.Files)...)
		times = append(times, got)
	}
	opts.Same = append(opts.Same, times...)
	result := report.Judge(ev, exps, opts)
	result.Why = append(result.Why, stability(before, times)...)
	return result, nil
}

// elsewhere returns the findings of files that were not repeated: a repeat says
// nothing of them.
func elsewhere(g report.GoalResult, files []string) []report.Finding {
	if len(files) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.Findings), func(f report.Finding) bool { return slices.Contains(files, f.File) })
}

// stability tells of each new failure how often it came again.
func stability(before report.GoalResult, times []report.GoalResult) []string {
	whole := slices.DeleteFunc(slices.Clone(times), func(g report.GoalResult) bool { return g.Count(report.NotRun)+g.Count(report.Infrastructure) > 0 })
	var said []string
	for _, f := range before.Findings {
		if f.Class != report.New {
			continue
		}
		failed := 0
		for _, g := range whole {
			if slices.ContainsFunc(g.Findings, func(o report.Finding) bool { return o.Fingerprint() == f.Fingerprint() }) {
				failed++
			}
		}
		where := strings.TrimSpace(f.File + " " + f.Block)
		line := fmt.Sprintf("%s%s, %s: failed %d of %d times", repeated, where, f.Name, failed, len(whole))
		if lost := len(times) - len(whole); lost > 0 {
			line += fmt.Sprintf("; %d did not run to the end", lost)
		}
		said = append(said, line)
	}
	return said
}

// firstOf returns the newest run before a repeat that ran a goal itself.
func (b *Bot) firstOf(ctx context.Context, r Run, goal string) (Run, error) {
	lines, err := b.lineage(ctx, r)
	if err != nil {
		return Run{}, err
	}
	for _, o := range lines {
		if o.Repeat == 0 && slices.Contains(o.goals(), goal) {
			return o, nil
		}
	}
	return Run{}, fmt.Errorf("run %s repeats %s of no run: %w", r.ID, goal, ErrNotFound)
}

// stable shows how stable the new failures of goals are, as Markdown; "" when
// nothing was repeated.
func stable(goals []html.GoalView) string {
	var s strings.Builder
	n := 0
	for _, g := range goals {
		if g.Result == nil {
			continue
		}
		for _, why := range g.Result.Why {
			line, ok := strings.CutPrefix(why, repeated)
			if !ok {
				continue
			}
			if n++; n <= 50 {
				fmt.Fprintf(&s, "- %s: %s\n", code(g.Goal), plain(line))
			}
		}
	}
	if n == 0 {
		return ""
	}
	if n > 50 {
		fmt.Fprintf(&s, "- and %d more\n", n-50)
	}
	return "**Repeated, on the same commit**\n\n" + s.String() + "\n"
}

// pressRepeat repeats the new failures of goals.
func (b *Bot) pressRepeat(ctx context.Context, c comment, of Run, goals []html.GoalView) error {
	files := newFiles(goals)
	if len(files) == 0 {
		return b.answer(ctx, c, understood("nothing new failed here, so there is nothing to repeat."))
	}
	at, ok, err := b.fix(ctx, c)
	if err != nil || !ok {
		return err
	}
	if at.Head != of.Head {
		return b.answer(ctx, c, refusal(fmt.Sprintf("run %s tested %s, and the pull request is at %s now", of.ID, code(of.Head), code(at.Head))))
	}
	return b.startTrusted(ctx, c, start{at: at, words: of.Words, of: of.ID, files: files})
}
