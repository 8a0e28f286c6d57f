package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteText shows what is known of a goal: for each arch, core and file the
// estimate, and its runs as a row of bars, the oldest first. It writes nothing
// and returns false when nothing is known.
func (h *History) WriteText(w io.Writer, goal string) (known bool, err error) {
	var b strings.Builder
	all := slices.DeleteFunc(h.All(), func(o Observation) bool { return o.Goal != goal })
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].key() == all[0].key() {
			n++
		}
		writeRow(&b, all[:n])
		all = all[n:]
	}
	if b.Len() == 0 {
		return false, nil
	}
	_, err = fmt.Fprintf(w, "%s\n%s", goal, b.String())
	return true, err
}

// writeRow shows one key's observations, the oldest first.
func writeRow(b *strings.Builder, all []Observation) {
	first := all[0]
	what := first.File
	switch {
	case first.Phase != "":
		what = "(" + first.Phase + ")"
	case what == "":
		what = "(whole)"
	}
	core := first.Nginx
	if core == "" {
		core = "-"
	}
	fmt.Fprintf(b, "  %s %s %-30s ", first.Arch, core, what)
	newest := slices.Clone(all)
	slices.Reverse(newest)
	if e, ok := estimate(newest); ok {
		fmt.Fprintf(b, "mean %s, p90 %s, %d runs, newest %s", rounded(e.Median), rounded(e.P90), e.Runs, e.Newest.Format(time.DateOnly))
		if e.Failed {
			b.WriteString(", all failed")
		}
	} else {
		b.WriteString("never ended")
	}
	if len(all) > 1 {
		b.WriteString("  " + bars(all))
	}
	b.WriteString("\n")
}

func rounded(d time.Duration) time.Duration {
	if d >= time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(10 * time.Millisecond)
}

// bars draws one character for each run, as high as its share of the longest;
// a run that failed is an x and one that was interrupted a dot.
func bars(all []Observation) string {
	heights := []rune("▁▂▃▄▅▆▇█")
	var most float64
	for _, o := range all {
		most = max(most, o.Seconds)
	}
	var b strings.Builder
	for _, o := range all {
		switch {
		case o.Outcome == "failed":
			b.WriteByte('x')
		case o.Outcome == "interrupted":
			b.WriteByte('.')
		case most == 0:
			b.WriteRune(heights[0])
		default:
			b.WriteRune(heights[int(o.Seconds/most*float64(len(heights)-1)+0.5)])
		}
	}
	return b.String()
}
