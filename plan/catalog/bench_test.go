package catalog

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/plan"
)

// BenchmarkPack326 plans the old tool's full run; the figures of the old
// algorithm are beside it.
func BenchmarkPack326(b *testing.B) {
	c := embeddedCatalog(b)
	for _, file := range []string{"full-t230.txt", "full-t120.txt", "full-t60.txt"} {
		for _, split := range []string{"never", "auto"} {
			b.Run(fmt.Sprintf("%s/split=%s", file, split), func(b *testing.B) {
				r := readRecorded(b, file)
				in := r.input(b, c, plan.Request{Split: split, Lanes: 1})
				var p plan.Plan
				for b.Loop() {
					var err error
					if p, err = plan.Pack(in); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(p.Buckets)), "machines")
				b.ReportMetric(float64(p.Lower), "bound")
				b.ReportMetric(p.End().Minutes(), "end-min")
				machines, end, how := oldFigures(b, r)
				b.ReportMetric(float64(machines), how+"-old-machines")
				b.ReportMetric(float64(end), how+"-old-end-min")
			})
		}
	}
}

// oldFigures are the old dispatcher's machines and longest bucket: measured now
// when OPSBOY names a checkout of openresty/opsboy, otherwise as recorded.
func oldFigures(b testing.TB, r recorded) (machines, end int, how string) {
	b.Helper()
	opsboy := os.Getenv("OPSBOY")
	if opsboy == "" {
		return len(r.buckets), r.longest, "recorded"
	}
	dir := b.TempDir()
	for from, to := range map[string]string{
		"testdata/dispatcher/" + r.ast:                         "ast.json",
		filepath.Join(opsboy, "misc", "logs", "dispatcher"):    "dispatcher",
		filepath.Join(opsboy, "misc", "logs", "gen-user-data"): "gen-user-data",
	} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), text, 0o755)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	args := []string{"dispatcher", "-t", strconv.Itoa(r.limit), "-a", "linux x86_64"}
	if r.exclude != "" {
		args = append(args, "-e", r.exclude)
	}
	args = append(args, r.targets...)
	cmd := exec.CommandContext(b.Context(), "perl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("run the old dispatcher of %s: %v\n%s", opsboy, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if m := bucketLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			mins, _ := strconv.Atoi(m[2])
			machines, end = machines+1, max(end, mins)
		}
	}
	return machines, end, "measured"
}

// BenchmarkOldPack326 is the old algorithm on the same goals, in Go.
func BenchmarkOldPack326(b *testing.B) {
	c := embeddedCatalog(b)
	for _, file := range []string{"full-t230.txt", "full-t120.txt", "full-t60.txt"} {
		b.Run(file, func(b *testing.B) {
			r := readRecorded(b, file)
			in := r.input(b, c, plan.Request{Split: "never", Lanes: 1})
			secs := make([]float64, len(in.Work))
			for i, w := range in.Work {
				for _, f := range w.Files {
					secs[i] += f.Median.Seconds()
				}
			}
			var buckets [][]int
			for b.Loop() {
				buckets = oldPack(secs, r.limit)
			}
			b.ReportMetric(float64(len(buckets)), "machines")
		})
	}
}

// many is 100,000 files of goals of very different sizes, for about 5,000 machines.
func many() plan.Input {
	rng := rand.New(rand.NewPCG(1, 1))
	in := plan.Input{Limit: time.Hour, Split: "auto", Lanes: 1, Cores: 2, Boot: 2 * time.Minute}
	for files := 0; files < 100_000; {
		w := plan.Work{Goal: plan.Goal{Mode: "t", Project: fmt.Sprintf("p%d", len(in.Work))}, CPUShare: 0.5}
		n := min(1+int(math.Exp(rng.Float64()*6)), 100_000-files)
		for i := range n {
			// Log-normal, as durations are: most files a minute or two, few above ten.
			d := time.Duration(math.Min(math.Exp(rng.NormFloat64()*0.8+4.85), 1500) * float64(time.Second))
			w.Files = append(w.Files, plan.File{Path: fmt.Sprintf("t/%05d.t", i), Median: d, P90: d})
		}
		files += n
		in.Work = append(in.Work, w)
	}
	return in
}

// BenchmarkPackMany plans 100,000 files; "ratio" is machines over the sum of
// all time by the limit, each machine's boot counted once.
func BenchmarkPackMany(b *testing.B) {
	in := many()
	var p plan.Plan
	for b.Loop() {
		var err error
		if p, err = plan.Pack(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(p.Buckets)), "machines")
	b.ReportMetric(ratio(in, p), "ratio")
}

func ratio(in plan.Input, p plan.Plan) float64 {
	var sum time.Duration
	for _, w := range in.Work {
		for _, f := range w.Files {
			sum += f.P90
		}
	}
	return float64(len(p.Buckets)) / math.Ceil(float64(sum)/float64(in.Limit-in.Boot))
}
