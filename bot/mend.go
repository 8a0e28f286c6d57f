package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// leads are how an error names what would do, and what stands between the names.
var leads = []struct{ lead, between string }{
	{"did you mean ", " or "}, {"would work: ", ", "}, {"choose one of ", ", "},
}

// mended returns the words that were probably meant, with one of those that an
// error offers in the place of the wrong one; nil when no such line would do.
func (b *Bot) mended(ctx context.Context, words []string, wrong *plan.UsageError) []string {
	said := wrong.What + "; " + wrong.Do
	flag, value, _ := strings.Cut(wrong.Word, " ")
	if value == "" {
		value = flag
	}
	if fixed := b.writtenOut(ctx, words, flag, value); fixed != nil {
		return fixed
	}
	for _, l := range leads {
		_, rest, ok := strings.Cut(said, l.lead)
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, ";")
		var offered []string
		for _, o := range strings.Split(strings.TrimRight(rest, "?."), l.between) {
			offered = append(offered, strings.Trim(o, "'` "))
		}
		for _, o := range append(plan.Nearest(value, offered), offered...) {
			if fixed := replaced(words, flag, value, o); fixed != nil && b.sensible(ctx, fixed) {
				return fixed
			}
		}
	}
	return nil
}

// writtenOut returns the words with a version of nginx written out that lacks its last
// numbers, or the nearest one to that; nil for anything else.
func (b *Bot) writtenOut(ctx context.Context, words []string, flag, value string) []string {
	lacks := 2 - strings.Count(value, ".")
	if flag != "-v" && flag != "--nginx" || lacks <= 0 {
		return nil
	}
	fixed := replaced(words, flag, value, value+strings.Repeat(".0", lacks))
	err := b.readable(ctx, fixed)
	if wrong := (*plan.UsageError)(nil); errors.As(err, &wrong) {
		return b.mended(ctx, fixed, wrong)
	}
	if err != nil {
		return nil
	}
	return fixed
}

// replaced returns the words with a value replaced wherever it may stand beside
// its flag; nil when it is not found.
func replaced(words []string, flag, value, by string) []string {
	fixed, found := make([]string, 0, len(words)), false
	for _, w := range words {
		name, v, eq := strings.Cut(w, "=")
		switch {
		case w == value:
			w, found = by, true
		case eq && v == value:
			w, found = name+"="+by, true
		case w == flag+value:
			w, found = flag+by, true
		}
		fixed = append(fixed, w)
	}
	if !found {
		return nil
	}
	return fixed
}

// sensible reports whether a request could be planned.
func (b *Bot) sensible(ctx context.Context, words []string) bool {
	return b.readable(ctx, words) == nil
}

// readable reads a request as far as its goals.
func (b *Bot) readable(ctx context.Context, words []string) error {
	req, c, err := b.request(ctx, words)
	if err != nil {
		return err
	}
	_, _, err = c.Goals(req.Targets, req.Exclude)
	return err
}

// explainUnknown says that a target is none, and offers what was meant: a verb that
// is misspelt or stands in the wrong place, or the nearest goals.
func (b *Bot) explainUnknown(ctx context.Context, v verb, words []string, unknown *catalog.UnknownError) string {
	if i := slices.Index(words, unknown.Name); i > 0 && v == verbRun && isVerb(unknown.Name) {
		return code(unknown.Name) + " stands before everything else. Ready to paste:\n\n" +
			fence(lineOf(verb(unknown.Name), fitting(verb(unknown.Name), slices.Delete(slices.Clone(words), i, i+1))))
	}
	what := code(unknown.Name) + " is no goal, mode or project that this bot knows"
	nearest := unknown.Nearest
	line := ""
	if near := nearVerb(unknown.Name); near != "" && v == verbRun && words[0] == unknown.Name {
		nearest = append([]string{near}, nearest...)
		line = lineOf(verb(near), fitting(verb(near), words[1:]))
	}
	if v == verbRetry && slices.Equal(plan.Nearest(unknown.Name, []string{failedGoals}), []string{failedGoals}) {
		nearest = append([]string{failedGoals}, nearest...)
	}
	if len(nearest) == 0 {
		return what + "; `help` shows what a target is"
	}
	var shown []string
	for _, n := range nearest {
		shown = append(shown, code(n))
	}
	if line == "" {
		line = lineOf(v, b.allMended(ctx, v, words, unknown.Name, nearest[0]))
	}
	return fmt.Sprintf("%s; did you mean %s? Ready to paste:\n\n%s", what, strings.Join(shown, " or "), fence(line))
}

// fitting returns words as far as they may stand behind a verb.
func fitting(v verb, words []string) []string {
	if docOf(v).check(words) == nil {
		return words
	}
	return nil
}

// allMended replaces an unknown target, and every other one that something near is
// known of, so that the line does.
func (b *Bot) allMended(ctx context.Context, v verb, words []string, name, by string) []string {
	fixed := slices.Clone(words)
	for range words {
		for i, w := range fixed {
			if w == name {
				fixed[i] = by
			}
		}
		var next *catalog.UnknownError
		if !errors.As(b.legible(ctx, v, fixed), &next) || len(next.Nearest) == 0 || !slices.Contains(fixed, next.Name) {
			break
		}
		name, by = next.Name, next.Nearest[0]
	}
	return fixed
}

// legible reads what stands behind a verb as far as its goals.
func (b *Bot) legible(ctx context.Context, v verb, words []string) error {
	if v == verbRun || v == verbPlan {
		return b.readable(ctx, words)
	}
	_, _, err := b.Catalog().Goals(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == failedGoals }), "")
	return err
}
