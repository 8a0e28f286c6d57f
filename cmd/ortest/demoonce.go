package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
)

// onceComment posts the comment, waits for what becomes of it, and prints
// that as the pull request shows it.
func (d *demo) onceComment(ctx context.Context) error {
	changed, end := d.gh.Subscribe()
	defer end()
	id, err := d.gh.Comment(demoRepo, d.pull, d.as, d.once)
	if err != nil {
		return usage(fmt.Errorf("post the comment: %w", err))
	}
	if len(bot.FindCommands(d.once)) == 0 {
		return usage(fmt.Errorf("the comment holds no command; a command is a line of its own that starts with %s", bot.Prefix))
	}
	look := time.NewTicker(time.Second) // machines come and go without GitHub noticing
	defer look.Stop()
	said := ""
	for {
		done, result, err := d.outcome(ctx, id, &said)
		if done || err != nil {
			if err == nil {
				err = result
			}
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-look.C:
		}
	}
}

// outcome looks for what became of a comment: an answer, or a run that is
// closed with no machine left. It prints it, and returns what the program ends with.
func (d *demo) outcome(ctx context.Context, comment int64, said *string) (done bool, result, err error) {
	runs, err := d.sys.store.RecentRuns(ctx, 50)
	if err != nil {
		return false, nil, err
	}
	for _, r := range runs {
		if r.Comment != comment {
			continue
		}
		if now := progress(r); now != *said {
			*said = now
			fmt.Fprintln(d.err, now)
		}
		if r.State != bot.Closed {
			return false, nil, nil
		}
		result, err := d.printRun(ctx, r)
		return true, result, err
	}
	talk, err := d.gh.Conversation(demoRepo, d.pull)
	if err != nil {
		return false, nil, err
	}
	marker := fmt.Sprintf("<!-- ortest:answer %d.", comment)
	for _, c := range talk.Comments {
		if _, text, ok := strings.Cut(c.Body, "-->"); ok && strings.HasPrefix(c.Body, marker) {
			same, err := d.sameRun(ctx, comment)
			if err != nil || same != nil && same.State != bot.Closed {
				return err != nil, nil, err
			}
			fmt.Fprintln(d.out, strings.TrimSpace(text))
			if same != nil {
				result, err := d.printRun(ctx, *same)
				return true, result, err
			}
			if reacted(talk, comment, "eyes") {
				return true, nil, nil
			}
			return true, &exitError{code: exitUsage}, nil
		}
	}
	return false, nil, nil
}

// sameRun returns the run that an answer to a comment offers, or nil.
func (d *demo) sameRun(ctx context.Context, comment int64) (*bot.Run, error) {
	runs, err := d.sys.store.RecentRuns(ctx, 1)
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	all, err := d.sys.store.Answers(ctx, runs[0].Repo, d.pull)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.Comment == comment && a.Run != "" {
			r, err := d.sys.store.Run(ctx, a.Run)
			return &r, err
		}
	}
	return nil, nil
}

func reacted(talk githubtest.Conversation, comment int64, content string) bool {
	for _, c := range talk.Comments {
		for _, r := range c.Reactions {
			if c.ID == comment && r.Content == content {
				return true
			}
		}
	}
	return false
}

// progress is one line on how far a run is.
func progress(r bot.Run) string {
	done := 0
	for _, p := range r.Pieces {
		if p.State == bot.Finished {
			done++
		}
	}
	return fmt.Sprintf("run %s: %s, %d of %d pieces done", r.ID, r.State, done, len(r.Pieces))
}

// printRun prints a closed run and returns what the program ends with.
func (d *demo) printRun(ctx context.Context, r bot.Run) (result, err error) {
	view, err := d.sys.bot.View(ctx, r)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(d.out, html.Text(view))
	var results []report.GoalResult
	for _, g := range view.Goals {
		if g.Result != nil {
			results = append(results, *g.Result)
		}
	}
	v := report.Overall(results)
	if len(results) < len(view.Goals) || (v != report.Pass && v != report.Known) {
		return errBadVerdict, nil
	}
	return nil, nil
}
