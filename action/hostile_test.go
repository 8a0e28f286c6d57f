package action

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAHostileTestFileEndsWithAResultAndLeavesNothing(t *testing.T) {
	for _, tt := range []struct {
		name     string
		script   string
		timedOut bool
		exit     int
		signal   string
		log      string
	}{
		{"one that hangs", `sleep 600;`, true, -1, "SIGKILL", "was killed: it took longer than 3s"},
		{"one that dies", `print "1..2\nok 1\n"; die "for no reason\n";`, false, 1, "", "for no reason"},
		{"one that kills itself", `kill SEGV => $$; sleep 5;`, false, 1, "", "Signal: SEGV"},
		{"one that kills prove", `kill KILL => getppid; sleep 600;`, false, -1, "SIGKILL", ""},
		{"one that leaves a child", `print "1..1\nok 1\n"; if (!fork) { close STDOUT; close STDERR; exec "sleep", 600 }`, false, 0, "",
			"left processes running, which were killed: "},
		{"one that leaves a daemon", `use POSIX; print "1..1\nok 1\n"; $| = 1;
			if (!fork) { POSIX::setsid(); if (!fork) { %ENV = (); close STDOUT; close STDERR; exec "/bin/sleep", 600 } exit } wait;`, false, 0, "",
			"left processes running, which were killed: sleep"},
		{"one that leaves a daemon which keeps its output", `use POSIX; print "1..1\nok 1\n"; $| = 1;
			if (!fork) { POSIX::setsid(); if (!fork) { $SIG{$_} = 'IGNORE' for qw(TERM HUP INT); $0 = "daemon"; sleep 600 } exit } wait;`, false, 0, "",
			"left processes running, which were killed: "},
		{"one that stops prove", `$| = 1; print "1..1\n"; kill STOP => getppid; sleep 600`, true, -1, "SIGKILL", "still running: perl"},
		{"one that prints too much", `print "x" x 80, "\n" while 1;`, false, -1, "SIGKILL", "it printed more than 100000 bytes; the log is cut here"},
		{"one that prints workflow commands", `print "1..1\nok 1\n::set-output name=state::done\n";`, false, 0, "", "::set-output name=state::done\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, script(), "t", one("t/a.t", "# "+tt.name+"\n"+tt.script))
			cfg.Limits.File, cfg.Limits.Output = 3*time.Second, 100_000
			result, ev := ran(t, cfg)
			f := result.Files[0]
			if f.TimedOut != tt.timedOut || f.Exit != tt.exit || f.Signal != tt.signal {
				t.Errorf("result %+v", f)
			}
			if log := logOf(t, ev, "t/a.t"); !strings.Contains(log, tt.log) {
				t.Errorf("the log lacks %q:\n%.2000s", tt.log, log)
			}
			if left := (&procs{self: os.Getpid()}).strays(-1); len(left) > 0 {
				t.Errorf("left behind: %+v", left)
			}
		})
	}
}

func TestAnOrphanIsReapedWhileTheCommandRuns(t *testing.T) {
	p, err := newProcs()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	_, err = p.run(t.Context(), command{
		argv: []string{"perl", "-e", `$| = 1; pipe R, W; if (!fork) { if (my $p = fork) { syswrite W, "$p\n"; exit } exit } wait; my $p = <R> + 0;
			for (1 .. 400) { last unless kill 0, $p; select undef, undef, undef, 0.05 } print kill(0, $p) ? "still there" : "gone"`},
		dir: "/", limit: time.Minute, output: 1000, env: []string{"PATH=/usr/bin:/bin"},
	}, &out)
	if err != nil || out.String() != "gone" {
		t.Errorf("the orphan is %s, %v", out.String(), err)
	}
}

func TestALogOfExactlyTheLimitIsWhole(t *testing.T) {
	for _, tt := range []struct {
		bytes int
		cut   bool
	}{{1000, false}, {1001, true}} {
		p, err := newProcs()
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		got, err := p.run(t.Context(), command{
			argv: []string{"perl", "-e", fmt.Sprintf(`print "x" x %d`, tt.bytes)}, dir: "/", limit: time.Minute, output: 1000,
			env: []string{"PATH=/usr/bin:/bin"},
		}, &out)
		if err != nil {
			t.Fatal(err)
		}
		if out.Len() != 1000 || got.tooMuch != tt.cut {
			t.Errorf("of %d bytes %d were kept, cut is %v", tt.bytes, out.Len(), got.tooMuch)
		}
	}
}

func TestTheEnvironmentHoldsNoSecretOfTheJob(t *testing.T) {
	cfg := config(t, script(), "t", one("t/a.t", `print "1..1\nok 1\n"; print "$_=$ENV{$_}\n" for sort keys %ENV;`))
	cfg.Env = append(cfg.Env, "GITHUB_TOKEN=secret-1", "ORTEST_SPOOL=secret-2", "ACTIONS_RUNTIME_TOKEN=secret-3", "PERL5OPT=-Msecret_4")
	cfg.Project.Env = map[string]string{
		"PATH": "$ORTEST_PROJECT/bin:$PATH", "LUA_PATH": "$PATH;;", "A": "$B", "B": "$A", "USED": "$ORTEST_PROJECT",
	}
	cfg.Project.Test.Env = map[string]string{"ONLY_TESTS": "1"}
	cfg.Project.Build = [][]string{{"sh", "-c", "echo in build: $$ONLY_TESTS."}}
	_, ev := ran(t, cfg)
	log := logOf(t, ev, "t/a.t")
	if strings.Contains(log, "secret") || strings.Contains(log, "ORTEST_") || strings.Contains(log, "GITHUB_") {
		t.Errorf("the environment holds too much:\n%s", log)
	}
	for _, want := range []string{"\nPATH=" + cfg.Workspace + "/script/bin:", ";;\n", "\nA=\n", "\nUSED=" + cfg.Workspace + "/script\n", "\nONLY_TESTS=1\n", "\nTMPDIR=/"} {
		if !strings.Contains(log, want) {
			t.Errorf("the environment lacks %q:\n%s", want, log)
		}
	}
}
