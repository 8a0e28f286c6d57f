package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/store"
)

func (a *app) audit() *cobra.Command {
	var data, earlier string
	var after int64
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Write the audit log: who asked for what, and what was done",
		Long: "Write the audit log, a JSON object a line, oldest first: who asked, approved, confirmed or cancelled, for which commit, and how runs ended. The log is only ever added to: the database refuses anything else, and " +
			"--check holds it against an export of before that was kept elsewhere. Exit code 1 when a line of that was changed or is gone.",
		Example: "  ortest audit --data /var/lib/ortest >audit.jsonl\n  ortest audit --data /var/lib/ortest --after 1200\n  ortest audit --data /var/lib/ortest --check audit.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file := databaseIn(data)
			if err := isThere(file); err != nil {
				return usage(fmt.Errorf("read audit log: %w; --data names the directory of ortest serve or ortest demo", err))
			}
			st, err := store.Open(cmd.Context(), store.Config{Database: file, Log: a.log(cmd.ErrOrStderr())})
			if err != nil {
				return err
			}
			defer func() { _ = st.Close() }() // only read
			if earlier != "" {
				return checkAudit(cmd, st, earlier)
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			for {
				lines, err := st.AuditLog(cmd.Context(), after, 1000)
				if err != nil || len(lines) == 0 {
					return err
				}
				for _, l := range lines {
					if err := enc.Encode(l); err != nil {
						return err
					}
					after = l.ID
				}
			}
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData("demo"), "directory of the server's data")
	cmd.Flags().StringVar(&earlier, "check", "", "write nothing, and compare with an earlier export in `FILE`")
	cmd.Flags().Int64Var(&after, "after", 0, "begin after this line's `ID`")
	return cmd
}

// auditLog is the log as checkAudit reads it.
type auditLog interface {
	AuditLog(ctx context.Context, after int64, limit int) ([]bot.Audit, error)
}

// checkAudit compares an earlier export, line by line, with the log as it is. Its
// lines must all be there as they were, with none between them.
func checkAudit(cmd *cobra.Command, log auditLog, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return usage(fmt.Errorf("--check: %w", err))
	}
	defer func() { _ = f.Close() }() // only read
	in := json.NewDecoder(bufio.NewReader(f))
	var now []bot.Audit
	last, n := int64(-1), 0
	for {
		var was bot.Audit
		if err := in.Decode(&was); errors.Is(err, io.EOF) {
			break
		} else if err != nil || was.ID <= last {
			return usage(errors.Join(fmt.Errorf("--check: line %d of %s is no line of an export", n+1, file), err))
		}
		if n == 0 {
			last = was.ID - 1
		}
		if len(now) == 0 {
			if now, err = log.AuditLog(cmd.Context(), last, 1000); err != nil {
				return err
			}
		}
		if len(now) == 0 || !sameAudit(now[0], was) {
			return &exitError{exitBad, fmt.Errorf("line %d of the audit log is not what it was in %s: it was changed or removed, or one was put before it", was.ID, file)}
		}
		now, last, n = now[1:], was.ID, n+1
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "the %d lines of %s are in the audit log as they were\n", n, file)
	return err
}

func sameAudit(a, b bot.Audit) bool {
	if !a.At.Equal(b.At) {
		return false
	}
	a.At, b.At = time.Time{}, time.Time{}
	return a == b
}
