// Package page shows a pull request of the GitHub stand-in much as GitHub does,
// for the demo: the conversation, the check runs of the head, the workflow runs
// behind them and the machines that are alive.
//
// Every page works without JavaScript; with it, a page follows what happens by
// server-sent events. What a comment or a check run says is hostile: Markdown
// goes through the allow-list of markdown.go, everything else through
// html/template, and the pages' policy lets no script run but their own.
package page

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/ortest/ortest/internal/githubtest"
)

// GitHub is what the pages show; *githubtest.Server is one.
type GitHub interface {
	Conversation(repo string, number int) (githubtest.Conversation, error)
	Activity(repo string) (githubtest.Activity, error)
	Comment(repo string, number int, login, body string) (id int64, err error)
	JobLog(job int64) ([]byte, error)
	Subscribe() (changed <-chan struct{}, end func())
}

// Config is what the demo's pages are made of. GitHub, Repo, Pull and Writers
// are required.
type Config struct {
	GitHub  GitHub
	Repo    string // OWNER/NAME of the pull request that / leads to
	Pull    int
	Writers []Writer // who may be chosen to comment; the first is the default

	Examples []Example // commands to try
	Variants []Variant // what the pull request can contain; none hides the choice
	// Current returns the name of the variant that the pull request contains, or ""; nil is "".
	Current func() string
	// Switch pushes a commit with another variant. Required with Variants.
	Switch func(ctx context.Context, variant string) error
	// Machines returns the machines to show, in their order; nil hides them.
	Machines func(ctx context.Context) ([]Machine, error)

	Log *slog.Logger // nil discards
}

// Writer is an account that the visitor may comment as.
type Writer struct {
	Login string
	Role  string // in a word or two, such as "maintainer"
}

// Example is a comment to try.
type Example struct {
	Text string // as it is put into the box
	Note string // what it shows
}

// Variant is a state of the code under test.
type Variant struct {
	Name string
	Note string // what is wrong in it
}

// Machine is a row of the list of machines.
type Machine struct {
	ID     string
	State  string // one word, such as "busy"
	Bucket string
	Detail string    // the piece it runs, or why it left; may be empty
	Since  time.Time // when it was launched
}

// site serves the pages of one configuration.
type site struct {
	cfg  Config
	log  *slog.Logger
	next http.Handler
}

// Handler serves the demo's pages and leaves every other path to next:
//
//	/                                      leads to the pull request
//	/OWNER/NAME/pull/N                     a pull request
//	/OWNER/NAME/runs/ID                    leads to a check run on it
//	/OWNER/NAME/actions/runs/ID            leads to a workflow run on it
//	/OWNER/NAME/actions/runs/ID/job/JOB    a job's log
//	/_page/                                assets, events and the demo's own buttons
//
// Only a page of the same origin may post.
func Handler(cfg Config, next http.Handler) http.Handler {
	s := &site{cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), next: next}
	own := http.NewServeMux()
	own.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.pullPath(), http.StatusSeeOther)
	})
	own.HandleFunc("GET /{owner}/{repo}/pull/{number}", s.showPull)
	own.HandleFunc("POST /{owner}/{repo}/pull/{number}/comments", s.postComment)
	own.HandleFunc("GET /{owner}/{repo}/runs/{id}", s.leadTo("check-"))
	own.HandleFunc("GET /{owner}/{repo}/actions/runs/{id}", s.leadTo("run-"))
	own.HandleFunc("GET /{owner}/{repo}/actions/runs/{id}/job/{job}", s.showLog)
	own.HandleFunc("POST /_page/variant", s.postVariant)
	own.HandleFunc("GET /_page/events", s.events)
	own.HandleFunc("GET /_page/{file}", serveAsset)
	own.Handle("/", next)
	return protect(own)
}

// protect refuses what another site makes a visitor's browser post. Requests
// that no browser sends, such as a client's of the REST interface, pass.
func protect(h http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(h)
}

// policy lets a page use what this server serves and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (s *site) pullPath() string { return fmt.Sprintf("/%s/pull/%d", s.cfg.Repo, s.cfg.Pull) }

// leadTo answers with the place on the pull request's page where a thing is shown.
func (s *site) leadTo(prefix string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil || repoOf(r) != s.cfg.Repo {
			s.next.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, fmt.Sprintf("%s#%s%d", s.pullPath(), prefix, id), http.StatusSeeOther)
	}
}

// showLog serves a job's log as plain text: it may hold anything.
func (s *site) showLog(w http.ResponseWriter, r *http.Request) {
	job, err := strconv.ParseInt(r.PathValue("job"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	raw, err := s.cfg.GitHub.JobLog(job)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	secure(w.Header())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	s.write(w, raw)
}

func repoOf(r *http.Request) string { return r.PathValue("owner") + "/" + r.PathValue("repo") }

// write sends a body; a client that went away gets no second chance.
func (s *site) write(w http.ResponseWriter, raw []byte) {
	if _, err := w.Write(raw); err != nil {
		s.log.Debug("write page", "err", err)
	}
}
