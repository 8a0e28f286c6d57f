package plan

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func shown(t *testing.T) Plan {
	t.Helper()
	in := request(10*minute, "auto", goalOf("a", 0, 6, 6), goalOf("b", 0, 1.001))
	in.Options = Options{Arch: "linux x86_64", Nginx: "1.29.2", CCOpt: "-O2 -g", Force: true, RestyCore: true, NoSystemTap: true, Revision: "main"}
	in.Basis = "2 goals measured"
	in.Price = Price{Type: "c5.large", OnDemand: 0.6, Spot: 0.3, Date: "2025-06-01"}
	p, err := Pack(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWriteText(t *testing.T) {
	var b bytes.Buffer
	if err := shown(t).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const options = "force=1 nginx_version=1.29.2 use_lua_resty_core=1 'nginx_cc_opt=-O2 -g' use_stap=0 opsboy_branch=main"
	want := "Requires at least 2 machines.\n" +
		"bucket 1: t-a[1/2] t-b " + options + " (8 min)\n" +
		"bucket 2: t-a[2/2] " + options + " (6 min)\n" +
		"# machines: 2, at least 2 needed, proven fewest; end: 8 min, not below 7 min with as many machines; machine time: 14 min\n" +
		"# estimates: 2 goals measured\n" +
		"# price: 0.07 to 0.13 USD (c5.large, spot to on demand, prices of 2025-06-01 from the catalog)\n" +
		"# saving: 0.00 (on demand) to 0.07 USD (spot) against whole goals on demand, 0.13 USD\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	if err := shown(t).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	piece := func(goal string, part, parts, minutes float64, files ...any) any {
		if files == nil {
			files = []any{}
		}
		return map[string]any{"goal": goal, "part": part, "parts": parts, "files": files, "minutes": minutes}
	}
	want := map[string]any{"machines": 2.0, "lower_bound": 2.0, "optimal": true, "minutes": 8.0, "price_usd": map[string]any{"min": 0.07, "max": 0.14},
		"buckets": []any{
			map[string]any{"minutes": 8.0, "pieces": []any{piece("t-a", 1, 2, 6, "t/00.t"), piece("t-b", 1, 1, 1)}},
			map[string]any{"minutes": 6.0, "pieces": []any{piece("t-a", 2, 2, 6, "t/01.t")}},
		}}
	if d := cmp.Diff(any(want), got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestMinutesRoundUp(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want int
	}{{0, 0}, {1, 1}, {minute, 1}, {minute + 1, 2}} {
		if got := ceilMinutes(tt.d); got != tt.want {
			t.Errorf("%s is shown as %d, want %d", tt.d, got, tt.want)
		}
	}
}

func TestAnEmptyPlanIsShown(t *testing.T) {
	p, err := Pack(request(minute, "auto"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := p.WriteText(&b); err != nil || b.String() != "Requires at least 0 machines.\n# nothing to run\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestModelWriteText(t *testing.T) {
	tight := shown(t)
	tight.Limit = tight.End()
	varied := tight
	varied.Buckets = slices.Clone(tight.Buckets)
	varied.Buckets[0].Pieces = slices.Clone(tight.Buckets[0].Pieces)
	varied.Buckets[0].Pieces[0].P90 += time.Second
	for _, tt := range []struct {
		name string
		m    Model
		p    Plan
		want string // behind the percentiles
	}{
		{"a promise that held", Model{}, shown(t), `^100\.0 % of all buckets ended within -t 10; 100\.0 % where nothing .* vary,.*\n$`},
		{"without a spread there was no room for a slow day", Model{Error: 0.3}, tight, `^[0-8]\d\.\d % .*; 100\.0 % where .*: of that 90 % are promised\nhow far durations vary is not known .*\n$`},
		{"the promise is of durations, not of the cloud", Model{NoCapacity: 0.9}, varied, `^[0-8]?\d\.\d % .*\nfor errors of estimates, .* no room: .*\n$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := tt.m.WriteText(&b, tt.p, 100); err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfterN(b.String(), "\n", 6)
			if !strings.HasPrefix(lines[3], "p90 ") || !regexp.MustCompile(tt.want).MatchString(lines[5]) {
				t.Errorf("table:\n%s", b.String())
			}
		})
	}
}
