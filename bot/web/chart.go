package web

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// The size of a chart in user units.
const (
	chartWidth  = 600
	chartHeight = 160
	chartPad    = 8
	chartSigns  = 18 // the line of signs below the bars
)

// verdicts are those that a bar can have; nothing else becomes part of the markup.
var verdicts = []report.Verdict{report.Pass, report.Known, report.Fail, report.Incomplete}

// bars draws results, the oldest first: a bar's height is the duration, its
// colour and the sign below it the verdict. The table beside it has the same
// numbers; what the chart says in a sentence is its description.
func bars(all []outcome) template.HTML {
	if len(all) < 2 {
		return ""
	}
	longest, count := 1.0, make(map[report.Verdict]int)
	for _, o := range all {
		longest = max(longest, o.Seconds)
		count[o.Verdict]++
	}
	var said []string
	for _, v := range verdicts {
		if count[v] > 0 {
			said = append(said, fmt.Sprintf("%d %s", count[v], v))
		}
	}
	last := all[len(all)-1]
	var b strings.Builder
	fmt.Fprintf(&b, `<svg role="img" aria-labelledby="chart-t chart-d" viewBox="0 0 %d %d" class="chart">`, chartWidth, chartHeight)
	fmt.Fprintf(&b, `<title id="chart-t">Durations and verdicts</title><desc id="chart-d">%d results, the oldest left: %s; the longest took %.0f seconds, the newest %.0f</desc>`,
		len(all), strings.Join(said, ", "), longest, last.Seconds)
	fmt.Fprintf(&b, `<rect x="0" y="0" width="%d" height="%d" class="frame"/>`, chartWidth, chartHeight)
	step := float64(chartWidth-2*chartPad) / float64(len(all))
	for i, o := range all {
		word := ""
		if slices.Contains(verdicts, o.Verdict) {
			word = string(o.Verdict)
		}
		room := float64(chartHeight - 2*chartPad - chartSigns - chartSigns)
		high := max(o.Seconds/longest*room, 1)
		x := chartPad + float64(i)*step
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="bar %s"/>`,
			x+step*0.1, chartHeight-chartPad-chartSigns-high, step*0.8, high, word)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" class="sign">%s</text>`, x+step/2, chartHeight-chartPad, html.Mark(word))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" class="axis">%.0f s</text></svg>`, chartPad, chartPad+12, longest)
	return template.HTML(b.String())
}
