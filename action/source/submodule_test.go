package source

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withSubmodules adds to a repository of the mirror a commit that has others of
// the mirror as submodules: path, URL, and the repository whose commit is in
// the tree, "" for none.
func withSubmodules(t *testing.T, s *Store, repo string, modules ...[3]string) {
	t.Helper()
	run := func(dir string, args ...string) string {
		var out bytes.Buffer
		if err := git(t.Context(), &out, dir, args...); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out.String())
		}
		return strings.TrimSpace(out.String())
	}
	bare, tree := filepath.Join(s.Mirror, repo+".git"), t.TempDir()
	run(tree, "clone", "-q", bare, ".")
	var text strings.Builder
	for _, m := range modules {
		text.WriteString("[submodule \"" + m[0] + "\"]\n\tpath = " + m[0] + "\n\turl = " + m[1] + "\n\tupdate = !touch never\n")
		if m[2] == "" {
			continue
		}
		commit := run(filepath.Join(s.Mirror, m[2]+".git"), "rev-parse", "HEAD")
		run(tree, "update-index", "--add", "--cacheinfo", "160000,"+commit+","+m[0])
	}
	if err := os.WriteFile(filepath.Join(tree, ".gitmodules"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	run(tree, "add", ".gitmodules")
	run(tree, "commit", "-q", "-m", "submodules")
	run(tree, "push", "-q", "origin", "HEAD")
}

func TestSubmoduleURL(t *testing.T) {
	mirrored, asked := &Store{Mirror: t.TempDir()}, &Store{Server: "https://github.com"}
	if err := os.MkdirAll(filepath.Join(mirrored.Mirror, "a", "sub.git"), 0o755); err != nil {
		t.Fatal(err)
	}
	here := "file://" + mirrored.Mirror + "/a/"
	for _, tt := range []struct {
		name, url string
		network   string // what it is without a mirror; "" is an error
		bad       string // with a mirror
	}{
		{"by its URL at GitHub", "https://github.com/a/sub", "https://github.com/a/sub.git", ""},
		{"with git's ending", "https://github.com/a/sub.git", "https://github.com/a/sub.git", ""},
		{"by git's own protocol", "git://github.com/a/sub.git", "https://github.com/a/sub.git", ""},
		{"by ssh", "git@github.com:a/sub.git", "https://github.com/a/sub.git", ""},
		{"by ssh as a URL", "ssh://git@github.com/a/sub", "https://github.com/a/sub.git", ""},
		{"relative to its repository", "../sub.git", "https://github.com/a/sub.git", ""},
		{"relative, without an ending, of an owner", "../../a/sub", "https://github.com/a/sub.git", ""},
		{"one that the mirror lacks", "https://github.com/a/none", "https://github.com/a/none.git", "a/none.git"},
		{"one that lies elsewhere", "https://example.org/a/sub.git", "https://example.org/a/sub.git", "is neither at"},
		{"a path out of the mirror", "../../../sub.git", "", "is no repository beside"},
		{"a folder of the machine", "file:///a/sub.git", "", "is neither at"},
		{"a program", "ext::sh -c touch% x", "", "is neither at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := mirrored.submoduleURL(here+"top.git", tt.url)
			if tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)) || tt.bad == "" && (err != nil || got != here+"sub.git") {
				t.Errorf("of the mirror: %s, %v", got, err)
			}
			if got, err := asked.submoduleURL("https://github.com/a/top.git", tt.url); got != tt.network || (err == nil) != (tt.network != "") {
				t.Errorf("of the network: %s, %v", got, err)
			}
		})
	}
}

func TestSubmodules(t *testing.T) {
	s := mirror(t, map[string][]string{"a/top": {"top"}, "a/sub": {"sub"}, "a/deep": {"deep"}})
	withSubmodules(t, s, "a/sub", [3]string{"further/deep", "../deep", "a/deep"})
	withSubmodules(t, s, "a/top", [3]string{"deps/sub", "https://github.com/a/sub", "a/sub"})
	dir := checkedOut(t, s)
	for path, want := range map[string]string{"version": "top", "deps/sub/version": "sub", "deps/sub/further/deep/version": "deep"} {
		if b, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "deps", "sub", "never")); err == nil {
		t.Error("a command of .gitmodules was run")
	}
	if err := os.RemoveAll(filepath.Join(s.Mirror, "a", "deep.git")); err != nil {
		t.Fatal(err)
	}
	url := "file://" + filepath.Join(s.Mirror, "a", "top.git")
	commit, err := s.Head(t.Context(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	want := "submodule deps/sub: submodule further/deep: the mirror lacks " + filepath.Join(s.Mirror, "a", "deep.git") + ": a bare clone of https://github.com/a/deep"
	if err := s.Fetch(t.Context(), url, commit, t.TempDir()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What is written down and is not in the tree, or may be nowhere, is no submodule.
func TestNoSubmodules(t *testing.T) {
	s := mirror(t, map[string][]string{"a/top": {"top"}})
	withSubmodules(t, s, "a/top", [3]string{"../out", "../sub", ""}, [3]string{".git/hooks", "../sub", ""},
		[3]string{"version", "../sub", ""}, [3]string{"nowhere", "../sub", ""}, [3]string{"", "", ""})
	if b, err := os.ReadFile(filepath.Join(checkedOut(t, s), "version")); err != nil || string(b) != "top" {
		t.Errorf("the checkout has %q, %v", b, err)
	}
}

func checkedOut(t *testing.T, s *Store) string {
	t.Helper()
	url, err := s.URL("https://github.com/a/top")
	if err != nil {
		t.Fatal(err)
	}
	commit, err := s.Head(t.Context(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := s.Checkout(t.Context(), url, commit)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
