package action

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

func TestTheTestsOfASpecAreCounted(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"in groups", "describe('a list', function()\n  it(\"is empty\", function()\n  end)\n  describe('inner', function() it('also', function() end) end)\nend)", "a list is empty:2-3 a list inner also:4-4"},
		{"one that is to come is not run", "describe('a', function()\n pending('b')\n pending('c', function() end)\nend)", "a b:2-2 SKIP a c:3-3 SKIP"},
		{"what a test does in itself does not count", "it('a', function()\n for i = 1, 2 do if i then local f = function() end end end\n repeat local x until true\nend)", "a:1-4"},
		{"beside set-up, comments and long strings", "-- it('no', function() end)\n--[==[ it('no')\n]] ]==]\nlocal s = [[ it('no',\n]]\nbefore_each(function() end)\nit('a', function() return s.it end)", "a:7-7"},
		{"a name that is made cannot be", "it('a' .. 1, function() end)", ""},
		{"a name with an escape cannot be", `it('a\n', function() end)`, ""},
		{"tests of a loop cannot be", "for i = 1, 3 do it('a', function() end) end", ""},
		{"a test that may give up cannot be", "it('a', function() pending('later') end)", ""},
		{"what is no Lua cannot be", "it('a', function() end) end", ""},
		{"nor what is cut", "it('a', function()", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, b := range readSpec("spec/a_spec.lua", []byte(tt.src)).Blocks {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s:%d-%d %s", b.Title, b.Line, b.EndLine, b.Skip)))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A project of busted as the catalog has its kind, with the real one.
func TestSpecsRunWithBusted(t *testing.T) {
	const file = "describe('a list', function()\n  it('is empty', function() assert.equal(0, #{}) end)\n  it('holds', function() %s end)\n  pending('is sorted')\n  it('ends', function() end)\nend)\n"
	cat, err := catalog.Load(fstest.MapFS{"projects/lists.yaml": {Data: []byte("name: lists\nkind: busted\nrepo: https://github.com/ortest-examples/lists\norder: 900\n")}})
	if err != nil {
		t.Fatal(err)
	}
	lists, _ := cat.Project("lists")
	for _, tt := range []struct {
		name, holds string
		verdict     report.Verdict
		finding     string
	}{
		{"all hold", "assert.equal(1, #{1})", report.Pass, ""},
		{"one does not", "assert.equal(2, #{1})", report.Fail, "a list holds"},
		{"one ends busted", "os.exit(0)", report.Incomplete, "a list ends"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, lists, "t", one("spec/lists_spec.lua", fmt.Sprintf(file, tt.holds)))
			_, ev := ran(t, cfg)
			g := report.Judge(report.Evidence{Goal: "t-lists", Pieces: []report.PieceEvidence{ev}}, nil, report.JudgeOptions{})
			found := tt.finding == "" && len(g.Findings) == 0
			for _, f := range g.Findings {
				found = found || strings.Contains(f.Block+f.Name, tt.finding)
			}
			if g.Verdict != tt.verdict || !found {
				t.Errorf("%s, want %s with %q: %+v\n%s", g.Verdict, tt.verdict, tt.finding, g.Findings, logOf(t, ev, "spec/lists_spec.lua"))
			}
		})
	}
}
