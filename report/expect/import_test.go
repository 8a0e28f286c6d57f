package expect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ortest/ortest/report"
)

const source = `use Test::Nginx::Socket;
__DATA__
=== TEST 1: sanity
--- response_body
=== TEST 2: destroy the VM (2 workers)
--- response_body
=== TEST 3: a - b
--- response_body
=== TEST 4: twice
--- response_body
=== TEST 5: twice
--- response_body
`

func importing() Importing {
	return Importing{
		Since: day,
		Modes: func(project string) []string {
			if project != "x" {
				return nil
			}
			return []string{"t", "tr", "tv", "trv", "thv", "tl"}
		},
		Source: func(string) ([]report.TestFile, bool) {
			return []report.TestFile{report.ReadTestFile("t/a.t", []byte(source)), report.ReadTestFile("t/sub/b.t", []byte(source))}, true
		},
	}
}

func TestImport(t *testing.T) {
	quote := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	entry := func(mode, name, more string) string {
		return fmt.Sprintf(`{"project":"x","file":"a.t"%s,"name":%s%s}`, mode, name, more)
	}
	plain := func(name string) string { return entry("", quote(name), "") }
	regex := func(re string) string { return entry("", `{"regex":`+quote(re)+`}`, "") }
	for _, tt := range []struct {
		name, in string
		want     []string // parts of the file, or of the note that drops the entry
		dropped  string   // cause
	}{
		{"a name becomes block and assertion", plain("TEST 1: sanity - response_body - response is expected"),
			[]string{"block: 'sanity'\n  number: 1\n", "field: name\n    contains: 'response_body - response is expected'"}, ""},
		{"a title that holds the separator is looked up", plain("TEST 3: a - b - status code ok"), []string{"block: 'a - b'", "contains: 'status code ok'"}, ""},
		{"a name without an assertion is the whole block", plain("TEST 1: sanity"), []string{"block: 'sanity'\n  number: 1\n  kind: assert\n  outcome"}, ""},
		{"a timeout stands before its block's name", plain("ERROR: client socket timed out - TEST 1: sanity"), []string{"block: 'sanity'", "contains: 'ERROR: client socket timed out'"}, ""},
		{"a name without a block is broad", plain(" - grep_error_log_out"), []string{"broad: true\n", "block: 'any'", "field: assertion\n    contains: ' - grep_error_log_out'"}, ""},
		{"no name is any assertion of the file", `{"project":"x","file":"a.t","mode":"r"}`, []string{"block: 'any'\n  kind: assert\n  when:\n    mode: [tr, trv]\n"}, ""},
		{"no file is any file", `{"project":"x","name":"should match a line"}`, []string{"test: '**'", "broad: true", "budget: 100"}, ""},
		{"a regex without special characters is text", regex(`TEST 2: destroy the VM \(2 workers\) - status code ok`), []string{"block: 'destroy the VM (2 workers)'", "contains: 'status code ok'"}, ""},
		{"a regex after its title is anchored as ours are", regex(`TEST 1: sanity - pattern ".*?" should match$`), []string{"block: 'sanity'", "regex: '.*(?-s:pattern \".*?\" should match\\n?$).*'"}, ""},
		{"a regex within its title is broad", regex(`TEST (?:1|2): .*? - status`), []string{"broad: true", "field: assertion\n    regex: '.*(?-s:TEST (?:1|2): .*? - status).*'"}, ""},
		{"details are looked for in the diagnostics", entry("", quote("TEST 1: sanity - status code ok"), `,"details":"got: '3'"`), []string{"field: stack\n    contains: 'got: ''3'''"}, ""},
		{"a mode is a regex over letters", entry(`,"mode":"v"`, quote("TEST 1: sanity - status code ok"), ""), []string{"mode: [tv, trv, thv]"}, ""},
		{"two letters are one after another", entry(`,"mode":"rv"`, quote("TEST 1: sanity - status code ok"), ""), []string{"mode: [trv]"}, ""},
		{"the empty mode is the plain one", entry(`,"mode":""`, quote("TEST 1: sanity - status code ok"), ""), []string{"mode: [t]"}, ""},
		{"an arch", entry("", quote("TEST 1: sanity - status code ok"), `,"arch":"linux i386"`), []string{"arch: [linux i386]"}, ""},
		{"a leak check's entry waives leaks", entry(`,"mode":"l"`, quote("TEST 1: sanity"), ""), []string{"kind: rss_leak"}, ""},
		{"valgrind's words make it a memory error", entry(`,"mode":"v"`, quote("TEST 1: sanity"), `,"details":"Memcheck:Leak"`), []string{"kind: memcheck"}, ""},
		{"a process that is gone is a crash", plain("TEST 1: sanity - the nginx process"), []string{"kind: crash"}, ""},
		{"a broken plan has another text now", plain("Looks like you planned 4 tests but ran 6."), []string{"kind: plan", "contains: 'You planned 4 tests but ran 6.'"}, ""},
		{"a block that has moved", plain("TEST 7: sanity - status code ok"), []string{"number: 1\n"}, ""},
		{"a spelling that was mended", plain("TEST 2: destory the VM (2 workers) - status code ok"), []string{"block: 'destroy the VM (2 workers)'"}, ""},
		{"a number that differs is another block", plain("TEST 2: destroy the VM (3 workers) - status code ok"), []string{`TEST 2 "destroy the VM (2 workers)" is like it`}, "dead title"},
		{"one of two blocks of one title", plain("TEST 5: twice - status code ok"), []string{"number: 5\n  ordinal: 2\n"}, ""},
		{"a title that is gone", plain("TEST 9: something else entirely - status code ok"), nil, "dead title"},
		{"a file that is gone", `{"project":"x","file":"b.t","name":"TEST 1: sanity"}`, []string{"t/sub/b.t has its name"}, "dead file"},
		{"a line of nginx", plain("nginx: [emerg]"), nil, "a line of nginx"},
		{"a regex of Perl's alone", regex(`TEST 1: sanity - (?!x)a`), nil, "Perl's regex"},
		{"a mode that the project does not have", entry(`,"mode":"o"`, quote("TEST 1: sanity"), ""), nil, "no such mode"},
		{"a project that the catalog does not have", `{"project":"y","file":"a.t","name":"TEST 1: sanity"}`, nil, "unknown project"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := Import([]byte("["+tt.in+"]"), importing())
			if err != nil {
				t.Fatal(err)
			}
			text := string(Write([]string{"x"}, out.Entries["x"]))
			if tt.dropped != "" {
				if len(out.Notes) != 1 || out.Notes[0].Cause != tt.dropped || !out.Notes[0].Dropped {
					t.Fatalf("notes %+v, want one of cause %q", out.Notes, tt.dropped)
				}
				text = out.Notes[0].Text
			} else if _, err := report.ReadExpectations("x.yaml", []byte(text)); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			for _, part := range tt.want {
				if !strings.Contains(text, part) {
					t.Errorf("no %q in\n%s", part, text)
				}
			}
		})
	}
}

func TestImportSaysWhatIsDouble(t *testing.T) {
	e := `{"project":"x","file":"a.t","name":"TEST 1: sanity"}`
	out, err := Import([]byte("["+e+","+e+"]"), importing())
	if err != nil || out.Carried != 1 || out.Total != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	if !slices.ContainsFunc(out.Notes, func(n Note) bool { return n.Number == 2 && n.Dropped && n.Text == "it says the same as entry 1" }) {
		t.Errorf("notes %+v", out.Notes)
	}
}

func TestImportRefusesWhatIsNoList(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"no JSON", "[", "read old white list: unexpected end"},
		{"no array", `{"a":1}`, "read old white list: json: cannot unmarshal object"},
		{"an unknown key", `[{"project":"x","owner":"a"}]`, `entry 1: json: unknown field "owner"`},
		{"a name that is a number", `[{"project":"x","name":1}]`, `entry 1: 1 is neither a string nor`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Import([]byte(tt.in), importing()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}
