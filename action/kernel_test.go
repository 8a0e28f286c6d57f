package action

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestCrash(t *testing.T) {
	for _, tt := range []struct{ name, record, want string }{
		{"a segmentation fault", "6,1001,99,-;nginx[7]: segfault at 8 ip 0 sp 0 error 4 in nginx[1+2]\n SUBSYSTEM=x\n", "nginx[7]: segfault at 8 ip 0 sp 0 error 4 in nginx[1+2]"},
		{"another crash", "6,1001,99,-;traps: nginx[7] general protection fault ip:0 sp:0\n", "traps: nginx[7] general protection fault ip:0 sp:0"},
		{"a word of something else", "6,1001,99,-;eth0: link up\n", ""},
		{"a record without text", "6,1001,99,-", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := crashLine([]byte(tt.record)); got != tt.want {
				t.Errorf("crash = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestACrashOfTheFileIsInItsLog(t *testing.T) {
	k := openKernelLog()
	if k == nil {
		return // only who may read the kernel's log can show this
	}
	k.crashes()
	const segfault = `print "1..1\nok 1\n"; system $^X, "-e", 'unpack "p", pack "L!", 1';`
	_, ev := ran(t, config(t, script(), "t", map[string][]byte{
		"t/a.t": []byte(segfault), "t/b.t": []byte("print qq{1..1\\nok 1\\n};"),
	}))
	trace, err := os.ReadFile("/proc/sys/debug/exception-trace")
	if err != nil || strings.TrimSpace(string(trace)) != "1" {
		return // this kernel does not say
	}
	if log := logOf(t, ev, "t/a.t"); !strings.Contains(log, "\nSegmentation Fault: perl[") {
		t.Errorf("the crash is not in the log:\n%s", log)
	}
	if log := logOf(t, ev, "t/b.t"); strings.Contains(log, "Segmentation Fault") {
		t.Errorf("the crash is in the log of the next file:\n%s", log)
	}
}

func TestACrashElsewhereIsNotOurs(t *testing.T) {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != firstPIDs {
		t.Logf("here the kernel's numbers are not ours: %s, %v", ns, err)
		return
	}
	self := os.Getpid()
	line := func(pid int) string { return fmt.Sprintf("dies[%d]: segfault at 0 ip 0 sp 0 error 4", pid) }
	told, untold := openForks(), openForks()
	defer told.close()
	t.Logf("the kernel tells of forks: %v", told.fd >= 0)
	untold.close()
	gone := exec.Command("sh", "-c", "echo $$; (:)& sh -c 'echo $$'")
	out, err := gone.Output()
	if err != nil {
		t.Fatal(err)
	}
	var parent, child int
	if _, err := fmt.Sscan(string(out), &parent, &child); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		line   string
		root   int
		told   bool // what the kernel must tell for it
		untold bool // without
		sure   bool // also without
	}{
		{"itself", line(self), self, false, false, true},
		{"a descendant", line(self), os.Getppid(), false, false, true},
		{"somebody else's", line(os.Getppid()), self, true, true, true},
		{"a descendant that is gone", line(child), self, false, false, false},
		{"a descendant of one that is gone too", line(child), parent, false, false, false},
		{"somebody else's that is gone", line(child), 1 << 30, true, false, false},
		{"one that nobody knows", line(1 << 30), self, true, false, false},
		{"a line without a process", "traps: something", self, false, false, false},
		{"a trap", fmt.Sprintf("traps: a[%d] trap divide error", os.Getppid()), self, true, true, true},
		{"nothing is whose before its lane is there", line(self), 0, true, true, true},
	} {
		k := kernelLog{forks: told}
		k.root.Store(int64(tt.root))
		if got, _ := k.elsewhere(tt.line); told.fd >= 0 && got != tt.told {
			t.Errorf("%s: %v", tt.name, got)
		}
		k.forks = untold
		got, known := k.elsewhere(tt.line)
		if got != tt.untold || known != (tt.sure || tt.untold) {
			t.Errorf("%s, where the kernel tells nothing: %v, known %v", tt.name, got, known)
		}
	}
}
