package githubtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// How long credentials live, as on GitHub.
const (
	jwtLife   = 10 * time.Minute
	jwtSkew   = time.Minute // clocks may differ by it
	tokenLife = time.Hour
)

// authorize checks the credentials of a request against what the operation
// needs, and fills in what they open.
func (s *Server) authorize(r *request, need string) error {
	bearer, err := bearerOf(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if need == "app" {
		return s.checkJWT(bearer)
	}
	return s.view(func(st *state) error {
		sum := hashToken(bearer)
		tok, ok := st.tokens.find(func(t token) bool { return t.Hash == sum })
		if !ok || !s.cfg.Now().Before(tok.Expires) {
			return refuse(http.StatusUnauthorized, "Bad credentials")
		}
		r.token = tok
		r.install, _ = st.installs.get(tok.Installation)
		if need == "token" {
			return nil
		}
		repo, ok := st.repo(r.PathValue("owner"), r.PathValue("repo"))
		if !ok || !r.opens(repo) {
			return notFound()
		}
		r.repo = repo
		if !slices.ContainsFunc(strings.Split(need, "|"), tok.allows) {
			return refuse(http.StatusForbidden, "Resource not accessible by integration")
		}
		return nil
	})
}

// opens reports whether the request's token reaches a repository.
func (r *request) opens(repo Repository) bool {
	return r.install.covers(repo) && (r.token.Repos == nil || slices.Contains(r.token.Repos, repo.ID))
}

// allows reports whether the token has a permission such as "checks:write".
// Every token may read metadata.
func (t token) allows(permission string) bool {
	name, level, _ := strings.Cut(permission, ":")
	have := t.Permissions[name]
	return permission == "metadata:read" || have == "write" || have == level
}

func bearerOf(header string) (string, error) {
	scheme, value, _ := strings.Cut(header, " ")
	value = strings.TrimSpace(value)
	if value == "" || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return "", refuse(http.StatusUnauthorized, "Requires authentication")
	}
	return value, nil
}

// checkJWT checks the App's own token: RS256, our id, and a life of at most
// ten minutes that is neither over nor yet to come.
func (s *Server) checkJWT(raw string) error {
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(raw, claims, func(*jwt.Token) (any, error) { return s.cfg.AppKey, nil }); err != nil {
		return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	if issuer(claims["iss"]) != strconv.FormatInt(s.cfg.AppID, 10) {
		return refuse(http.StatusUnauthorized, "'Issuer' claim ('iss') must be an Integer or String identifying the App")
	}
	now := s.cfg.Now()
	issued, err := claimTime(claims, "iat")
	if err != nil || issued.After(now.Add(jwtSkew)) {
		return refuse(http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	}
	expires, err := claimTime(claims, "exp")
	if err != nil || !now.Before(expires) {
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	}
	if expires.After(now.Add(jwtLife)) {
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}

// issuer accepts both shapes that GitHub does.
func issuer(claim any) string {
	switch v := claim.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func claimTime(claims jwt.MapClaims, name string) (time.Time, error) {
	v, ok := claims[name].(float64)
	if !ok {
		return time.Time{}, errors.New("claim " + name + " is not a number")
	}
	return time.Unix(int64(v), 0), nil
}

// newSecret returns prefix and 128 random bits; it cannot fail.
func newSecret(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // ends the program rather than fail
	return prefix + hex.EncodeToString(b[:])
}

func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// tokenRequest is the body that asks for an installation access token.
type tokenRequest struct {
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

func (s *Server) createToken(r *request) (reply, error) {
	id, err := r.id("installation")
	if err != nil {
		return reply{}, err
	}
	var want tokenRequest
	if err := r.decode(&want); err != nil {
		return reply{}, err
	}
	perms, err := s.narrowPermissions(want.Permissions)
	if err != nil {
		return reply{}, err
	}
	secret := newSecret("ghs_")
	tok := token{Hash: hashToken(secret), Installation: id, Permissions: perms, Expires: s.now().Add(tokenLife)}
	body := obj{"token": secret, "expires_at": tok.Expires, "permissions": perms, "repository_selection": "all"}
	err = s.update(func(st *state, x *tx) error {
		inst, ok := st.installs.get(id)
		if !ok {
			return notFound()
		}
		if tok.Repos, err = st.narrowRepos(inst, want); err != nil {
			return err
		}
		if tok.Repos != nil {
			v := s.render(st)
			body["repository_selection"] = "selected"
			body["repositories"] = rendered(tok.Repos, func(id int64) obj { return v.repo(st.repos.rows[id]) })
		}
		for _, old := range st.tokens.filter(func(t token) bool { return !s.cfg.Now().Before(t.Expires) }) {
			st.tokens.remove(x, old.ID)
		}
		tok.ID = st.newID()
		st.tokens.put(x, tok.ID, tok)
		return nil
	})
	return reply{status: http.StatusCreated, body: body}, err
}

// narrowPermissions returns what a token may do: what the App may, or the part
// of it that was asked for.
func (s *Server) narrowPermissions(want map[string]string) (map[string]string, error) {
	if len(want) == 0 {
		return s.cfg.Permissions, nil
	}
	for name, level := range want {
		have := s.cfg.Permissions[name]
		if have == "" || have == "read" && level != "read" {
			return nil, refuse(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
	}
	return want, nil
}

// narrowRepos returns the repositories that a token is for; nil means all.
func (st *state) narrowRepos(inst installation, want tokenRequest) ([]int64, error) {
	gone := refuse(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
	ids := slices.Clone(inst.Repos)
	if len(want.Repositories)+len(want.RepositoryIDs) > 0 {
		ids = nil
	}
	for _, name := range want.Repositories {
		repo, ok := st.repo(inst.Account, name)
		if !ok || !inst.covers(repo) {
			return nil, gone
		}
		ids = append(ids, repo.ID)
	}
	for _, id := range want.RepositoryIDs {
		repo, ok := st.repos.get(id)
		if !ok || !inst.covers(repo) {
			return nil, gone
		}
		ids = append(ids, repo.ID)
	}
	return ids, nil
}

// newGUID returns a random UUID.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // ends the program rather than fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
