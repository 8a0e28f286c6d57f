package bot

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// keepers is a forge with the repository of the catalog, where somebody has a role.
type keepers struct {
	guarded
	role string
	err  error
}

func (k *keepers) Repositories(context.Context) ([]Repo, error) {
	return []Repo{{Owner: "o", Name: "n"}, {Owner: "O", Name: "Catalog"}}, nil
}

func (k *keepers) Permission(_ context.Context, repo Repo, _ string) (string, error) {
	if repo.Name != "Catalog" {
		return "admin", nil
	}
	return k.role, k.err
}

func TestWhoRollsTheCatalogBack(t *testing.T) {
	for _, tt := range []struct {
		name, of, role string
		err            error
		none           bool // no revisions of our own
		text           string
		says           string
		done           string
	}{
		{name: "a maintainer of the catalog", of: "o/catalog", role: "maintain", text: "rollback abc", says: "counts within seconds", done: "abc"},
		{name: "an admin of it", of: "o/catalog", role: "admin", text: "rollback abc", says: "/ortest rollback ", done: "abc"},
		{name: "who may write to it does not maintain it", of: "o/catalog", role: "write", text: "rollback abc", says: "yours is `write`"},
		{name: "an admin of the pull request's repository is nobody there", of: "o/catalog", role: "none", text: "rollback abc", says: "yours is `none`"},
		{name: "a role that GitHub keeps to itself is none", of: "o/catalog", err: ErrRefused, text: "rollback abc", says: "does not tell"},
		{name: "a catalog that the bot is not installed on", of: "o/other", role: "admin", text: "rollback abc", says: "not installed on `o/other`"},
		{name: "a catalog from a directory", role: "admin", text: "rollback abc", says: "`ortest catalog rollback`"},
		{name: "one of several servers", of: "o/catalog", role: "admin", none: true, text: "rollback abc", says: "`ortest catalog rollback`"},
		{name: "a revision that was never there", of: "o/catalog", role: "admin", text: "rollback nope", says: "no such revision"},
		{name: "no revision", of: "o/catalog", role: "admin", text: "rollback", says: "needs a word after it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, done := &shelf{}, ""
			b := guardedBot(t, s, &guarded{})
			b.Forge, b.Settings = &keepers{role: tt.role, err: tt.err}, func() Settings { return Settings{CatalogOf: tt.of} }
			if !tt.none {
				b.Rollback = func(revision string) error {
					if revision == "nope" {
						return errors.New("no such revision")
					}
					done = revision
					return nil
				}
			}
			c := CommentEvent{Repo: Repo{Owner: "o", Name: "n"}, Number: 1, OnPull: true, Action: "created", ID: 1, Body: Prefix + " " + tt.text, Sender: "ada", At: noon}
			if _, err := b.handleComment(t.Context(), c); err != nil || len(s.answers) != 1 {
				t.Fatalf("answers %+v, %v", s.answers, err)
			}
			if a := s.answers[0]; !strings.Contains(a.Body, tt.says) || done != tt.done || a.Understood != (tt.done != "") {
				t.Errorf("rolled back to %q, and the answer is %+v", done, a)
			}
		})
	}
}
