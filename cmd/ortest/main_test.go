package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
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
