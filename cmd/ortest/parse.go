package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
)

// logWriter reads logs and writes what they say.
type logWriter interface {
	log(name string, r io.Reader) error
	end() error // after the last log
}

// logFormats are what logs can be written as.
var logFormats = map[string]func(w io.Writer, source func(goal string) []report.TestFile) logWriter{
	"json":   func(w io.Writer, source func(string) []report.TestFile) logWriter { return jsonLogs{w, source} },
	"opsboy": func(w io.Writer, _ func(string) []report.TestFile) logWriter { return &opsboyLogs{w: w} },
}

func (a *app) parse() *cobra.Command {
	var format, src string
	cmd := &cobra.Command{
		Use:   "parse [--format FORMAT] LOG…",
		Short: "Read logs into records: facts with their place, without opinion",
		Long: "Read logs into records: facts with their place, without opinion. A LOG is a file, plain, packed with gzip or a tar archive of logs, or - for the standard input.\n\n" +
			"json writes one object for each log: {schema, log, records, date, arch, findings, bytes, complete}. A record is one goal's part of the log: " +
			"goal, line, offset and bytes say where it stands, files counts assertions for each test file, findings are failures with their " +
			"block and byte offset, warnings and leaks stand apart. No summary by prove means that result is missing; complete says whether the log has its wrapper's last line, or prove's. With --sources a finding has the line of the section that failed, and a file the names of its blocks that did not run.\n\n" +
			"opsboy writes the one JSON value that the old parse-logs makes of all logs together; docs/differences.md lists the exceptions.",
		Example: "  ortest parse run.log.gz\n  ortest parse --format opsboy run.log >run.json\n  prove -r t 2>&1 | ortest parse -",
		Args:    someLogs,
		RunE: func(cmd *cobra.Command, args []string) error {
			open := logFormats[format]
			if open == nil {
				names := slices.Sorted(maps.Keys(logFormats))
				return usage(fmt.Errorf("no format is called %q; take one of %s", format, strings.Join(names, ", ")))
			}
			var source func(goal string) []report.TestFile
			if src != "" {
				if err := checkDir(src); err != nil {
					return usage(fmt.Errorf("--sources: %w; give a project's checkout, or the directory that holds some", err))
				}
				c, err := catalog.Default()
				if err != nil {
					return err
				}
				source = testsNow(c, src)
			}
			// Garbage is let grow to a bound of its own, whatever is alive.
			debug.SetMemoryLimit(28 << 20)
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
			w := open(out, source)
			err := eachLog(cmd, args, w.log)
			if cmd.Context().Err() != nil {
				return err // and out may still be written to
			}
			return errors.Join(err, w.end(), out.Flush())
		},
	}
	cmd.Flags().StringVar(&src, "sources", "", "find test files in `DIR`, a project's checkout or a directory of those, for lines and for blocks that did not run")
	cmd.Flags().StringVar(&format, "format", "json", "write `FORMAT`: json or opsboy")
	return cmd
}

// jsonLogs writes an object for each log.
type jsonLogs struct {
	w      io.Writer
	source func(goal string) []report.TestFile // nil: there is none
}

func (jsonLogs) end() error { return nil }

// log writes a log's records one by one, so that a log of any size is read in
// little memory, and what is known only at its end after them.
func (j jsonLogs) log(name string, r io.Reader) error {
	w := j.w
	quoted, err := json.Marshal(name)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "{\"schema\":1,\"log\":%s,\"records\":[", quoted)
	l := report.Log{Source: j.source}
	comma := "\n"
	bad := l.Stream(r, func(rec report.Record) error {
		if _, err := io.WriteString(w, comma); err != nil {
			return err
		}
		comma = ","
		return writeRecord(w, rec)
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

// writeRecord writes a record on a line, its lists one by one: they may be as
// large as all else in memory.
func writeRecord(w io.Writer, rec report.Record) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	lists := []struct {
		name string
		list []report.Finding
	}{{"findings", rec.Findings}, {"warnings", rec.Warnings}, {"leaks", rec.Leaks}}
	rec.Findings, rec.Warnings, rec.Leaks = nil, nil, nil
	head, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if _, err := w.Write(head[:len(head)-1]); err != nil {
		return err
	}
	for _, l := range lists {
		for i, f := range l.list {
			before := ","
			if i == 0 {
				before = `,"` + l.name + `":[`
			}
			if _, err := io.WriteString(w, before); err != nil {
				return err
			}
			if err := enc.Encode(f); err != nil {
				return err
			}
		}
		if len(l.list) > 0 {
			if _, err := io.WriteString(w, "]"); err != nil {
				return err
			}
		}
	}
	_, err = io.WriteString(w, "}\n")
	return err
}

// logEnd is what follows the records.
type logEnd struct {
	Date     string           `json:"date,omitempty"`
	Arch     string           `json:"arch,omitempty"`
	Findings []report.Finding `json:"findings,omitempty"`
	Bytes    int64            `json:"bytes"`
	Complete bool             `json:"complete"`
}
