package opsboy

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// leak is what the old tool adds to the failure of a leak test.
type leak struct {
	Chart   *string `json:"chart"`
	Stable  *string `json:"stable"`
	UpEdges string  `json:"up_edges"`

	edges int
}

// fromSlope is the slope, in KB a sample, from which on memory is said to leak.
const fromSlope = 10

// leak reads the two lines of a leak test: its samples, then their slope.
func (p *Parser) leak(line []byte) bool {
	if !p.rec.inMode('l') {
		return false
	}
	if _, rest, ok := bytes.Cut(line, []byte("LeakTest: [")); ok {
		if samples, _, ok := bytes.Cut(rest, []byte("]")); ok {
			p.samples = append(p.samples[:0], samples...)
			return true
		}
	}
	m := leakSlope.in(line)
	if m == nil {
		return false
	}
	if k, _ := strconv.ParseFloat(string(m[1]), 64); k >= fromSlope { // +Inf if it is too large
		p.leakFailure(line)
	}
	return true
}

func (p *Parser) leakFailure(line []byte) {
	if string(p.samples) == "0" { // false to Perl
		p.samples = p.samples[:0]
	}
	s := readSeries(p.samples)
	l := &leak{edges: s.upEdges()}
	l.UpEdges = strconv.Itoa(l.edges)
	if len(p.samples) > 0 {
		l.Chart = s.chart()
	}
	shown := []byte("N/A")
	if stable := s.stable(); stable != nil {
		l.Stable = p.texts.keep(stable)
		if isTrue(l.Stable) {
			shown = stable
		}
	}
	details := fmt.Appendf(nil, "%sUp-Edges: %s\nStable point: %s\n\nRSS Samples (in KB):\n%s", line, l.UpEdges, shown, p.samples)
	p.failNamed(p.test, details).leak = l
}

// series is what a leak test measured, as it stands in the log and as numbers.
type series struct {
	text [][]byte
	kb   []float64
}

// readSeries splits as Perl does: an empty field may come first, none last.
func readSeries(samples []byte) (s series) {
	fields := bytes.FieldsFunc(samples, func(r rune) bool { return strings.ContainsRune(spaces, r) })
	if len(fields) > 0 && isSpace(samples[0]) {
		fields = append([][]byte{{}}, fields...)
	}
	for _, f := range fields {
		v, err := strconv.ParseFloat(string(numeral.Find(f)), 64)
		if err != nil && !math.IsInf(v, 0) {
			v = 0 // no number at all
		}
		s.text, s.kb = append(s.text, f), append(s.kb, v)
	}
	return s
}

// numeral is as much of a text as Perl takes for a number.
var numeral = regexp.MustCompile(`^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?`)

// upEdges counts how often a sample is above the one before, less how often below.
func (s series) upEdges() int {
	edges := 0
	for i := 1; i < len(s.kb); i++ {
		edges += cmp.Compare(s.kb[i], s.kb[i-1])
	}
	return edges
}

// stable returns the sample that the last third of them all are, if they are.
func (s series) stable() []byte {
	if len(s.kb) == 0 {
		return nil
	}
	first := int(float64(len(s.kb)-1) * 0.65)
	for _, v := range s.kb[first:] {
		if v != s.kb[first] {
			return nil
		}
	}
	return s.text[first]
}

// chart is the address of a picture of the samples. The service is gone; old
// pages still ask it. There is no picture where all is zero.
func (s series) chart() *string {
	percents := make([]string, len(s.kb))
	if len(s.kb) > 0 {
		top := slices.Max(s.kb)
		if top == 0 {
			return nil
		}
		for i, v := range s.kb {
			percents[i] = strconv.FormatFloat(v*100/top, 'f', 0, 64)
		}
	}
	address := "https://chart.googleapis.com/chart?cht=lc&chd=t:" + strings.Join(percents, ",") + "&chs=200x80&chco=3072F3"
	return &address
}

// isTrue is Perl's idea of it.
func isTrue(s *string) bool { return s != nil && *s != "" && *s != "0" }
