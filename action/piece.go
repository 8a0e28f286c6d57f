package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/ortest/ortest/plan"
)

// Piece is what a workflow job is told to run: one leg of its matrix.
type Piece struct {
	ID      string            `json:"id"`              // run/piece/attempt
	Label   string            `json:"label,omitempty"` // of the runner; nothing here depends on it
	Goal    plan.Goal         `json:"goal"`
	Catalog string            `json:"catalog,omitempty"` // revision that the goal is of; "" is the one at hand
	Repo    string            `json:"repo"`              // OWNER/NAME of the project
	Commit  string            `json:"commit"`            // full SHA; "" is the head of the default branch
	Files   []string          `json:"files,omitempty"`   // test files in order; none means all
	Sources map[string]string `json:"sources,omitempty"` // commits of what is built with the project, by name; others are at their heads
	Options plan.Options      `json:"options"`
	Timeout int               `json:"timeout,omitempty"` // of the job, in minutes; 0: unknown
}

var (
	reRepo   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)
	reCommit = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})?$`)
)

// ParsePiece reads a piece strictly: what it does not know it does not run.
func ParsePiece(b []byte) (Piece, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var p Piece
	if err := d.Decode(&p); err != nil {
		return Piece{}, fmt.Errorf("parse piece: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Piece{}, errors.New("parse piece: more than one value")
	}
	return p, p.Validate()
}

// Validate refuses what could mean something else to git, to prove or to the
// file system than it says.
func (p Piece) Validate() error {
	switch {
	case p.Goal.Project == "" || p.Goal.Mode == "":
		return fmt.Errorf("piece %.80q has no goal", p.ID)
	case !reRepo.MatchString(p.Repo) || strings.Contains(p.Repo, ".."):
		return fmt.Errorf("piece %.80q: repo %.80q is not OWNER/NAME", p.ID, p.Repo)
	case !reCommit.MatchString(p.Commit):
		return fmt.Errorf("piece %.80q: commit %.80q is no full SHA", p.ID, p.Commit)
	case p.Timeout < 0:
		return fmt.Errorf("piece %.80q: timeout %d is negative", p.ID, p.Timeout)
	}
	for name, commit := range p.Sources {
		if commit == "" || !reCommit.MatchString(commit) {
			return fmt.Errorf("piece %.80q: commit %.80q of %.80q is no full SHA", p.ID, commit, name)
		}
	}
	seen := make(map[string]bool, len(p.Files))
	for _, f := range p.Files {
		if !plain(f) {
			return fmt.Errorf("piece %.80q: %.80q is no test file of a project", p.ID, f)
		}
		if seen[f] {
			return fmt.Errorf("piece %.80q: test file %.80q stands twice", p.ID, f)
		}
		seen[f] = true
	}
	return nil
}

// plain tells whether a path can stand for a test file everywhere: in an argument
// list, in a line of a log, in an entry.
func plain(path string) bool {
	return filepath.IsLocal(path) && filepath.Clean(path) == path && path != "." && len(path) <= 512 &&
		!strings.HasPrefix(path, "-") && !strings.Contains(path, `\`) && !strings.ContainsFunc(path, unicode.IsControl)
}

// name is the repository's name without its owner.
func (p Piece) name() string {
	_, name, _ := strings.Cut(p.Repo, "/")
	return name
}
