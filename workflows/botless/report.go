package botless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ortest/ortest/action"
	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
	"github.com/ortest/ortest/workflows"
)

// report judges what came back and shows it. A piece of which nothing came back is
// incomplete; what came back of no piece of the plan counts nothing.
func (j Job) report(ctx context.Context) error {
	r, err := j.readRun()
	if err != nil {
		return err
	}
	pieces, err := plannedPieces(r.Stages)
	if err != nil {
		return err
	}
	if len(pieces) == 0 {
		fmt.Fprintln(j.Stdout, "nothing was to be run")
		return nil
	}
	dir, err := jobFolder("ORTEST_RESULTS", "ortest-results")
	if err != nil {
		return err
	}
	came, err := readResults(dir)
	if err != nil {
		return err
	}
	results, err := j.judge(pieces, came)
	if err != nil {
		return err
	}
	if is := failedStage(r.Stages); is != "" && good(results) {
		// A job's own code may write what it likes among its results, but not how it ended.
		fmt.Fprintf(j.Stderr, "the results are good, and yet a stage ended with %s: none is believed\n", is)
		if results, err = j.judge(pieces, nil); err != nil {
			return err
		}
	}
	if again(r) {
		fmt.Fprintln(j.Stderr, errAgain)
	}
	view := j.view(r, results)
	if err := errors.Join(j.write(view, results), j.show(ctx, r, view, results)); err != nil {
		return err
	}
	if !good(results) {
		return refused(nil)
	}
	return nil
}

func good(results []report.GoalResult) bool {
	v := report.Overall(results)
	return v == report.Pass || v == report.Known
}

// failedStage returns the outcome of a stage's jobs when that is not good.
func failedStage(stages int) string {
	for i := range max(1, stages) {
		name := "ORTEST_OUTCOME"
		if i > 0 {
			name = fmt.Sprintf("ORTEST_OUTCOME_%d", i+1)
		}
		if is := os.Getenv(name); is == "failure" || is == "cancelled" {
			return is
		}
	}
	return ""
}

// plannedPieces reads the matrices of all stages.
func plannedPieces(stages int) (all []workflows.Piece, err error) {
	for i := range max(1, stages) {
		name := "ORTEST_PIECES"
		if i > 0 {
			name = fmt.Sprintf("ORTEST_PIECES_%d", i+1)
		}
		var some []workflows.Piece
		if err := json.Unmarshal([]byte(cmp.Or(os.Getenv(name), "[]")), &some); err != nil {
			return nil, usage(fmt.Errorf("%s holds no matrix: %w", name, err))
		}
		all = append(all, some...)
	}
	return all, nil
}

// readResults reads what pieces left, by the piece. One is believed only under its
// own name, of which the store has one artifact: so no job speaks for another's
// that has kept its results.
func readResults(dir string) (map[string]report.PieceEvidence, error) {
	dirs, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	all := make(map[string]report.PieceEvidence)
	for _, d := range dirs {
		at := filepath.Join(dir, d.Name())
		raw, err := os.ReadFile(filepath.Join(at, pieceFile))
		if err != nil {
			continue // of no piece: it counts as one that did not come back
		}
		if id := strings.TrimSpace(string(raw)); artifactName(id) == d.Name() {
			// What comes after something that is no entry is not believed.
			all[id], _ = action.ReadSpool(at)
		}
	}
	return all, nil
}

func (j Job) judge(pieces []workflows.Piece, came map[string]report.PieceEvidence) (results []report.GoalResult, err error) {
	c, err := j.catalog()
	if err != nil {
		return nil, err
	}
	weigh := j.Judge(c)
	var goals []string
	for _, p := range pieces {
		if err := planned(c, p.Catalog); err != nil {
			return nil, err
		}
		if !slices.Contains(goals, p.Goal) {
			goals = append(goals, p.Goal)
		}
	}
	for _, goal := range goals {
		ev := report.Evidence{Goal: goal}
		for _, p := range pieces {
			if p.Goal != goal {
				continue
			}
			got, ok := came[p.ID]
			if !ok {
				ev.Trouble = append(ev.Trouble, "nothing came back of "+p.ID+": its job did not start, was ended, or lost its machine")
			}
			ev.Pieces = append(ev.Pieces, got)
		}
		g, err := weigh(ev)
		if err != nil {
			return nil, err
		}
		results = append(results, g)
	}
	return results, nil
}

func (j Job) view(r run, results []report.GoalResult) html.RunView {
	server := cmp.Or(os.Getenv("GITHUB_SERVER_URL"), "https://github.com")
	v := html.RunView{
		ID: r.ID, Repo: r.Repo, Pull: r.Pull, Head: r.Head, Base: r.Base, Author: r.Author, Command: r.Command, State: "done",
		Forge: server, URL: fmt.Sprintf("%s/%s/actions/runs/%d", server, r.Repo, r.Run), CreatedAt: r.At, EndedAt: time.Now(),
	}
	for i := range results {
		v.Goals = append(v.Goals, html.GoalView{Goal: results[i].Goal, State: "done", Result: &results[i]})
	}
	return v
}

// write prints the results and puts them into the job's summary.
func (j Job) write(view html.RunView, results []report.GoalResult) error {
	_, err := fmt.Fprint(j.Stdout, html.Text(view))
	return errors.Join(err, action.AppendTo(os.Getenv("GITHUB_STEP_SUMMARY"), html.JobSummary(view, results)))
}

// stickyMark tells our comment from others.
const stickyMark = "<!-- ortest:without-bot -->"

// maxChecks is how many goals get a check run of their own.
const maxChecks = 20

// show writes the check runs of the commit and, of a pull request, its comment.
func (j Job) show(ctx context.Context, r run, view html.RunView, results []report.GoalResult) error {
	forge, repo, err := j.forge()
	if err != nil {
		return err
	}
	at := page{forge, repo, r}
	errs := []error{at.check(ctx, "ortest / verdict", html.VerdictCheck(view, results))}
	if r.Pull == 0 && strings.Contains(os.Getenv("GITHUB_WORKFLOW"), "release") {
		errs = append(errs, at.check(ctx, "ortest / release", html.VerdictCheck(view, results)))
	}
	for _, g := range results {
		if len(results) <= maxChecks {
			errs = append(errs, at.check(ctx, "ortest / "+g.Goal, html.CheckRun(view, g)))
		}
	}
	if r.Pull != 0 {
		errs = append(errs, at.comment(ctx, html.Sticky(view)))
	}
	return errors.Join(errs...)
}

// page is where a run is shown.
type page struct {
	forge *github.Forge
	repo  bot.Repo
	run   run
}

func (at page) check(ctx context.Context, name string, out html.CheckOutput) error {
	r := at.run
	c := bot.CheckRun{
		Name: name, External: r.ID, Status: "completed", Conclusion: out.Conclusion, Title: out.Title, Summary: out.Summary, Text: out.Text,
		StartedAt: r.At, CompletedAt: time.Now(), Details: fmt.Sprintf("%s/%s/actions/runs/%d", cmp.Or(os.Getenv("GITHUB_SERVER_URL"), "https://github.com"), r.Repo, r.Run),
	}
	for _, a := range out.Annotations {
		c.Annotations = append(c.Annotations, bot.Annotation(a))
	}
	if _, err := at.forge.CreateCheckRun(ctx, at.repo, r.Head, c); err != nil {
		return fmt.Errorf("check run %s: %w", name, err)
	}
	return nil
}

// comment writes the pull request's one comment, over the one that is there.
func (at page) comment(ctx context.Context, body string) error {
	all, err := at.forge.Comments(ctx, at.repo, at.run.Pull, time.Time{})
	if err != nil {
		return err
	}
	body = stickyMark + "\n" + body
	for _, c := range all {
		if c.Bot && strings.HasPrefix(c.Body, stickyMark) {
			return at.forge.UpdateComment(ctx, at.repo, c.ID, body)
		}
	}
	_, err = at.forge.CreateComment(ctx, at.repo, at.run.Pull, body)
	return err
}
