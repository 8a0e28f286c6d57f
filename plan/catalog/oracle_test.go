package catalog

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
)

// oldPack is how the old dispatcher packs: goals by duration, the longest
// first, dealt round n buckets, one a round; a bucket that the next goal would
// take over the limit is passed over, and when a whole round places nothing
// there is one bucket more and everything begins again.
func oldPack(seconds []float64, minutes int) [][]int {
	order := make([]int, len(seconds))
	sum := 0.0
	for i, s := range seconds {
		order[i] = i
		sum += s
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case seconds[a] > seconds[b]:
			return -1
		case seconds[a] < seconds[b]:
			return 1
		}
		return 0
	})
	ceil := func(secs float64) int { return int((secs + 59.999999) / 60) }
	for n := ceil(sum/float64(minutes)) + 0; ; n++ {
		if n == 0 {
			n = 1
		}
		buckets := make([][]int, n)
		loads := make([]float64, n)
		left := order
		for before := -1; len(left) > 0 && before != len(left); {
			before = len(left)
			for i := 0; i < n && len(left) > 0; i++ {
				if len(buckets[i]) > 0 && ceil(loads[i]+seconds[left[0]]) > minutes {
					continue
				}
				buckets[i] = append(buckets[i], left[0])
				loads[i] += seconds[left[0]]
				left = left[1:]
			}
		}
		if len(left) == 0 {
			return buckets
		}
	}
}

// recorded is one output of the old dispatcher.
type recorded struct {
	file    string
	limit   int
	exclude string
	targets []string
	ast     string
	buckets []string // "goal goal (M min)"
	longest int
}

var (
	commandLine = regexp.MustCompile(`^\$ \./dispatcher (.*?)   # ast\.json = (\S+)`)
	bucketLine  = regexp.MustCompile(`^bucket \d+: (.*) force=1 \((\d+) min\)$`)
)

func readRecorded(t testing.TB, file string) recorded {
	t.Helper()
	b, err := os.ReadFile("testdata/dispatcher/" + file)
	if err != nil {
		t.Fatal(err)
	}
	r := recorded{file: file}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if m := commandLine.FindStringSubmatch(line); m != nil {
			r.ast = m[2]
			words := strings.Fields(strings.Replace(m[1], "linux x86_64", "linux_x86_64", 1))
			for i := 0; i < len(words); i++ {
				switch words[i] {
				case "-t":
					i++
					r.limit, _ = strconv.Atoi(words[i])
				case "-e":
					i++
					r.exclude = words[i]
				case "-a":
					i++
				case "-f":
				default:
					r.targets = append(r.targets, words[i])
				}
			}
		}
		if m := bucketLine.FindStringSubmatch(line); m != nil {
			mins, _ := strconv.Atoi(m[2])
			r.buckets = append(r.buckets, fmt.Sprintf("%s (%d min)", m[1], mins))
			r.longest = max(r.longest, mins)
		}
	}
	if r.limit == 0 || len(r.buckets) == 0 || len(r.targets) == 0 {
		t.Fatalf("%s: read %+v", file, r)
	}
	return r
}

var recordedFiles = []string{"full-t120-exclude-v.txt", "full-t120.txt", "full-t230.txt", "full-t60.txt", "seed-t230.txt"}

// input prepares a recorded request as dispatch with --ast does.
func (r recorded) input(t testing.TB, c *Catalog, flags plan.Request) plan.Input {
	t.Helper()
	f, err := os.Open("testdata/dispatcher/" + r.ast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var h plan.History
	if _, err := h.ImportAST(f); err != nil {
		t.Fatal(err)
	}
	goals, _, err := c.Goals(r.targets, r.exclude)
	if err != nil {
		t.Fatal(err)
	}
	flags.Options.Arch = "linux x86_64"
	if flags.Limit == 0 {
		flags.Limit = time.Duration(r.limit) * time.Minute
	}
	return c.InputFrom(flags, goals, &h)
}

// TestOracleIsTheOldTool holds our description of the old algorithm against
// what the old tool really printed.
func TestOracleIsTheOldTool(t *testing.T) {
	c := embeddedCatalog(t)
	for _, file := range recordedFiles {
		t.Run(file, func(t *testing.T) {
			r := readRecorded(t, file)
			in := r.input(t, c, plan.Request{Split: "never", Lanes: 1})
			secs := make([]float64, len(in.Work))
			for i, w := range in.Work {
				for _, f := range w.Files {
					secs[i] += f.Median.Seconds()
				}
			}
			for i := range secs { // ast.json has whole seconds
				secs[i] = float64(int(secs[i] + 0.5))
			}
			var got []string
			for _, b := range oldPack(secs, r.limit) {
				var names []string
				sum := 0.0
				for _, i := range b {
					names = append(names, in.Work[i].Goal.String())
					sum += secs[i]
				}
				got = append(got, fmt.Sprintf("%s (%d min)", strings.Join(names, " "), int((sum+59.999)/60)))
			}
			if !slices.Equal(got, r.buckets) {
				t.Errorf("the oracle gives\n%s\nthe old tool gave\n%s", strings.Join(got, "\n"), strings.Join(r.buckets, "\n"))
			}
		})
	}
}

// TestNeverWorseThanTheOldTool: fewer machines, or as many and no later end.
func TestNeverWorseThanTheOldTool(t *testing.T) {
	c := embeddedCatalog(t)
	for _, file := range recordedFiles {
		t.Run(file, func(t *testing.T) {
			r := readRecorded(t, file)
			p, err := plan.Pack(r.input(t, c, plan.Request{Split: "never", Lanes: 1}))
			if err != nil {
				t.Fatal(err)
			}
			end := int((p.End() + time.Minute - 1) / time.Minute)
			t.Logf("old %d machines, %d min; ours %d machines (bound %d), %d min (not below %s)", len(r.buckets), r.longest, len(p.Buckets), p.Lower, end, p.EndLower)
			if len(p.Buckets) > len(r.buckets) || end > r.longest || !p.Optimal {
				t.Errorf("%d machines to %d min, optimal %v; the old tool: %d to %d min", len(p.Buckets), end, p.Optimal, len(r.buckets), r.longest)
			}
		})
	}
}

// TestReference is the table of what planning must reach on all 326 goals.
func TestReference(t *testing.T) {
	c := embeddedCatalog(t)
	r := readRecorded(t, "full-t230.txt")
	minutes := func(m float64) time.Duration { return time.Duration(m * float64(time.Minute)) }
	ask := func(limit int, split string, lanes int, boot, build float64) plan.Plan {
		p, err := plan.Pack(r.input(t, c, plan.Request{Limit: minutes(float64(limit)), Split: split, Lanes: lanes, Boot: minutes(boot), Build: minutes(build)}))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("-t %d --split %s --lanes %d --boot %v --build %v: %d machines (bound %d, optimal %v), end %.1f, machine time %.0f, %d pieces",
			limit, split, lanes, boot, build, len(p.Buckets), p.Lower, p.Optimal, p.End().Minutes(), p.Machine().Minutes(), len(p.Pieces()))
		return p
	}
	for _, tt := range []struct {
		limit, machines int
		end             float64
	}{{230, 8, 230}, {120, 14, 197}, {60, 24, 197}} {
		if p := ask(tt.limit, "never", 1, 0, 0); len(p.Buckets) > tt.machines || p.End() > minutes(tt.end) || !p.Optimal {
			t.Errorf("-t %d --split never: %d machines to %s", tt.limit, len(p.Buckets), p.End())
		}
	}
	p := ask(15, "never", 1, 0, 0)
	if len(p.Warnings) != 1 || strings.Count(p.Warnings[0], " t") < 22 || !strings.Contains(p.Warnings[0], " tl-ngx_lua ") || !strings.Contains(p.Warnings[0], "the smallest -t that fits all is 197") {
		t.Errorf("-t 15 --split never warns %q", p.Warnings)
	}
	for _, o := range []struct{ boot, build float64 }{{0, 0}, {2, 1}} {
		paid := ask(230, "auto", 1, o.boot, o.build)
		if p := paid; o.boot == 0 && (len(p.Buckets) != 8 || p.End() > minutes(225)) {
			t.Errorf("-t 230: %d machines to %s", len(p.Buckets), p.End())
		}
		if p := ask(120, "auto", 1, o.boot, o.build); p.End() > minutes(120) || o.boot == 0 && len(p.Buckets) > 15 {
			t.Errorf("-t 120: %d machines to %s", len(p.Buckets), p.End())
		}
		if p := ask(60, "auto", 1, o.boot, o.build); p.End() > minutes(60) || float64(len(p.Buckets)) > 1.05*float64(p.Lower) {
			t.Errorf("-t 60: %d machines to %s, bound %d", len(p.Buckets), p.End(), p.Lower)
		}
		p := ask(15, "auto", 1, o.boot, o.build)
		if ratio := float64(p.Machine()) / float64(paid.Machine()); p.End() > minutes(15) || ratio > 1.25 {
			t.Errorf("-t 15: to %s for %.2f times the money at -t 230", p.End(), ratio)
		}
		p = ask(15, "auto", 0, o.boot, o.build)
		if ratio := float64(p.Machine()) / float64(paid.Machine()); p.End() > minutes(15) || ratio > 0.5 {
			t.Errorf("-t 15 --lanes auto: to %s for %.2f times the money at -t 230", p.End(), ratio)
		}
	}
}
