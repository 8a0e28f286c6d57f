package githubtest

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

func TestAppToken(t *testing.T) {
	f := newFixture(t)
	now := f.clock.now()
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, tt := range []struct {
		name   string
		claims jwt.MapClaims
		want   int
	}{
		{"a fresh token of the App", jwt.MapClaims{"iss": "7", "iat": in(0), "exp": in(time.Minute)}, http.StatusOK},
		{"the issuer may be a number", jwt.MapClaims{"iss": 7, "iat": in(0), "exp": in(time.Minute)}, http.StatusOK},
		{"ten minutes are allowed", jwt.MapClaims{"iss": "7", "iat": in(0), "exp": in(10 * time.Minute)}, http.StatusOK},
		{"a second more is not", jwt.MapClaims{"iss": "7", "iat": in(0), "exp": in(10*time.Minute + time.Second)}, http.StatusUnauthorized},
		{"the clock may be a minute ahead", jwt.MapClaims{"iss": "7", "iat": in(time.Minute), "exp": in(5 * time.Minute)}, http.StatusOK},
		{"but not more", jwt.MapClaims{"iss": "7", "iat": in(time.Minute + time.Second), "exp": in(5 * time.Minute)}, http.StatusUnauthorized},
		{"a token ends at its exp", jwt.MapClaims{"iss": "7", "iat": in(-time.Minute), "exp": in(0)}, http.StatusUnauthorized},
		{"another App's id", jwt.MapClaims{"iss": "8", "iat": in(0), "exp": in(time.Minute)}, http.StatusUnauthorized},
		{"no end", jwt.MapClaims{"iss": "7", "iat": in(0)}, http.StatusUnauthorized},
		{"no beginning", jwt.MapClaims{"iss": "7", "exp": in(time.Minute)}, http.StatusUnauthorized},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			f.as(f.jwt(tt.claims), "GET", "/app", nil).want(tt.want)
		})
	}
	t.Run("a token signed with a shared secret", func(t *testing.T) {
		claims := jwt.MapClaims{"iss": "7", "iat": in(0), "exp": in(time.Minute)}
		raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("public key"))
		f.must(err)
		f.as(raw, "GET", "/app", nil).want(http.StatusUnauthorized)
	})
	t.Run("an installation's token is none of the App", func(t *testing.T) {
		f.as(f.token, "GET", "/app", nil).want(http.StatusUnauthorized)
	})
	t.Run("no token", func(t *testing.T) { f.as("", "GET", "/app", nil).want(http.StatusUnauthorized) })
}

func TestInstallationToken(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	_, err := f.s.CreateRepository(ctx, "examples/other", nil)
	f.must(err)
	_, err = f.s.CreateRepository(ctx, "alice/own", nil)
	f.must(err)

	f.call("GET", repoPath, nil).want(http.StatusOK)
	f.call("GET", "/repos/examples/other", nil).want(http.StatusOK)
	f.call("GET", "/repos/alice/own", nil).want(http.StatusNotFound)
	f.call("GET", "/repos/examples/none", nil).want(http.StatusNotFound)
	f.as("ghs_wrong", "GET", repoPath, nil).want(http.StatusUnauthorized)
	f.as(f.appToken(), "GET", repoPath, nil).want(http.StatusUnauthorized)

	narrow := f.newToken(obj{"repositories": []string{"hello"}, "permissions": obj{"checks": "read", "metadata": "read"}})
	f.as(narrow, "GET", repoPath, nil).want(http.StatusOK)
	f.as(narrow, "GET", "/repos/examples/other", nil).want(http.StatusNotFound)
	f.as(narrow, "GET", repoPath+"/commits/"+f.head+"/check-runs", nil).want(http.StatusOK)
	check := obj{"name": "x", "head_sha": f.head}
	f.as(narrow, "POST", repoPath+"/check-runs", check).want(http.StatusForbidden)
	f.as(narrow, "GET", repoPath+"/pulls/1", nil).want(http.StatusForbidden)
	if n := f.as(narrow, "GET", "/installation/repositories", nil).want(http.StatusOK).body["total_count"]; n != 1.0 {
		t.Errorf("a narrow token lists %v repositories, want 1", n)
	}

	tokens := "/app/installations/" + "999/access_tokens"
	f.as(f.appToken(), "POST", tokens, nil).want(http.StatusNotFound)
	f.refusesToken(obj{"repositories": []string{"none"}})
	f.refusesToken(obj{"repository_ids": []int{1}})
	f.refusesToken(obj{"permissions": obj{"members": "write"}})
	f.refusesToken(obj{"permissions": obj{"secrets": "read"}})

	f.clock.add(time.Hour - time.Second)
	f.call("GET", repoPath, nil).want(http.StatusOK)
	f.clock.add(time.Second)
	f.call("GET", repoPath, nil).want(http.StatusUnauthorized)
}

func (f *fixture) refusesToken(body obj) {
	f.t.Helper()
	inst := f.as(f.appToken(), "GET", repoPath+"/installation", nil).want(http.StatusOK)
	path := inst.body["access_tokens_url"].(string)[len(f.s.apiURL()):]
	f.as(f.appToken(), "POST", path, body).want(http.StatusUnprocessableEntity)
}

func TestRateLimit(t *testing.T) {
	f := newFixture(t)
	f.must(f.s.Close())
	f.cfg.RateLimit = 3
	f.open()
	for range 3 {
		f.call("GET", repoPath, nil).want(http.StatusOK)
	}
	over := f.call("GET", repoPath, nil).want(http.StatusForbidden)
	if got := over.header.Get("X-RateLimit-Remaining"); got != "0" {
		t.Errorf("X-RateLimit-Remaining = %q, want 0", got)
	}
	f.call("GET", "/rate_limit", nil).want(http.StatusOK)
	f.token = f.newToken(obj{})
	f.clock.add(time.Hour)
	f.token = f.newToken(obj{})
	f.call("GET", repoPath, nil).want(http.StatusOK)
}
