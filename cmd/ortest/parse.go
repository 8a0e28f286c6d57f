package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/report"
)

// logWriter reads logs and writes what they say.
type logWriter interface {
	log(name string, r io.Reader) error
	end() error // after the last log
}

// logFormats are what logs can be written as.
var logFormats = map[string]func(io.Writer) logWriter{
	"json":   func(w io.Writer) logWriter { return jsonLogs{w} },
	"opsboy": func(w io.Writer) logWriter { return &opsboyLogs{w: w} },
}

func (a *app) parse() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "parse [--format FORMAT] LOG…",
		Short: "Read logs into records: facts with their place, without opinion",
		Long: "Read logs into records: facts with their place, without opinion. A LOG is a file, plain, packed with gzip or a tar archive of logs, or - for the standard input.\n\n" +
			"json writes one object for each log: {schema, log, records, date, arch, bytes, complete}. A record is one goal's part of the log: " +
			"goal, line, offset and bytes say where it stands, files counts assertions for each test file, findings are failures with their " +
			"block and byte offset, warnings and leaks stand apart. No summary by prove means that result is missing; complete says whether the log has its wrapper's last line.\n\n" +
			"opsboy writes the one JSON value that the old parse-logs makes of all logs together; docs/differences.md lists the exceptions.",
		Example: "  ortest parse run.log.gz\n  ortest parse --format opsboy run.log >run.json\n  prove -r t 2>&1 | ortest parse -",
		Args:    someLogs,
		RunE: func(cmd *cobra.Command, args []string) error {
			open := logFormats[format]
			if open == nil {
				names := slices.Sorted(maps.Keys(logFormats))
				return usage(fmt.Errorf("no format is called %q; take one of %s", format, strings.Join(names, ", ")))
			}
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
			w := open(out)
			err := eachLog(cmd, args, w.log)
			if cmd.Context().Err() != nil {
				return err // and out may still be written to
			}
			return errors.Join(err, w.end(), out.Flush())
		},
	}
	cmd.Flags().StringVar(&format, "format", "json", "write `FORMAT`: json or opsboy")
	return cmd
}

// someLogs wants at least one log.
func someLogs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("no log: name files, or - for the standard input")
	}
	return nil
}

// jsonLogs writes an object for each log.
type jsonLogs struct{ w io.Writer }

func (jsonLogs) end() error { return nil }

// log writes a log's records one by one, so that a log of any size is read in
// little memory, and what is known only at its end after them.
func (j jsonLogs) log(name string, r io.Reader) error {
	w := j.w
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	quoted, err := json.Marshal(name)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "{\"schema\":1,\"log\":%s,\"records\":[", quoted)
	var l report.Log
	comma := "\n"
	bad := l.Stream(r, func(rec report.Record) error {
		if _, err := io.WriteString(w, comma); err != nil {
			return err
		}
		comma = ","
		return enc.Encode(rec)
	})
	end, err := json.Marshal(logEnd{Date: l.Date, Arch: l.Arch, Findings: l.Findings, Bytes: l.Bytes, Complete: l.Complete})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "],%s\n", end[1:]); err != nil {
		return err
	}
	return bad
}

// logEnd is what follows the records.
type logEnd struct {
	Date     string           `json:"date,omitempty"`
	Arch     string           `json:"arch,omitempty"`
	Findings []report.Finding `json:"findings,omitempty"`
	Bytes    int64            `json:"bytes"`
	Complete bool             `json:"complete"`
}
