package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// ClientSecret is that of the App's web flow; its client ID is what GET /app says.
const ClientSecret = "stand-in-client-secret"

// How long what a browser carries is good for, as on GitHub.
const (
	manifestLife = time.Hour
	codeLife     = 10 * time.Minute
)

// browser is what GitHub does in people's browsers: Apps made from a manifest,
// and the web flow that says who somebody is. It is forgotten on restart.
type browser struct {
	mu        sync.Mutex
	user      string // who sits there
	manifests map[string]manifest
	codes     map[string]loginCode
	tokens    map[string]string // login by user token
}

// manifest is an App that is to be made, by the code of its conversion.
type manifest struct {
	made  time.Time
	owner string

	Name        string            `json:"name"`
	URL         string            `json:"url"`
	Redirect    string            `json:"redirect_url"`
	Callbacks   []string          `json:"callback_urls"`
	Permissions map[string]string `json:"default_permissions"`
	Events      []string          `json:"default_events"`
	Public      bool              `json:"public"`
	Hook        *struct {
		URL    string `json:"url"`
		Active *bool  `json:"active"`
	} `json:"hook_attributes"`
}

// loginCode is one answer of the web flow.
type loginCode struct {
	login, redirect, challenge string
	made                       time.Time
}

// SignIn says who sits at the browser that comes to the web flow and to
// manifests. Nobody does at first, and nobody again after "".
func (s *Server) SignIn(login string) {
	s.browser.mu.Lock()
	defer s.browser.mu.Unlock()
	s.browser.user = login
}

// browserRoutes are the pages of GitHub that a browser is sent to, and what is asked
// after it comes back.
func (s *Server) browserRoutes(rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /settings/apps/new", s.newApp)
	mux.HandleFunc("POST /organizations/{org}/settings/apps/new", s.newApp)
	mux.HandleFunc("POST /app-manifests/{code}/conversions", s.convert)
	mux.HandleFunc("GET /login/oauth/authorize", s.authorizeUser)
	mux.HandleFunc("POST /login/oauth/access_token", s.exchangeCode)
	mux.HandleFunc("GET /user", s.getUser)
	mux.Handle("/", rest)
	return mux
}

// newApp takes a manifest, and sends the browser back with a code. GitHub shows
// a page with one button in between.
func (s *Server) newApp(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.browser.mu.Lock()
	defer s.browser.mu.Unlock()
	m := manifest{made: s.cfg.Now(), owner: s.browser.user}
	if org := r.PathValue("org"); org != "" {
		m.owner = org
	}
	if s.browser.user == "" {
		http.Error(w, "Sign in to GitHub", http.StatusUnauthorized)
		return
	}
	if err := json.Unmarshal([]byte(r.PostFormValue("manifest")), &m); err != nil {
		http.Error(w, "Invalid GitHub App configuration: "+err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if wrong := m.wrong(); wrong != "" {
		http.Error(w, "Invalid GitHub App configuration: "+wrong, http.StatusUnprocessableEntity)
		return
	}
	code := newSecret("")
	if s.browser.manifests == nil {
		s.browser.manifests = make(map[string]manifest)
	}
	s.browser.manifests[code] = m
	to, err := url.Parse(m.Redirect)
	if err != nil {
		http.Error(w, "Invalid redirect_url", http.StatusUnprocessableEntity)
		return
	}
	q := to.Query()
	q.Set("code", code)
	if state := r.URL.Query().Get("state"); state != "" {
		q.Set("state", state)
	}
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// needs are the permissions without which GitHub takes no subscription.
var needs = map[string]string{
	"check_run": "checks", "check_suite": "checks", "issue_comment": "issues|pull_requests", "pull_request": "pull_requests",
	"pull_request_review": "pull_requests", "pull_request_review_comment": "pull_requests", "push": "contents",
	"workflow_job": "actions", "workflow_run": "actions", "create": "contents", "repository_dispatch": "contents",
}

// wrong says why GitHub would refuse a manifest, or "".
func (m manifest) wrong() string {
	switch {
	case m.Name == "" || len(m.Name) > 34:
		return "name must have 1 to 34 characters"
	case m.URL == "":
		return "url wasn't supplied"
	case m.Redirect == "":
		return "redirect_url wasn't supplied"
	case m.Hook != nil && m.Hook.URL == "":
		return "hook url wasn't supplied"
	}
	for name, level := range m.Permissions {
		if level != "read" && level != "write" && level != "admin" {
			return fmt.Sprintf("default_permissions: %s cannot be %s", name, level)
		}
	}
	for _, e := range m.Events {
		need, known := needs[e]
		if !known || !slices.ContainsFunc(strings.Split(need, "|"), func(p string) bool { return m.Permissions[p] != "" }) {
			return "default_events: " + e + " is not supported by the permissions"
		}
	}
	return ""
}

// convert makes the App of a code, once.
func (s *Server) convert(w http.ResponseWriter, r *http.Request) {
	s.browser.mu.Lock()
	code := r.PathValue("code")
	m, ok := s.browser.manifests[code]
	delete(s.browser.manifests, code)
	s.browser.mu.Unlock()
	if !ok || s.cfg.Now().Sub(m.made) > manifestLife {
		s.writeError(w, notFound())
		return
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.writeError(w, err)
		return
	}
	id, slug := s.cfg.AppID+1, strings.ToLower(strings.ReplaceAll(m.Name, " ", "-"))
	var owner obj
	err = s.view(func(st *state) error {
		u, found := st.user(m.owner)
		if !found {
			return notFound()
		}
		owner = s.render(st).user(u)
		return nil
	})
	if err != nil {
		s.writeError(w, err)
		return
	}
	s.writeReply(w, reply{status: http.StatusCreated, body: obj{
		"id": id, "slug": slug, "node_id": nodeID("App", id), "owner": owner, "name": m.Name, "description": "", "external_url": m.URL,
		"html_url": s.cfg.URL + "/apps/" + slug, "created_at": s.now(), "updated_at": s.now(), "permissions": m.Permissions, "events": m.Events,
		"client_id": fmt.Sprintf("Iv1.%016x", id), "client_secret": newSecret(""), "webhook_secret": newSecret(""),
		"pem": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}})
}

func (s *Server) clientID() string { return fmt.Sprintf("Iv1.%016x", s.cfg.AppID) }

// authorizeUser sends the browser back with a code, as if its person had agreed.
func (s *Server) authorizeUser(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || to.Host == "" || q.Get("client_id") != s.clientID() {
		http.Error(w, "Be careful! The redirect_uri or client_id is not the App's.", http.StatusNotFound)
		return
	}
	s.browser.mu.Lock()
	defer s.browser.mu.Unlock()
	answer := url.Values{"state": {q.Get("state")}}
	if s.browser.user == "" {
		answer.Set("error", "access_denied")
	} else {
		code := newSecret("")
		if s.browser.codes == nil {
			s.browser.codes, s.browser.tokens = make(map[string]loginCode), make(map[string]string)
		}
		s.browser.codes[code] = loginCode{login: s.browser.user, redirect: to.String(), challenge: q.Get("code_challenge"), made: s.cfg.Now()}
		answer.Set("code", code)
	}
	to.RawQuery = answer.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// exchangeCode answers 200 whatever is wrong, as GitHub does.
func (s *Server) exchangeCode(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	code := r.PostFormValue("code")
	s.browser.mu.Lock()
	defer s.browser.mu.Unlock()
	c, ok := s.browser.codes[code]
	delete(s.browser.codes, code) // good once, also when what comes with it is wrong
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	var body obj
	switch {
	case r.PostFormValue("client_id") != s.clientID() || subtle.ConstantTimeCompare([]byte(r.PostFormValue("client_secret")), []byte(ClientSecret)) == 0:
		body = obj{"error": "incorrect_client_credentials"}
	case !ok || s.cfg.Now().Sub(c.made) > codeLife:
		body = obj{"error": "bad_verification_code"}
	case c.redirect != r.PostFormValue("redirect_uri"):
		body = obj{"error": "redirect_uri_mismatch"}
	case c.challenge != "" && c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		body = obj{"error": "bad_verification_code"}
	default:
		token := newSecret("ghu_")
		s.browser.tokens[token] = c.login
		body = obj{"access_token": token, "token_type": "bearer", "scope": ""}
	}
	s.writeReply(w, reply{status: http.StatusOK, body: body})
}

func (s *Server) getUser(w http.ResponseWriter, r *http.Request) {
	token, err := bearerOf(r.Header.Get("Authorization"))
	if err != nil {
		s.writeError(w, err)
		return
	}
	s.browser.mu.Lock()
	login, known := s.browser.tokens[token]
	s.browser.mu.Unlock()
	if !known {
		s.writeError(w, refuse(http.StatusUnauthorized, "Bad credentials"))
		return
	}
	var body obj
	err = s.view(func(st *state) error {
		u, found := st.user(login)
		if !found {
			return notFound()
		}
		body = s.render(st).profile(u)
		return nil
	})
	if err != nil {
		s.writeError(w, err)
		return
	}
	s.writeReply(w, reply{status: http.StatusOK, body: body})
}
