package result

import (
	"strings"
	"testing"

	"github.com/ortest/ortest/report"
)

const source = `use Test::Nginx::Socket;
use lib 'lib';

repeat_each(2);
plan tests => repeat_each() *
    (3 * blocks() + 1);

run_tests();

__DATA__

=== TEST 1: first
--- request
GET /a
--- response_body
a



=== TEST 2: second
--- request
GET /b
--- response_body
b

=== TEST 3: second
--- request
GET /c
`

func TestBundle(t *testing.T) {
	cell := Cell{Name: "x", Goal: Goal{Arch: "linux x86_64", Tested: "2026-11-21 12:00:00", Result: report.GoalResult{
		Goal: "tv-hello", Repo: "o/hello", Commit: "abc", Versions: map[string]string{"nginx": "nginx/1.29.2"}}}}
	finding := func(change func(*report.Finding)) report.Finding {
		f := report.Finding{Kind: "assert", Class: report.New, File: "t/001-a.t", Block: "second", Number: 2, Ordinal: 1, Name: "response_body",
			Detail: "got: 'x'\n# 2026/11/21 02:17:03 [error] 5#5: *1 lua entry thread aborted\n"}
		change(&f)
		return f
	}
	for _, tt := range []struct {
		name   string
		f      report.Finding
		src    string
		file   string // that holds want
		want   string
		absent string // a file that is not there, or "" for none
	}{
		{name: "the block stands alone, with what precedes the blocks", f: finding(func(*report.Finding) {}), src: source, file: "t/001-a-2.t",
			want: "use Test::Nginx::Socket;\nuse lib 'lib';\n\nrepeat_each(2);\nplan 'no_plan';\n\nrun_tests();\n\n__DATA__\n\n=== TEST 2: second\n--- request\nGET /b\n--- response_body\nb\n"},
		{name: "of blocks of one title the ordinal tells which", f: finding(func(f *report.Finding) { f.Number, f.Ordinal = 3, 2 }), src: source, file: "t/001-a-3.t", want: "GET /c"},
		{name: "without an ordinal the number does", f: finding(func(f *report.Finding) { f.Number, f.Ordinal = 3, 0 }), src: source, file: "t/001-a-3.t", want: "GET /c"},
		{name: "without the source there is no test file", f: finding(func(*report.Finding) {}), file: "README.md", want: "ortest run tv-hello --files t/001-a.t", absent: "t/001-a-2.t"},
		{name: "a block that the source has not is left out", f: finding(func(f *report.Finding) { f.Block = "gone" }), src: source, file: "README.md", want: "commit: ` abc `", absent: "t/001-a-2.t"},
		{name: "the versions are there", f: finding(func(*report.Finding) {}), file: "README.md", want: "- nginx: ` nginx/1.29.2 `"},
		{name: "the error log's lines are apart", f: finding(func(*report.Finding) {}), file: "error.log", want: "2026/11/21 02:17:03 [error] 5#5: *1 lua entry thread aborted\n"},
		{name: "a log without any has no such file", f: finding(func(f *report.Finding) { f.Detail = "got: 'x'" }), file: "failure.txt", want: "got: 'x'\n", absent: "error.log"},
		{name: "hostile text is no command", f: finding(func(f *report.Finding) { f.File = "t/$(id)'.t" }), file: "README.md", want: `--files 't/$(id)'\''.t'`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := Bundle(cell, tt.f, []byte(tt.src))
			if got := string(files[tt.file]); !strings.Contains(got, tt.want) {
				t.Errorf("%s has not %q:\n%s", tt.file, tt.want, got)
			}
			if _, there := files[tt.absent]; there {
				t.Errorf("%s is there", tt.absent)
			}
		})
	}
	for _, f := range []report.Finding{
		finding(func(f *report.Finding) { f.Class = report.Expected }), finding(func(f *report.Finding) { f.File = "" }), finding(func(f *report.Finding) { f.File = "src/a.c" }),
	} {
		if files := Bundle(cell, f, nil); files != nil {
			t.Errorf("%+v has a bundle", f)
		}
	}
}

func TestLocate(t *testing.T) {
	f := report.Finding{File: "t/a.t", Block: "second", Number: 3}
	Locate(&f, []byte(source))
	if f.Line != 26 || f.Ordinal != 2 {
		t.Errorf("found at line %d, ordinal %d", f.Line, f.Ordinal)
	}
	f = report.Finding{File: "t/a.t", Block: "second", Number: 3, Line: 7}
	if Locate(&f, []byte(source)); f.Line != 7 {
		t.Errorf("a known line was changed to %d", f.Line)
	}
}

func TestPlansAreTakenOut(t *testing.T) {
	for in, want := range map[string]string{
		"plan tests => 3 * blocks();":               "plan 'no_plan';",
		"plan(tests => 3);":                         "plan 'no_plan';",
		"use Test::Nginx::Socket tests => 12;":      "use Test::Nginx::Socket 'no_plan';",
		"use Test::Nginx::Socket::Lua 'no_plan';":   "use Test::Nginx::Socket::Lua 'no_plan';",
		"plan tests => repeat_each() * (\n 4 + 1);": "plan 'no_plan';",
	} {
		src := in + "\n__DATA__\n\n=== TEST 1: x\n--- a\n"
		got := string(standalone(report.Finding{File: "t/a.t", Block: "x", Number: 1}, []byte(src)))
		if !strings.HasPrefix(got, want+"\n__DATA__") {
			t.Errorf("%q became %q", in, got)
		}
	}
}
