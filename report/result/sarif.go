package result

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ortest/ortest/report"
)

// maxSARIF is how many results of a run GitHub shows.
const maxSARIF = 5000

type sarifLog struct {
	Schema  string      `json:"$schema"`
	Version string      `json:"version"`
	Runs    []*sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Automation *sarifAutomation  `json:"automationDetails,omitempty"`
	Provenance []sarifProvenance `json:"versionControlProvenance,omitempty"`
	Results    []*sarifResult    `json:"results"`
}

type sarifDriver struct {
	Name  string      `json:"name"`
	URI   string      `json:"informationUri"`
	Rules []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifProvenance struct {
	Repository string `json:"repositoryUri"`
	Revision   string `json:"revisionId,omitempty"`
}

type sarifResult struct {
	Rule         string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Stacks       []sarifStack      `json:"stacks,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints,omitempty"`
	Count        int               `json:"occurrenceCount"`
	Suppressions []sarifSuppressed `json:"suppressions,omitempty"`
	Properties   sarifProperties   `json:"properties"`
}

type sarifProperties struct {
	Goals []string `json:"goals"`
	Class string   `json:"class"`
}

type sarifSuppressed struct {
	Kind string `json:"kind"`
	Why  string `json:"justification,omitempty"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	Start int `json:"startLine"`
	End   int `json:"endLine,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind,omitempty"`
}

type sarifStack struct {
	Message *sarifText   `json:"message,omitempty"`
	Frames  []sarifFrame `json:"frames"`
}

type sarifFrame struct {
	Location sarifLocation `json:"location"`
}

// memoryRules are the kinds of findings that are about memory.
var memoryRules = []sarifRule{
	{"memcheck", sarifText{"Memory error reported by valgrind"}},
	{"asan", sarifText{"Memory error reported by AddressSanitizer"}},
	{"lsan", sarifText{"Leak reported by LeakSanitizer"}},
	{"ubsan", sarifText{"Undefined behaviour reported by UndefinedBehaviorSanitizer"}},
	{"rss_leak", sarifText{"Resident memory grows under load"}},
	{"crash", sarifText{"Process crashed"}},
}

// SARIF writes the findings about memory as SARIF 2.1.0: one run for each
// commit of a repository, one result for each cause, however many goals show it.
func SARIF(w io.Writer, cells []Cell) error {
	log := sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []*sarifRun{}}
	runs := make(map[[2]string]*sarifRun)
	seen := make(map[*sarifRun]map[string]*sarifResult)
	for _, c := range cells {
		for _, f := range c.Result.Findings {
			rule := slices.IndexFunc(memoryRules, func(r sarifRule) bool { return r.ID == f.Kind })
			if rule < 0 {
				continue
			}
			key := [2]string{c.Result.Repo, c.Result.Commit}
			run := runs[key]
			if run == nil {
				run = newSarifRun(c.Result)
				runs[key], seen[run] = run, make(map[string]*sarifResult)
				log.Runs = append(log.Runs, run)
			}
			id := string(f.Class) + f.Fingerprint()
			x := seen[run][id]
			if x == nil {
				if len(run.Results) == maxSARIF {
					continue
				}
				x = sarifResultOf(f, rule)
				seen[run][id] = x
				run.Results = append(run.Results, x)
			}
			x.Count++
			x.Properties.Goals = append(x.Properties.Goals, c.Name)
		}
	}
	if len(log.Runs) == 0 {
		log.Runs = append(log.Runs, newSarifRun(report.GoalResult{}))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	if err := enc.Encode(log); err != nil {
		return fmt.Errorf("write SARIF: %w", err)
	}
	return nil
}

func newSarifRun(g report.GoalResult) *sarifRun {
	run := &sarifRun{Results: []*sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "ortest", URI: "https://github.com/ortest/ortest", Rules: memoryRules}
	if g.Repo != "" {
		run.Automation = &sarifAutomation{ID: "ortest/" + g.Repo + "/" + g.Commit}
		run.Provenance = []sarifProvenance{{"https://github.com/" + g.Repo, g.Commit}}
	}
	return run
}

func sarifResultOf(f report.Finding, rule int) *sarifResult {
	x := &sarifResult{
		Rule: f.Kind, RuleIndex: rule, Level: "error", Message: sarifText{strings.TrimSpace(f.Name)}, Locations: []sarifLocation{},
		Fingerprints: map[string]string{"ortest/v1": f.Fingerprint()}, Properties: sarifProperties{Class: string(f.Class)},
	}
	if x.Message.Text == "" {
		x.Message.Text = f.Kind
	}
	if f.Class == report.Expected {
		x.Level, x.Suppressions = "warning", []sarifSuppressed{{"external", f.Why}}
	}
	if f.File != "" {
		at := sarifLocation{Physical: physical(f.File, f.Line)}
		if name := f.BlockName(); name != "" {
			at.Logical = []sarifLogical{{name, "function"}}
		}
		if at.Physical.Region != nil {
			at.Physical.Region.End = f.EndLine
		}
		x.Locations = append(x.Locations, at)
	}
	if frames := framesOf(f.Detail); len(frames) > 0 {
		x.Stacks = []sarifStack{{Frames: frames}}
	}
	return x
}

func physical(path string, line int) *sarifPhysical {
	p := new(sarifPhysical)
	p.Artifact.URI = uriPath(path)
	if line > 0 {
		p.Region = &sarifRegion{Start: line}
	}
	return p
}

// uriPath encodes what a relative reference must not hold.
func uriPath(path string) string {
	var s strings.Builder
	for _, c := range []byte(path) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_./~", c) >= 0 {
			s.WriteByte(c)
		} else {
			fmt.Fprintf(&s, "%%%02X", c)
		}
	}
	return s.String()
}

var (
	// "   at 0x4C2FB0F: ngx_palloc (ngx_palloc.c:131)"
	reValgrind = regexp.MustCompile(`^\s*(?:at|by) 0x[0-9A-Fa-f]+: (.+?) \((?:in )?([^():]+)(?::(\d+))?\)\s*$`)
	// "    #0 0x55f in ngx_alloc src/os/unix/ngx_alloc.c:22:9"
	reSanitizer = regexp.MustCompile(`^\s*#\d+ 0x[0-9A-Fa-f]+ in (\S+) \(?([^():]+)(?::(\d+))?`)
)

// maxFrames bounds a stack; deeper frames are the same event loop every time.
const maxFrames = 50

// framesOf reads the stack of a finding, as far as its first gap.
func framesOf(detail string) []sarifFrame {
	var frames []sarifFrame
	for line := range strings.Lines(detail) {
		m := reValgrind.FindStringSubmatch(line)
		if m == nil {
			m = reSanitizer.FindStringSubmatch(line)
		}
		if m == nil {
			if len(frames) > 0 {
				break
			}
			continue
		}
		n, err := strconv.Atoi(m[3])
		if err != nil {
			n = 0 // a frame without debug information
		}
		frames = append(frames, sarifFrame{sarifLocation{Physical: physical(m[2], n), Logical: []sarifLogical{{m[1], "function"}}}})
		if len(frames) == maxFrames {
			break
		}
	}
	return frames
}
