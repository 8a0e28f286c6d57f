package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/githubtest"
)

var _ GitHub = (*githubtest.Server)(nil)

const (
	repo     = "ortest-examples/hello"
	pullPath = "/" + repo + "/pull/1"
)

// gitHub remembers one pull request, and refuses what it is told to.
type gitHub struct {
	mu     sync.Mutex
	c      githubtest.Conversation
	a      githubtest.Activity
	refuse error
	subs   map[chan struct{}]bool
}

func (g *gitHub) Conversation(name string, number int) (githubtest.Conversation, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if name != repo || number != 1 {
		return githubtest.Conversation{}, fmt.Errorf("no pull request %s#%d", name, number)
	}
	return g.c, nil
}

func (g *gitHub) Activity(string) (githubtest.Activity, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.a, nil
}

func (g *gitHub) Comment(_ string, _ int, login, body string) (int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refuse != nil {
		return 0, g.refuse
	}
	id := int64(len(g.c.Comments) + 1)
	g.c.Comments = append(g.c.Comments, githubtest.Comment{ID: id, Author: login, Body: body})
	return id, nil
}

func (g *gitHub) JobLog(job int64) ([]byte, error) {
	if job != 7 {
		return nil, errors.New("no job")
	}
	return []byte("<script>alert(1)</script>"), nil
}

func (g *gitHub) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.subs[c] = true
	return c, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.subs, c)
	}
}

func (g *gitHub) change() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

var start = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// demo is a configuration with a pull request on which nothing has happened.
func demo() (*gitHub, Config) {
	g := &gitHub{subs: make(map[chan struct{}]bool)}
	g.c.Repo = githubtest.Repository{Owner: "ortest-examples", Name: "hello", Roles: map[string]string{"ada": "maintain"}}
	g.c.Pull = githubtest.Pull{
		Number: 1, Title: "Greet politely", Author: "carl", Head: "greet-politely", Base: "main",
		HeadSHA: "ce587453ced02b1526dfb4cb910479d431683101", CreatedAt: start,
	}
	return g, Config{
		GitHub: g, Repo: repo, Pull: 1,
		Writers: []Writer{{Login: "ada", Role: "maintainer"}, {Login: "mallory", Role: "stranger"}},
	}
}

// ask sends a request to the pages; what they leave to others answers 418.
func ask(t *testing.T, cfg Config, r *http.Request) (*http.Response, string) {
	t.Helper()
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := httptest.NewRecorder()
	Handler(cfg, next).ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

func post(path string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// machinesOf shows rows that a test changes.
type machinesOf struct {
	mu   sync.Mutex
	rows []Machine
	err  error
}

func (m *machinesOf) list(context.Context) ([]Machine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Machine(nil), m.rows...), m.err
}

func (m *machinesOf) set(rows ...Machine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = rows
}
