package bot

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/plan/catalog"
)

// pinning is a run of goals of a pull request of openresty/echo-nginx-module.
func pinning(goals ...string) Run {
	r := Run{ID: "1", Repo: Repo{Owner: "OpenResty", Name: "echo-nginx-module"}, Head: strings.Repeat("a", 40), State: Accepted}
	for _, g := range goals {
		goal, _ := plan.ParseGoal(g)
		r.Pieces = append(r.Pieces, Piece{Piece: plan.Piece{Goal: goal}, ID: g, State: Waiting, Attempt: 1, Nonce: strings.Repeat("0", 32)})
	}
	return r
}

// wholeBot is a bot with the whole catalog.
func wholeBot(t *testing.T, s *shelf, g *guarded) *Bot {
	t.Helper()
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	b := guardedBot(t, s, g)
	b.Catalog = func() *catalog.Catalog { return c }
	return b
}

func TestTheCommitsOfARun(t *testing.T) {
	fixed, other := strings.Repeat("b", 40), strings.Repeat("c", 40)
	heads := map[string]string{
		"openresty/test-nginx": fixed, "openresty/lua-nginx-module": fixed, "openresty/luajit2": fixed,
		"openresty/headers-more-nginx-module": fixed, "openresty/no-pool-nginx": fixed,
	}
	s, g := &shelf{run: pinning("t-ngx_echo", "tv-ngx_echo", "t-ngx_headers_more")}, &guarded{head: heads}
	b := wholeBot(t, s, g)
	if err := b.fixCommits(t.Context(), s.run); err != nil {
		t.Fatal(err)
	}
	asked := slices.Clone(g.heads)
	slices.Sort(asked)
	if unique := slices.Compact(slices.Clone(asked)); len(asked) == 0 || len(unique) != len(asked) {
		t.Errorf("asked for %q, want each once", asked)
	}
	if !slices.Contains(asked, "openresty/luajit2@v2.1-agentzh") {
		t.Errorf("asked for %q, want the branch of LuaJIT that the catalog names", asked)
	}
	if slices.Contains(asked, "openresty/echo-nginx-module") {
		t.Error("the commit of the pull request's own repository was asked for")
	}

	echo, more := leg(b.Catalog(), s.run, s.run.Pieces[0]), leg(b.Catalog(), s.run, s.run.Pieces[2])
	if echo.Commit != s.run.Head || more.Commit != fixed {
		t.Errorf("tested at %q and %q, want %q and %q", echo.Commit, more.Commit, s.run.Head, fixed)
	}
	if echo.Sources["test-nginx"] != fixed || echo.Sources["luajit-git"] != fixed {
		t.Errorf("built with %v, want what was fixed", echo.Sources)
	}
	if got, has := echo.Sources["openresty"]; has {
		t.Errorf("what GitHub does not show is pinned to %q", got)
	}
	if more.Sources["ngx_echo"] != s.run.Head {
		t.Errorf("another project is built with %q of the pull request's own, want %q", more.Sources["ngx_echo"], s.run.Head)
	}

	t.Run("a repeat takes the same", func(t *testing.T) {
		again := pinning("t-ngx_echo", "t-ngx_memc")
		again.Of = "1"
		later := &guarded{head: map[string]string{"openresty/test-nginx": other, "openresty/memc-nginx-module": other}}
		of := &shelf{run: s.run}
		bot := wholeBot(t, of, later)
		if err := bot.fixCommits(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if got := of.run.Commits; got["openresty/test-nginx"] != fixed || got["openresty/memc-nginx-module"] != other {
			t.Errorf("a repeat takes %v, want what the run took and %s of what it had not", got, other)
		}
	})
	t.Run("they are fixed once", func(t *testing.T) {
		was := maps.Clone(s.run.Commits)
		before := len(g.heads)
		g.head = map[string]string{"openresty/test-nginx": other}
		if err := b.fixCommits(t.Context(), s.run); err != nil || len(g.heads) != before || !maps.Equal(was, s.run.Commits) {
			t.Errorf("asked %d times more, error %v, commits %v", len(g.heads)-before, err, s.run.Commits)
		}
	})
	t.Run("nothing is dispatched before", func(t *testing.T) {
		away := &shelf{run: pinning("t-ngx_echo")}
		bot := wholeBot(t, away, &guarded{ask: errors.New("GitHub is away")})
		if err := bot.fixCommits(t.Context(), away.run); err == nil {
			t.Fatal("the commits are fixed although GitHub is away")
		}
		if err := bot.dispatch(t.Context(), away.run); err != nil || len(away.run.Dispatch) > 0 {
			t.Errorf("dispatch %v, error %v; want none", away.run.Dispatch, err)
		}
	})
}
