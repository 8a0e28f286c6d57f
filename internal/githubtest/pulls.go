package githubtest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pull is a pull request within one repository.
type Pull struct {
	ID        int64     `json:"id"`
	Repo      int64     `json:"repo"`
	Number    int       `json:"number"`
	Title     string    `json:"title"`
	Body      string    `json:"body"`
	Author    string    `json:"author"` // login
	Head      string    `json:"head"`   // branch
	HeadSHA   string    `json:"head_sha"`
	Base      string    `json:"base"` // branch
	BaseSHA   string    `json:"base_sha"`
	Commits   int       `json:"commits"`
	Added     int       `json:"added"` // lines
	Deleted   int       `json:"deleted"`
	Files     int       `json:"files"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	ClosedAt  time.Time `json:"closed_at,omitzero"`
}

// Open reports whether the pull request is neither closed nor merged.
func (p Pull) Open() bool { return p.ClosedAt.IsZero() }

// NewPull is a pull request to open. A zero value of Body is an empty text.
type NewPull struct {
	Repo, Head, Base    string // OWNER/NAME and two of its branches
	Title, Body, Author string
}

// OpenPull opens a pull request and returns it; when one from this head to this
// base is open already, it returns that.
func (s *Server) OpenPull(ctx context.Context, n NewPull) (Pull, error) {
	var repo Repository
	var known Pull
	err := s.view(func(st *state) (err error) {
		repo, err = st.repository(n.Repo)
		known, _ = st.pulls.find(func(p Pull) bool {
			return p.Repo == repo.ID && p.Head == n.Head && p.Base == n.Base && p.Open()
		})
		if _, found := st.user(n.Author); err == nil && !found {
			err = fmt.Errorf("no user %s", n.Author)
		}
		return err
	})
	if err != nil {
		return Pull{}, fmt.Errorf("open pull request: %w", err)
	}
	if known.ID != 0 {
		return known, nil
	}
	p := Pull{Repo: repo.ID, Title: n.Title, Body: n.Body, Author: n.Author, Head: n.Head, Base: n.Base}
	if p, err = s.measure(ctx, repo.FullName(), p); err != nil {
		return Pull{}, fmt.Errorf("open pull request: %w", err)
	}
	if p.Commits == 0 {
		return Pull{}, fmt.Errorf("open pull request: no commits between %s and %s", n.Base, n.Head)
	}
	err = s.update(func(st *state, x *tx) error {
		for _, other := range st.pulls.filter(func(o Pull) bool { return o.Repo == repo.ID }) {
			p.Number = max(p.Number, other.Number)
		}
		p.Number++
		p.ID, p.CreatedAt, p.UpdatedAt = st.newID(), s.now(), s.now()
		st.pulls.put(x, p.ID, p)
		return s.emitPull(x, p, note{action: "opened", sender: n.Author})
	})
	return p, err
}

// ClosePull closes an open pull request on behalf of a user; a closed one stays
// closed.
func (s *Server) ClosePull(repo string, number int, login string) error {
	return s.update(func(st *state, x *tx) error {
		p, err := st.pullOf(repo, number)
		if err != nil || !p.Open() {
			return err
		}
		p.ClosedAt, p.UpdatedAt = s.now(), s.now()
		st.pulls.put(x, p.ID, p)
		return s.emitPull(x, p, note{action: "closed", sender: login})
	})
}

// pullOf finds a pull request by OWNER/NAME and number.
func (st *state) pullOf(fullName string, number int) (Pull, error) {
	repo, err := st.repository(fullName)
	if err != nil {
		return Pull{}, err
	}
	p, ok := st.pull(repo.ID, number)
	if !ok {
		return p, fmt.Errorf("no pull request %s#%d", fullName, number)
	}
	return p, nil
}

// syncPulls moves the open pull requests of a branch to its new head.
func (s *Server) syncPulls(ctx context.Context, c Commit, sha string) error {
	var behind []Pull
	err := s.view(func(st *state) error {
		repo, err := st.repository(c.Repo)
		behind = st.pulls.filter(func(p Pull) bool {
			return p.Repo == repo.ID && p.Head == c.Branch && p.Open() && p.HeadSHA != sha
		})
		return err
	})
	for _, p := range behind {
		before := p.HeadSHA
		moved, merr := s.measure(ctx, c.Repo, p)
		if merr != nil {
			err = errors.Join(err, merr)
			continue
		}
		err = errors.Join(err, s.update(func(st *state, x *tx) error {
			now, _ := st.pulls.get(p.ID)
			if now.HeadSHA != before || !now.Open() {
				return nil // another push has been quicker
			}
			moved.UpdatedAt = s.now()
			st.pulls.put(x, p.ID, moved)
			return s.emitPull(x, moved, note{action: "synchronize", sender: c.Author, more: obj{"before": before, "after": moved.HeadSHA}})
		}))
	}
	return err
}

// measure fills in what git knows of a pull request, and keeps its head
// reachable by refs/pull/N/head as GitHub does.
func (s *Server) measure(ctx context.Context, repo string, p Pull) (Pull, error) {
	var err error
	if p.HeadSHA, err = s.git.resolve(ctx, repo, p.Head); err != nil {
		return p, fmt.Errorf("head %s: %w", p.Head, err)
	}
	if p.BaseSHA, err = s.git.resolve(ctx, repo, p.Base); err != nil {
		return p, fmt.Errorf("base %s: %w", p.Base, err)
	}
	if p.Commits, err = s.git.count(ctx, repo, p.BaseSHA, p.HeadSHA); err != nil {
		return p, err
	}
	files, err := s.git.diff(ctx, repo, p.BaseSHA, p.HeadSHA)
	if err != nil {
		return p, err
	}
	p.Files, p.Added, p.Deleted = len(files), 0, 0
	for _, f := range files {
		p.Added += f.added
		p.Deleted += f.deleted
	}
	return p, nil
}

func (s *Server) getPull(r *request) (reply, error) {
	var body obj
	err := s.viewPull(r, func(v view, p Pull) { body = v.pull(p) })
	return ok(body), err
}

// viewPull reads the pull request that a request names by its number.
func (s *Server) viewPull(r *request, read func(v view, p Pull)) error {
	number, err := r.id("number")
	if err != nil {
		return err
	}
	return s.view(func(st *state) error {
		p, found := st.pull(r.repo.ID, int(number))
		if !found {
			return notFound()
		}
		read(s.render(st), p)
		return nil
	})
}

func (s *Server) listPullFiles(r *request) (reply, error) {
	var p Pull
	if err := s.viewPull(r, func(_ view, found Pull) { p = found }); err != nil {
		return reply{}, err
	}
	files, err := s.git.diff(r.Context(), r.repo.FullName(), p.BaseSHA, p.HeadSHA)
	if err != nil {
		return reply{}, err
	}
	// GitHub lists no more than 3000 files of a pull request.
	page, header := cut(s, r, files[:min(len(files), 3000)])
	entries := rendered(page, func(f fileDiff) obj { return s.diffEntry(r.repo, p.HeadSHA, f) })
	return reply{status: 200, body: entries, header: header}, nil
}
