package botless

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
)

// event is what of a workflow run's event counts here.
type event struct {
	Comment *struct {
		ID   int64     `json:"id"`
		Body string    `json:"body"`
		At   time.Time `json:"created_at"`
		User struct {
			Login string `json:"login"`
			Type  string `json:"type"`
		} `json:"user"`
	} `json:"comment"`
	Repository struct {
		Private bool `json:"private"`
	} `json:"repository"`
	Issue struct {
		Number int             `json:"number"`
		Pull   json.RawMessage `json:"pull_request"`
	} `json:"issue"`
}

var reSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// asked reads the event. A comment's author is asked for first of all.
func (j Job) asked(ctx context.Context) (asked, error) {
	number, err := strconv.ParseInt(cmp.Or(os.Getenv("GITHUB_RUN_ID"), "0"), 10, 64)
	if err != nil {
		return asked{}, usage(fmt.Errorf("GITHUB_RUN_ID: %w", err))
	}
	ask := asked{run: run{
		ID: fmt.Sprintf("%d-%s", number, cmp.Or(os.Getenv("GITHUB_RUN_ATTEMPT"), "1")), Run: number, Repo: os.Getenv("GITHUB_REPOSITORY"),
		Head: os.Getenv("GITHUB_SHA"), Base: os.Getenv("GITHUB_REF_NAME"), Author: os.Getenv("GITHUB_ACTOR"),
		Cloud: cmp.Or(os.Getenv("ORTEST_CLOUD"), "hosted"), At: time.Now().UTC().Truncate(time.Second),
	}}
	if !slices.Contains([]string{"ec2", "hosted", "local"}, ask.run.Cloud) {
		return ask, usage(fmt.Errorf("ORTEST_CLOUD: %q is none of: ec2, hosted, local", ask.run.Cloud))
	}
	e, err := readEvent(os.Getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return ask, usage(err)
	}
	if e.Repository.Private {
		return ask, usage(fmt.Errorf("%s is private, and the jobs that test hold no token to fetch it with: without the bot, ortest serves public repositories only; "+
			"ortest run in a job that checks it out tests it all the same (--mirror)", ask.run.Repo))
	}
	if os.Getenv("GITHUB_EVENT_NAME") == "issue_comment" {
		return ask, j.readComment(ctx, &ask, e)
	}
	ask.run.Command = bot.Prefix + " " + os.Getenv("ORTEST_TARGETS")
	if ask.words, err = shellquote.Split(os.Getenv("ORTEST_TARGETS")); err != nil || len(ask.words) == 0 {
		return ask, usage(fmt.Errorf("ORTEST_TARGETS: %q names no target", os.Getenv("ORTEST_TARGETS")))
	}
	if !reSHA.MatchString(ask.run.Head) {
		return ask, usage(fmt.Errorf("GITHUB_SHA: %q is no commit", ask.run.Head))
	}
	return ask, nil
}

// readEvent reads a workflow run's event; outside of one there is none.
func readEvent(path string) (e event, err error) {
	if path == "" {
		return e, nil
	}
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil {
		err = fmt.Errorf("GITHUB_EVENT_PATH: %w", err)
	}
	return e, err
}

func (j Job) readComment(ctx context.Context, ask *asked, e event) error {
	if e.Comment == nil {
		return usage(errors.New("GITHUB_EVENT_PATH holds no comment: it has no key comment"))
	}
	if len(e.Issue.Pull) == 0 || string(e.Issue.Pull) == "null" {
		return usage(errors.New("the comment is on an issue; runs belong to pull requests"))
	}
	forge, repo, err := j.forge()
	if err != nil {
		return err
	}
	who := e.Comment.User.Login
	role, err := forge.Permission(ctx, repo, who)
	if err != nil {
		return fmt.Errorf("what %s may do on %s is not known, so nothing is started: %w", who, repo, err)
	}
	if e.Comment.User.Type == "Bot" || !slices.Contains([]string{"admin", "maintain", "write"}, role) {
		return refused(fmt.Errorf("%s may not write to %s (role %s), so nothing is started", who, repo, role))
	}
	lines := bot.FindCommands(e.Comment.Body)
	if len(lines) != 1 {
		return usage(fmt.Errorf("the comment has %d commands; without the bot it is one", len(lines)))
	}
	ask.comment, ask.run.Author, ask.run.Pull = true, who, e.Issue.Number
	if err := ask.command(lines[0]); err != nil {
		return err
	}
	if e.Comment.At.IsZero() {
		return usage(errors.New("GITHUB_EVENT_PATH: the comment has no time"))
	}
	pr, err := forge.PullRequest(ctx, repo, e.Issue.Number)
	switch {
	case err != nil:
		return err
	case !pr.Open:
		return usage(errors.New("the pull request is closed; open it again to run something on it"))
	case !reSHA.MatchString(pr.Head):
		return fmt.Errorf("the pull request's head %.60q is no commit", pr.Head)
	}
	ask.run.Head, ask.run.Base = pr.Head, pr.Base
	return asOf(ctx, forge, repo, pr, e.Comment.At)
}

// asOf refuses a head that its author moved after the comment was written: whoever
// commented has not seen it.
func asOf(ctx context.Context, forge *github.Forge, repo bot.Repo, pr bot.PullRequest, at time.Time) error {
	then, same, err := forge.HeadSince(ctx, repo, pr.Number, at)
	switch {
	case err != nil:
		return err
	case same && then == pr.Head:
		return nil
	case then == "" || same:
		return refused(fmt.Errorf("something was pushed to the repository of the pull request's branch after the comment, and GitHub does not say whether it was to this branch, or not yet, "+
			"so nothing is started: look at %s, and comment again", pr.Head))
	}
	return refused(fmt.Errorf("the pull request moved after the comment, from %s to %s, so nothing is started: look at the new commit, and comment again", then, pr.Head))
}

// command reads a command line. What it says is kept as this program writes it.
func (ask *asked) command(line string) error {
	words, err := shellquote.Split(line)
	if err != nil || len(words) < 2 {
		return usage(errors.New("the command names no target, or ends inside a quoted word"))
	}
	switch words = words[1:]; words[0] {
	case "run":
		words = words[1:]
	case "plan":
		words, ask.show = words[1:], true
	case "status", "cancel", "retry", "why", "approve", "confirm", "rollback", "help":
		return usage(fmt.Errorf("%s %s needs the bot; without it there are run and plan, and GitHub's own pages of the workflow run", bot.Prefix, words[0]))
	}
	ask.words = words
	ask.run.Command = shellquote.Join(append([]string{bot.Prefix}, words...)...)
	return nil
}
