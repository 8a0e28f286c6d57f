package github_test

import (
	"errors"
	"testing"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/githubtest"
)

// TestAProposalIsOpenedOnce goes through a proposal's life: opened, found, closed, opened again.
func TestAProposalIsOpenedOnce(t *testing.T) {
	p := newPlace(t)
	const path, repo = ".ortest/expectations/hello.yaml", "ortest-examples/hello"
	if _, err := p.forge.File(t.Context(), p.repo, repo, path); !errors.Is(err, bot.ErrGone) {
		t.Fatalf("a file that is not there: %v", err)
	}
	want := bot.Proposal{Branch: "ortest/expect-1", Title: "Expect 1 failure", Body: "why", Files: map[string][]byte{path: []byte("- id: x\n")}}
	propose := func() string {
		t.Helper()
		at, err := p.forge.OpenPull(t.Context(), p.repo, repo, want)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	first := propose()
	if again := propose(); again != first {
		t.Errorf("proposed again it is %s, not %s", again, first)
	}
	pulls, err := p.hub.Pulls(repo)
	if err != nil || len(pulls) != 2 || pulls[1].Head != want.Branch && pulls[0].Head != want.Branch {
		t.Fatalf("pull requests %+v, %v", pulls, err)
	}
	text, err := p.hub.FileAt(t.Context(), repo, want.Branch, path)
	if err != nil || string(text) != "- id: x\n" {
		t.Errorf("the branch has %q, %v", text, err)
	}
	number := max(pulls[0].Number, pulls[1].Number)
	if err := p.hub.ClosePull(repo, number, "maintainer"); err != nil {
		t.Fatal(err)
	}
	if next := propose(); next == first {
		t.Error("a proposal that was closed is given for one that is open")
	}
	if _, err := p.hub.FileAt(t.Context(), repo, want.Branch+"-2", path); err != nil {
		t.Error(err)
	}
	if _, err := p.hub.Push(t.Context(), githubtest.Commit{
		Repo: repo, Branch: "main", Author: "maintainer", Message: "merge", Files: map[string]githubtest.File{path: {Data: []byte("- id: x\n")}},
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.forge.File(t.Context(), p.repo, repo, path); err != nil || string(got) != "- id: x\n" {
		t.Errorf("the default branch has %q, %v", got, err)
	}
	for _, odd := range []string{"", "hello", "../x", "nobody/nothing"} {
		if _, err := p.forge.OpenPull(t.Context(), p.repo, odd, want); err == nil {
			t.Errorf("a pull request in %q", odd)
		}
	}
}

func TestWhoIsInATeam(t *testing.T) {
	p := newPlace(t)
	if err := p.hub.SetTeam("ortest-examples", "testers", []string{"maintainer"}, []string{"stranger"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, team, login string
		want              bool
	}{
		{"a member is", "ortest-examples/testers", "maintainer", true},
		{"whoever was only invited is not", "ortest-examples/testers", "stranger", false},
		{"nobody is in a team that is not there", "ortest-examples/none", "maintainer", false},
		{"nor in one of another organization", "others/testers", "maintainer", false},
		{"a name that is none is nobody's", "ortest-examples/testers", "../maintainer", false},
		{"a team without its organization is none", "testers", "maintainer", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := p.forge.Member(t.Context(), p.repo, tt.team, tt.login); err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}
