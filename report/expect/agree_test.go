package expect

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/report"
)

// oldResult is what the old tool made of one goal.
type oldResult struct {
	Mode     string       `json:"mode"` // without the t
	Module   string       `json:"module"`
	True     []oldFailure `json:"true_fails"`
	Expected []oldFailure `json:"expected_fails"`
}

type oldFailure struct {
	File    string `json:"file"` // below t/
	Name    string `json:"name"`
	Details string `json:"details"`
}

// said is a failure by its file and name, without what differs between the two
// readers: the old one keeps each repetition, and lines of nginx's own.
func (f oldFailure) said() (string, bool) {
	if !strings.Contains(f.Name, "TEST ") {
		return "", false
	}
	g := report.Finding{File: "t/" + f.File, Kind: "assert"}.Named(f.Name)
	return g.File + " " + g.Block + " " + g.Fingerprint(), true
}

// TestImportedListAgreesWithTheOldTool judges real logs with the imported list:
// each failed assertion that the old tool called expected is expected, and each
// that it called true is new.
func TestImportedListAgreesWithTheOldTool(t *testing.T) {
	logs, err := filepath.Glob("../opsboy/testdata/logs/*.log.gz")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	compared := 0
	for _, name := range logs {
		var old struct {
			Records []oldResult `json:"records"`
		}
		if err := json.Unmarshal(unzipped(t, strings.TrimSuffix(name, ".log.gz")+".json.gz"), &old); err != nil {
			t.Fatal(err)
		}
		l, err := report.Parse(strings.NewReader(string(unzipped(t, name))))
		if err != nil {
			t.Fatal(err)
		}
		for i, ev := range l.Evidence() {
			o := old.Records[i]
			if ev.Goal != "t"+o.Mode+"-"+o.Module {
				t.Fatalf("%s: goal %s is t%s-%s in the old list", name, ev.Goal, o.Mode, o.Module)
			}
			g := report.Judge(ev, expectations(t, o.Module), report.JudgeOptions{Now: day, Arch: l.Arch})
			compared += compare(t, filepath.Base(name), g, o)
		}
	}
	if compared < 40 {
		t.Errorf("only %d failures were compared", compared)
	}
}

var day = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// compare holds our classes against the old lists and returns how many of the old failures there were.
func compare(t *testing.T, log string, g report.GoalResult, o oldResult) int {
	t.Helper()
	classes := make(map[string]report.Class)
	for _, f := range g.Findings {
		if f.Kind == "assert" {
			short := report.Finding{File: f.File, Kind: "assert", Block: f.Block, Name: f.Name}
			classes[f.File+" "+f.Block+" "+short.Fingerprint()] = f.Class
		}
	}
	n := 0
	for _, side := range []struct {
		fails []oldFailure
		want  report.Class
	}{{o.Expected, report.Expected}, {o.True, report.New}} {
		for _, f := range side.fails {
			said, ok := f.said()
			if !ok {
				continue
			}
			n++
			if side.want == report.New && joined(g, f) {
				continue // one of a mass failure, told once
			}
			if got := classes[said]; got != side.want {
				t.Errorf("%s %s: %s: %q is %q, the old tool says %q", log, g.Goal, f.File, f.Name, got, side.want)
			}
		}
	}
	return n
}

// joined reports whether a failure is one of those that a mass failure names.
func joined(g report.GoalResult, f oldFailure) bool {
	head := "t/" + f.File + " " + report.Finding{}.Named(f.Name).BlockName() + ":"
	return slices.ContainsFunc(g.Findings, func(o report.Finding) bool {
		return o.Class == report.Infrastructure && strings.Contains(o.Detail, head)
	})
}

func expectations(t *testing.T, project string) []report.Expectation {
	t.Helper()
	name := "../../plan/catalog/expectations/" + project + ".yaml"
	b, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	exps, err := report.ReadExpectations(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return exps
}

func unzipped(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	if _, err := io.Copy(&s, z); err != nil {
		t.Fatal(err)
	}
	return []byte(s.String())
}

func TestCatalogsListsCanBeRead(t *testing.T) {
	files, err := filepath.Glob("../../plan/catalog/expectations/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	n := 0
	for _, name := range files {
		n += len(expectations(t, strings.TrimSuffix(filepath.Base(name), ".yaml")))
	}
	if n < 700 {
		t.Errorf("%d entries, the import carried more", n)
	}
}
