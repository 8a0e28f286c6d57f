package githubtest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// state is everything the stand-in remembers, as tables by id. Ids come from
// one counter and are never used again.
type state struct {
	next     int64
	users    table[User]
	repos    table[Repository]
	installs table[installation]
	teams    table[team]
	tokens   table[token]
	pulls    table[Pull]
	comments table[Comment]
	reviews  table[review]
	lines    table[lineComment]
	checks   table[CheckRun]
	flows    table[workflow]
	runs     table[WorkflowRun]
	jobs     table[Job]
	runners  table[Runner]
	events   table[event]
	sent     table[Delivery]
}

func newState() *state {
	return &state{
		next:     1000,
		users:    newTable[User]("user"),
		repos:    newTable[Repository]("repository"),
		installs: newTable[installation]("installation"),
		teams:    newTable[team]("team"),
		tokens:   newTable[token]("token"),
		pulls:    newTable[Pull]("pull"),
		comments: newTable[Comment]("comment"),
		reviews:  newTable[review]("review"),
		lines:    newTable[lineComment]("line_comment"),
		checks:   newTable[CheckRun]("check"),
		flows:    newTable[workflow]("workflow"),
		runs:     newTable[WorkflowRun]("run"),
		jobs:     newTable[Job]("job"),
		runners:  newTable[Runner]("runner"),
		events:   newTable[event]("event"),
		sent:     newTable[Delivery]("delivery"),
	}
}

func (st *state) tables() map[string]anyTable {
	return map[string]anyTable{
		st.users.kind: &st.users, st.repos.kind: &st.repos, st.installs.kind: &st.installs, st.teams.kind: &st.teams,
		st.tokens.kind: &st.tokens, st.pulls.kind: &st.pulls, st.comments.kind: &st.comments,
		st.reviews.kind: &st.reviews, st.lines.kind: &st.lines,
		st.checks.kind: &st.checks, st.flows.kind: &st.flows, st.runs.kind: &st.runs,
		st.jobs.kind: &st.jobs, st.runners.kind: &st.runners, st.events.kind: &st.events,
		st.sent.kind: &st.sent,
	}
}

// snapshot is the whole state as one line. A row that was read from JSON
// cannot fail to be written as JSON.
func (st *state) snapshot() line {
	l := line{Next: st.next, Rows: []entry{}}
	tables := st.tables()
	for _, kind := range slices.Sorted(maps.Keys(tables)) {
		rows, err := tables[kind].dump()
		if err != nil {
			panic("githubtest: a row of " + kind + " is no JSON: " + err.Error())
		}
		l.Rows = append(l.Rows, rows...)
	}
	return l
}

// newID takes the next id. Ids of a transaction that is taken back stay used.
func (st *state) newID() int64 {
	st.next++
	return st.next - 1
}

// User is an account: a person, an organization or an App's bot.
type User struct {
	ID        int64     `json:"id"`
	Login     string    `json:"login"`
	Type      string    `json:"type"` // User, Organization or Bot
	CreatedAt time.Time `json:"created_at"`
}

// Repository is a repository with the roles of its collaborators.
type Repository struct {
	ID        int64             `json:"id"`
	Owner     string            `json:"owner"`
	Name      string            `json:"name"`
	Branch    string            `json:"branch"` // the default branch
	Roles     map[string]string `json:"roles"`  // login to admin, maintain, write, triage, read or a custom role
	CreatedAt time.Time         `json:"created_at"`
}

// FullName returns OWNER/NAME.
func (r Repository) FullName() string { return r.Owner + "/" + r.Name }

// role returns a login's role: read for everyone, as on a public repository.
func (r Repository) role(login string) string {
	for name, role := range r.Roles {
		if strings.EqualFold(name, login) {
			return role
		}
	}
	if strings.EqualFold(r.Owner, login) {
		return "admin"
	}
	return "read"
}

// installation is the App on the repositories of one account.
type installation struct {
	ID        int64     `json:"id"`
	Account   string    `json:"account"`
	Repos     []int64   `json:"repos"` // nil means all of the account
	CreatedAt time.Time `json:"created_at"`
}

func (i installation) covers(r Repository) bool {
	return strings.EqualFold(i.Account, r.Owner) && (i.Repos == nil || slices.Contains(i.Repos, r.ID))
}

// token is an installation access token; only its hash is kept.
type token struct {
	ID           int64             `json:"id"`
	Hash         string            `json:"hash"`
	Installation int64             `json:"installation"`
	Repos        []int64           `json:"repos"` // nil means all that the installation covers
	Permissions  map[string]string `json:"permissions"`
	Expires      time.Time         `json:"expires"`
}

// event is a webhook as it is sent, however often.
type event struct {
	ID           int64           `json:"id"`
	GUID         string          `json:"guid"`
	Name         string          `json:"name"`
	Action       string          `json:"action"`
	Installation int64           `json:"installation"`
	Repo         int64           `json:"repo"`
	Payload      json.RawMessage `json:"payload"`
	At           time.Time       `json:"at"`
}

func (st *state) user(login string) (User, bool) {
	return st.users.find(func(u User) bool { return strings.EqualFold(u.Login, login) })
}

func (st *state) repo(owner, name string) (Repository, bool) {
	return st.repos.find(func(r Repository) bool {
		return strings.EqualFold(r.Owner, owner) && strings.EqualFold(r.Name, name)
	})
}

func (st *state) pull(repo int64, number int) (Pull, bool) {
	return st.pulls.find(func(p Pull) bool { return p.Repo == repo && p.Number == number })
}

func (st *state) installationFor(r Repository) (installation, bool) {
	return st.installs.find(func(i installation) bool { return i.covers(r) })
}
