package plan

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kballard/go-shellquote"
)

func TestParseRequest(t *testing.T) {
	with := func(change func(*Request)) Request {
		r := defaultRequest()
		r.Targets = []string{"hello"}
		change(&r)
		return r
	}
	for _, tt := range []struct {
		line string
		want Request
	}{
		{"hello", with(func(*Request) {})},
		{"-t 60 hello", with(func(r *Request) { r.Limit = time.Hour })},
		{"hello -t 60", with(func(r *Request) { r.Limit = time.Hour })},
		{"-t1 hello", with(func(r *Request) { r.Limit = time.Minute })},
		{"--time=1440 hello", with(func(r *Request) { r.Limit = 24 * time.Hour })},
		{"-a 'linux i386' hello", with(func(r *Request) { r.Options.Arch = "linux i386" })},
		{"-fcS -r hello", with(func(r *Request) {
			r.Options.Force, r.Options.RestyCore, r.Options.NoSystemTap, r.Run = true, true, true, true
		})},
		{"-v 1.29.2 -o '-O2 -g' -i c5.large -b main hello", with(func(r *Request) {
			r.Options.Nginx, r.Options.CCOpt, r.Options.InstanceType, r.Options.Revision = "1.29.2", "-O2 -g", "c5.large", "main"
		})},
		{"-e '^t[rwh]?v-' hello", with(func(r *Request) { r.Exclude = "^t[rwh]?v-" })},
		{"--split never --lanes auto --all-at-once hello", with(func(r *Request) { r.Split, r.Lanes, r.AllAtOnce = "never", 0, true })},
		{"--boot 0 --build 1.5 hello", with(func(r *Request) { r.BootSet, r.BuildSet, r.Build = true, true, 90*time.Second })},
	} {
		t.Run(tt.line, func(t *testing.T) {
			words, err := shellquote.Split(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseRequest(words)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			back, err := ParseRequest(got.Words())
			if err != nil || !cmp.Equal(back, got) {
				t.Errorf("%s reads back as %+v, %v", got, back, err)
			}
		})
	}
}

func TestParseRequestRefuses(t *testing.T) {
	long := strings.Repeat("x", 512)
	for _, tt := range []struct {
		name  string
		words []string
		at    int
		want  string
	}{
		{"no words", nil, 0, "nothing to test"},
		{"flags without targets", []string{"-f"}, 0, "nothing to test"},
		{"a limit that is no number", []string{"-t", "x", "hello"}, 1, `"-t x" is not valid; give whole minutes`},
		{"a limit of 0", []string{"hello", "-t", "0"}, 2, "whole minutes from 1 to 1440"},
		{"a negative limit", []string{"-t", "-5", "hello"}, 1, "whole minutes from 1 to 1440"},
		{"a limit of a minute more than a day", []string{"-t", "1441", "hello"}, 1, "whole minutes from 1 to 1440"},
		{"a limit too large for a number", []string{"-t", "99999999999999999999", "hello"}, 1, "whole minutes"},
		{"an unknown long flag has the nearest", []string{"--al-at-once", "hello"}, 1, "did you mean --all-at-once?"},
		{"an unknown short flag", []string{"hello", "-z"}, 2, `"-z" is no flag`},
		{"a flag at the end lacks its value", []string{"hello", "-a"}, 2, "needs a value"},
		{"a file of durations is for dispatch only", []string{"--ast", "/etc/passwd", "hello"}, 1, "only with ortest dispatch"},
		{"JSON is for dispatch only", []string{"hello", "--json"}, 2, "only with ortest dispatch"},
		{"help is a command", []string{"-h"}, 1, "/ortest help"},
		{"a core of two numbers", []string{"-v", "1.29", "hello"}, 0, "nginx core version"},
		{"an instance type with a space", []string{"-i", "c5 large", "hello"}, 0, "instance type"},
		{"a revision that climbs", []string{"-b", "a/../b", "hello"}, 0, "catalog revision"},
		{"a split of neither kind", []string{"--split", "maybe", "hello"}, 1, "--split auto or --split never"},
		{"65 lanes", []string{"--lanes", "65", "hello"}, 1, "1 to 64"},
		{"0 lanes", []string{"--lanes", "0", "hello"}, 1, "1 to 64"},
		{"a negative boot", []string{"--boot", "-1", "hello"}, 1, "0 to 600"},
		{"a boot that is no number", []string{"--boot", "NaN", "hello"}, 1, "0 to 600"},
		{"a look-ahead", []string{"-e", "a(?=b)", "hello"}, 0, `"(?=" at character 2`},
		{"a look-ahead behind the same text in a class, in characters", []string{"-e", "é[(?=](?=b)", "hello"}, 0, `"(?=" at character 7`},
		{"a class without an end behind one that has it", []string{"-e", "[a]b[a", "hello"}, 0, `"[a" at character 5`},
		{"a target with a slash", []string{"hello", "../x"}, 2, "is no target"},
		{"a target that would be Markdown", []string{"hello", "@everyone"}, 2, "is no target"},
		{"a word of 513 bytes", []string{"hello", long + "x"}, 2, "is too long"},
		{"a control character", []string{"hello", "a\x1b[31m"}, 2, "control character"},
		{"bytes that are not UTF-8", []string{"hello", "a\xff"}, 2, "control character"},
		{"401 words", strings.Fields(strings.Repeat("t ", 401)), 0, "401 words"},
		{"5,000 characters of goals", strings.Fields(strings.Repeat("tv-ngx_lua ", 455)), 0, "5005 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseRequest(tt.words)
			var e *UsageError
			if !errors.As(err, &e) {
				t.Fatalf("error %v is no *UsageError", err)
			}
			if !strings.Contains(err.Error(), tt.want) || e.At != tt.at {
				t.Errorf("at %d: %v\nwant at %d: %s", e.At, err, tt.at, tt.want)
			}
			if len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("not fit to be shown: %q", err.Error())
			}
		})
	}
}

func TestWordsAtTheirBounds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		words []string
	}{
		{"400 words", strings.Fields(strings.Repeat("t ", 400))},
		{"4,000 bytes", append(strings.Fields(strings.Repeat("tv-ngx_lua ", 363)), "ab-def")},
		{"a word of 512 bytes", []string{"-e", strings.Repeat("x", 512), "t"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ParseRequest(tt.words); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	p := Policy{InstanceTypes: []string{"c5.large"}, Revisions: []string{"v3"}}
	for _, tt := range []struct {
		name string
		o    Options
		bad  bool
	}{
		{"nothing chosen", Options{}, false},
		{"an instance type of the list", Options{InstanceType: "c5.large"}, false},
		{"another", Options{InstanceType: "p5.48xlarge"}, true},
		{"a revision of the protected branch", Options{Revision: "v3"}, false},
		{"another", Options{Revision: "evil"}, true},
		{"flags of the list", Options{CCOpt: "-O2 -g -DNDEBUG -DX=1 -Wall -Wno-error -fsanitize=address -m32 -std=c11"}, false},
		{"a plugin", Options{CCOpt: "-O2 -fplugin=/tmp/x.so"}, true},
		{"a path", Options{CCOpt: "-I/etc"}, true},
		{"a file as a word", Options{CCOpt: "/tmp/x.c"}, true},
		{"a linker's option", Options{CCOpt: "-Wl,-rpath,/tmp"}, true},
		{"a program", Options{CCOpt: "-B/tmp"}, true},
		{"flags from a file", Options{CCOpt: "@/tmp/x"}, true},
		{"a value with a path", Options{CCOpt: "-DX=/etc/passwd"}, true},
		{"a specs file", Options{CCOpt: "-specs=x"}, true},
		{"a wrapper", Options{CCOpt: "-wrapper x"}, true},
		{"open quotes", Options{CCOpt: "'-O2"}, true},
		{"a word behind a newline", Options{CCOpt: "'-O2\n-fplugin=x'"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := p.Check(Request{Options: tt.o}); (err != nil) != tt.bad {
				t.Errorf("Check(%+v) = %v", tt.o, err)
			}
		})
	}
}

func TestStages(t *testing.T) {
	a, b, c := Goal{"t", "a"}, Goal{"tv", "a"}, Goal{"t", "b"}
	for _, tt := range []struct {
		name  string
		r     Request
		goals []Goal
		want  [][]Goal
	}{
		{"mode t goes first", Request{}, []Goal{b, a, c}, [][]Goal{{a, c}, {b}}},
		{"one mode is one stage", Request{}, []Goal{a, c}, [][]Goal{{a, c}}},
		{"without mode t there is nothing to wait for", Request{}, []Goal{b}, [][]Goal{{b}}},
		{"all at once is one stage", Request{AllAtOnce: true}, []Goal{b, a}, [][]Goal{{b, a}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.r.Stages(tt.goals); !cmp.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzRequestReadsBack(f *testing.F) {
	for _, seed := range []string{"hello", "-t 60 -a 'linux i386' tv", "-o '-O2 -g' -e '^t' --lanes auto --boot 1.5 ngx_lua", "-fcSr t tv"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := shellquote.Split(line)
		if err != nil {
			return
		}
		r, err := ParseRequest(words)
		if err != nil {
			var e *UsageError
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *UsageError", err)
			}
			return
		}
		again, err := shellquote.Split(r.String())
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseRequest(again)
		if err != nil || !cmp.Equal(back, r) {
			t.Fatalf("%q\nwritten %q\nreads back as %+v, %v\nwant %+v", line, r.String(), back, err, r)
		}
	})
}
