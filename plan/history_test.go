package plan

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func seen(secs float64, day int, outcome string) Observation {
	return Observation{Arch: "linux x86_64", Nginx: "1.29.2", Goal: "t-x", Seconds: secs, Outcome: outcome,
		At: time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)}
}

func TestEstimate(t *testing.T) {
	ask := Observation{Arch: "linux x86_64", Nginx: "1.29.2", Goal: "t-x"}
	other := func(o Observation, nginx string) Observation { o.Nginx = nginx; return o }
	cpu := func(o Observation, c float64) Observation { o.CPU = c; return o }
	for _, tt := range []struct {
		name string
		all  []Observation
		ask  Observation
		want string
	}{
		{"nothing is known of what was never run", nil, ask, "unknown"},
		{"one run is its own 90th percentile", []Observation{seen(10, 1, "")}, ask, "10s 10s 1"},
		{"the newest run weighs most", []Observation{seen(10, 1, ""), seen(20, 2, "")}, ask, "15.556s 20s 2"},
		{"the order of adding does not matter", []Observation{seen(20, 2, ""), seen(10, 1, "")}, ask, "15.556s 20s 2"},
		{"a failed run is kept apart", []Observation{seen(10, 1, ""), seen(90, 2, "failed")}, ask, "10s 10s 1"},
		{"failed runs count when there is nothing else, and it is said", []Observation{seen(90, 2, "failed")}, ask, "1m30s 1m30s 1 failed"},
		{"an interrupted run says nothing", []Observation{seen(3, 2, "interrupted")}, ask, "unknown"},
		{"another core stands in for one never measured", []Observation{other(seen(10, 1, ""), "1.27.1")}, ask, "10s 10s 1"},
		{"the newest other core wins, by number", []Observation{other(seen(10, 1, ""), "1.9.15"), other(seen(20, 1, ""), "1.27.1")}, ask, "20s 20s 1"},
		{"another arch says nothing", []Observation{seen(10, 1, "")}, Observation{Arch: "linux i386", Nginx: "1.29.2", Goal: "t-x"}, "unknown"},
		{"the goal says nothing of its files", []Observation{seen(10, 1, "")}, Observation{Arch: "linux x86_64", Nginx: "1.29.2", Goal: "t-x", File: "t/a.t"}, "unknown"},
		{"the same observation again changes nothing", []Observation{seen(10, 1, ""), seen(20, 2, ""), seen(20, 2, "")}, ask, "15.556s 20s 2"},
		{"CPU time gives the share", []Observation{cpu(seen(10, 1, ""), 5)}, ask, "10s 10s 1 0.5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h History
			for _, o := range tt.all {
				if err := h.Add(o); err != nil {
					t.Fatal(err)
				}
			}
			got := "unknown"
			if e, ok := h.Estimate(tt.ask); ok {
				got = fmt.Sprint(e.Median.Round(time.Millisecond), " ", e.P90.Round(time.Millisecond), " ", e.Runs)
				if e.Failed {
					got += " failed"
				}
				if e.CPUShare > 0 {
					got += fmt.Sprint(" ", e.CPUShare)
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestHistoryKeepsTheNewest(t *testing.T) {
	var h History
	for i := range 25 {
		o := seen(float64(i), 1, "")
		o.At = o.At.Add(time.Duration((i*7)%25) * time.Hour)
		if err := h.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	all := h.All()
	if len(all) != 20 || all[0].At.Hour() != 5 {
		t.Errorf("%d kept, the oldest of hour %d; want 20 from hour 5", len(all), all[0].At.Hour())
	}
}

func TestHistoryReadsBack(t *testing.T) {
	var h History
	for i, o := range []Observation{seen(10, 1, ""), seen(20, 2, "failed"), {Arch: "linux i386", Phase: "boot", Seconds: 55.5, Run: "r1/b2"},
		{Arch: "linux x86_64", Goal: "tv-ngx_lua", File: "t/001-set.t", Seconds: 1.25, CPU: 0.75, Run: "7"}} {
		if err := h.Add(o); err != nil {
			t.Fatal(i, err)
		}
	}
	var b bytes.Buffer
	if err := h.Write(&b); err != nil {
		t.Fatal(err)
	}
	var back History
	if err := back.Read(bytes.NewReader(b.Bytes())); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h.All(), back.All()); d != "" {
		t.Error(d)
	}
}

func TestHistoryRefuses(t *testing.T) {
	const good = `{"arch":"linux x86_64","goal":"t-x","seconds":1,"at":"2026-11-01T00:00:00Z"}` + "\n"
	for _, tt := range []struct{ name, text, want string }{
		{"half a line", good + `{"arch":"lin`, "line 2"},
		{"an unknown key", good + `{"sekonds":1}`, "line 2"},
		{"a negative duration", `{"arch":"a","goal":"t-x","seconds":-1,"at":"2026-11-01T00:00:00Z"}`, "between 0 and a week"},
		{"a week and a second", `{"arch":"a","goal":"t-x","seconds":604801,"at":"2026-11-01T00:00:00Z"}`, "between 0 and a week"},
		{"an unknown outcome", `{"arch":"a","goal":"t-x","seconds":1,"outcome":"maybe","at":"2026-11-01T00:00:00Z"}`, "outcome"},
		{"an unknown phase", `{"arch":"a","goal":"t-x","seconds":1,"phase":"lunch","at":"2026-11-01T00:00:00Z"}`, "phase"},
		{"no goal", `{"arch":"a","seconds":1,"at":"2026-11-01T00:00:00Z"}`, "a goal"},
		{"a path of a thousand bytes and one", `{"arch":"a","goal":"t-x","file":"` + strings.Repeat("x", 1001) + `","seconds":1,"at":"2026-11-01T00:00:00Z"}`, "too long"},
		{"two values on a line", `{"arch":"a","goal":"t-x","seconds":1,"at":"2026-11-01T00:00:00Z"}{}`, "more than one value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h History
			if err := h.Read(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read = %v, want %q", err, tt.want)
			}
		})
	}
	var h History
	if err := h.Add(Observation{Arch: "a", Goal: "t-x", Seconds: math.NaN()}); err == nil {
		t.Error("NaN seconds are taken")
	}
}

func TestImportAST(t *testing.T) {
	one := func(elapsed string) string {
		return `{"linux x86_64": {"nginx/1.29.2 (no pool)": {"ngx_lua": {"v": {"elapsed": ` + elapsed + `}}}}}`
	}
	for _, tt := range []struct{ name, text, want string }{
		{"seconds as a string", one(`"90"`), ""},
		{"seconds as a number", one(`90`), ""},
		{"0 seconds", one(`"0"`), ""},
		{"a week", one(`604800`), ""},
		{"a goal without a duration is passed over", `{"a": {"miscellaneous": {"sregex": {"": {}, "v": {"elapsed": "1"}}}}}`, ""},
		{"a negative duration", one(`"-3"`), `"linux x86_64", "nginx/1.29.2 (no pool)", "ngx_lua", "v": elapsed "-3" is no number of seconds between`},
		{"an absurd duration", one(`1e300`), "is no number of seconds between 0 and a week"},
		{"a number that only some programs read", one(`"1_0"`), `elapsed "1_0" is no number of seconds`},
		{"a list in the place of a project", `{"linux x86_64":{"nginx/1.29.2":["ngx_lua"]}}`, "line 1, column 34: array stands where it cannot; want arch, nginx, project"},
		{"a second more than a week", one(`604801`), "is no number of seconds between"},
		{"a duration that is no number", one(`"soon"`), "is no number of seconds between"},
		{"infinity", one(`"Inf"`), "is no number of seconds between"},
		{"a list", one(`[1]`), "is no number of seconds between"},
		{"no JSON", "elapsed: 90", "line 1, column 1"},
		{"half a file", one(`90`)[:40], "line 1, column"},
		{"another shape", `{"linux x86_64": [1]}`, "line 1, column"},
		{"a mode that cannot be", `{"a": {"n": {"ngx_lua": {"../v": {"elapsed": 1}}}}}`, "is no project and mode"},
		{"nothing in it", `{}`, "it holds no duration"},
		{"an empty file", ``, "line 1, column 1: the file is empty"},
		{"a goal twice", "{\"a\": {\"n\": {\"ngx_lua\": {\n\"v\": {\"elapsed\": 1},\n \"v\": {\"elapsed\": 2}}}}}", `line 3, column 2: key "v" stands twice in one object`},
		{"the same name in two objects", `{"a": {"n": {"ngx_lua": {"v": {"elapsed": 1}}, "ngx_echo": {"v": {"elapsed": 2, "list": ["v", "v", {"v": 1}]}}}}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h History
			n, err := h.ImportAST(strings.NewReader(tt.text))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ImportAST = %d, %v; want %q", n, err, tt.want)
			}
			if err != nil && len(h.All()) > 0 {
				t.Errorf("a refused file left %d observations", len(h.All()))
			}
		})
	}
}

func TestImportOfTheOldFile(t *testing.T) {
	f, err := os.Open("catalog/testdata/dispatcher/ast-full.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var h History
	n, err := h.ImportAST(f)
	if err != nil || n != 326 {
		t.Fatalf("%d goals, %v; want 326", n, err)
	}
	e, ok := h.Estimate(Observation{Arch: "linux x86_64", Goal: "tl-ngx_lua"})
	if !ok || e.Median != 11810*time.Second || e.P90 != e.Median || e.Newest.Format(time.DateOnly) != "2025-11-01" {
		t.Errorf("tl-ngx_lua takes %+v, %v", e, ok)
	}
}
