package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// Without a bot a workflow run is the run: its job plan says what is tested, up
// starts machines, a matrix tests, report tells, down ends the machines. The
// commands hand each other what follows as outputs of jobs.

// botlessRun is what the job plan decided.
type botlessRun struct {
	ID      string       `json:"id"` // of the workflow run and its attempt
	Run     int64        `json:"run"`
	Repo    string       `json:"repo"`
	Pull    int          `json:"pull,omitempty"`
	Head    string       `json:"head"`
	Base    string       `json:"base,omitempty"`
	Author  string       `json:"author"`
	Command string       `json:"command"`
	Cloud   string       `json:"cloud"`
	Options plan.Options `json:"options"`
	Stages  int          `json:"stages"`
	At      time.Time    `json:"at"`
}

// botlessMachine is a machine that up starts, and its jobs in order.
type botlessMachine struct {
	ID      string         `json:"id"` // b1, b2, …
	Arch    string         `json:"arch"`
	Type    string         `json:"type,omitempty"`
	Minutes int            `json:"minutes"` // how long it may live
	Pieces  []botlessPiece `json:"pieces"`
}

type botlessPiece struct {
	ID      string `json:"id"`
	Goal    string `json:"goal"`
	Label   string `json:"label"`
	Minutes int    `json:"minutes"`
}

// botless is a command of a workflow job, which reads all from its environment.
type botless struct {
	log *slog.Logger
	cmd *cobra.Command
}

func (a *app) actionCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, c := range []struct {
		name, short, long string
	}{
		{"plan", "Plan what a comment or a push asks for, as outputs of the job",
			"Reads the event of the workflow run. A comment counts only when its author may write to the repository, which GitHub is asked with ORTEST_TOKEN. " +
				"Otherwise the flags and targets are ORTEST_TARGETS. Outputs: run, and for each of ORTEST_STAGES stages pieces (a matrix) and machines, with -2, -3 behind the name of later ones."},
		{"up", "Start the machines of a plan, each with its list of runners",
			"Starts ORTEST_MACHINES of ORTEST_PLAN in ORTEST_CLOUD. To mint the runners it needs ORTEST_APP_ID and ORTEST_APP_KEY, or ORTEST_RUNNER_TOKEN, from a protected environment."},
		{"test", "Run one piece and judge it",
			"Runs the piece in INPUT_PIECE, leaves its results in ORTEST_SPOOL, and ends with 1 when its verdict is bad."},
		{"report", "Judge the results of all pieces and show them",
			"Reads the results below ORTEST_RESULTS, writes the check runs and the comment with ORTEST_TOKEN, and ends with 1 when a verdict is bad."},
		{"down", "End the machines of a plan and remove its runners",
			"Ends every machine of ORTEST_PLAN, also those that nobody knows of any more, and removes the runners that are left. Done twice it finds nothing to do."},
		{"results", "Keep the results of a piece as an artifact, or fetch those of all",
			"With INPUT_COMMAND=put what lies in ORTEST_SPOOL becomes the artifact INPUT_NAME; with get all of them are put below ORTEST_RESULTS. GitHub tells only an action of JavaScript where artifacts go: workflows/results is one."},
		{"ready", "Do nothing: the step only makes the program ready for the next", ""},
	} {
		all = append(all, &cobra.Command{
			Use: c.name, Short: c.short, Long: c.long, Args: cobra.NoArgs, Example: "  ortest action " + c.name,
			RunE: func(cmd *cobra.Command, _ []string) error {
				err := botless{log: a.log(cmd.ErrOrStderr()), cmd: cmd}.run(cmd.Context(), c.name)
				var coded *exitError
				if err != nil && os.Getenv("GITHUB_ACTIONS") == "true" && err.Error() != "" && (!errors.As(err, &coded) || coded.err != nil) {
					// A command of the runner ends with its line.
					fmt.Fprintf(cmd.OutOrStdout(), "::error title=ortest %s::%s\n", c.name, strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(err.Error()))
				}
				return err
			},
		})
	}
	return all
}

// run is the command of a name.
func (b botless) run(ctx context.Context, name string) error {
	switch name {
	case "plan":
		return b.plan(ctx)
	case "up":
		return b.up(ctx)
	case "test":
		return b.test(ctx)
	case "report":
		return b.report(ctx)
	case "down":
		return b.down(ctx)
	case "results":
		return b.results(ctx)
	}
	return nil // ready
}

// repo is the repository that the workflow runs in.
func (b botless) repo() (bot.Repo, error) {
	repo, err := repoOf(os.Getenv("GITHUB_REPOSITORY"))
	if err != nil {
		return repo, usage(fmt.Errorf("GITHUB_REPOSITORY: %w; this command belongs into a workflow job", err))
	}
	return repo, nil
}

// forge speaks with the workflow run's own token.
func (b botless) forge() (*github.Forge, bot.Repo, error) {
	repo, err := b.repo()
	if err != nil {
		return nil, repo, err
	}
	token := cmp.Or(os.Getenv("ORTEST_TOKEN"), os.Getenv("GITHUB_TOKEN"))
	if token == "" {
		return nil, repo, usage(errors.New("ORTEST_TOKEN is empty: set it to ${{ github.token }} in the step's env"))
	}
	f, err := github.WithToken(github.Config{BaseURL: os.Getenv("GITHUB_API_URL"), Log: b.log}, repo, token)
	return f, repo, err
}

// administrator speaks with what may administrate runners.
func (b botless) administrator(ctx context.Context) (*github.Forge, bot.Repo, error) {
	repo, err := b.repo()
	if err != nil {
		return nil, repo, err
	}
	cfg := github.Config{BaseURL: os.Getenv("GITHUB_API_URL"), Log: b.log}
	id, key, token := os.Getenv("ORTEST_APP_ID"), os.Getenv("ORTEST_APP_KEY"), os.Getenv("ORTEST_RUNNER_TOKEN")
	if token != "" {
		f, err := github.WithToken(cfg, repo, token)
		return f, repo, err
	}
	if id == "" || key == "" {
		return nil, repo, usage(errors.New("nothing here may administrate runners: give the environment that this job names (\"ortest\" unless the settings say otherwise) " +
			"the secrets ORTEST_APP_ID and ORTEST_APP_KEY of a GitHub App with \"administration: write\" on this repository, or ORTEST_RUNNER_TOKEN, " +
			"a fine-grained token with the same; and protect the environment, so that only the default branch's workflows reach it"))
	}
	if _, err := fmt.Sscan(id, &cfg.AppID); err != nil {
		return nil, repo, usage(fmt.Errorf("ORTEST_APP_ID: %q is no number", id))
	}
	cfg.Key = []byte(key)
	f, err := github.New(cfg)
	if err != nil {
		return nil, repo, usage(fmt.Errorf("ORTEST_APP_ID, ORTEST_APP_KEY: %w", err))
	}
	repo, err = f.Installed(ctx, repo.Owner, repo.Name)
	if errors.Is(err, bot.ErrGone) {
		err = usage(fmt.Errorf("the App %s is not installed on %s: install it there; %w", id, os.Getenv("GITHUB_REPOSITORY"), err))
	}
	return f, repo, err
}

// readRun reads what the job plan decided.
func (b botless) readRun() (botlessRun, error) {
	var r botlessRun
	raw := os.Getenv("ORTEST_PLAN")
	if err := json.Unmarshal([]byte(raw), &r); err != nil || r.ID == "" {
		return r, usage(fmt.Errorf("ORTEST_PLAN holds no plan: hand it the output run of the job that plans (%w)", cmp.Or(err, errors.New("it has no id"))))
	}
	return r, nil
}

// output sets an output of the step: what it holds cannot end it.
func output(name, value string) error {
	delimiter := rand.Text()
	return appendTo(os.Getenv("GITHUB_OUTPUT"), fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter))
}

// setEnv sets a variable of the steps that follow.
func setEnv(name, value string) error {
	delimiter := rand.Text()
	return appendTo(os.Getenv("GITHUB_ENV"), fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter))
}

// appendTo adds to a file that the runner reads afterwards; outside of a job there is none.
func appendTo(path, text string) error {
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

// jobFolder is a directory of the job: the variable's, else one below the runner's own
// that later steps know by it.
func jobFolder(variable, name string) (string, error) {
	if dir := os.Getenv(variable); dir != "" {
		return dir, os.MkdirAll(dir, 0o700)
	}
	dir := filepath.Join(cmp.Or(os.Getenv("RUNNER_TEMP"), os.TempDir()), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, setEnv(variable, dir)
}

// catalogHere is the built-in catalog, or an overlay of it.
func (b botless) catalogHere() (*catalog.Catalog, error) {
	return openCatalog(os.Getenv("ORTEST_CATALOG"))
}

func encode(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(b.String()), err
}
