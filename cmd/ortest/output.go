package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// skipped says what -e left out, in the old tool's words.
func (a *app) skipped(w io.Writer, goals []string) {
	if len(goals) > 0 {
		a.warn(w, "skipping goals "+strings.Join(goals, " "))
	}
}

// warn says something that a person should know before trusting the answer.
func (a *app) warn(w io.Writer, text string) {
	if !a.quiet {
		fmt.Fprintln(w, "WARNING:", text)
	}
}

func writeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// shownText makes a line of a log safe for a terminal.
func shownText(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), `\\`, `\`)
}
