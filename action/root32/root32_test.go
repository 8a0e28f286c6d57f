package root32

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain is also the program that enters, and what it does inside.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case Word:
			os.Exit(Main(os.Args[2:]))
		case "outside":
			code, err := Run(context.Background(), []string{"inside"}, os.Environ(), Streams{Out: os.Stdout, Err: os.Stderr})
			if err != nil {
				fmt.Println("error:", err)
				code = 1
			}
			os.Exit(code)
		case "inside":
			os.Exit(look())
		}
	}
	os.Exit(m.Run())
}

// look tells what there is to see, and leaves a file in the shared folder.
func look() int {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		fmt.Println(err)
	}
	var caps unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_1}, &caps); err != nil {
		fmt.Println(err)
	}
	here, err := os.Getwd()
	mark, merr := os.ReadFile("/etc/mark")
	_, outside := os.Stat("/usr/share")
	_, proc := os.Readlink("/proc/self/exe")
	fmt.Println(unix.ByteSliceToString(u.Machine[:]), here, err, string(mark), merr, outside == nil, proc, os.Getenv(EnvRoot) == "",
		os.Getuid() == 0 || caps.Effective == 0, nested(), os.WriteFile("left", nil, 0o600))
	return 7
}

// nested says whether namespaces can be made, as the lanes of test files are.
func nested() error {
	cmd := exec.Command("/proc/self/exe", "-test.list=^$")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
	}
	return cmd.Run()
}

// tiny is a root with this program in it and what it needs to start.
func tiny(t *testing.T) (root, job string) {
	t.Helper()
	dir := t.TempDir()
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, job = filepath.Join(dir, "root"), filepath.Join(dir, "job")
	for _, d := range append([]string{job, "/etc"}, machines...) {
		if err := os.MkdirAll(root+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(root+"/etc/mark", []byte("32-bit"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(job, 0o700); err != nil {
		t.Fatal(err)
	}
	// What a dynamic test binary loads; the program itself is built without.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	libs, _ := exec.Command("ldd", self).Output() // a static one has none
	for word := range strings.FieldsSeq(string(libs)) {
		if b, err := os.ReadFile(word); err == nil && filepath.IsAbs(word) {
			if err := os.MkdirAll(root+filepath.Dir(word), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(root+word, b, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root, job
}

func TestEnter(t *testing.T) {
	for _, tt := range []struct {
		name string
		uid  int
	}{{"the agent's own account", 0}, {"an account without any rights", 31999}} {
		t.Run(tt.name, func(t *testing.T) {
			root, job := tiny(t)
			cmd := outside(t, tt.uid, job, root, job)
			out, err := cmd.Output()
			want := fmt.Sprintf("i686 %s <nil> 32-bit <nil> false <nil> true true <nil> <nil>\n", job)
			if string(out) != want || cmd.ProcessState.ExitCode() != 7 {
				t.Errorf("%v: %s\nwant %s", err, out, want)
			}
			if _, err := os.Stat(filepath.Join(job, "left")); err != nil {
				t.Errorf("what a job writes is not there outside: %v", err)
			}
			if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), root) {
				t.Errorf("a mount is left outside: %v", err)
			}
		})
	}
}

func TestEnterRefuses(t *testing.T) {
	root, job := tiny(t)
	for _, tt := range []struct{ name, root, share, want string }{
		{"a path that is not absolute", "root", job, "it is not absolute"},
		{"a folder that is not there", root + "/none", job, "it is no folder"},
		{"a shared folder that the root has no place for", root, "/usr/share", "show /usr/share in it"},
		{"a job whose folder is not shared", root, "", "the job's folder is not shared"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := outside(t, os.Getuid(), job, tt.root, tt.share)
			if tt.share == "" {
				cmd.Dir = "/usr/share"
			}
			out, err := cmd.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte(tt.want)) {
				t.Errorf("%v: %s\nwant %s", err, out, tt.want)
			}
		})
	}
}

// outside is this program as the runner starts it.
func outside(t *testing.T, uid int, dir, root, share string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "outside")
	cmd.Dir, cmd.Env = dir, []string{EnvRoot + "=" + root, EnvShare + "=" + share}
	if uid != os.Getuid() && os.Getuid() == 0 {
		b, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path = filepath.Join(filepath.Dir(root), "program")
		if err := os.WriteFile(cmd.Path, b, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(share, uid, uid); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	return cmd
}
