package main

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
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/workflows"
)

// asked is what a workflow run is to test.
type asked struct {
	words   []string // flags and targets
	show    bool     // only show the plan
	run     botlessRun
	comment bool
}

// maxMatrix is how many jobs GitHub makes of a matrix.
const maxMatrix = 256

// plan decides what the event asks for. Only what this program made goes into its
// outputs: names of the catalog, commits, numbers.
func (b botless) plan(ctx context.Context) error {
	ask, err := b.asked(ctx)
	if err != nil {
		return err
	}
	req, err := plan.ParseRequest(ask.words)
	if err != nil {
		return wrong(err)
	}
	req.Limit = cmp.Or(req.Limit, defaultLimit)
	req.AllAtOnce = req.AllAtOnce || os.Getenv("ORTEST_ALL_AT_ONCE") == "true"
	c, err := b.catalogHere()
	if err != nil {
		return err
	}
	if err := errors.Join(plan.Policy{}.Check(req), c.Check(req)); ask.comment && err != nil {
		return wrong(err)
	}
	goals, _, err := c.Goals(req.Targets, req.Exclude)
	if err != nil {
		return wrong(err)
	}
	n, err := strconv.Atoi(cmp.Or(os.Getenv("ORTEST_STAGES"), "1"))
	if err != nil || n < 1 || n > 3 {
		return usage(fmt.Errorf("ORTEST_STAGES: %q is not from 1 to 3", os.Getenv("ORTEST_STAGES")))
	}
	ask.run.Options, ask.run.Stages = req.Options, n
	return b.outputs(ctx, ask, c, req, inStages(goals, n, req.AllAtOnce))
}

// inStages cuts goals: t first, then tv and to where there are three stages, then the
// rest. A stage without goals is left out, so that the first always has some.
func inStages(goals []plan.Goal, n int, atOnce bool) [][]plan.Goal {
	if atOnce || n == 1 {
		return [][]plan.Goal{goals}
	}
	all := make([][]plan.Goal, n)
	for _, g := range goals {
		at := n - 1
		switch {
		case g.Mode == "t":
			at = 0
		case n == 3 && (g.Mode == "tv" || g.Mode == "to"):
			at = 1
		}
		all[at] = append(all[at], g)
	}
	return slices.DeleteFunc(all, func(s []plan.Goal) bool { return len(s) == 0 })
}

func (b botless) outputs(ctx context.Context, ask asked, c *catalog.Catalog, req plan.Request, stages [][]plan.Goal) error {
	out := b.cmd.OutOrStdout()
	var so made
	for i := range ask.run.Stages {
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprintf("-%d", i+1)
		}
		matrix, fleet := []workflows.Piece{}, []botlessMachine{}
		if i < len(stages) {
			p, err := pack(ctx, c.InputFrom(req, stages[i], new(plan.History)))
			if err != nil {
				return wrong(err)
			}
			if matrix, fleet, err = so.share(ask.run, c, p); err != nil {
				return err
			}
			fmt.Fprintf(out, "stage %d: %d jobs on %d machines\n", i+1, len(matrix), len(fleet))
		}
		if len(matrix) > maxMatrix {
			return usage(fmt.Errorf("stage %d would have %d jobs, and GitHub makes at most %d of a matrix: name fewer targets or a longer -t; the bot cuts them into several workflow runs", i+1, len(matrix), maxMatrix))
		}
		if ask.show {
			matrix, fleet = []workflows.Piece{}, []botlessMachine{}
		}
		if ask.run.Cloud == "hosted" {
			fleet = []botlessMachine{}
		}
		for name, v := range map[string]any{"pieces": matrix, "machines": fleet} {
			text, err := encode(v)
			if err != nil {
				return err
			}
			if err := output(name+suffix, text); err != nil {
				return err
			}
		}
	}
	text, err := encode(ask.run)
	if err != nil {
		return err
	}
	summary := fmt.Sprintf("### ortest\n\n%d jobs on %d machines test <code>%s</code>.\n", so.pieces, so.machines, ask.run.Head)
	return errors.Join(output("run", text), appendTo(os.Getenv("GITHUB_STEP_SUMMARY"), summary))
}

// made counts what a plan has so far: names are numbered through all stages.
type made struct{ pieces, machines int }

// share makes jobs of a plan's pieces, and machines of its buckets.
func (so *made) share(run botlessRun, c *catalog.Catalog, p plan.Plan) (matrix []workflows.Piece, fleet []botlessMachine, err error) {
	for _, bucket := range p.Buckets {
		so.machines++
		m := botlessMachine{ID: fmt.Sprintf("b%d", so.machines), Arch: run.Options.Arch, Type: run.Options.InstanceType, Minutes: 30}
		for _, p := range bucket.Pieces {
			so.pieces++
			project, ok := c.Project(p.Goal.Project)
			if !ok {
				return nil, nil, fmt.Errorf("catalog %s has no project %s", c.Revision, p.Goal.Project)
			}
			minutes := int(max(2*p.Estimate, 30*time.Minute) / time.Minute)
			leg := workflows.Piece{
				ID: fmt.Sprintf("%s/p%d/1", run.ID, so.pieces), Label: workflows.Label(randomHex()[:32]), Goal: p.Goal.String(),
				Repo: strings.TrimSuffix(strings.TrimPrefix(project.Repo, "https://github.com/"), ".git"), Files: p.Files, Options: run.Options, Timeout: minutes,
			}
			if strings.EqualFold(leg.Repo, run.Repo) {
				leg.Commit = run.Head
			}
			if err := leg.Validate(); err != nil {
				return nil, nil, err
			}
			m.Minutes += minutes
			m.Pieces = append(m.Pieces, botlessPiece{ID: leg.ID, Goal: leg.Goal, Label: leg.Label, Minutes: minutes})
			switch run.Cloud {
			case "hosted":
				leg.Label = cmp.Or(os.Getenv("ORTEST_HOSTED_LABEL"), workflows.Defaults().Runner)
			case "local": // whoever runs the workflow here runs its jobs too
				leg.Label = "ortest-local"
			}
			matrix = append(matrix, leg)
		}
		fleet = append(fleet, m)
	}
	return matrix, fleet, nil
}

// event is what of a workflow run's event counts here.
type event struct {
	Comment *struct {
		ID   int64  `json:"id"`
		Body string `json:"body"`
		User struct {
			Login string `json:"login"`
			Type  string `json:"type"`
		} `json:"user"`
	} `json:"comment"`
	Issue struct {
		Number int             `json:"number"`
		Pull   json.RawMessage `json:"pull_request"`
	} `json:"issue"`
}

var reSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// asked reads the event. A comment's author is asked for first of all.
func (b botless) asked(ctx context.Context) (asked, error) {
	number, err := strconv.ParseInt(cmp.Or(os.Getenv("GITHUB_RUN_ID"), "0"), 10, 64)
	if err != nil {
		return asked{}, usage(fmt.Errorf("GITHUB_RUN_ID: %w", err))
	}
	ask := asked{run: botlessRun{
		ID: fmt.Sprintf("%d-%s", number, cmp.Or(os.Getenv("GITHUB_RUN_ATTEMPT"), "1")), Run: number, Repo: os.Getenv("GITHUB_REPOSITORY"),
		Head: os.Getenv("GITHUB_SHA"), Base: os.Getenv("GITHUB_REF_NAME"), Author: os.Getenv("GITHUB_ACTOR"),
		Cloud: cmp.Or(os.Getenv("ORTEST_CLOUD"), "hosted"), At: time.Now().UTC().Truncate(time.Second),
	}}
	if !slices.Contains([]string{"ec2", "hosted", "local"}, ask.run.Cloud) {
		return ask, usage(fmt.Errorf("ORTEST_CLOUD: %q is none of: ec2, hosted, local", ask.run.Cloud))
	}
	if os.Getenv("GITHUB_EVENT_NAME") == "issue_comment" {
		return ask, b.readComment(ctx, &ask)
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

func (b botless) readComment(ctx context.Context, ask *asked) error {
	raw, err := os.ReadFile(os.Getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return usage(fmt.Errorf("GITHUB_EVENT_PATH: %w", err))
	}
	var e event
	if err := json.Unmarshal(raw, &e); err != nil || e.Comment == nil {
		return usage(fmt.Errorf("GITHUB_EVENT_PATH holds no comment: %w", cmp.Or(err, errors.New("it has no key comment"))))
	}
	if len(e.Issue.Pull) == 0 || string(e.Issue.Pull) == "null" {
		return usage(errors.New("the comment is on an issue; runs belong to pull requests"))
	}
	forge, repo, err := b.forge()
	if err != nil {
		return err
	}
	who := e.Comment.User.Login
	role, err := forge.Permission(ctx, repo, who)
	if err != nil {
		return fmt.Errorf("what %s may do on %s is not known, so nothing is started: %w", who, repo, err)
	}
	if e.Comment.User.Type == "Bot" || !slices.Contains([]string{"admin", "maintain", "write"}, role) {
		return &exitError{exitBad, fmt.Errorf("%s may not write to %s (role %s), so nothing is started", who, repo, role)}
	}
	lines := bot.FindCommands(e.Comment.Body)
	if len(lines) != 1 {
		return usage(fmt.Errorf("the comment has %d commands; without the bot it is one", len(lines)))
	}
	ask.comment, ask.run.Author, ask.run.Pull = true, who, e.Issue.Number
	if err := ask.command(lines[0]); err != nil {
		return err
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
	return nil
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
	case "status", "cancel", "retry", "why", "approve", "confirm", "help":
		return usage(fmt.Errorf("%s %s needs the bot; without it there are run and plan, and GitHub's own pages of the workflow run", bot.Prefix, words[0]))
	}
	ask.words = words
	ask.run.Command = shellquote.Join(append([]string{bot.Prefix}, words...)...)
	return nil
}
