package page

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ortest/ortest/internal/githubtest"
)

// shownRuns is how many workflow runs the page lists, newest first.
const shownRuns = 10

// view is what the template shows.
type view struct {
	Repo     githubtest.Repository
	Pull     githubtest.Pull
	Comments []comment
	Checks   []check
	Tally    tally
	Runs     []workflowRun
	Machines []Machine
	HasFleet bool
	Variants []variant
	Examples []Example
	Writers  []Writer
	Box      box
}

// box is the comment box as the visitor left it.
type box struct {
	As      string // login
	Text    string
	Problem string // why the comment was refused
}

type comment struct {
	githubtest.Comment
	Badges    []string
	Reactions []reaction
	Edited    bool
}

type reaction struct {
	Content string
	Symbol  string
	Count   int
	Who     string // logins
}

// check is a check run. State is its conclusion once it has one, else its status.
type check struct {
	githubtest.CheckRun
	State string
	Took  string
}

type workflowRun struct {
	githubtest.WorkflowRun
	State string
	Jobs  []job
}

type job struct {
	githubtest.Job
	State string
	Took  string
}

type variant struct {
	Variant
	Current bool
}

// tally sums the check runs up, as GitHub does above the list of them.
type tally struct {
	State  string // failure, in_progress, success, or none
	Title  string
	Counts string
}

func (s *site) showPull(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	s.render(w, r, number, box{Text: r.URL.Query().Get("fill"), As: r.URL.Query().Get("as")})
}

// render shows a pull request; one that does not exist is not found.
func (s *site) render(w http.ResponseWriter, r *http.Request, number int, b box) {
	v, err := s.look(r, number)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if !s.writes(b.As) {
		b.As = s.cfg.Writers[0].Login
	}
	v.Box = b
	var out bytes.Buffer
	if err := pullTemplate.Execute(&out, v); err != nil {
		s.log.Error("render page", "err", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	secure(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if b.Problem != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	s.write(w, out.Bytes())
}

func (s *site) look(r *http.Request, number int) (view, error) {
	c, err := s.cfg.GitHub.Conversation(repoOf(r), number)
	if err != nil {
		return view{}, err
	}
	a, err := s.cfg.GitHub.Activity(repoOf(r))
	if err != nil {
		return view{}, err
	}
	v := view{
		Repo: c.Repo, Pull: c.Pull, Writers: s.cfg.Writers, Examples: s.cfg.Examples,
		Machines: s.machines(r.Context()), HasFleet: s.cfg.Machines != nil,
	}
	for _, o := range c.Comments {
		v.Comments = append(v.Comments, comment{
			Comment: o, Badges: badges(c, o), Reactions: reactions(o.Reactions), Edited: o.UpdatedAt.After(o.CreatedAt),
		})
	}
	for _, o := range c.Checks {
		v.Checks = append(v.Checks, check{CheckRun: o, State: cmp.Or(o.Conclusion, o.Status), Took: took(o.StartedAt, o.CompletedAt)})
	}
	v.Tally = sum(v.Checks)
	for _, run := range a.Runs[:min(shownRuns, len(a.Runs))] {
		jobs := make([]job, 0, len(run.Jobs))
		for _, o := range run.Jobs {
			jobs = append(jobs, job{Job: o, State: cmp.Or(o.Conclusion, o.Status), Took: took(o.StartedAt, o.CompletedAt)})
		}
		v.Runs = append(v.Runs, workflowRun{WorkflowRun: run.WorkflowRun, State: cmp.Or(run.Conclusion, run.Status), Jobs: jobs})
	}
	if repoOf(r) == s.cfg.Repo && number == s.cfg.Pull {
		v.Variants = s.variants()
	}
	return v, nil
}

func (s *site) variants() []variant {
	current := ""
	if s.cfg.Current != nil {
		current = s.cfg.Current()
	}
	list := make([]variant, 0, len(s.cfg.Variants))
	for _, o := range s.cfg.Variants {
		list = append(list, variant{Variant: o, Current: o.Name == current})
	}
	return list
}

// badges say what a comment's author is to the repository.
func badges(c githubtest.Conversation, o githubtest.Comment) []string {
	var list []string
	if o.App {
		list = append(list, "bot")
	}
	if o.Author == c.Pull.Author {
		list = append(list, "author")
	}
	if role := c.Repo.Roles[o.Author]; role != "" {
		list = append(list, role)
	}
	return list
}

// symbols are the reactions that GitHub knows.
var symbols = map[string]string{
	"+1": "👍", "-1": "👎", "laugh": "😄", "confused": "😕", "heart": "❤️", "hooray": "🎉", "rocket": "🚀", "eyes": "👀",
}

// reactions counts reactions by content, in the order in which each came first.
func reactions(all []githubtest.Reaction) []reaction {
	var list []reaction
	for _, o := range all {
		i := slices.IndexFunc(list, func(r reaction) bool { return r.Content == o.Content })
		if i < 0 {
			list = append(list, reaction{Content: o.Content, Symbol: symbols[o.Content]})
			i = len(list) - 1
		}
		list[i].Count++
		list[i].Who = strings.TrimPrefix(list[i].Who+", "+o.Login, ", ")
	}
	return list
}

// sum says how a commit stands. What failed is said first, then what is still
// to come: a list that is half done is no success.
func sum(checks []check) tally {
	counts := make(map[string]int)
	bad, open := 0, 0
	var order []string
	for _, c := range checks {
		if counts[c.State]++; counts[c.State] == 1 {
			order = append(order, c.State)
		}
		switch {
		case c.Status != "completed":
			open++
		case c.State != "success" && c.State != "neutral" && c.State != "skipped":
			bad++
		}
	}
	parts := make([]string, 0, len(order))
	for _, state := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[state], wordOf(state)))
	}
	t := tally{Counts: strings.Join(parts, ", ")}
	switch {
	case len(checks) == 0:
		t.State, t.Title = "none", "No check has run on this commit yet"
	case open > 0:
		t.State, t.Title = "in_progress", "Some checks haven’t completed yet"
	case bad > 0:
		t.State, t.Title = "failure", "Some checks were not successful"
	default:
		t.State, t.Title = "success", "All checks have passed"
	}
	return t
}

// wordOf returns a state in words.
func wordOf(state string) string { return strings.ReplaceAll(state, "_", " ") }

// took returns how long something ran, or "" while it has not ended.
func took(from, to time.Time) string {
	if from.IsZero() || to.Before(from) {
		return ""
	}
	d := to.Sub(from).Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
}
