package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/workflows/botless"
)

// actionCommands are the jobs of a workflow run without the bot.
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
				err := wrong(a.workflowJob(cmd).Run(cmd.Context(), c.name))
				if err != nil && os.Getenv("GITHUB_ACTIONS") == "true" && err.Error() != "" {
					// A command of the runner ends with its line.
					fmt.Fprintf(cmd.OutOrStdout(), "::error title=ortest %s::%s\n", c.name, strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(err.Error()))
				}
				return err
			},
		})
	}
	return all
}

func (a *app) workflowJob(cmd *cobra.Command) botless.Job {
	return botless.Job{
		Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(), Log: a.log(cmd.ErrOrStderr()),
		Catalog: openCatalog, Pack: pack, Limit: defaultLimit, Data: defaultData("botless"), Idle: idleTime,
		Judge: func(c *catalog.Catalog) func(report.Evidence) (report.GoalResult, error) {
			return judgingBy(c).evidence
		},
	}
}
