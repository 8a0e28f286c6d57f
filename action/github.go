package action

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	reporthtml "github.com/ortest/ortest/report/html"
)

// Job is a piece as a step of a workflow job: action.yml starts it. All fields
// but Judge, Logger and Limits are required.
type Job struct {
	Environ []string // of the step
	Stdout  io.Writer
	Lookup  func(Piece) (plan.Project, plan.Mode, error)     // of its goal, in its catalog
	Judge   func(report.Evidence) (report.GoalResult, error) // for the summary; nil leaves it to the bot
	Limits  Limits
	Logger  *slog.Logger
}

// Run runs the piece in the step's input and writes the step's outputs, summary
// and annotations. It fails only when the piece could not be reported: what
// the tests mean is for the bot to judge.
func (j Job) Run(ctx context.Context) error {
	gh := githubactions.New(githubactions.WithWriter(j.Stdout), githubactions.WithGetenv(j.getenv))
	cfg, err := j.config(gh)
	if err != nil {
		return err
	}
	if cfg.Lanes, err = j.lanes(ctx); err != nil {
		return err
	}
	resume := fence(gh, j.Stdout)
	result, err := Run(ctx, cfg)
	resume()
	if err != nil {
		return err
	}
	annotate(gh, result)
	goal, err := j.judged(result)
	if err != nil {
		return err
	}
	return errors.Join(
		AppendTo(j.getenv("GITHUB_OUTPUT"), outputs(result)),
		AppendTo(j.getenv("GITHUB_STEP_SUMMARY"), j.summary(result, goal)),
	)
}

// judged weighs the piece as if it were the goal; nil when that cannot be said
// here. What the verdict is remains the bot's to say, who knows the other pieces.
func (j Job) judged(result Result) (*report.GoalResult, error) {
	if j.Judge == nil || result.Evidence == nil {
		return nil, nil
	}
	piece := *result.Evidence
	m := result.Manifest
	m.Others = nil // they are other pieces'
	piece.Entries = slices.Clone(piece.Entries)
	piece.Entries[0].Manifest = &m
	g, err := j.Judge(report.Evidence{Goal: m.Goal, Pieces: []report.PieceEvidence{piece}})
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", m.Goal, err)
	}
	return &g, nil
}

func (j Job) summary(result Result, goal *report.GoalResult) string {
	if goal == nil {
		return summary(result)
	}
	run := reporthtml.RunView{
		Repo: result.Manifest.Repo, Head: result.Manifest.Commit, State: "done",
		Forge: cmp.Or(j.getenv("GITHUB_SERVER_URL"), "https://github.com"),
	}
	return reporthtml.JobSummary(run, []report.GoalResult{*goal}) + "\n" + summary(result)
}

func (j Job) getenv(name string) string { return lookup(j.Environ, name) }

func (j Job) config(gh *githubactions.Action) (Config, error) {
	piece, err := ParsePiece([]byte(gh.GetInput("piece")))
	if err != nil {
		return Config{}, err
	}
	project, mode, err := j.Lookup(piece)
	if err != nil {
		return Config{}, fmt.Errorf("find goal %s: %w", piece.Goal, err)
	}
	workspace, err := filepath.Abs(cmp.Or(j.getenv("GITHUB_WORKSPACE"), "."))
	if err != nil {
		return Config{}, fmt.Errorf("find workspace: %w", err)
	}
	work := j.getenv("ORTEST_WORK")
	return Config{
		Piece: piece, Project: project, Mode: mode, Began: began(work, piece.ID),
		ServerURL: cmp.Or(j.getenv("GITHUB_SERVER_URL"), "https://github.com"),
		Workspace: workspace,
		Spool:     j.getenv("ORTEST_SPOOL"), Work: work,
		Log: j.Stdout, Env: j.Environ, Limits: j.Limits, Logger: j.Logger,
	}, nil
}

// began is when the run of a piece began on this machine. Other pieces of it, in
// lanes beside this one, have what they built by force in the same folder.
func began(work, piece string) time.Time {
	now := time.Now()
	if work == "" {
		return now
	}
	run, _, _ := strings.Cut(piece, "/")
	mark := filepath.Join(work, "began", keyOf("run", run))
	if err := os.MkdirAll(filepath.Dir(mark), 0o755); err != nil {
		return now
	}
	if f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err == nil {
		f.Close()
	}
	fi, err := os.Stat(mark)
	if err != nil {
		return now
	}
	return fi.ModTime()
}

// lanes reports whether each test file gets a lane of its own: wherever the
// machine has them, since a file can end all of its user's processes otherwise,
// the job's runner among them.
func (j Job) lanes(ctx context.Context) (bool, error) {
	switch want := j.getenv("ORTEST_LANES"); want {
	case "0":
		return false, nil
	case "", "1":
		err := lane.Available(ctx)
		if err != nil && want == "1" {
			return false, fmt.Errorf("ORTEST_LANES=1, and this machine has no lanes: %w", err)
		}
		return err == nil, nil
	default:
		return false, fmt.Errorf("ORTEST_LANES=%.20q: want 0, 1, or nothing for lanes where there are any", want)
	}
}

// fence makes the runner deaf to commands until resume: what the project
// prints is a stranger's. The token that ends it cannot be guessed.
func fence(gh *githubactions.Action, stdout io.Writer) (resume func()) {
	token := rand.Text()
	gh.IssueCommand(&githubactions.Command{Name: "stop-commands", Message: token})
	return func() { fmt.Fprintf(stdout, "\n::%s::\n", token) }
}

// maxAnnotations is what GitHub shows of one step and level.
const maxAnnotations = 10

// annotate points at what a person should look at first. It names files only:
// findings are the bot's to annotate, where the source is.
func annotate(gh *githubactions.Action, result Result) {
	if end := result.End; end.Reason != "" {
		gh.Errorf("%s stopped in %s: %s", result.Manifest.Goal, end.Phase, end.Reason)
	}
	shown := 0
	for _, f := range result.Files {
		if !failed(f) {
			continue
		}
		if shown++; shown > maxAnnotations {
			return
		}
		gh.Warningf("%s: prove of %s %s", result.Manifest.Goal, f.Path, ending(f))
	}
}

// failed tells whether a file's prove ended badly. The opposite says little:
// suites discard exit codes.
func failed(f report.FileResult) bool { return f.Exit != 0 || f.Signal != "" || f.TimedOut }

func ending(f report.FileResult) string {
	switch {
	case f.TimedOut:
		return "took too long"
	case f.Signal != "":
		return "was ended by " + f.Signal
	}
	return fmt.Sprintf("exited with %d", f.Exit)
}

// outputs are counts and one word: nothing that a stranger wrote.
func outputs(result Result) string {
	bad, blocks := 0, 0
	for _, f := range result.Files {
		if failed(f) {
			bad++
		}
	}
	for _, f := range result.Manifest.Files {
		blocks += len(f.Blocks)
	}
	var b strings.Builder
	for _, o := range []struct{ name, value string }{
		{"state", cmp.Or(result.End.Phase, "done")},
		{"files", fmt.Sprint(len(result.Files))},
		{"planned_files", fmt.Sprint(len(result.Manifest.Files))},
		{"planned_blocks", fmt.Sprint(blocks)},
		{"failed_files", fmt.Sprint(bad)},
	} {
		delimiter := rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.name, delimiter, o.value, delimiter)
	}
	return b.String()
}

// maxRows keeps a summary far below GitHub's 1 MiB, above which it shows nothing.
const maxRows = 1000

func summary(result Result) string {
	m := result.Manifest
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%d of %d test files of %s at <code>%s</code> ran.\n\n",
		cell(m.Goal), len(result.Files), len(m.Files), cell(m.Repo), cell(m.Commit))
	if result.End.Reason != "" {
		fmt.Fprintf(&b, "**Stopped in %s**: %s\n\n", cell(result.End.Phase), cell(result.End.Reason))
	}
	if len(result.Files) == 0 {
		return b.String()
	}
	b.WriteString("| Test file | Blocks | Seconds | CPU seconds | prove |\n|---|--:|--:|--:|---|\n")
	for i, f := range result.Files {
		if i == maxRows {
			fmt.Fprintf(&b, "\n%d more.\n", len(result.Files)-i)
			break
		}
		fmt.Fprintf(&b, "| <code>%s</code> | %d | %.1f | %.1f | %s |\n",
			cell(f.Path), len(m.Files[i].Blocks), f.Seconds, f.CPUSeconds, ending(f))
	}
	return b.String() + "\nWhat this means is judged with the known failures; see the check run.\n"
}

// cell makes text safe in a Markdown table: HTML, Markdown, mentions and all.
func cell(s string) string {
	s = html.EscapeString(s)
	return strings.NewReplacer("|", "&#124;", "`", "&#96;", "*", "&#42;", "_", "&#95;", "[", "&#91;",
		"]", "&#93;", "@", "&#64;", "\n", " ", "\r", " ", `\`, "&#92;", "~", "&#126;").Replace(s)
}

// AppendTo adds to a file that the runner reads afterwards. Outside of a
// workflow there is none.
func AppendTo(path, text string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("tell the runner: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
