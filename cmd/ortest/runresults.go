package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ortest/ortest/action/local"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/result"
)

// runLog is the name of a run's whole log.
const runLog = "ortest.log.gz"

// runResults writes what a run leaves for other tools:
//
//	ortest.log.gz     all goals' logs, as the old wrapper printed them
//	results.jsonl     the verdicts, as ortest report reads them
//	commits.json      the commits of everything, as --commits takes them
//	GOAL.log.gz       a goal's log
//	GOAL.jsonl        its entries
//	GOAL.beside/      logs of files that failed beside others and ran again
type runResults struct {
	dir  string
	arch string
	pins pins
}

func (w runResults) write(out local.Outcome) error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	var whole bytes.Buffer
	var errs []error
	for _, g := range out.Goals {
		log, entries := goalLog(g)
		whole.Write(log)
		errs = append(errs, w.pack(g.Goal.String()+".log.gz", append(log, lastLine(g.Result.Seconds)...)),
			os.WriteFile(filepath.Join(w.dir, g.Goal.String()+".jsonl"), entries, 0o644), w.beside(g))
	}
	whole.WriteString(lastLine(time.Since(out.Began).Seconds()))
	errs = append(errs, w.pack(runLog, whole.Bytes()), w.results(out, whole.Bytes()), w.pins.write(w.dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// goalLog joins a goal's log, and its entries as JSON lines.
func goalLog(g local.Goal) (log, entries []byte) {
	for _, p := range g.Evidence.Pieces {
		for i, e := range p.Entries {
			log = append(log, p.Logs[i]...)
			if b, err := json.Marshal(e); err == nil { // entries are made of what JSON knows
				entries = append(append(entries, b...), '\n')
			}
		}
	}
	return log, entries
}

// lastLine is the old wrapper's; without it a log counts as cut.
func lastLine(seconds float64) string { return fmt.Sprintf("For total %.0f sec elapsed.\n", seconds) }

func (w runResults) pack(name string, b []byte) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(b)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, name), packed.Bytes(), 0o644)
}

func (w runResults) beside(g local.Goal) error {
	if len(g.Beside) == 0 {
		return nil
	}
	sub := g.Goal.String() + ".beside"
	errs := []error{os.MkdirAll(filepath.Join(w.dir, sub), 0o755)}
	for _, b := range g.Beside {
		errs = append(errs, w.pack(filepath.Join(sub, strings.ReplaceAll(b.File.Path, "/", "_")+".log.gz"), b.Log))
	}
	return errors.Join(errs...)
}

// results writes the verdicts with where in the whole log they come from.
func (w runResults) results(out local.Outcome, whole []byte) error {
	l, err := report.Parse(bytes.NewReader(whole))
	if err != nil {
		return err
	}
	records := make(map[string]report.Record)
	for _, rec := range l.Records {
		records[rec.Goal] = rec
	}
	var lines bytes.Buffer
	for _, g := range out.Goals {
		rec := records[g.Goal.String()]
		b, err := json.Marshal(result.Goal{
			Run: out.Began.UTC().Format(time.RFC3339), Arch: w.arch, Nginx: result.Core(g.Result.Versions["nginx"]),
			Tested: out.Began.UTC().Format(result.TimeFormat), CommitDate: rec.Date,
			Log: result.Log{Name: runLog, Offset: rec.Offset, Bytes: rec.Bytes}, Result: g.Result, Files: result.Files(rec),
		})
		if err != nil {
			return err
		}
		lines.Write(append(b, '\n'))
	}
	return os.WriteFile(filepath.Join(w.dir, "results.jsonl"), lines.Bytes(), 0o644)
}
