package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// TestMain lets the test binary be whatever a system starts: ortest itself, as
// agent, runner and action of a demo or as the command of a script; the act of
// a test that decides what a job reports; and the server of a kill test, which
// dies where it is told.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "act":
		os.Exit(scriptedAct())
	case os.Getenv(dieAfterEnv) != "" && len(os.Args) == 1:
		os.Exit(dieServing())
	case len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-"):
		main()
	}
	// Where make build puts act.
	if bin, err := filepath.Abs("../../bin"); err == nil {
		os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	}
	testscript.Main(m, map[string]func(){"ortest": main})
}

func TestEveryCommandShowsAnExample(t *testing.T) {
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		if !cmd.HasExample() {
			t.Errorf("%s --help has no example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				look(sub)
			}
		}
	}
	look(newRoot())
}

func TestHowMuchIsLogged(t *testing.T) {
	for _, tt := range []struct {
		name string
		app  app
		want slog.Level
	}{
		{"what goes on", app{}, slog.LevelInfo},
		{"--verbose once adds what a command prints, and no debugging", app{verbose: 1}, slog.LevelInfo},
		{"twice is for debug", app{verbose: 2}, slog.LevelDebug},
		{"-q wins", app{quiet: true, verbose: 2}, slog.LevelError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := tt.app.log(io.Discard)
			if !log.Enabled(t.Context(), tt.want) || log.Enabled(t.Context(), tt.want-1) {
				t.Errorf("the least that is logged is not %s", tt.want)
			}
		})
	}
}
