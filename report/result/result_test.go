package result

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ortest/ortest/report"
)

// sample is a goal of the example project, judged from a real log.
func sample(t testing.TB, name string) Goal {
	t.Helper()
	b, err := os.ReadFile("../testdata/hello/" + name + ".want.json")
	if err != nil {
		t.Fatal(err)
	}
	g := Goal{
		Run: "hello.log", Arch: "linux x86_64", Nginx: "1.22.1", Tested: "2026-11-21 12:00:00", CommitDate: "Sat Nov 21 10:00:00 2026 +0000",
		Log:   Log{Name: "hello.log", Offset: 100, Bytes: 2000},
		Files: []File{{Path: "t/001-greet.t", Tests: 9, State: "passed"}, {Path: "t/900-skip.t", State: "skipped", Why: "no redis"}},
	}
	if err := json.Unmarshal(b, &g.Result); err != nil {
		t.Fatal(err)
	}
	return g
}

// names are the example's logs.
func names(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("../testdata/hello/*.want.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no logs (%v)", err)
	}
	for i := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(paths[i]), ".want.json")
	}
	return paths
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			want := sample(t, name)
			first, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(bytes.NewReader(first))
			if err != nil || len(got) != 1 {
				t.Fatalf("%d results, %v", len(got), err)
			}
			if diff := cmp.Diff(want, got[0], cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(report.Finding{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			again, err := json.Marshal(got[0])
			if err != nil || !bytes.Equal(first, again) {
				t.Errorf("the second writing differs (%v)\n%s\n%s", err, first, again)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	const goal = `{"schema":1,"type":"goal","goal":"t-hello","verdict":"pass"}`
	with := func(field string) string { return strings.TrimSuffix(goal, "}") + "," + field + "}" }
	for _, tt := range []struct {
		name, in, err string
		want          int
	}{
		{name: "nothing is no result", want: 0},
		{name: "one object", in: goal, want: 1},
		{name: "an object a line", in: goal + "\n" + goal + "\n", want: 2},
		{name: "an object of another type is passed over", in: `{"schema":1,"type":"run"}` + goal, want: 1},
		{name: "another schema is refused", in: `{"schema":2,"type":"goal"}`, err: `"schema": 1`},
		{name: "some other JSON is refused", in: `{"a":1}`, err: `"schema": 1`},
		{name: "a goal needs a name", in: `{"schema":1,"type":"goal","verdict":"pass"}`, err: `no "goal"`},
		{name: "a verdict that does not exist is refused", in: strings.Replace(goal, "pass", "green", 1), err: "green"},
		{name: "a pass with findings is refused", in: with(`"findings":[{"type":"assert","message":"x","judgement":{"outcome":"new"}}]`), err: "verdict pass"},
		{name: "an outcome that does not exist is refused", in: with(`"findings":[{"type":"assert","message":"x","judgement":{"outcome":"fine"}}]`), err: "fine"},
		{name: "a time that is none is refused", in: with(`"started":"yesterday"`), err: "yesterday"},
		{name: "a cut object is an error", in: goal[:30], err: "result 1"},
		{name: "what follows a good object is not lost", in: goal + "x", err: "result 2"},
		{name: "broken UTF-8 is refused", in: with("\"x\":\"\xff\""), err: "UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(strings.NewReader(tt.in))
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if err == nil && len(got) != tt.want {
				t.Errorf("%d results, want %d", len(got), tt.want)
			}
		})
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	in := `{"schema":1,"type":"goal","goal":"t-hello","verdict":"pass","zeta":[1,2],"instance_type":"c7g.large"}`
	got, err := Decode(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(got[0])
	if err != nil || !json.Valid(out) {
		t.Fatalf("%s: %v", out, err)
	}
	for _, want := range []string{`"zeta":[1,2]`, `"instance_type":"c7g.large"`} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s is not in %s", want, out)
		}
	}
}

func TestCells(t *testing.T) {
	at := func(arch, nginx, goal, tested string) Goal {
		return Goal{Arch: arch, Nginx: nginx, Tested: tested, Run: tested, Result: report.GoalResult{Goal: goal}}
	}
	const x64, arm = "linux x86_64", "linux aarch64"
	for _, tt := range []struct {
		name string
		in   []Goal
		want []string // names, and how many are earlier
	}{
		{name: "no results"},
		{name: "the newest core comes first, and last what is tested without",
			in:   []Goal{at(x64, "", "t-sregex", "1"), at(x64, "1.9.2", "t-a", "1"), at(x64, "1.27.1", "t-a", "1")},
			want: []string{"x86_64-1.27.1-t-a 0", "x86_64-1.9.2-t-a 0", "x86_64-none-t-sregex 0"}},
		{name: "arches, projects and modes are in the catalog's order",
			in:   []Goal{at(arm, "1.2.3", "t-a", "1"), at(x64, "1.2.3", "tv-b", "1"), at(x64, "1.2.3", "tr-b", "1"), at(x64, "1.2.3", "tl-a", "1")},
			want: []string{"x86_64-1.2.3-tl-a 0", "x86_64-1.2.3-tr-b 0", "x86_64-1.2.3-tv-b 0", "aarch64-1.2.3-t-a 0"}},
		{name: "an older result of the same goal is history", in: []Goal{at(x64, "1.2.3", "t-a", "2"), at(x64, "1.2.3", "t-a", "1")}, want: []string{"x86_64-1.2.3-t-a 1"}},
		{name: "a result that is given twice counts once", in: []Goal{at(x64, "1.2.3", "t-a", "1"), at(x64, "1.2.3", "t-a", "1")}, want: []string{"x86_64-1.2.3-t-a 0"}},
		{name: "names that a file system cannot tell apart are made different",
			in:   []Goal{at(x64, "1.2.3", "t-a/b", "1"), at(x64, "1.2.3", "t-a_b", "1"), at(x64, "1.2.3", "t-A_b", "1")},
			want: []string{"x86_64-1.2.3-t-A_b 0", "x86_64-1.2.3-t-a_b_ 0", "x86_64-1.2.3-t-a_b__ 0"}},
		{name: "a hostile name leads nowhere", in: []Goal{at("..", "..", "../../etc/passwd", "1")}, want: []string{"_..-_..-_.._.._etc_passwd 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range Cells(tt.in) {
				got = append(got, c.Name+" "+string(rune('0'+len(c.Earlier))))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTheNewestResultIsShown(t *testing.T) {
	a, b := sample(t, "good-t"), sample(t, "good-t")
	b.Tested, b.Run = "2026-11-22 12:00:00", "later"
	for _, in := range [][]Goal{{a, b}, {b, a}} {
		cells := Cells(in)
		if len(cells) != 1 || cells[0].Run != "later" || len(cells[0].Earlier) != 1 || cells[0].Earlier[0].Run != "hello.log" {
			t.Errorf("got %+v", cells)
		}
	}
	b.Tested = a.Tested
	if cells := Cells([]Goal{a, b}); cells[0].Run != "later" {
		t.Errorf("of equal times the first is shown: %+v", cells[0].Run)
	}
}

func TestCore(t *testing.T) {
	for in, want := range map[string]string{"nginx/1.29.2 (no pool)": "1.29.2", "1.22.1": "1.22.1", "": "", "none": ""} {
		if got := Core(in); got != want {
			t.Errorf("Core(%q) = %q, want %q", in, got, want)
		}
	}
}
