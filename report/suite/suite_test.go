package suite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan"
)

var project = plan.Project{Name: "ngx_echo", Repo: "https://github.com/openresty/echo-nginx-module"}

const now, then = "=== TEST 1: now\n", "=== TEST 1: then\n--- x\n=== TEST 2: then\n"

// repo makes a repository whose first commit has t/a.t as it was then, and whose
// work tree has it as it is now.
func repo(t *testing.T, dir string) (commit string) {
	t.Helper()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write(t, dir, then)
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "x")
	write(t, dir, now)
	return git("rev-parse", "HEAD")
}

func write(t *testing.T, dir, text string) {
	t.Helper()
	path := filepath.Join(dir, "t", "a.t")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("plan tests => 1;\n__DATA__\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhereAProjectLies(t *testing.T) {
	for _, tt := range []struct {
		name, at, look string
		found          bool
	}{
		{"a checkout itself", "echo-nginx-module", "echo-nginx-module", true},
		{"a checkout by the project's name", "ngx_echo", "ngx_echo", true},
		{"a folder of checkouts", "all/echo-nginx-module", "all", true},
		{"by the project's name", "all/ngx_echo", "all", true},
		{"as a mirror has it", "all/openresty/echo-nginx-module.git", "all", true},
		{"by owner", "all/openresty/echo-nginx-module", "all", true},
		{"by owner and name in one", "all/openresty+echo-nginx-module/repo", "all", true},
		{"a repository of another name is none of its", "another", "another", false},
		{"a folder that is not there", "ngx_echo", "nowhere", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			commit := repo(t, filepath.Join(dir, filepath.FromSlash(tt.at)))
			in := Folders{filepath.Join(dir, tt.look)}
			gitDir, ok := in.Repository(project)
			if ok != tt.found {
				t.Fatalf("Repository = %q, %v", gitDir, ok)
			}
			if !ok {
				return
			}
			files, err := At(t.Context(), gitDir, commit)
			if err != nil || len(files) != 1 || len(files[0].Blocks) != 2 {
				t.Errorf("at the commit: %v, %v", files, err)
			}
			if here := Now(in.Checkout(project)); len(here) != 1 || len(here[0].Blocks) != 1 {
				t.Errorf("now: %v", here)
			}
			if b := in.File(t.Context(), project, commit, "t/a.t"); !strings.HasSuffix(string(b), then) {
				t.Errorf("the file at the commit is %q", b)
			}
		})
	}
}

func TestAFileIsOfItsCommitOnly(t *testing.T) {
	dir := t.TempDir()
	commit := repo(t, dir)
	in := Folders{dir}
	for _, tt := range []struct {
		name, commit, file string
		there              bool
	}{
		{"a repository of another name that has the commit", commit, "t/a.t", true},
		{"seven digits are a commit", commit[:7], "t/a.t", true},
		{"six are none", commit[:6], "t/a.t", false},
		{"a branch is none", "HEAD", "t/a.t", false},
		{"another commit", strings.Repeat("0", 40), "t/a.t", false},
		{"a file that leaves the repository", commit, "../a.t", false},
		{"no such file", commit, "t/b.t", false},
	} {
		if b := in.File(t.Context(), plan.Project{Name: "x", Repo: "../.."}, tt.commit, tt.file); (b != nil) != tt.there {
			t.Errorf("%s: %q", tt.name, b)
		}
	}
	if _, err := At(t.Context(), filepath.Join(dir, ".git"), "--output=x"); err == nil {
		t.Error("an option was taken for a revision")
	}
	if got := in.Checkout(plan.Project{}); got != dir {
		t.Errorf("a folder without a project's name is %q, want %q itself", got, dir)
	}
}
