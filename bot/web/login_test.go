package web

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/internal/githubtest/contract"
	"github.com/ortest/ortest/report"
)

// club is a site with a login, its GitHub, and a browser with cookies.
type club struct {
	gh      *githubtest.Server
	url     string
	login   *Login
	browser *http.Client
	now     time.Time
	broken  error // of who asks what somebody may
}

func newClub(t *testing.T) *club {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &club{now: noon}
	var gh http.Handler
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { gh.ServeHTTP(w, r) }))
	t.Cleanup(hub.Close)
	c.gh, err = githubtest.Open(githubtest.Config{Dir: t.TempDir(), URL: hub.URL, AppID: 5, AppKey: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.gh.Close() })
	gh = contract.Handler(c.gh.Handler(), func(err error) { t.Error(err) })
	for _, who := range []string{"ada", "mallory"} {
		if _, err := c.gh.CreateUser(who, "User"); err != nil {
			t.Fatal(err)
		}
	}
	k := &kept{}
	k.add(bot.Closed, report.Pass)
	c.login = &Login{
		ClientID: "Iv1.0000000000000005", ClientSecret: githubtest.ClientSecret, Server: hub.URL, API: hub.URL + "/api/v3",
		Key: []byte(strings.Repeat("k", 32)), HTTP: http.DefaultClient, Now: func() time.Time { return c.now },
		Maintainer: func(_ context.Context, login string) (bool, error) { return login == "ada", c.broken },
	}
	srv := site(t, k, func(cfg *Config) { cfg.Login = c.login })
	c.url, c.login.URL = srv.URL, srv.URL
	c.fresh(t)
	return c
}

// fresh is a browser without cookies.
func (c *club) fresh(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.browser = &http.Client{Jar: jar}
}

func (c *club) open(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := c.browser.Get(c.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body strings.Builder
	if err := resp.Write(&body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body.String()
}

func (c *club) audit(t *testing.T) int {
	t.Helper()
	code, _ := c.open(t, "/audit")
	return code
}

func TestALogin(t *testing.T) {
	c := newClub(t)
	if code := c.audit(t); code != http.StatusForbidden {
		t.Errorf("nobody reads the audit log: %d", code)
	}
	c.gh.SignIn("ada")
	if code, page := c.open(t, "/login"); code != http.StatusOK || !strings.Contains(page, "ada <button>Log out") {
		t.Fatalf("after the login: %d %s", code, page)
	}
	if code := c.audit(t); code != http.StatusOK {
		t.Errorf("a maintainer reads the audit log: %d", code)
	}
	c.broken = errors.New("GitHub does not answer")
	if code := c.audit(t); code != http.StatusInternalServerError {
		t.Errorf("whose rights are not known reads the audit log: %d", code)
	}
	c.broken = nil
	c.now = c.now.Add(loginFor)
	if code := c.audit(t); code != http.StatusForbidden {
		t.Errorf("a login is good for just %v: %d", loginFor, code)
	}
	c.fresh(t)
	c.gh.SignIn("mallory")
	if code, _ := c.open(t, "/login"); code != http.StatusOK {
		t.Fatal(code)
	}
	if code := c.audit(t); code != http.StatusForbidden {
		t.Errorf("somebody without rights reads the audit log: %d", code)
	}
	for site, want := range map[string]int{"cross-site": http.StatusForbidden, "same-origin": http.StatusOK} {
		req, err := http.NewRequest(http.MethodPost, c.url+"/logout", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", site)
		resp, err := c.browser.Do(req)
		if err != nil || resp.StatusCode != want {
			t.Errorf("log out from %s: %v %v", site, resp, err)
		}
	}
	if _, page := c.open(t, "/runs"); !strings.Contains(page, "Log in with GitHub") {
		t.Error("still logged in after logging out")
	}
}

func TestALoginFailsClosed(t *testing.T) {
	c := newClub(t)
	// answer walks to GitHub and back, but stops before the last step.
	answer := func(t *testing.T) url.Values {
		t.Helper()
		var at *url.URL
		walker := *c.browser
		walker.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			if at = req.URL; req.URL.Path == callbackPath {
				return http.ErrUseLastResponse
			}
			return nil
		}
		resp, err := walker.Get(c.url + "/login")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return at.Query()
	}
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, q url.Values)
	}{
		{"GitHub knows nobody", func(t *testing.T, q url.Values) {
			c.gh.SignIn("")
			for k, v := range answer(t) {
				q[k] = v
			}
			q.Del("code")
		}},
		{"another state", func(_ *testing.T, q url.Values) { q.Set("state", "x") }},
		{"no state", func(_ *testing.T, q url.Values) { q.Del("state") }},
		{"another code", func(_ *testing.T, q url.Values) { q.Set("code", "x") }},
		{"another browser", func(t *testing.T, _ url.Values) { c.fresh(t) }},
		{"just too late", func(*testing.T, url.Values) { c.now = c.now.Add(attemptFor) }},
		{"another secret", func(*testing.T, url.Values) { c.login.ClientSecret = "x" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.gh.SignIn("ada")
			c.login.ClientSecret = githubtest.ClientSecret
			c.fresh(t)
			q := answer(t)
			tt.change(t, q)
			if code, _ := c.open(t, callbackPath+"?"+q.Encode()); code != http.StatusForbidden {
				t.Errorf("answered %d", code)
			}
			if _, page := c.open(t, "/runs"); !strings.Contains(page, "Log in with GitHub") {
				t.Error("logged in")
			}
		})
	}
	t.Run("an answer counts once", func(t *testing.T) {
		c.gh.SignIn("ada")
		c.login.ClientSecret = githubtest.ClientSecret
		c.fresh(t)
		q := answer(t)
		for n, want := range []int{http.StatusOK, http.StatusForbidden} {
			if code, _ := c.open(t, callbackPath+"?"+q.Encode()); code != want {
				t.Errorf("time %d: %d", n+1, code)
			}
		}
	})
}

func TestACookieIsOfOneKindAndOurs(t *testing.T) {
	l := &Login{Key: []byte("one"), URL: "https://x.org", Now: func() time.Time { return noon }}
	read := func(l *Login, kind, name, value string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: name, Value: value})
		return l.read(r, kind).User
	}
	w := httptest.NewRecorder()
	if err := l.give(w, ticket{Kind: "user", User: "ada"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	made := w.Result().Cookies()[0]
	if !made.Secure || !made.HttpOnly || made.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(made.Name, "__Host-") {
		t.Errorf("cookie %+v", made)
	}
	if got := read(l, "user", made.Name, made.Value); got != "ada" {
		t.Errorf("the cookie is of %q", got)
	}
	body, sig, _ := strings.Cut(made.Value, ".")
	other := &Login{Key: []byte("two"), URL: l.URL, Now: l.Now}
	for name, got := range map[string]string{
		"another key":            read(other, "user", made.Name, made.Value),
		"another kind":           read(l, "attempt", l.cookie("attempt"), made.Value),
		"no signature":           read(l, "user", made.Name, body),
		"another body":           read(l, "user", made.Name, body[:len(body)-1]+"A."+sig),
		"nothing in it":          read(l, "user", made.Name, "."),
		"a signature of nothing": read(l, "user", made.Name, "."+l.sign("")),
	} {
		if got != "" {
			t.Errorf("%s: logged in as %s", name, got)
		}
	}
}
