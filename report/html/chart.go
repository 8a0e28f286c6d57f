package html

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/ortest/ortest/report"
)

// The size of a leak chart in user units.
const (
	chartWidth  = 600
	chartHeight = 140
	chartPad    = 8
)

// chart draws a series of resident sets as a line. Its numbers are in its title
// and description, so nothing is lost where pictures are not seen.
func chart(id string, samples []report.Sample) template.HTML {
	if len(samples) < 2 {
		return ""
	}
	low, high := samples[0].KiB, samples[0].KiB
	for _, v := range samples {
		low, high = min(low, v.KiB), max(high, v.KiB)
	}
	span := max(high-low, 64) // a level line is drawn level, whatever its noise
	var points strings.Builder
	for i, v := range samples {
		x := chartPad + float64(i)*(chartWidth-2*chartPad)/float64(len(samples)-1)
		y := chartHeight - chartPad - (v.KiB-low)*(chartHeight-2*chartPad)/span
		fmt.Fprintf(&points, "%.1f,%.1f ", x, y)
	}
	return template.HTML(fmt.Sprintf(`<svg role="img" aria-labelledby="%[1]s-t %[1]s-d" viewBox="0 0 %[2]d %[3]d" class="chart">`+
		`<title id="%[1]s-t">Resident set under load</title><desc id="%[1]s-d">%[4]d samples from %.0[5]f to %.0[6]f KiB, first %.0[7]f, last %.0[8]f</desc>`+
		`<rect x="0" y="0" width="%[2]d" height="%[3]d" class="frame"/><polyline points="%[9]s" class="line"/>`+
		`<text x="%[10]d" y="%[11]d" class="axis">%.0[6]f KiB</text><text x="%[12]d" y="%[13]d" class="axis end">%.0[5]f KiB</text></svg>`,
		id, chartWidth, chartHeight, len(samples), low, high, samples[0].KiB, samples[len(samples)-1].KiB, strings.TrimSpace(points.String()),
		chartPad, chartPad+12, chartWidth-chartPad, chartHeight-chartPad))
}

// leak is one leak check of a goal, for the page.
type leak struct {
	Name    string
	Chart   template.HTML
	Samples string
	First   float64
	Last    float64
	Bad     bool
}

// leaks lists the leak checks of a goal, those that grow first.
func leaks(goal int, g report.GoalResult) []leak {
	bad := make(map[string]bool)
	for _, f := range g.Findings {
		if len(f.Samples) > 0 && f.Class != report.Expected {
			bad[strings.TrimSpace(f.File+" "+f.BlockName())] = true
		}
	}
	names := make([]string, 0, len(g.Leaks))
	for n := range g.Leaks {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		if bad[a] != bad[b] {
			if bad[a] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var all []leak
	for i, n := range names {
		v := g.Leaks[n]
		if len(v) == 0 {
			continue
		}
		var text []string
		for _, s := range v {
			text = append(text, fmt.Sprintf("%g", s.KiB))
		}
		all = append(all, leak{
			Name: clean(n), Chart: chart(fmt.Sprintf("leak-%d-%d", goal, i), v), Samples: strings.Join(text, " "),
			First: v[0].KiB, Last: v[len(v)-1].KiB, Bad: bad[n],
		})
	}
	return all
}
