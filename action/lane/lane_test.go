package lane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Word {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// shell is a command that runs a script in an environment as a test has it.
func shell(script string) Command {
	return Command{
		Argv: []string{"/bin/sh", "-c", script}, Dir: "/", Limit: time.Minute, Output: 1 << 20,
		Env: []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"},
	}
}

// ran runs a command in a lane and returns what it printed.
func ran(t *testing.T, l Lane, c Command) (Outcome, string) {
	t.Helper()
	var out strings.Builder
	o, err := l.Run(t.Context(), c, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return o, out.String()
}

func TestALaneSeesTheMachineAndChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder, with: a name")
	if err := os.MkdirAll(filepath.Join(dir, "t"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kept"), []byte("as it was\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	c := shell(`cat kept; echo changed >kept; mkdir t/servroot; rm -r t; cat kept
		touch /tmp/lane-test-mine /var/tmp/lane-test-mine /dev/shm/lane-test-mine && ls /tmp/ortest-test; echo >"$0" || true`)
	c.Argv, c.Dir = append(c.Argv, outside), dir
	o, out := ran(t, Lane{Keep: []string{dir}, Dirs: []string{"/tmp/ortest-test"}}, c)
	if o.Exit != 0 && !strings.Contains(out, "cannot create") || !strings.HasPrefix(out, "as it was\nchanged\n") {
		t.Errorf("%+v\n%s", o, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "kept")); err != nil || string(b) != "as it was\n" {
		t.Errorf("the file outside is now %q, %v", b, err)
	}
	for _, path := range []string{"/tmp/lane-test-mine", "/var/tmp/lane-test-mine", "/dev/shm/lane-test-mine", outside, "/tmp/ortest-test"} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was left: %v", path, err)
		}
	}
}

func TestALaneSharesOneBoundedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shared")
	var got *os.File
	l := Lane{Share: dir, Shared: func(f *os.File) { got = f }}
	c := shell(`cd "$0" && echo said >said && ! head -c 100000000 /dev/zero 2>/dev/null >big; ls`)
	c.Argv = append(c.Argv, dir)
	o, out := ran(t, l, c)
	if o.Exit != 0 || out != "big\nsaid\n" || got == nil {
		t.Fatalf("%+v\n%s", o, out)
	}
	defer got.Close()
	if b, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d/said", got.Fd())); err != nil || string(b) != "said\n" {
		t.Errorf("after the end it holds %q, %v", b, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("outside it is left: %v", err)
	}
	l = Lane{Share: "/proc/none", Shared: func(*os.File) { t.Error("there is none") }}
	if _, err := l.Run(t.Context(), shell("true"), io.Discard); err == nil || !strings.HasPrefix(err.Error(), "set up lane: share /proc/none: ") {
		t.Errorf("Run = %v", err)
	}
}

// Also where an ordinary user could change nothing, as in a folder of root's.
func TestALaneHasEmptyFoldersWhereTheMachineHasFullOnes(t *testing.T) {
	const dir = "/usr/share/doc"
	if o, out := ran(t, Lane{Dirs: []string{dir}}, shell(`ls -A `+dir+`; echo >`+dir+`/mine && ls `+dir)); o.Exit != 0 || out != "mine\n" {
		t.Errorf("%+v\n%s", o, out)
	}
}

func TestLanesListenOnOnePort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port // taken outside
	server := fmt.Sprintf(`use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => %d, Listen => 5) or die "listen: $!";
		my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => %[1]d) or die "connect: $!"; sleep 1; print "served\n"`, port)
	var lanes sync.WaitGroup
	for range 3 {
		lanes.Go(func() {
			var out strings.Builder
			o, err := Lane{}.Run(t.Context(), Command{Argv: []string{"/usr/bin/perl", "-e", server}, Dir: "/", Limit: time.Minute, Output: 1 << 20}, &out)
			if err != nil || o.Exit != 0 || out.String() != "served\n" {
				t.Errorf("%+v, %v\n%s", o, err, out.String())
			}
		})
	}
	lanes.Wait()
}

func TestNothingOutlivesTheCommand(t *testing.T) {
	const daemon = `perl -MPOSIX -e 'POSIX::setsid(); if (!fork) { close STDOUT; close STDERR; $0 = "%s"; sleep 600 }'`
	for _, tt := range []struct {
		name   string
		script string
		change func(*Command)
		want   Outcome
	}{
		{"a command that ends", `exit 3`, nil, Outcome{Exit: 3}},
		{"a command that is killed", `kill -SEGV $$`, nil, Outcome{Exit: -1, Signal: "SIGSEGV"}},
		{"a command that leaves a daemon", fmt.Sprintf(daemon, "left-alone"), nil, Outcome{Left: []string{"left-alone"}}},
		{"a command that kills everything", `trap "" TERM; kill -9 -1; exit 4`, nil, Outcome{Exit: 4}},
		{"a command that kills process 1", `kill -9 1; kill -TERM 1; kill -STOP 1; exit 5`, nil, Outcome{Exit: 5}},
		{"a command that hangs", `sleep 600 & sleep 600`, func(c *Command) { c.Limit = 200 * time.Millisecond },
			Outcome{Exit: -1, Signal: "SIGKILL", TimedOut: true, Left: []string{"sh", "sleep", "sleep"}}},
		{"a command that waits for what its child left behind", `exec perl -e 'open my $out, "-|", "setsid -f sleep 600; echo done"; 1 while <$out>; close $out; exit 7'`,
			func(c *Command) { c.Limit = 4 * time.Second }, Outcome{Exit: 7, Left: []string{"sleep"}}},
		{"a command that prints without end", `yes`, func(c *Command) { c.Output = 100_000 }, Outcome{Exit: -1, Signal: "SIGKILL", TooMuch: true}},
		{"a command that fills the disk", `head -c 100000000 /dev/zero >/tmp/big 2>/dev/null || exit 6`, nil, Outcome{Exit: 6, Full: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := shell(tt.script)
			if tt.change != nil {
				tt.change(&c)
			}
			o, out := ran(t, Lane{Quota: 10 << 20}, c)
			o.Wall, o.CPU = 0, 0
			if fmt.Sprint(o) != fmt.Sprint(tt.want) {
				t.Errorf("got %+v, want %+v\n%.1000s", o, tt.want, out)
			}
		})
	}
}

func TestOutputOfExactlyTheLimitIsWhole(t *testing.T) {
	for _, tt := range []struct {
		bytes int
		cut   bool
	}{{1000, false}, {1001, true}} {
		c := shell(fmt.Sprintf(`head -c %d /dev/zero`, tt.bytes))
		c.Output = 1000
		o, out := ran(t, Lane{}, c)
		if len(out) != 1000 || o.TooMuch != tt.cut {
			t.Errorf("of %d bytes %d came, cut is %v", tt.bytes, len(out), o.TooMuch)
		}
	}
}

func TestALaneEndsWithItsMaker(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(b []byte) (int, error) { cancel(); return len(b), nil })
	if _, err := (Lane{}).Run(ctx, shell(`echo ready; sleep 600`), out); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func TestALaneThatIsKilledIsAnOutcome(t *testing.T) {
	one := make(chan int, 1)
	out := writerFunc(func(b []byte) (int, error) {
		if len(b) == 0 {
			return 0, nil // the end
		}
		p, err := os.FindProcess(<-one)
		if err == nil {
			err = p.Kill()
		}
		return len(b), err
	})
	l := Lane{Begun: func(pid int) { one <- pid }}
	o, err := l.Run(t.Context(), shell(`echo ready; sleep 600`), out)
	if err != nil || !o.Lost || o.Exit != -1 || o.Signal != "SIGKILL" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestCPUTimeIsThatOfAllDescendants(t *testing.T) {
	o, _ := ran(t, Lane{}, shell(`perl -e 'if (!fork) { 1 while (times)[0] < 0.3; open F, ">/tmp/done" }'; until test -e /tmp/done; do sleep 0.05; done`))
	if o.CPU < 300*time.Millisecond || o.CPU > 3*time.Second {
		t.Errorf("%v of CPU, want about 300ms of an orphan", o.CPU)
	}
}

func TestALaneHasALoopbackAndNoWayOut(t *testing.T) {
	const ask = `use IO::Socket::INET; $| = 1;
		print join(" ", sort map { /^\s*(\w+):/ ? $1 : () } do { open my $f, "<", "/proc/net/dev"; <$f> }), "\n";
		IO::Socket::INET->new(PeerAddr => "192.0.2.1:80", Timeout => 20) and die "connected"; print "$!\n";
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:53", Listen => 1) or die "listen: $!"; print "listens\n"`
	c := shell("")
	c.Argv = []string{"/usr/bin/perl", "-e", ask}
	if o, out := ran(t, Lane{}, c); out != "lo\nNetwork is unreachable\nlistens\n" {
		t.Errorf("%+v\n%s", o, out)
	}
}

func TestServices(t *testing.T) {
	const server = `use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 7777, Listen => 5) or die;
		while (my $c = $s->accept) { print $c "hello from $ENV{WHO}\n"; close $c }`
	ask := shell(`echo $WHO >&2; perl -MIO::Socket::INET -e 'print IO::Socket::INET->new("127.0.0.1:7777")->getline'; kill -9 $(pgrep -f accept)`)
	ask.Env = append(ask.Env, "WHO=a test")
	for _, tt := range []struct {
		name    string
		service Service
		out     string
		err     string
	}{
		{"one that stays in the foreground", Service{Name: "greeter", Start: []string{"/usr/bin/perl", "-e", server}, Port: 7777}, "a test\nhello from a service\n", ""},
		{"one that leaves a daemon", Service{Name: "greeter", Start: []string{"/usr/bin/perl", "-e", "exit if fork; " + server},
			Check: []string{"/usr/bin/perl", "-MIO::Socket::INET", "-e", `exit !IO::Socket::INET->new("127.0.0.1:7777")`}}, "a test\nhello from a service\n", ""},
		{"one that fails", Service{Name: "greeter", Start: []string{"/bin/sh", "-c", "echo no such; echo disk >&2; exit 7"}, Port: 7777}, "",
			"service greeter exited with 7: no such | disk"},
		{"one that is not there", Service{Name: "greeter", Start: []string{"/nonexistent"}}, "", "start service greeter: /nonexistent: no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.service.Env = map[string]string{"WHO": "a service"}
			var out strings.Builder
			o, err := Lane{Services: []Service{tt.service}}.Run(t.Context(), ask, &out)
			switch {
			case tt.err != "" && (err == nil || err.Error() != tt.err):
				t.Errorf("Run = %v, want %s", err, tt.err)
			case tt.err == "" && (err != nil || out.String() != tt.out || len(o.Left) > 0):
				t.Errorf("%+v, %v\n%s", o, err, out.String())
			}
		})
	}
}

func TestSetupChangesTheLanesNetworkOnly(t *testing.T) {
	l := Lane{Setup: [][]string{{"/usr/sbin/ip", "addr", "add", "10.254.254.1/24", "dev", "lo"}, {"/usr/sbin/ip", "route", "add", "prohibit", "0.0.0.1/32"}}}
	if _, out := ran(t, l, shell("ip addr show lo; ip route show table all")); !strings.Contains(out, "10.254.254.1/24") || !strings.Contains(out, "prohibit 0.0.0.1") {
		t.Errorf("the lane's network:\n%s", out)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil || strings.Contains(fmt.Sprint(addrs), "10.254.254.1") {
		t.Errorf("the machine's addresses: %v, %v", addrs, err)
	}
	l = Lane{Setup: [][]string{{"/bin/sh", "-c", "echo no way >&2; exit 3"}}}
	_, err = l.Run(t.Context(), shell("true"), io.Discard)
	if err == nil || err.Error() != "set up lane: /bin/sh -c echo no way >&2; exit 3: exit status 3: no way" {
		t.Errorf("Run = %v", err)
	}
}

func TestAnOrphanIsReapedAtOnce(t *testing.T) {
	_, out := ran(t, Lane{}, shell(`perl -e 'if (my $p = fork) { print $p } else { exit }' >/tmp/pid; (sleep 0.1 &); sleep 0.3; ps -o stat= -e | grep -c Z`))
	if strings.TrimSpace(out) != "0" {
		t.Errorf("%s zombies", out)
	}
}

// An ordinary user has lanes too. Only root can become one.
func TestAnOrdinaryUserHasLanes(t *testing.T) {
	if os.Getuid() != 0 {
		return // all of these tests show it
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "lane-") //nolint:usetesting // the other user cannot enter a test's own folder
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	test := filepath.Join(dir, "lane.test")
	if err := errors.Join(os.Chmod(dir, 0o777), os.WriteFile(test, b, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", test, "-test.run", "Lane|Nothing|Services|Setup")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
