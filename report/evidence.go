package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ortest/ortest/plan"
)

const maxShownWarnings = 200

// judge gathers the findings of one goal and then weighs them.
type judge struct {
	opts  JudgeOptions
	goal  string
	mode  string
	arch  string
	out   GoalResult
	ran   map[string]*ranFile // by path: what of the census ran
	off   int64               // of the next log within the goal's
	real  int                 // assertions that were not skipped
	leaks int                 // leak checks

	planned map[string]bool // files that some piece was to run
	others  []string        // files that a piece left to others
}

// ranFile is a test file of the census and what ran of it.
type ranFile struct {
	census TestFile
	whole  bool         // every block ran to its end
	blocks map[int]bool // index of the block: it ran, and more than a skip
}

func newJudge(goal string, opts JudgeOptions) *judge {
	j := &judge{opts: opts, goal: goal, arch: opts.Arch, ran: make(map[string]*ranFile), planned: make(map[string]bool)}
	if g, err := plan.ParseGoal(goal); err == nil {
		j.mode = g.Mode
	}
	j.out = GoalResult{Goal: goal, Findings: []Finding{}}
	return j
}

func (j *judge) add(f Finding) {
	f.Detail = clip(f.Detail, maxDetail)
	j.out.Findings = append(j.out.Findings, f)
}

// piece reads what one piece reported. Findings of a build are only those of a
// build that failed: a good one may well print the word error.
func (j *judge) piece(p PieceEvidence) {
	var manifest *Manifest
	var end *End
	var build []Finding
	results := make(map[string]int)
	for i, e := range p.Entries {
		switch {
		case e.Manifest != nil && manifest == nil:
			manifest = e.Manifest
			build = append(build, j.header(*manifest, logOf(p, i))...)
		case e.File != nil:
			if _, twice := results[e.File.Path]; !twice {
				results[e.File.Path] = i
			}
		case e.End != nil:
			end = e.End
			build = append(build, j.builds(logOf(p, i), sizeUpTo(p, i))...)
		}
		j.cut(e, logOf(p, i))
	}
	if manifest == nil {
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: "no manifest came back: it is not known what should have run"})
	} else {
		j.files(*manifest, p, results)
		for _, f := range manifest.Files {
			j.planned[f.Path] = true
		}
		j.others = append(j.others, manifest.Others...)
	}
	j.ended(end, build)
	for i := range p.Entries {
		j.off += int64(len(logOf(p, i)))
	}
}

// unplanned adds a finding for each test file that every piece left to others,
// such as one that is newer than the plan's list.
func (j *judge) unplanned() {
	for _, path := range j.others {
		if !j.planned[path] {
			j.planned[path] = true
			j.add(Finding{Kind: kindNotRun, Class: NotRun, File: path, Name: "no piece of the plan holds this test file"})
		}
	}
}

func logOf(p PieceEvidence, i int) []byte {
	if i < len(p.Logs) {
		return p.Logs[i]
	}
	return nil
}

func sizeUpTo(p PieceEvidence, i int) int64 {
	var n int64
	for k := range i {
		n += int64(len(logOf(p, k)))
	}
	return n
}

// cut adds a finding for a log that is not as long as its entry says.
func (j *judge) cut(e Entry, log []byte) {
	if e.Bytes == 0 || e.Bytes == int64(len(log)) {
		return
	}
	f := Finding{Kind: kindCut, Class: NotRun, Name: fmt.Sprintf("the log of entry %d has %d of its %d bytes", e.Seq, len(log), e.Bytes)}
	if e.File != nil {
		f.File = e.File.Path
	}
	j.add(f)
}

// header takes in a manifest and its log, and returns what its build says.
func (j *judge) header(m Manifest, log []byte) []Finding {
	s := newFileScan(j.goal, nil)
	rec := s.read(log)
	for k, v := range rec.Versions {
		j.version(k, v)
	}
	for k, v := range m.Versions {
		j.version(k, v)
	}
	if j.out.Commit == "" {
		j.out.Commit = m.Commit
	}
	if j.out.Repo == "" {
		j.out.Repo = m.Repo
	}
	if j.arch == "" {
		j.arch = m.Arch
	}
	if m.Goal != j.goal {
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: fmt.Sprintf("the evidence is that of %s", m.Goal)})
	}
	if m.Commit != j.out.Commit {
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: fmt.Sprintf("pieces tested two commits, %.12s and %.12s", j.out.Commit, m.Commit)})
	}
	return shifted(rec.Findings, j.off)
}

func (j *judge) builds(log []byte, off int64) []Finding {
	return shifted(newFileScan(j.goal, nil).read(log).Findings, j.off+off)
}

func (j *judge) version(k, v string) {
	if j.out.Versions == nil {
		j.out.Versions = make(map[string]string)
	}
	j.out.Versions[k] = v
}

// files judges every file of the manifest, those without a result too.
func (j *judge) files(m Manifest, p PieceEvidence, results map[string]int) {
	if i, ok := results[Suite]; ok {
		j.suite(m, *p.Entries[i].File, logOf(p, i), j.off+sizeUpTo(p, i))
		return
	}
	for n := range m.Files {
		tf := m.Files[n]
		if j.ran[tf.Path] != nil {
			continue
		}
		j.ran[tf.Path] = &ranFile{census: tf, blocks: make(map[int]bool)}
		j.out.Planned++
		i, ok := results[tf.Path]
		delete(results, tf.Path)
		if !ok {
			j.out.Expected += len(planned(tf))
			j.add(missingFile(tf, "it has no result"))
			continue
		}
		j.file(tf, *p.Entries[i].File, logOf(p, i), j.off+sizeUpTo(p, i))
	}
	for i, e := range p.Entries {
		if e.File == nil {
			continue
		}
		if k, ok := results[e.File.Path]; ok && k == i && j.ran[e.File.Path] == nil {
			tf := TestFile{Path: e.File.Path}
			j.ran[tf.Path] = &ranFile{census: tf, blocks: make(map[int]bool)}
			j.file(tf, *e.File, logOf(p, i), j.off+sizeUpTo(p, i))
		}
	}
}

// ended judges how a piece closed.
func (j *judge) ended(end *End, build []Finding) {
	switch {
	case end == nil:
		j.add(Finding{Kind: kindCut, Class: NotRun, Name: "the end of the piece did not come back: it was cut off"})
	case end.Reason == "":
	case end.Phase == "build":
		said, _ := split(build, func(f Finding) bool { return f.Kind == kindBuild })
		for _, f := range merged(said) {
			j.add(f)
		}
		if len(said) == 0 {
			// Without a word from a compiler it may as well be the network.
			j.add(Finding{Kind: kindBuild, Class: NotRun, Name: "the build failed: " + oneLine(end.Reason, maxName)})
		}
	case end.Phase == "prepare" || end.Phase == "checkout":
		j.add(Finding{Kind: kindInfra, Class: Infrastructure, Name: end.Phase + " failed: " + oneLine(end.Reason, maxName)})
	default:
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: "the piece stopped early: " + oneLine(end.Reason, maxName)})
	}
}

// ranNothing adds a finding when all that ran says nothing.
func (j *judge) ranNothing() {
	leak := strings.Contains(j.mode, "l")
	switch {
	case j.out.Count(NotRun)+j.out.Count(Infrastructure) > 0:
		// What is missing is already named, or why.
	case leak && j.leaks == 0:
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: "no block was checked for leaks"})
	case !leak && j.real == 0:
		j.add(Finding{Kind: kindNotRun, Class: NotRun, Name: "no assertion ran"})
	}
}

// trouble tells what went wrong outside of the tests; it counts only when
// something is missing.
func (j *judge) trouble(reasons []string) {
	missing := j.out.Count(NotRun)+j.out.Count(Infrastructure) > 0
	for _, r := range reasons {
		r = oneLine(r, maxName)
		if missing {
			j.add(Finding{Kind: kindInfra, Class: Infrastructure, Name: r})
		} else {
			j.out.Why = append(j.out.Why, "Repeated after trouble outside of the tests: "+r+".")
		}
	}
}

// missingFile is the finding for a file of which nothing ran.
func missingFile(tf TestFile, why string) Finding {
	blocks := planned(tf)
	f := Finding{Kind: kindNotRun, Class: NotRun, File: tf.Path, Name: tf.Path + " did not run: " + why}
	if len(blocks) > 0 {
		f.Name += fmt.Sprintf(" (%s)", plural(len(blocks), "block"))
		f.Line, f.EndLine = tf.Blocks[blocks[0]].Line, tf.Blocks[blocks[0]].Line
	}
	f.Detail = names(tf, blocks)
	return f
}

// planned returns the blocks that should run, by index.
func planned(tf TestFile) []int {
	var all []int
	for i, b := range tf.Blocks {
		if b.Skip != skipSkip {
			all = append(all, i)
		}
	}
	return all
}

func names(tf TestFile, blocks []int) string {
	var s strings.Builder
	for _, i := range blocks {
		b := tf.Blocks[i]
		fmt.Fprintf(&s, "line %d: %s\n", b.Line, Finding{Number: b.Number, Block: b.Title}.BlockName())
	}
	return s.String()
}

// read reads a whole log that is in memory.
func (s *scan) read(log []byte) Record {
	l := line{}
	for off := 0; off < len(log); {
		end := bytes.IndexByte(log[off:], '\n')
		next := off + end + 1
		if l.whole = end >= 0; !l.whole {
			end, next = len(log)-off, len(log)
		}
		l.b = bytes.TrimSuffix(log[off:off+min(end, maxText)], []byte("\r"))
		l.off, l.n = int64(off), l.n+1
		s.line(l)
		off = next
	}
	return s.finish()
}

func shifted(fs []Finding, by int64) []Finding {
	for i := range fs {
		fs[i].Offset += by
	}
	return fs
}
