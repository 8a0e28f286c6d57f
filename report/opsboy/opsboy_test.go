package opsboy

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestOldAnswers holds the parser to what the old one answered: for logs of the
// old driver, and for made-up ones that each show a peculiarity of it.
func TestOldAnswers(t *testing.T) {
	for _, set := range []struct{ answers, ext, logs string }{
		{"testdata/logs", ".json.gz", "testdata/logs"},
		{"testdata/quirks", ".json", "../testdata/logs"},
	} {
		for _, answer := range glob(t, filepath.Join(set.answers, "*"+set.ext)) {
			name := strings.TrimSuffix(filepath.Base(answer), set.ext)
			t.Run(name, func(t *testing.T) {
				log := filepath.Join(set.logs, name+strings.Replace(set.ext, "json", "log", 1))
				sameValue(t, parse(t, read(t, log)), read(t, answer))
			})
		}
	}
}

// parse returns what is written of some logs.
func parse(t testing.TB, logs ...[]byte) []byte {
	t.Helper()
	var readers []io.Reader
	for _, log := range logs {
		readers = append(readers, bytes.NewReader(log))
	}
	return written(t, reading(t, readers...))
}

func reading(t testing.TB, logs ...io.Reader) *Parser {
	t.Helper()
	var p Parser
	for _, log := range logs {
		if err := p.Parse(log); err != nil {
			t.Fatal(err)
		}
	}
	return &p
}

func written(t testing.TB, p *Parser) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sameValue compares JSON as values.
func sameValue(t testing.TB, got, want []byte) {
	t.Helper()
	if !reflect.DeepEqual(value(t, got), value(t, want)) {
		t.Errorf("not the old parser's answer\n got %s\nwant %s", got, want)
	}
}

func value(t testing.TB, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file is named %s: %v", pattern, err)
	}
	return files
}

// read returns a file's content, unpacked.
func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil && strings.HasSuffix(file, ".gz") {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = io.ReadAll(z)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}
