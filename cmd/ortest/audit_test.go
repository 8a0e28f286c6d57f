package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot"
)

// lines are an audit log in memory.
type lines []bot.Audit

func (l lines) AuditLog(_ context.Context, after int64, limit int) (out []bot.Audit, err error) {
	for _, a := range l {
		if a.ID > after && len(out) < min(limit, 2) { // read in several pieces
			out = append(out, a)
		}
	}
	return out, nil
}

func TestAnEarlierExportIsHeldAgainstTheLog(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	log := lines{{ID: 1, At: at, Who: "ada"}, {ID: 2, At: at, Who: "bob"}, {ID: 4, At: at, Who: "cy"}, {ID: 5, At: at, Who: "di"}}
	changed := append(lines{}, log...)
	changed[1].Who = "eve"
	later := append(lines{}, log...)
	later[3].At = at.Add(time.Microsecond)
	between := append(append(lines{}, log[:2]...), append(lines{{ID: 3, At: at}}, log[2:]...)...)
	for _, tt := range []struct {
		name string
		was  lines
		now  lines
		code int
	}{
		{"the same", log, log, exitGood},
		{"more since", log[:2], log, exitGood},
		{"an export of the end", log[2:], log, exitGood},
		{"nothing", nil, log, exitGood},
		{"a name was changed", log, changed, exitBad},
		{"a time was changed", log, later, exitBad},
		{"the last is gone", log, log[:3], exitBad},
		{"one between is gone", log, append(append(lines{}, log[:1]...), log[2:]...), exitBad},
		{"one was put between", log, between, exitBad},
		{"no export", lines{{ID: 2}, {ID: 1}}, lines{{ID: 2}, {ID: 1}}, exitUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var text strings.Builder
			for _, a := range tt.was {
				if err := json.NewEncoder(&text).Encode(a); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := new(cobra.Command)
			cmd.SetContext(t.Context())
			cmd.SetOut(&text)
			code := exitGood
			var e *exitError
			if err := checkAudit(cmd, tt.now, file); errors.As(err, &e) {
				code = e.code
			} else if err != nil {
				t.Fatal(err)
			}
			if code != tt.code {
				t.Errorf("ended with %d, want %d", code, tt.code)
			}
		})
	}
}
