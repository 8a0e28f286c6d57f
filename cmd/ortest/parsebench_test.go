package main

import (
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

const (
	benchInput = 200 << 20 // bytes at least
	benchRuns  = 10

	// What the old parse-logs did on two cores when its logs were taken (2026-11):
	// 212 MB in 3.1 s of CPU under load.
	recordedOld = 67.0 // MB for a second of CPU
)

// BenchmarkParseBesideOld reads real logs, put together to 200 MiB, with the
// command on one core. With OPSBOY=DIR, a checkout of openresty/opsboy, the old
// parse-logs reads them too, run by run in turn; without it the figure that was
// recorded stands beside. All are medians of ten.
func BenchmarkParseBesideOld(b *testing.B) {
	dir := b.TempDir()
	log := filepath.Join(dir, "all.log")
	size := float64(manyLogs(b, log)) / 1e6
	bin := filepath.Join(dir, "ortest")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	old := os.Getenv("OPSBOY")
	for b.Loop() {
		speed := make(map[string][]float64)
		peak := make(map[string]int64)
		for range benchRuns {
			for _, format := range []string{"json", "opsboy"} {
				cpu, rss := oneCore(b, bin, "parse", "--format", format, log)
				speed[format] = append(speed[format], size/cpu)
				peak[format] = max(peak[format], rss)
			}
			if old != "" {
				cpu, _ := oneCore(b, "perl", filepath.Join(old, "misc", "logs", "parse-logs"), "-o", filepath.Join(dir, "old.json"), log)
				speed["old"] = append(speed["old"], size/cpu)
			}
		}
		beside, name := recordedOld, "recorded-old"
		if old != "" {
			beside, name = median(speed["old"]), "old"
		}
		b.ReportMetric(beside, name+"-MB/cpu-s")
		for format, rss := range peak {
			b.ReportMetric(median(speed[format]), format+"-MB/cpu-s")
			b.ReportMetric(median(speed[format])/beside, format+"-times-"+name)
			b.ReportMetric(float64(rss)/(1<<20), format+"-MiB-RSS")
		}
	}
}

// oneCore runs a command on one core and returns its CPU seconds and its
// largest resident set in bytes.
func oneCore(b *testing.B, name string, args ...string) (cpu float64, rss int64) {
	b.Helper()
	cmd := exec.Command(name, args...)
	if pin, err := exec.LookPath("taskset"); err == nil {
		cmd = exec.Command(pin, append([]string{"-c", "0", name}, args...)...)
	}
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("the system does not tell what a process used")
	}
	return (time.Duration(used.Utime.Nano()) + time.Duration(used.Stime.Nano())).Seconds(), used.Maxrss << 10
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// manyLogs writes the real logs one after another until there is enough, and
// returns how much that is. It is in the cache then.
func manyLogs(b *testing.B, path string) int64 {
	b.Helper()
	logs, err := filepath.Glob("../../report/opsboy/testdata/logs/*.log.gz")
	if err != nil || len(logs) == 0 {
		b.Fatalf("logs: %d, %v", len(logs), err)
	}
	var once []byte
	for _, name := range logs {
		f, err := os.Open(name)
		if err != nil {
			b.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			b.Fatal(err)
		}
		once = append(once, text...)
		f.Close()
	}
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	var n int64
	for n < benchInput {
		w, err := out.Write(once)
		if err != nil {
			b.Fatal(err)
		}
		n += int64(w)
	}
	return n
}
