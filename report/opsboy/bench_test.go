package opsboy

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// oldThroughput is that of the old parser on an idle core, in bytes a second.
const oldThroughput = 67e6

// BenchmarkParse reads a file of the logs of testdata, repeated to 200 MB, and
// compares CPU time with the old parser: as measured in the same run if OPSBOY
// names a checkout of openresty/opsboy, as recorded otherwise.
func BenchmarkParse(b *testing.B) {
	var all []byte
	for _, log := range glob(b, "testdata/logs/*.log.gz") {
		all = append(all, read(b, log)...)
	}
	times := 200_000_000/len(all) + 1
	size := times * len(all)
	file := filepath.Join(b.TempDir(), "200mb.log")
	if err := os.WriteFile(file, bytes.Repeat(all, times), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		parseFile(b, file)
	}
	mine := (cpuTime(b) - before).Seconds() / float64(b.N)
	b.ReportMetric(float64(size)/mine/1e6, "cpu-MB/s")

	theirs, how := float64(size)/oldThroughput, "recorded"
	for _, o := range olds() {
		how = "measured"
		_, _, theirs = o.run(b, file)
	}
	b.ReportMetric(theirs/mine, how+"-old-times")
}

func parseFile(b *testing.B, file string) {
	f, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var p Parser
	if err := p.Parse(f); err != nil {
		b.Fatal(err)
	}
	if err := p.Write(io.Discard); err != nil {
		b.Fatal(err)
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
