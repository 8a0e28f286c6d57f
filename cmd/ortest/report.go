package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
	"github.com/ortest/ortest/report/result"
)

// reportFlags are those of ortest report.
type reportFlags struct {
	judging
	out                        string
	since, archive, maintainer string
	forge                      string
}

func (a *app) report() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report --out DIR LOG|RESULT…",
		Short: "Write the HTML report of logs, with JSON, JUnit and SARIF beside it",
		Long: "Write a static report that opens in a browser from its files, without a server or scripts: DIR/index.html and a page for each goal on each arch and nginx core.\n\n" +
			"A LOG is a file, plain, packed with gzip or a tar archive of logs, or - for the standard input. A RESULT is a file of data/*.json or results.jsonl of an earlier report. " +
			"Of one goal on one arch and nginx core the newest result is shown; the others are its history.\n\n" +
			"Beside the pages: data/NAME.json for each goal, results.jsonl with all of them, junit.xml, memory.sarif, and a bundle under repro/ for each failing block. " +
			"DIR must be empty, an earlier report, or not there; it changes only when the new report is complete.",
		Example: "  ortest report --out report run.log.gz\n  ortest report --out new --sources ~/git old/results.jsonl bucket-*.log.gz",
		Args:    someLogs,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.writeReport(cmd, &f, args) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "write the report to `DIR` (required)")
	f.judging.flags(cmd)
	fl.StringVar(&f.since, "since", "", "mark results that are newer than `TIME` (UTC, such as 2026-11-21 or \"2026-11-21 12:00:00\")")
	fl.StringVar(&f.forge, "forge", "https://github.com", "link commits and lines to this `URL`")
	fl.StringVar(&f.archive, "archive", "", "`URL` of older reports, for the foot of the index")
	fl.StringVar(&f.maintainer, "maintainer", "", "whom to ask, for the foot of the index")
	return cmd
}

func (a *app) writeReport(cmd *cobra.Command, f *reportFlags, args []string) error {
	if f.out == "" {
		return usage(errors.New("say where the report goes: --out DIR"))
	}
	if err := f.settle(); err != nil {
		return usage(err)
	}
	if err := mayReplace(f.out); err != nil {
		return usage(err)
	}
	// The heap is small and short-lived: collecting it less often saves a third of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	if err := f.open(cmd); err != nil {
		return err
	}
	in := resultReader{judging: &f.judging}
	bad := eachLog(cmd, args, func(name string, r io.Reader) error { return in.read(cmd.Context(), name, r) })
	in.absent()
	if len(in.goals) == 0 {
		return cmp.Or(bad, usage(errors.New("no goal is in what was given: a log has lines such as \"making tv-ngx_lua ...\"")))
	}
	src := &sources{dir: f.sources}
	src.locate(cmd.Context(), in.goals)
	cells := result.Cells(in.goals)
	site := html.Site{
		Cells: cells, Trouble: in.trouble, Modes: f.catalog.Modes(), Forge: f.forge, Since: f.since, Archive: f.archive, Maintainer: f.maintainer,
	}
	if err := replaceDir(f.out, func(tmp string) error { return writeSite(cmd.Context(), tmp, site, src) }); err != nil {
		return errors.Join(bad, err)
	}
	for _, t := range in.trouble {
		fmt.Fprintln(cmd.ErrOrStderr(), "incomplete: "+shownText(t))
	}
	if !a.quiet {
		count := make(map[report.Verdict]int)
		for _, x := range cells {
			count[x.Result.Verdict]++
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d goals: %d fail, %d incomplete, %d known, %d pass\n", filepath.Join(f.out, "index.html"),
			len(cells), count[report.Fail], count[report.Incomplete], count[report.Known], count[report.Pass])
	}
	return bad
}

// settle checks the flags' values.
func (f *reportFlags) settle() error {
	for name, v := range map[string]string{"--forge": f.forge, "--archive": f.archive} {
		if v != "" && !strings.HasPrefix(v, "https://") && !strings.HasPrefix(v, "http://") {
			return fmt.Errorf("%s %q is no address: it begins with https://", name, v)
		}
	}
	if f.since == "" {
		return nil
	}
	for _, form := range []string{result.TimeFormat, time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, f.since); err == nil {
			f.since = t.UTC().Format(result.TimeFormat)
			return nil
		}
	}
	return fmt.Errorf("--since %q is no time: write it as 2026-11-21 or \"2026-11-21 12:00:00\"", f.since)
}

// resultReader gathers judged goals from logs and results.
type resultReader struct {
	*judging
	goals   []result.Goal
	trouble []string
}

// read takes a result or judges a log. A result is JSON, and no log begins with a brace.
func (in *resultReader) read(ctx context.Context, name string, r io.Reader) error {
	br := bufio.NewReaderSize(r, sniffed)
	head, err := br.Peek(1)
	if err == nil && head[0] == '{' {
		goals, err := result.Decode(br)
		in.goals = append(in.goals, goals...)
		if err == nil && len(goals) == 0 {
			err = usage(errors.New("it holds no result; give a file of data/ or results.jsonl"))
		}
		return err
	}
	l, bad := report.Parse(br)
	out := judgedLog{Name: name, Log: l}
	if bad != nil {
		out.Trouble = append(out.Trouble, damaged(name, bad).Error())
		l.Complete = false // what came before it is evidence all the same
	}
	if err := in.judge(ctx, &out, l); err != nil {
		return err
	}
	for _, t := range out.Trouble {
		in.trouble = append(in.trouble, name+": "+t)
	}
	for i, rec := range l.Records {
		g := out.Results[i]
		g.Repo = cmp.Or(g.Repo, in.repo(g.Goal))
		in.goals = append(in.goals, result.Goal{
			Run: filepath.Base(name), Arch: l.Arch, Nginx: result.Core(rec.Versions["nginx"]), Tested: tested(l.Date), CommitDate: rec.Date,
			Log: result.Log{Name: filepath.Base(name), Offset: rec.Offset, Bytes: rec.Bytes}, Result: g, Files: result.Files(rec),
		})
	}
	return nil
}

// absent adds the goals that were asked for and that nothing tells of.
func (in *resultReader) absent() {
	var told judgedLog
	for _, g := range in.goals {
		told.Results = append(told.Results, g.Result)
	}
	for _, g := range in.judging.absent([]judgedLog{told}) {
		g.Repo = cmp.Or(g.Repo, in.repo(g.Goal))
		in.goals = append(in.goals, result.Goal{Result: g})
	}
}

// repo returns OWNER/NAME of a goal's project, "" when the catalog has none.
func (in *resultReader) repo(goal string) string {
	g, err := plan.ParseGoal(goal)
	if err != nil {
		return ""
	}
	p, _ := in.catalog.Project(g.Project)
	return strings.TrimPrefix(p.Repo, "https://github.com/")
}

// tested returns a log's date as results have it, "" when it is none.
func tested(date string) string {
	t, err := time.Parse(result.TimeFormat, date)
	if err != nil {
		return ""
	}
	return t.Format(result.TimeFormat)
}

// writeSite writes all files of a report into a directory.
func writeSite(ctx context.Context, dir string, site html.Site, src *sources) error {
	put := func(name string, b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), b, 0o644)
	}
	for _, sub := range []string{"g", "data"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	made, err := src.writeBundles(ctx, dir, site.Cells)
	if err != nil {
		return err
	}
	bundles(&site, made)
	var group errgroup.Group
	group.Go(func() error { return site.Write(put) })
	group.Go(func() error { return writeData(put, site.Cells) })
	for name, write := range map[string]func(io.Writer, []result.Cell) error{"junit.xml": result.JUnit, "memory.sarif": result.SARIF} {
		group.Go(func() error {
			var b bytes.Buffer
			if err := write(&b, site.Cells); err != nil {
				return err
			}
			return put(name, b.Bytes())
		})
	}
	return group.Wait()
}

// writeData writes the results: a file for each cell, and all of them, the
// earlier ones too, in one.
func writeData(put func(string, []byte) error, cells []result.Cell) error {
	var lines bytes.Buffer
	for _, c := range cells {
		for i, g := range append([]result.Goal{c.Goal}, c.Earlier...) {
			b, err := g.MarshalJSON()
			if err != nil {
				return fmt.Errorf("encode %s: %w", c.Name, err)
			}
			b = append(b, '\n')
			lines.Write(b)
			if i > 0 {
				continue
			}
			if err := put(html.DataName(c), b); err != nil {
				return err
			}
		}
	}
	return put(marker, lines.Bytes())
}

// marker is in every report's directory; only such a directory is replaced.
const marker = "results.jsonl"

// mayReplace refuses to write over what is no report.
func mayReplace(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
		return fmt.Errorf("%s holds something that is no report; choose another directory, or empty it", dir)
	}
	return nil
}

// replaceDir writes a directory beside its place and then puts it there, so
// that what is seen is whole: the old one, or the new one.
func replaceDir(dir string, write func(tmp string) error) (err error) {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	fresh, old := filepath.Join(tmp, "new"), filepath.Join(tmp, "old")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	if err := write(fresh); err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return nil
}
