package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// defaultLimit is -t when neither command nor configuration says it.
const defaultLimit = time.Hour

// planned is a plan, its stages, and the catalog that it rests on.
type planned struct {
	plan.Plan
	stage   []int // of each bucket
	catalog *catalog.Catalog
	dropped []string // goals that -e took out
}

func (p planned) stages() int { return slices.Max(append(p.stage, 0)) + 1 }

// plan reads a command's words and plans what they ask for. Its error is meant
// for the author; it may be a *plan.UsageError or a *catalog.UnknownError.
func (b *Bot) plan(ctx context.Context, words []string) (planned, error) {
	return b.planGoals(ctx, words, nil)
}

// planGoals plans only these goals of what words ask for; none means all.
func (b *Bot) planGoals(ctx context.Context, words, only []string) (planned, error) {
	req, c, err := b.request(ctx, words)
	if err != nil {
		return planned{}, err
	}
	goals, dropped, err := c.Goals(req.Targets, req.Exclude)
	if err != nil {
		return planned{}, err
	}
	if len(only) > 0 {
		goals = slices.DeleteFunc(goals, func(g plan.Goal) bool { return !slices.Contains(only, g.String()) })
	}
	if len(goals) == 0 {
		return planned{}, fmt.Errorf("`-e` takes out every goal that the targets name; there is nothing left to run")
	}
	p := planned{catalog: c, dropped: dropped}
	for i, some := range req.Stages(goals) {
		next, err := plan.Pack(b.estimates(ctx, c, req, some))
		if err != nil {
			return planned{}, err
		}
		next.Warnings = append(next.Warnings, b.waves(ctx, req.Options, len(next.Buckets))...)
		p.add(i, next)
	}
	return p, nil
}

// request reads a command's words, and the catalog that they are about.
func (b *Bot) request(ctx context.Context, words []string) (plan.Request, *catalog.Catalog, error) {
	req, err := plan.ParseRequest(words)
	if err != nil {
		return req, nil, err
	}
	set := b.settings()
	if req.Limit == 0 {
		req.Limit = cmp.Or(set.Limit, defaultLimit)
	}
	c, policy, err := b.chosen(ctx, req, set.Policy)
	if err != nil {
		return req, nil, err
	}
	return req, c, errors.Join(policy.Check(req), c.Check(req))
}

// add appends a stage's plan: the stages run one after another.
func (p *planned) add(stage int, next plan.Plan) {
	for range next.Buckets {
		p.stage = append(p.stage, stage)
	}
	if stage == 0 {
		p.Plan = next
		return
	}
	p.Buckets = append(p.Buckets, next.Buckets...)
	p.Lower += next.Lower
	p.Optimal = p.Optimal && next.Optimal
	p.EndLower += next.EndLower
	p.Builds += next.Builds
	for _, w := range next.Warnings {
		if !slices.Contains(p.Warnings, w) {
			p.Warnings = append(p.Warnings, w)
		}
	}
}

// explain says what is wrong with what stands behind a verb, and offers the line
// that was probably meant, ready to paste: of the same verb, since a plan, a cancel
// and a retry that are mended must not start anything else.
func (b *Bot) explain(ctx context.Context, v verb, words []string, err error) string {
	var unknown *catalog.UnknownError
	var wrong *plan.UsageError
	switch {
	case errors.As(err, &unknown):
		return b.explainUnknown(ctx, v, words, unknown)
	case errors.As(err, &wrong):
		what := plain(wrong.What)
		switch {
		case wrong.Word != "" && wrong.At > 0:
			what = fmt.Sprintf("word %d of the command, %s, %s", wrong.At, code(wrong.Word), what)
		case wrong.Word != "":
			what = code(wrong.Word) + " " + what
		case wrong.At > 0:
			what = fmt.Sprintf("word %d of the command %s", wrong.At, what)
		}
		if wrong.Do != "" {
			what += "; " + plain(wrong.Do)
		}
		if fixed := b.mended(ctx, words, wrong); fixed != nil {
			what += ". Ready to paste:\n\n" + fence(lineOf(v, fixed))
		}
		return what
	}
	return plain(err.Error())
}

// quiet breaks what GitHub would make a mention, a reference, a closing keyword or
// an address of, whether or not Markdown shows it escaped: it reads what is shown.
var quiet = strings.NewReplacer("\\", "\\\\", "<", "&lt;", "[", "\\[", "|", "\\|", "\n", " ",
	"@", "@\u2060", "#", "#\u2060", "GH-", "GH\u2060-", "gh-", "gh\u2060-", "Gh-", "Gh\u2060-", "gH-", "gH\u2060-", "://", ":\u2060//", "www.", "www\u2060.")

// plain makes a sentence of ours that may repeat a person's words safe as Markdown.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if hidden(r) && r != '\n' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return quiet.Replace(s)
}

// planText shows what a command would do.
func planText(p planned, c comment) string {
	var s strings.Builder
	pieces := p.Pieces()
	fmt.Fprintf(&s, "this would run %s on %s, within `-t %d`; nothing was started.\n\n",
		count(len(pieces), "piece"), count(len(p.Buckets), "machine"), int(p.Limit.Minutes()))
	if n := p.stages(); n > 1 {
		fmt.Fprintf(&s, "It runs in %d stages, mode `t` first; each begins only when the one before is good. `--all-at-once` starts them together.\n\n", n)
	}
	s.WriteString("| Bucket | Stage | Pieces, in order | Estimate |\n|--:|--:|---|--:|\n")
	for i, bucket := range p.Buckets {
		if i == 40 {
			fmt.Fprintf(&s, "| … | | %d more buckets | |\n", len(p.Buckets)-i)
			break
		}
		var names []string
		for _, piece := range bucket.Pieces {
			names = append(names, piece.String())
		}
		list := strings.Join(names, " ")
		if len(list) > 600 {
			list = list[:600] + "…"
		}
		fmt.Fprintf(&s, "| %d | %d | `%s` | %d min |\n", i+1, p.stage[i]+1, list, minutes(bucket.Estimate))
	}
	if len(p.dropped) > 0 {
		fmt.Fprintf(&s, "\n`-e` takes out %s.\n", count(len(p.dropped), "goal"))
	}
	for i, w := range p.Warnings {
		if i == 10 {
			fmt.Fprintf(&s, "- and %d more\n", len(p.Warnings)-i)
			break
		}
		fmt.Fprintf(&s, "\n- %s", plain(w))
	}
	for _, note := range p.Notes() {
		fmt.Fprintf(&s, "\n- %s", plain(note))
	}
	fmt.Fprintf(&s, "\n\nTo run it:\n\n%s\n", fence(strings.Replace(c.line, " plan ", " ", 1)))
	return s.String()
}

// lineOf is the command line of a verb with its words, ready to paste.
func lineOf(v verb, words []string) string {
	line := []string{Prefix}
	if v != verbRun {
		line = append(line, string(v))
	}
	return shellquote.Join(append(line, words...)...)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// minutes rounds up: a machine is never promised shorter than it will take.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }
