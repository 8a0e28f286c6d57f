package result

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ortest/ortest/report"
)

func sampleCells(t testing.TB) []Cell {
	t.Helper()
	var goals []Goal
	for _, name := range names(t) {
		g := sample(t, name)
		g.Nginx = fmt.Sprintf("1.22.%d", len(goals))
		goals = append(goals, g)
	}
	hostile := sample(t, "fail-t")
	hostile.Nginx = "9.9.9"
	for i := range hostile.Result.Findings {
		f := &hostile.Result.Findings[i]
		f.Name, f.Block, f.Detail = "\x1b[31m]]>\x00<failure/>", "a & \"b\" <c>", "\xff]]>"
	}
	return Cells(append(goals, hostile))
}

// element is any XML element.
type element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Kids    []element  `xml:",any"`
	Text    string     `xml:",chardata"`
}

func (e element) attr(t *testing.T, name string) string {
	t.Helper()
	i := slices.IndexFunc(e.Attrs, func(a xml.Attr) bool { return a.Name.Local == name })
	if i < 0 {
		t.Errorf("%s has no %s", e.XMLName.Local, name)
		return ""
	}
	return e.Attrs[i].Value
}

// TestJUnitHasTheCommonShape checks what the schemas of Jenkins and of the
// common readers agree on: elements, their order, required attributes, and
// sums that are right.
func TestJUnitHasTheCommonShape(t *testing.T) {
	cells := sampleCells(t)
	var b bytes.Buffer
	if err := JUnit(&b, cells); err != nil {
		t.Fatal(err)
	}
	var root element
	if err := xml.Unmarshal(b.Bytes(), &root); err != nil || root.XMLName.Local != "testsuites" {
		t.Fatalf("%s: %v", root.XMLName.Local, err)
	}
	if len(root.Kids) != len(cells) {
		t.Errorf("%d suites of %d cells", len(root.Kids), len(cells))
	}
	sums := map[string]int{}
	for i, suite := range root.Kids {
		count := map[string]int{}
		seen := map[string]bool{}
		for k, x := range suite.Kids {
			switch {
			case k == 0 && x.XMLName.Local == "properties":
				for _, p := range x.Kids {
					p.attr(t, "name")
					p.attr(t, "value")
				}
				continue
			case x.XMLName.Local != "testcase":
				t.Fatalf("a suite has a %s", x.XMLName.Local)
			}
			count["tests"]++
			id := x.attr(t, "classname") + " " + x.attr(t, "name")
			if seen[id] || strings.HasPrefix(x.attr(t, "name"), "TEST ") {
				t.Errorf("%s is there twice, or has a number that changes", id)
			}
			seen[id] = true
			if len(x.Kids) > 1 {
				t.Errorf("%s has %d outcomes", id, len(x.Kids))
			}
			for _, why := range x.Kids {
				plural := map[string]string{"failure": "failures", "error": "errors", "skipped": "skipped"}[why.XMLName.Local]
				if plural == "" {
					t.Errorf("a case has a %s", why.XMLName.Local)
				}
				why.attr(t, "message")
				count[plural]++
			}
		}
		for _, name := range []string{"tests", "failures", "errors", "skipped"} {
			if got := suite.attr(t, name); got != strconv.Itoa(count[name]) {
				t.Errorf("%s says %s %s, there are %d", suite.attr(t, "name"), got, name, count[name])
			}
			sums[name] += count[name]
		}
		if _, err := strconv.ParseFloat(suite.attr(t, "time"), 64); err != nil {
			t.Error(err)
		}
		good := cells[i].Result.Verdict == report.Pass || cells[i].Result.Verdict == report.Known
		if bad := count["failures"]+count["errors"] > 0; bad == good {
			t.Errorf("%s is %s with %v", suite.attr(t, "name"), cells[i].Result.Verdict, count)
		}
	}
	for _, name := range []string{"tests", "failures", "errors"} {
		if got := root.attr(t, name); got != strconv.Itoa(sums[name]) {
			t.Errorf("the whole says %s %s, there are %d", got, name, sums[name])
		}
	}
}

func TestJUnitHasACaseForEachBlock(t *testing.T) {
	g := sample(t, "good-t")
	g.Result.Findings = []report.Finding{
		{Kind: "assert", Class: report.New, File: "t/a.t", Block: "two", Ordinal: 1, Line: 9, Name: "response_body", Detail: "got"},
		{Kind: "memcheck", Class: report.New, File: "t/a.t", Block: "two", Ordinal: 1, Name: "Invalid read"},
		{Kind: "not_run", Class: report.NotRun, File: "t/b.t", Name: "t/b.t did not run"},
		{Kind: "assert", Class: report.Expected, File: "t/a.t", Block: "one", Ordinal: 2, Name: "is slow"},
		{Kind: "build", Class: report.New, Name: "cc failed"},
	}
	g.Files = []File{
		{Path: "t/a.t", State: "failed", Blocks: []Block{{Number: 1, Title: "one", Ordinal: 1, State: "passed"}, {Number: 2, Title: "two", Ordinal: 1, Line: 9, State: "failed"},
			{Number: 3, Title: "one", Ordinal: 2, State: "failed"}, {Number: 4, Title: "four", Ordinal: 1, State: "skipped"}}},
		{Path: "t/c.t", State: "passed"}, {Path: "t/d.t", State: "skipped", Why: "no redis"},
	}
	var got []string
	for _, x := range casesOf(g) {
		state := "passed"
		switch {
		case x.Failure != nil:
			state = "failure " + x.Failure.Message
		case x.Error != nil:
			state = "error " + x.Error.Message
		case x.Skipped != nil:
			state = "skipped " + x.Skipped.Message
		}
		got = append(got, fmt.Sprintf("%s %s:%d %s", x.Class, x.Name, x.Line, state))
	}
	want := []string{
		"t/a.t one:0 passed", "t/a.t two:9 failure response_body", "t/a.t one #2:0 skipped expected failure: is slow", "t/a.t four:0 skipped skipped",
		"t/c.t (file):0 passed", "t/d.t (file):0 skipped no redis", "t/b.t (file):0 error t/b.t did not run", g.Result.Goal + " build:0 failure cc failed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// TestSARIF checks what the schema of SARIF 2.1.0 requires and GitHub reads.
func TestSARIF(t *testing.T) {
	cells := sampleCells(t)
	twice := cells[0]
	twice.Name = "other"
	var b bytes.Buffer
	if err := SARIF(&b, append(cells, twice)); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	dec := json.NewDecoder(&b)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&log); err != nil || log.Version != "2.1.0" || len(log.Runs) == 0 {
		t.Fatalf("%+v: %v", log, err)
	}
	results, stacks := 0, 0
	for _, run := range log.Runs {
		if run.Tool.Driver.Name == "" || run.Results == nil {
			t.Errorf("a run without a tool or results")
		}
		prints := make(map[string]bool)
		for _, x := range run.Results {
			results++
			stacks += len(x.Stacks)
			id := x.Properties.Class + x.Fingerprints["ortest/v1"]
			if prints[id] || x.Count != len(x.Properties.Goals) || x.Count < 1 {
				t.Errorf("%s is there twice, or counts wrong: %+v", id, x)
			}
			prints[id] = true
			if run.Tool.Driver.Rules[x.RuleIndex].ID != x.Rule || x.Message.Text == "" || !slices.Contains([]string{"error", "warning", "note"}, x.Level) {
				t.Errorf("%+v", x)
			}
			for _, l := range x.Locations {
				if l.Physical.Artifact.URI == "" || l.Physical.Region != nil && l.Physical.Region.Start < 1 {
					t.Errorf("location %+v", l.Physical)
				}
			}
		}
	}
	if results == 0 || stacks == 0 {
		t.Errorf("%d results, %d stacks", results, stacks)
	}
	b.Reset()
	if err := SARIF(&b, nil); err != nil || !strings.Contains(b.String(), `"results": []`) {
		t.Errorf("without findings: %s (%v)", b.String(), err)
	}
}

func TestFrames(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"valgrind's", "Invalid read\n   at 0x13A2B4: ngx_palloc (ngx_palloc.c:131)\n   by 0x12: f (in /usr/sbin/nginx)\n Address", "ngx_palloc ngx_palloc.c:131 f /usr/sbin/nginx:0 "},
		{"a sanitizer's", "    #0 0x55f in ngx_alloc src/os/unix/ngx_alloc.c:22:9\n    #1 0x66 in main (/usr/sbin/nginx+0x1)", "ngx_alloc src/os/unix/ngx_alloc.c:22 main /usr/sbin/nginx+0x1:0 "},
		{"none", "got: 'a'", ""},
		{"only the first stack counts", "   at 0x1: a (a.c:1)\n Address\n   at 0x2: b (b.c:2)", "a a.c:1 "},
	} {
		got := ""
		for _, f := range framesOf(tt.in) {
			line := 0
			if f.Location.Physical.Region != nil {
				line = f.Location.Physical.Region.Start
			}
			got += fmt.Sprintf("%s %s:%d ", f.Location.Logical[0].Name, f.Location.Physical.Artifact.URI, line)
		}
		if want := strings.ReplaceAll(tt.want, "+", "%2B"); got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range names(f) {
		b, err := json.Marshal(sample(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		goals, err := Decode(bytes.NewReader(in))
		if err != nil {
			return
		}
		cells := Cells(goals)
		var out bytes.Buffer
		for _, g := range goals {
			b, err := json.Marshal(g)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Decode(bytes.NewReader(b))
			if err != nil || len(again) != 1 {
				t.Fatalf("what was written is not read back: %v\n%s", err, b)
			}
		}
		if err := JUnit(&out, cells); err != nil {
			t.Fatal(err)
		}
		var root element
		if err := xml.Unmarshal(out.Bytes(), &root); err != nil {
			t.Fatalf("no XML: %v", err)
		}
		if err := SARIF(&out, cells); err != nil {
			t.Fatal(err)
		}
	})
}

// TestJUnitOfALogHasACaseForEachBlock: in a log with every assertion the blocks
// are cases, two of one title two, and a failure hangs on the one that it is of.
func TestJUnitOfALogHasACaseForEachBlock(t *testing.T) {
	l, err := report.Parse(strings.NewReader("making t-x ...\nt/a.t .. \n1..4\nok 1 - t/a.t TEST 1: twin - status code ok\nok 2 - t/a.t TEST 2: other - status code ok\n" +
		"not ok 3 - t/a.t TEST 3: twin - status code ok\nok 4 # skip t/a.t TEST 4: left - no stap\nFailed 1/4 subtests \n" +
		"Files=1, Tests=4,  1 wallclock secs\nResult: FAIL\nFor total 1 sec elapsed.\n"))
	if err != nil || len(l.Records) != 1 {
		t.Fatalf("%v, %d records", err, len(l.Records))
	}
	got := report.Judge(l.Evidence()[0], nil, report.JudgeOptions{})
	var b bytes.Buffer
	if err := JUnit(&b, Cells([]Goal{{Result: got, Files: Files(l.Records[0])}})); err != nil {
		t.Fatal(err)
	}
	var root element
	if err := xml.Unmarshal(b.Bytes(), &root); err != nil {
		t.Fatal(err)
	}
	var cases []string
	for _, suite := range root.Kids {
		for _, kid := range suite.Kids {
			if kid.XMLName.Local == "testcase" {
				line := kid.attr(t, "name")
				for _, how := range kid.Kids {
					line += " " + how.XMLName.Local
				}
				cases = append(cases, line)
			}
		}
	}
	if want := []string{"twin", "other", "twin #2 failure", "left skipped"}; !slices.Equal(cases, want) {
		t.Errorf("cases %q, want %q", cases, want)
	}
}
