package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ortest/ortest/bot"
)

// Login lets people say who they are with the App's own web flow: GitHub's
// answer is bound to the browser that asked (state) and to this server (PKCE).
// The user's token is used once, to ask who it is, and then forgotten. Whatever
// cannot be checked is nobody. All fields are required.
type Login struct {
	ClientID     string
	ClientSecret string
	Server       string // where GitHub shows its pages, such as https://github.com
	API          string // such as https://api.github.com
	URL          string // of these pages, without a trailing slash
	Key          []byte // signs cookies; 32 bytes or more
	// Maintainer reports whether somebody may write to a repository that the bot serves.
	Maintainer func(ctx context.Context, login string) (bool, error)
	HTTP       *http.Client
	Now        func() time.Time
}

const (
	callbackPath = "/login/callback"
	loginFor     = 12 * time.Hour   // then GitHub is asked again
	attemptFor   = 10 * time.Minute // between asking GitHub and its answer
	maxAnswer    = 1 << 20
)

// ticket is what a signed cookie holds. A cookie of one kind is none of the other.
type ticket struct {
	Kind     string    `json:"k"` // user, attempt
	User     string    `json:"u,omitempty"`
	State    string    `json:"s,omitempty"`
	Verifier string    `json:"v,omitempty"`
	Until    time.Time `json:"t"`
}

// cookie is the name of a kind's cookie. __Host- binds it to this very host and
// to https, which is why it is left out where there is none.
func (l *Login) cookie(kind string) string {
	if l.secure() {
		return "__Host-ortest-" + kind
	}
	return "ortest-" + kind
}

func (l *Login) secure() bool { return strings.HasPrefix(l.URL, "https://") }

func (l *Login) sign(body string) string {
	mac := hmac.New(sha256.New, l.Key)
	mac.Write([]byte("ortest cookie\x00" + body))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (l *Login) give(w http.ResponseWriter, t ticket, age time.Duration) error {
	t.Until = l.Now().Add(age)
	raw, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("make cookie: %w", err)
	}
	body := base64.RawURLEncoding.EncodeToString(raw)
	http.SetCookie(w, &http.Cookie{
		Name: l.cookie(t.Kind), Value: body + "." + l.sign(body), Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, Secure: l.secure(), SameSite: http.SameSiteLaxMode,
	})
	return nil
}

func (l *Login) drop(w http.ResponseWriter, kind string) {
	http.SetCookie(w, &http.Cookie{Name: l.cookie(kind), Path: "/", MaxAge: -1, HttpOnly: true, Secure: l.secure(), SameSite: http.SameSiteLaxMode})
}

// read returns what a cookie of ours holds; anything else is the zero ticket.
func (l *Login) read(r *http.Request, kind string) ticket {
	c, err := r.Cookie(l.cookie(kind))
	if err != nil {
		return ticket{}
	}
	body, signature, ok := strings.Cut(c.Value, ".")
	if !ok || !hmac.Equal([]byte(signature), []byte(l.sign(body))) {
		return ticket{}
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return ticket{}
	}
	var t ticket
	if err := json.Unmarshal(raw, &t); err != nil || t.Kind != kind || !l.Now().Before(t.Until) {
		return ticket{}
	}
	return t
}

// user is who is logged in, or "".
func (p *pages) user(r *http.Request) string {
	if p.Login == nil {
		return ""
	}
	return p.Login.read(r, "user").User
}

// mayAudit returns nil for those who may read the audit log.
func (p *pages) mayAudit(r *http.Request) error {
	switch p.Audit {
	case Everybody, "":
		return nil
	case Maintainers:
		user := p.user(r)
		if user == "" {
			return errForbidden
		}
		ok, err := p.Login.Maintainer(r.Context(), user)
		if err != nil {
			return fmt.Errorf("ask what %s may: %w", user, err)
		}
		if ok {
			return nil
		}
	}
	return errForbidden
}

// login sends the browser to GitHub.
func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	protect(w.Header(), p.policy)
	l := p.Login
	t := ticket{Kind: "attempt", State: rand.Text(), Verifier: rand.Text() + rand.Text()} // 260 bits
	if err := l.give(w, t, attemptFor); err != nil {
		p.Log.Error("login not begun", "err", err)
		http.Error(w, "The login could not begin; the server's log says why.", http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256([]byte(t.Verifier))
	to := l.Server + "/login/oauth/authorize?" + url.Values{
		"client_id": {l.ClientID}, "redirect_uri": {l.URL + callbackPath}, "state": {t.State},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusFound)
}

// loggedIn takes GitHub's answer. It counts once, in the browser that asked.
func (p *pages) loggedIn(w http.ResponseWriter, r *http.Request) {
	protect(w.Header(), p.policy)
	w.Header().Set("Cache-Control", "no-store")
	l := p.Login
	t := l.read(r, "attempt")
	l.drop(w, "attempt")
	q := r.URL.Query()
	if t.State == "" || !hmac.Equal([]byte(t.State), []byte(q.Get("state"))) || q.Get("code") == "" {
		http.Error(w, "This is no answer to a login that began here within ten minutes. Begin again at /login.", http.StatusForbidden)
		return
	}
	user, err := l.who(r.Context(), q.Get("code"), t.Verifier)
	if err == nil {
		err = l.give(w, ticket{Kind: "user", User: user}, loginFor)
	}
	if err != nil {
		p.Log.Warn("login refused", "err", err)
		http.Error(w, "GitHub did not say who you are. Begin again at /login.", http.StatusForbidden)
		return
	}
	http.Redirect(w, r, "/runs", http.StatusSeeOther)
}

// logout ends the login. The cookie is not sent with another site's form, and
// a browser that says where a form comes from must name this one.
func (p *pages) logout(w http.ResponseWriter, r *http.Request) {
	protect(w.Header(), p.policy)
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" {
		http.Error(w, "Another site cannot log you out.", http.StatusForbidden)
		return
	}
	p.Login.drop(w, "user")
	http.Redirect(w, r, "/runs", http.StatusSeeOther)
}

// who asks GitHub whose code this is.
func (l *Login) who(ctx context.Context, code, verifier string) (string, error) {
	form := url.Values{
		"client_id": {l.ClientID}, "client_secret": {l.ClientSecret}, "code": {code},
		"redirect_uri": {l.URL + callbackPath}, "code_verifier": {verifier},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.Server+"/login/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("exchange code: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var token struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	if err := l.call(req, &token); err != nil {
		return "", fmt.Errorf("exchange code: %w", err)
	}
	if token.Token == "" {
		return "", fmt.Errorf("exchange code: GitHub says %.60q", token.Error)
	}
	req, err = http.NewRequestWithContext(ctx, http.MethodGet, l.API+"/user", nil)
	if err != nil {
		return "", fmt.Errorf("ask who it is: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Token)
	var user struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	}
	if err := l.call(req, &user); err != nil {
		return "", fmt.Errorf("ask who it is: %w", err)
	}
	if user.Login == "" || user.Type != "User" {
		return "", errors.New("ask who it is: GitHub names nobody")
	}
	return user.Login, nil
}

func (l *Login) call(req *http.Request, into any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := l.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read as far as it counts
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GitHub answered %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

// ignoreGone makes what is no longer there no error.
func ignoreGone(err error) error {
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	return err
}
