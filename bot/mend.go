package bot

import (
	"context"
	"strings"

	"github.com/ortest/ortest/plan"
)

// leads are how an error names what would do, and what stands between the names.
var leads = []struct{ lead, between string }{
	{"did you mean ", " or "}, {"would work: ", ", "}, {"choose one of ", ", "},
}

// mended returns the command line that was probably meant, with one of the
// words that an error offers in the place of the wrong one; "" when no such line
// would do.
func (b *Bot) mended(ctx context.Context, words []string, wrong *plan.UsageError) string {
	said := wrong.What + "; " + wrong.Do
	flag, value, _ := strings.Cut(wrong.Word, " ")
	if value == "" {
		value = flag
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
				return lineOf(fixed)
			}
		}
	}
	return ""
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
	req, c, err := b.request(ctx, words)
	if err != nil {
		return false
	}
	_, _, err = c.Goals(req.Targets, req.Exclude)
	return err == nil
}
