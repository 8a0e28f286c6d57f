package opsboy

import (
	"bytes"
	"testing"
	"testing/iotest"
	"unicode"
)

// FuzzParse holds for any bytes: JSON in ASCII comes out; how the bytes are read and cut
// into logs between lines changes nothing; and no line that is passed over
// would have mattered.
func FuzzParse(f *testing.F) {
	for _, file := range glob(f, "../testdata/logs/*.log") {
		f.Add(read(f, file))
	}
	f.Add([]byte("making t-ngx_echo ...\nWARNING: caf\xc3\xa9 \xff\u2028\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		want := parse(t, log)
		value(t, want)
		if i := bytes.IndexFunc(want, func(r rune) bool { return r > unicode.MaxASCII }); i >= 0 {
			t.Errorf("not ASCII from %d on: %q", i, want)
		}
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
