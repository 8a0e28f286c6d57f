package opsboy

import (
	"bytes"
	"testing"
	"testing/iotest"
)

// FuzzParse holds for any bytes: JSON comes out; how the bytes are read and cut
// into logs between lines changes nothing; and no line that is passed over
// would have mattered.
func FuzzParse(f *testing.F) {
	for _, file := range glob(f, "../testdata/logs/*.log") {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		want := parse(t, log)
		value(t, want)

		last := bytes.LastIndexByte(log, '\n') + 1
		for how, got := range map[string][]byte{
			"its last line as a log of its own": parse(t, log[:last], log[last:]),
			"bytes one by one":                  written(t, reading(t, iotest.OneByteReader(bytes.NewReader(log)))),
			"every line taken":                  written(t, taking(log)),
		} {
			if !bytes.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", how, got, want)
			}
		}
	})
}

// taking gives every line to the rules.
func taking(log []byte) *Parser {
	var p Parser
	for line := range bytes.Lines(log) {
		p.line++
		p.take(line)
	}
	return &p
}
