package githubtest

import (
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func (f *fixture) git(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(f.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, gitEnv()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestClone(t *testing.T) {
	f := newFixture(t)
	for _, url := range []string{f.web.URL + "/" + repoName + ".git", f.web.URL + "/" + repoName} {
		dir := filepath.Join(t.TempDir(), "x")
		if out, err := f.git("", "clone", "--quiet", url, dir); err != nil {
			t.Fatal(out)
		}
		if info, err := os.Stat(filepath.Join(dir, "t/01.t")); err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("t/01.t: %v, %v", info, err)
		}
		if out, err := f.git(dir, "push", "--quiet", "origin", "HEAD:refs/heads/mine"); err == nil {
			t.Errorf("a push is taken: %s", out)
		}
	}
}

func TestFetchBySHA(t *testing.T) {
	f := newFixture(t)
	old := f.push("fix", "one")
	f.push("fix", "two")
	dir := t.TempDir()
	for _, args := range [][]string{
		{"init", "--quiet"}, {"fetch", "--quiet", "--depth=1", f.web.URL + "/" + repoName + ".git", old}, {"checkout", "--quiet", old},
	} {
		if out, err := f.git(dir, args...); err != nil {
			t.Fatal(out)
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "new")); err != nil || string(raw) != "one" {
		t.Errorf("new = %q, %v", raw, err)
	}
}

func TestNoOtherPathsThroughGit(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/../state.jsonl/info/refs", "/examples/%2e%2e/info/refs", "/x/y.git/info/refs?service=git-upload-pack"} {
		res, err := http.Get(f.web.URL + path)
		f.must(err)
		f.must(res.Body.Close())
		if res.StatusCode == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

func TestPush(t *testing.T) {
	f := newFixture(t)
	first := f.push("fix", "one")
	if again := f.push("fix", "one"); again != first {
		t.Error("the same content again makes another commit")
	}
	whole, err := f.s.Push(t.Context(), Commit{Repo: repoName, Branch: "fix", Message: "m", Author: "alice", Whole: true,
		Files: map[string]File{"only": {Data: []byte("x")}}})
	f.must(err)
	list := f.call("GET", repoPath+"/contents/?ref="+whole, nil).want(http.StatusOK).list
	if len(list) != 1 || list[0].(obj)["name"] != "only" {
		t.Errorf("files of a whole commit: %v", list)
	}
	if got := f.call("GET", repoPath+"/pulls/1", nil).body["head"].(obj)["sha"]; got != whole {
		t.Errorf("the pull request's head is %v, want %s", got, whole)
	}
	for name, c := range map[string]Commit{
		"an unknown repository": {Repo: "examples/gone", Branch: "b", Author: "alice"},
		"an unknown author":     {Repo: repoName, Branch: "b", Author: "nobody"},
		"an unknown start":      {Repo: repoName, Branch: "b", From: "gone", Author: "alice"},
	} {
		if _, err := f.s.Push(t.Context(), c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestSameCommitsHaveSameSHAs(t *testing.T) {
	a, b := newFixture(t), newFixture(t)
	if a.head != b.head {
		t.Errorf("%s and %s", a.head, b.head)
	}
}

func TestPullRequest(t *testing.T) {
	f := newFixture(t)
	p := f.call("GET", repoPath+"/pulls/1", nil).want(http.StatusOK).body
	if p["state"] != "open" || p["head"].(obj)["sha"] != f.head || p["additions"] != 1.0 || p["changed_files"] != 1.0 || p["commits"] != 1.0 {
		t.Errorf("pull request: %v", p)
	}
	files := f.call("GET", repoPath+"/pulls/1/files", nil).want(http.StatusOK).list
	if file := files[0].(obj); len(files) != 1 || file["filename"] != "README" || file["patch"] != "@@ -1 +1,2 @@\n hello\n+world" {
		t.Errorf("files: %v", files)
	}
	f.call("GET", repoPath+"/pulls/2", nil).want(http.StatusNotFound)
	again, err := f.s.OpenPull(t.Context(), NewPull{Repo: repoName, Head: "fix", Base: "main", Title: "x", Author: "mallory"})
	f.must(err)
	if again.Number != 1 {
		t.Errorf("opened twice, as #%d", again.Number)
	}
	if _, err := f.s.OpenPull(t.Context(), NewPull{Repo: repoName, Head: "main", Base: "main", Author: "alice"}); err == nil {
		t.Error("a pull request without commits is opened")
	}
	f.must(f.s.ClosePull(repoName, 1, "mallory"))
	if got := f.call("GET", repoPath+"/pulls/1", nil).body; got["state"] != "closed" || got["closed_at"] == nil {
		t.Errorf("closed pull request: %v", got)
	}
}

func TestDiffKinds(t *testing.T) {
	f := newFixture(t)
	_, err := f.s.Push(t.Context(), Commit{Repo: repoName, Branch: "fix", Message: "m", Author: "alice", Whole: true,
		Files: map[string]File{
			"README": {Data: []byte("bye\n")}, "t/02.t": {Data: []byte("one\ntwo\n"), Exec: true}, "blob": {Data: []byte{0, 1, 2}},
		}})
	f.must(err)
	got := map[any]any{}
	for _, e := range f.call("GET", repoPath+"/pulls/1/files", nil).want(http.StatusOK).list {
		got[e.(obj)["filename"]] = e.(obj)["status"]
	}
	want := map[any]any{"README": "modified", "blob": "added", "t/02.t": "renamed", ".github/workflows/ortest.yml": "removed"}
	for name, status := range want {
		if got[name] != status {
			t.Errorf("%s is %v, want %v", name, got[name], status)
		}
	}
}

func TestContents(t *testing.T) {
	f := newFixture(t)
	file := f.call("GET", repoPath+"/contents/README?ref=fix", nil).want(http.StatusOK).body
	text, err := base64.StdEncoding.DecodeString(file["content"].(string))
	f.must(err)
	if string(text) != "hello\nworld\n" || file["type"] != "file" {
		t.Errorf("file: %v", file)
	}
	if list := f.call("GET", repoPath+"/contents/t", nil).want(http.StatusOK).list; len(list) != 1 || list[0].(obj)["path"] != "t/01.t" {
		t.Errorf("directory: %v", list)
	}
	f.call("GET", repoPath+"/contents/gone", nil).want(http.StatusNotFound)
	f.call("GET", repoPath+"/contents/README?ref=gone", nil).want(http.StatusNotFound)
	branch := f.call("GET", repoPath+"/branches/fix", nil).want(http.StatusOK).body
	if branch["commit"].(obj)["sha"] != f.head {
		t.Errorf("branch: %v", branch)
	}
	f.call("GET", repoPath+"/branches/gone", nil).want(http.StatusNotFound)
	commit := f.call("GET", repoPath+"/commits/"+f.head, nil).want(http.StatusOK).body
	if commit["author"].(obj)["login"] != "mallory" || commit["parents"].([]any)[0].(obj)["sha"] != f.base {
		t.Errorf("commit: %v", commit)
	}
	f.call("GET", repoPath+"/commits/gone", nil).want(http.StatusUnprocessableEntity)
}
