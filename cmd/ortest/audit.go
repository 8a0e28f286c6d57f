package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/store"
)

func (a *app) audit() *cobra.Command {
	var data string
	var after int64
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Write the audit log: who asked for what, and what was done",
		Long:    "Write the audit log, a JSON object a line, oldest first: who asked, approved, confirmed or cancelled, for which commit, and how runs ended. The log is only ever added to.",
		Example: "  ortest audit --data /var/lib/ortest\n  ortest audit --data /var/lib/ortest --after 1200",
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
	cmd.Flags().Int64Var(&after, "after", 0, "begin after this line's `ID`")
	return cmd
}
