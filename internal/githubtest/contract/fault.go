package contract

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// maxCauses bounds how much is said of a value that fits none of several
// schemas: each of them can fail in dozens of ways.
const maxCauses = 3

// flatten turns the validator's tree of errors into faults. The tree's own
// text holds whole schemas and values, which nobody reads in a test's output.
func flatten(err error) []Fault {
	switch e := err.(type) { //nolint:errorlint // walks the tree level by level; errors.As would skip some
	case nil:
		return nil
	case openapi3.MultiError:
		var faults []Fault
		for _, inner := range e {
			faults = append(faults, flatten(inner)...)
		}
		return faults
	case *openapi3.SchemaError:
		what := e.Reason
		if what == "" {
			what = fmt.Sprintf("does not match %q", e.SchemaField)
		}
		if strings.HasSuffix(e.SchemaField, "Of") { // allOf, anyOf, oneOf
			what += " (" + causesOf(e.Origin) + ")"
		}
		return []Fault{{Where: "/" + strings.Join(e.JSONPointer(), "/"), What: what}}
	}
	return []Fault{{Where: "/", What: err.Error()}}
}

// causesOf says why a value fits no alternative, or not all parts, of a schema.
func causesOf(origin error) string {
	var inner []Fault
	switch e := origin.(type) { //nolint:errorlint // as in flatten
	case nil:
		return "no alternative was tried"
	case openapi3.MultiError, *openapi3.SchemaError:
		inner = flatten(e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			inner = append(inner, flatten(one)...)
		}
	case interface{ Unwrap() error }:
		return causesOf(e.Unwrap())
	}
	if more := len(inner) - maxCauses; more > 0 {
		return fmt.Sprintf("%s; and %d more", join(inner[:maxCauses]), more)
	}
	return join(inner)
}
