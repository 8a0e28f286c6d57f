package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/ortest/ortest/plan"
)

// What an entry may hold. They are far above what the largest suite has; an
// entry comes from a machine that runs a stranger's code.
const (
	maxEntryBytes = 16 << 20
	maxSeq        = 100_000
	maxFiles      = 20_000
	maxBlocks     = 10_000 // per file
	maxSections   = 200    // per block
	maxLine       = 10_000_000
	maxPath       = 512
	maxTitle      = 1024
	maxVersions   = 64
	maxVersion    = 4096
	maxWord       = 128
	maxReason     = 4096
	maxSeconds    = 7 * 24 * 3600
)

var (
	reCommit = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})?$`)
	reRepo   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9._-]{1,100}$`)
	reSignal = regexp.MustCompile(`^(?:SIG[A-Z0-9+]{1,12}|signal [0-9]{1,3})?$`)
)

// DecodeEntry reads one entry strictly: an unknown key, none or two of the three
// kinds, or a value out of bounds is an error that says which.
func DecodeEntry(b []byte) (Entry, error) {
	if len(b) > maxEntryBytes {
		return Entry{}, fmt.Errorf("decode entry: %d bytes, more than %d", len(b), maxEntryBytes)
	}
	var e Entry
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("decode entry: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Entry{}, errors.New("decode entry: more than one value")
	}
	if err := e.check(); err != nil {
		return Entry{}, fmt.Errorf("decode entry %d: %w", e.Seq, err)
	}
	return e, nil
}

func (e Entry) check() error {
	kinds := 0
	for _, is := range []bool{e.Manifest != nil, e.File != nil, e.End != nil} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return fmt.Errorf("%d of manifest, file and end: want one", kinds)
	case e.Seq < 0 || e.Seq > maxSeq:
		return fmt.Errorf("seq %d is out of bounds", e.Seq)
	case e.Bytes < 0:
		return fmt.Errorf("bytes %d is negative", e.Bytes)
	case e.Manifest != nil:
		return e.Manifest.check()
	case e.File != nil:
		return e.File.check()
	}
	return e.End.check()
}

func (m Manifest) check() error {
	if _, err := plan.ParseGoal(m.Goal); err != nil {
		return err
	}
	if n := len(m.Files) + len(m.Others); n > maxFiles {
		return fmt.Errorf("%d test files, more than %d", n, maxFiles)
	}
	for _, path := range m.Others {
		if err := testPath(path); err != nil {
			return err
		}
	}
	if len(m.Versions) > maxVersions {
		return fmt.Errorf("%d versions, more than %d", len(m.Versions), maxVersions)
	}
	if !reCommit.MatchString(m.Commit) {
		return fmt.Errorf("commit %.80q is no full SHA", m.Commit)
	}
	if !reRepo.MatchString(m.Repo) {
		return fmt.Errorf("repo %.80q is not OWNER/NAME", m.Repo)
	}
	if err := text("goal", m.Goal, maxWord); err != nil {
		return err
	}
	if err := text("arch", m.Arch, maxWord); err != nil {
		return err
	}
	for k, v := range m.Versions {
		if err := errors.Join(text("version's name", k, maxWord), text("version", v, maxVersion)); err != nil {
			return err
		}
	}
	seen := make(map[string]bool, len(m.Files))
	for _, f := range m.Files {
		if seen[f.Path] {
			return fmt.Errorf("test file %.80q stands twice", f.Path)
		}
		seen[f.Path] = true
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

func (f TestFile) check() error {
	if err := testPath(f.Path); err != nil {
		return err
	}
	if len(f.Blocks) > maxBlocks {
		return fmt.Errorf("%s: %d blocks, more than %d", f.Path, len(f.Blocks), maxBlocks)
	}
	for _, b := range f.Blocks {
		if err := b.check(); err != nil {
			return fmt.Errorf("%s: block at line %d: %w", f.Path, b.Line, err)
		}
	}
	return nil
}

func (b Block) check() error {
	switch {
	case b.Number < 0 || b.Number > maxLine:
		return fmt.Errorf("number %d is out of bounds", b.Number)
	case b.Ordinal < 1 || b.Ordinal > maxBlocks:
		return fmt.Errorf("ordinal %d is out of bounds", b.Ordinal)
	case b.Line < 1 || b.EndLine < b.Line || b.EndLine > maxLine:
		return fmt.Errorf("lines %d to %d are out of bounds", b.Line, b.EndLine)
	case b.Skip != "" && b.Skip != skipSkip && b.Skip != skipOnly && b.Skip != skipLast:
		return fmt.Errorf("skip %.40q is none of %s, %s, %s", b.Skip, skipSkip, skipOnly, skipLast)
	case len(b.Sections) > maxSections:
		return fmt.Errorf("%d sections, more than %d", len(b.Sections), maxSections)
	}
	for _, s := range b.Sections {
		if s.Line < b.Line || s.EndLine < s.Line || s.EndLine > b.EndLine {
			return fmt.Errorf("section lines %d to %d are outside of the block", s.Line, s.EndLine)
		}
		if err := text("section", s.Name, maxWord); err != nil {
			return err
		}
	}
	return text("title", b.Title, maxTitle)
}

func (f FileResult) check() error {
	if err := testPath(f.Path); err != nil {
		return err
	}
	switch {
	case f.Exit < -1 || f.Exit > 255:
		return fmt.Errorf("exit %d is out of bounds", f.Exit)
	case !reSignal.MatchString(f.Signal):
		return fmt.Errorf("signal %.40q is no signal's name", f.Signal)
	case !(f.Seconds >= 0 && f.Seconds <= maxSeconds):
		return fmt.Errorf("seconds %g are out of bounds", f.Seconds)
	case !(f.CPUSeconds >= 0 && f.CPUSeconds <= maxSeconds*1024):
		return fmt.Errorf("cpu_seconds %g are out of bounds", f.CPUSeconds)
	}
	return text("why", f.Why, maxReason)
}

func (e End) check() error {
	switch e.Phase {
	case "", "prepare", "checkout", "build", "test":
	default:
		return fmt.Errorf("phase %.40q is none of prepare, checkout, build, test", e.Phase)
	}
	return text("reason", e.Reason, maxReason)
}

// testPath accepts what may be shown as a link into a repository: a relative
// path that is written as path.Clean would.
func testPath(p string) error {
	if p == "" || p == "." || path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../") || strings.Contains(p, `\`) {
		return fmt.Errorf("path %.80q is not relative and clean", p)
	}
	return text("path", p, maxPath)
}

// text accepts one bounded line without control characters.
func text(what, s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%s has %d bytes, more than %d", what, len(s), most)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
		return fmt.Errorf("%s %.80q has a control character", what, s)
	}
	return nil
}
