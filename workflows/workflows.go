// Package workflows has the workflow files that repositories install, fills and
// checks them, and prepares the dispatches of the one that tests pieces.
//
// A dispatch names its pieces as JSON; the workflow makes one job of each, and
// the job's label decides alone which runner takes it. GitHub's limits (256
// jobs in a matrix, 65,535 characters of inputs) are kept here, by cutting a
// list of pieces into several dispatches.
package workflows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/ortest/ortest/plan"
)

// GitHub's limits for one dispatch. The characters count for all inputs
// together; what the names and the JSON around them take is kept back.
const (
	maxJobs    = 256
	maxPayload = 65_535 - 1024
)

// Piece is what one job of the workflow tests: one leg of the matrix, and the
// action's input. Everything in it is data to whoever reads it.
type Piece struct {
	ID      string            `json:"id"`                // run, piece and attempt: "1/p3/1"
	Label   string            `json:"label"`             // of the only runner that may take the job
	Goal    string            `json:"goal"`              // tv-ngx_lua
	Catalog string            `json:"catalog,omitempty"` // revision that the goal is of; "" is the job's own
	Repo    string            `json:"repo"`              // OWNER/NAME of the project
	Commit  string            `json:"commit"`            // full SHA; "" is the default branch's head
	Files   []string          `json:"files"`             // test files in order; null is all
	Sources map[string]string `json:"sources,omitempty"` // full SHAs of what is built with it, by the catalog's names; others are at their heads
	Options plan.Options      `json:"options"`           // how the goal is built and run
	Timeout int               `json:"timeout"`           // minutes that the job may take
}

var (
	pieceID   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9/_.-]{0,99}$`)
	labelName = regexp.MustCompile(`^ortest-[0-9a-f]{32}$`)
	nonceName = regexp.MustCompile(`^[0-9a-f]{32}$`)
	repoName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)
	goalName  = regexp.MustCompile(`^t[a-z]{0,3}-[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)
	commitSHA = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})?$`)
	catalogID = regexp.MustCompile(`^([0-9a-f]{16})?$`)
	sourceKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$`)
	filePath  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_+.-]*(/[A-Za-z0-9_+-][A-Za-z0-9_+.-]*)*$`)
)

// Label returns the label of the runner and the job that a nonce names. A
// nonce is 32 lower-case hex digits.
func Label(nonce string) string { return "ortest-" + nonce }

// Validate checks every field before it is sent or believed.
func (p Piece) Validate() error {
	for _, f := range []struct {
		name, value string
		want        *regexp.Regexp
	}{
		{"id", p.ID, pieceID}, {"label", p.Label, labelName}, {"goal", p.Goal, goalName},
		{"repo", p.Repo, repoName}, {"commit", p.Commit, commitSHA}, {"catalog", p.Catalog, catalogID},
	} {
		if !f.want.MatchString(f.value) {
			return fmt.Errorf("piece %.40q: %s %.60q is not of the form %s", p.ID, f.name, f.value, f.want)
		}
	}
	if p.Timeout < 1 || p.Timeout > 7200 {
		return fmt.Errorf("piece %q: timeout %d is not between 1 and 7200 minutes", p.ID, p.Timeout)
	}
	for name, commit := range p.Sources {
		if !sourceKey.MatchString(name) || commit == "" || !commitSHA.MatchString(commit) {
			return fmt.Errorf("piece %q: commit %.60q of source %.60q is no full SHA of a source", p.ID, commit, name)
		}
	}
	if p.Files != nil && len(p.Files) == 0 {
		return fmt.Errorf("piece %q: files is empty; null means all", p.ID)
	}
	for i, f := range p.Files {
		if len(f) > 300 || !filePath.MatchString(f) {
			return fmt.Errorf("piece %q: file %.60q is no path of a test file", p.ID, f)
		}
		if slices.Index(p.Files, f) != i {
			return fmt.Errorf("piece %q: file %q stands twice", p.ID, f)
		}
	}
	return nil
}

// Split cuts a list of pieces, in order, into as many dispatches as GitHub's
// limits ask for. A piece too large for any stands alone; Inputs refuses it.
func Split(pieces []Piece) [][]Piece {
	var all [][]Piece
	size := 0
	for _, p := range pieces {
		n := carried(p)
		last := len(all) - 1
		if last < 0 || len(all[last]) == maxJobs || size+n > maxPayload {
			all = append(all, nil)
			last, size = last+1, 2
		}
		all[last] = append(all[last], p)
		size += n
	}
	return all
}

// Inputs returns the workflow's inputs for one dispatch of pieces that Split
// put together. Every piece is validated, so that nothing but data of the
// expected form reaches the workflow.
func Inputs(pieces []Piece, nonce string) (map[string]string, error) {
	if !nonceName.MatchString(nonce) {
		return nil, fmt.Errorf("prepare dispatch: nonce %.40q is not 32 hex digits", nonce)
	}
	if len(pieces) == 0 || len(pieces) > maxJobs {
		return nil, fmt.Errorf("prepare dispatch: %d pieces, want 1 to %d", len(pieces), maxJobs)
	}
	size := 2
	for _, p := range pieces {
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("prepare dispatch: %w", err)
		}
		size += carried(p)
	}
	if size > maxPayload {
		return nil, fmt.Errorf("prepare dispatch: %d pieces have %d characters, more than the %d a dispatch can carry", len(pieces), size, maxPayload)
	}
	b, err := json.Marshal(pieces)
	if err != nil {
		return nil, fmt.Errorf("prepare dispatch: %w", err)
	}
	return map[string]string{"pieces": string(b), "nonce": nonce}, nil
}

// carried is how many characters a piece takes within a dispatch's own JSON,
// where its text is a string: quotes and backslashes double.
func carried(p Piece) int {
	b, err := json.Marshal(p)
	if err != nil {
		return maxPayload + 1
	}
	return 1 + len(b) + bytes.Count(b, []byte{'"'}) + bytes.Count(b, []byte{'\\'})
}
