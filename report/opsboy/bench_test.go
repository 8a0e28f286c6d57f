package opsboy

import (
	"bytes"
	"io"
	"testing"
)

// BenchmarkParse reads the logs of testdata, repeated to 200 MB.
func BenchmarkParse(b *testing.B) {
	all := allLogs(b)
	times := 200_000_000/len(all) + 1
	b.SetBytes(int64(times * len(all)))
	b.ReportAllocs()
	for b.Loop() {
		var p Parser
		for range times {
			if err := p.Parse(bytes.NewReader(all)); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Write(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func allLogs(t testing.TB) (all []byte) {
	for _, log := range glob(t, "testdata/logs/*.log.gz") {
		all = append(all, read(t, log)...)
	}
	return all
}
