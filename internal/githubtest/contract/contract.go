// Package contract holds a stand-in for GitHub to GitHub's own description.
//
// Handler checks each request that reaches the stand-in's REST interface and
// each answer it gives; Webhook checks a payload before it is sent. What the
// published description lost of GitHub's rules is in rules.go.
//
// api.json and webhooks.json are excerpts of what GitHub publishes (NOTICE has
// the licence); subset.txt lists what they keep, and package generate makes
// them.
package contract

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:generate go run ./generate

//go:embed api.json
var apiJSON []byte

//go:embed webhooks.json
var hooksJSON []byte

// The descriptions are compiled when the first request or webhook needs them:
// it takes some 50 ms, which a program that only links this package need not
// spend. They come from the binary, so they either always or never compile.
var (
	api   = sync.OnceValue(func() []operation { return compile(mustLoad(apiJSON)) })
	hooks = sync.OnceValue(func() openapi3.Schemas { return mustLoad(hooksJSON).Components.Schemas })
)

func mustLoad(raw []byte) *openapi3.T {
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		panic("contract: embedded description: " + err.Error())
	}
	return doc
}

// Violation is a request or an answer that breaks GitHub's description.
type Violation struct {
	Answer bool // false: the request is at fault, and was refused
	Method string
	Path   string // as requested
	Status int    // of the answer, or of the refusal
	Faults []Fault
}

// Fault is one thing that is wrong, and where.
type Fault struct {
	Where string // "query per_page", or a JSON pointer into the body such as /output/title
	What  string
}

// String returns "/output/title: property is missing".
func (f Fault) String() string { return f.Where + ": " + f.What }

// Error returns one line that names the call and every fault.
func (v *Violation) Error() string {
	side := "request refused with"
	if v.Answer {
		side = "answer"
	}
	return fmt.Sprintf("%s %s: %s %d: %s", v.Method, v.Path, side, v.Status, join(v.Faults))
}

func join(faults []Fault) string {
	lines := make([]string, 0, len(faults))
	for _, f := range faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "; ")
}

// faultsOf lists what a schema found wrong, in the order of places, once each.
func faultsOf(err error) []Fault {
	var faults []Fault
	for _, f := range flatten(err) {
		if !slices.Contains(faults, f) {
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.Where, b.Where) })
	return faults
}
