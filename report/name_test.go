package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitName(t *testing.T) {
	for _, tt := range []struct {
		name, in   string
		file       string
		number     int
		title      string
		what, part string
	}{
		{"path, number and assertion", "t/a.t TEST 3: echo - status code ok", "t/a.t", 3, "echo", "status code ok", "error_code"},
		{"an old log has no path", "TEST 3: echo - header X-A ok", "", 3, "echo", "header X-A ok", "response_headers"},
		{"a title may hold the separator", "t/a.t TEST 1: a - b - response_body - response is expected (req 0)", "t/a.t", 1, "a - b", "response_body - response is expected (req 0)", "response_body"},
		{"a body summary may hold another assertion", "t/a.t TEST 1: x - response_body_like - response is expected (a - b)", "t/a.t", 1, "x", "response_body_like - response is expected (a - b)", "response_body_like"},
		{"a pattern may quote anything", `t/a.t TEST 1: x - pattern "a - status code ok" should not match any line in error.log but matches line "q" (req 0)`, "t/a.t", 1, "x",
			`pattern "a - status code ok" should not match any line in error.log but matches line "q" (req 0)`, "no_error_log"},
		{"a timeout stands before the name", "ERROR: client socket timed out - t/a.t TEST 2: slow", "t/a.t", 2, "slow", "ERROR: client socket timed out", ""},
		{"and before one that has no path", "ERROR: client socket timed out - TEST 2: slow", "", 2, "slow", "ERROR: client socket timed out", ""},
		{"a header line has no assertion", "t/a/b.t TEST 2: slow", "t/a/b.t", 2, "slow", "", ""},
		{"a name without a number is all assertion", "it works", "", 0, "", "it works", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, _ := splitName(tt.in)
			if n.file != tt.file || n.number != tt.number || n.title != tt.title || n.what != tt.what || section(n.what) != tt.part {
				t.Errorf("splitName(%q) = %+v, section %q", tt.in, n, section(n.what))
			}
		})
	}
}

func TestFind(t *testing.T) {
	f := TestFile{Path: "t/a.t", Blocks: []Block{
		{Number: 1, Title: "set", Ordinal: 1, Line: 5}, {Number: 2, Title: "set - twice", Ordinal: 1, Line: 9},
		{Number: 3, Title: "same", Ordinal: 1, Line: 20}, {Number: 4, Title: "same", Ordinal: 2, Line: 30},
		{Number: 0, Title: "no number", Ordinal: 1, Line: 40}, {Number: 0, Title: "no number at all", Ordinal: 1, Line: 50},
	}}
	for _, tt := range []struct {
		name, in string
		want     int
		what     string
	}{
		{"by path and number", "t/a.t TEST 1: set - status code ok", 0, "status code ok"},
		{"a title with the separator", "t/a.t TEST 2: set - twice - status code ok", 1, "status code ok"},
		{"two blocks of one title", "TEST 4: same - x", 3, "x"},
		{"the text may come first", "ERROR: client socket timed out - t/a.t TEST 3: same", 2, "ERROR: client socket timed out"},
		{"the longest title without a number", "no number at all - x", 5, "x"},
		{"the shorter title without a number", "t/a.t no number - x", 4, "x"},
		{"a number that moved is not this block", "t/a.t TEST 1: other - x", -1, "t/a.t TEST 1: other - x"},
		{"a longer title that begins alike is not this block", "t/a.t TEST 1: settle - x", -1, "t/a.t TEST 1: settle - x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if i, what := f.find(tt.in); i != tt.want || what != tt.what {
				t.Errorf("find(%q) = %d, %q; want %d, %q", tt.in, i, what, tt.want, tt.what)
			}
		})
	}
}

func TestReadTestFile(t *testing.T) {
	src := "use Test::Nginx::Socket;\n=== TEST 9: in code\n__DATA__\n\n=== TEST 1: one\n--- request\nGET /\n--- response_body\na\nb\n\n\n=== TEST 2: same\n--- SKIP\n=== TEST 3: same\n--- request: GET /\n--- LAST\n=== loose\n"
	f := ReadTestFile("t/a.t", []byte(src))
	want := []Block{
		{Number: 1, Title: "one", Ordinal: 1, Line: 5, EndLine: 10, Sections: []Section{{"request", 6, 7}, {"response_body", 8, 10}}},
		{Number: 2, Title: "same", Ordinal: 1, Line: 13, EndLine: 14, Skip: "SKIP", Sections: []Section{{"SKIP", 14, 14}}},
		{Number: 3, Title: "same", Ordinal: 2, Line: 15, EndLine: 17, Sections: []Section{{"request", 16, 16}, {"LAST", 17, 17}}},
		{Title: "loose", Ordinal: 1, Line: 18, EndLine: 18, Skip: "LAST"},
	}
	if len(f.Blocks) != len(want) {
		t.Fatalf("got %+v", f.Blocks)
	}
	for i := range want {
		if got := f.Blocks[i]; !equalBlocks(got, want[i]) {
			t.Errorf("block %d\n got %+v\nwant %+v", i, got, want[i])
		}
	}
	if line, end := f.Blocks[0].lines("response_body - response is expected"); line != 8 || end != 10 {
		t.Errorf("section at %d to %d", line, end)
	}
	if line, _ := f.Blocks[0].lines("status code ok"); line != 5 {
		t.Errorf("without a section the block's line is meant, got %d", line)
	}
	if plain := ReadTestFile("t/p.t", []byte("#!/bin/sh\necho 1..1\n=== TEST 1: x\n")); len(plain.Blocks) != 0 {
		t.Errorf("a plain TAP script has no blocks, got %+v", plain.Blocks)
	}
	only := ReadTestFile("t/o.t", []byte("__END__\n=== a\n=== b\n--- ONLY\n"))
	if only.Blocks[0].Skip != "ONLY" || only.Blocks[1].Skip != "" {
		t.Errorf("ONLY leaves out the others, got %+v", only.Blocks)
	}
}

func equalBlocks(a, b Block) bool {
	return cmp.Equal(a, b)
}
