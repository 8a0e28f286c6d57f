// Package ortest holds what lies at the repository's root and must travel in
// the binary.
package ortest

import _ "embed"

// ActionFile is action.yml: the demo puts it where its runners look for the action.
//
//go:embed action.yml
var ActionFile []byte
