package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/ortest/ortest/bot"
)

// Proposal is a pull request that puts files into a repository.
type Proposal struct {
	Branch string // of ours; made when there is none
	Title  string
	Body   string // Markdown
	Files  map[string][]byte
	Fork   bool // also when the repository is a fork of another
}

// Proposed is what became of a Proposal.
type Proposed struct {
	Base    string   // the default branch
	URL     string   // of the pull request; "" when the default branch has all of it
	Opened  bool     // false: the pull request was there
	Changed []string // files that differ from the default branch
	Notes   []string // what somebody should know of the repository
}

// ErrOdd says that a repository cannot use workflows as it is; the text says why
// and what to do.
var ErrOdd = errors.New("the repository cannot use them")

// Look returns what there is to know of a repository before workflows are put
// into it: its default branch and what is odd about it.
func (f *Forge) Look(ctx context.Context, repo bot.Repo, fork bool) (base string, notes []string, err error) {
	client, err := f.client(repo)
	if err != nil {
		return "", nil, err
	}
	about, _, err := client.Repositories.Get(ctx, repo.Owner, repo.Name)
	if err != nil {
		err = wrap(err, "read %s", repo)
		if errors.Is(err, bot.ErrGone) {
			err = fmt.Errorf("%w; it does not exist, or the token may not see it, as with private ones", err)
		}
		return "", nil, err
	}
	switch {
	case about.GetArchived() || about.GetDisabled():
		return "", nil, fmt.Errorf("%s is archived or disabled: %w; take it out of the archive first", repo, ErrOdd)
	case about.GetDefaultBranch() == "":
		return "", nil, fmt.Errorf("%s has no default branch: %w; push a first commit", repo, ErrOdd)
	case about.GetFork() && !fork:
		of := about.GetParent().GetFullName()
		if of == "" {
			of = "another repository"
		}
		return "", nil, fmt.Errorf("%s is a fork of %s: %w; pull requests go there and so do their comments, so install them there, or say --fork when this one is on its own", repo, of, ErrOdd)
	}
	if about.GetFork() {
		notes = append(notes, "it is a fork: GitHub starts no workflow in a fork before somebody turns Actions on in its tab Actions")
	}
	if about.GetPrivate() {
		notes = append(notes, "it is private: GitHub's own runners are paid by the minute, a protected environment may need a paid plan, and the workflows without the bot refuse to run, since their jobs have no token to fetch it with")
	}
	allowed, _, err := client.Repositories.GetActionsPermissions(ctx, repo.Owner, repo.Name)
	switch code := codeOf(err); {
	case err == nil && !allowed.GetEnabled():
		return "", nil, fmt.Errorf("GitHub Actions is off in %s: %w; turn it on in Settings, Actions, General", repo, ErrOdd)
	case err == nil && allowed.GetAllowedActions() == "local_only":
		return "", nil, fmt.Errorf("%s allows no action of others, not even actions/checkout: %w; allow those by GitHub in Settings, Actions, General", repo, ErrOdd)
	case code == http.StatusForbidden || code == http.StatusNotFound:
		notes = append(notes, "whether GitHub Actions is on here the token may not know")
	case err != nil:
		return "", nil, wrap(err, "read what %s allows Actions", repo)
	}
	return about.GetDefaultBranch(), notes, nil
}

// Propose opens a pull request with files, unless the default branch has them, or
// one is open already; that one is brought up to date. Done twice, it changes
// nothing the second time.
func (f *Forge) Propose(ctx context.Context, repo bot.Repo, p Proposal) (Proposed, error) {
	base, notes, err := f.Look(ctx, repo, p.Fork)
	if err != nil {
		return Proposed{}, err
	}
	out := Proposed{Base: base, Notes: notes}
	client, err := f.client(repo)
	if err != nil {
		return out, err
	}
	w := opening{client, repo, bot.Proposal{Branch: p.Branch, Title: p.Title, Body: p.Body, Files: p.Files}}
	for _, path := range slices.Sorted(maps.Keys(p.Files)) {
		same, _, err := w.holds(ctx, path, base)
		if err != nil {
			return out, err
		}
		if !same {
			out.Changed = append(out.Changed, path)
		}
	}
	if len(out.Changed) == 0 {
		return out, nil
	}
	if out.URL, _, err = w.known(ctx); err != nil {
		return out, err
	}
	if out.URL != "" {
		return out, permitted(w.update(ctx, base, out.Changed))
	}
	out.URL, err = w.open(ctx, base, out.Changed)
	out.Opened = err == nil
	return out, permitted(err)
}

// permitted says what a token may lack that files of workflows cannot be written with.
func permitted(err error) error {
	if code := codeOf(err); code == http.StatusForbidden || code == http.StatusNotFound {
		return fmt.Errorf("%w; the token needs to write contents, pull requests and workflows", err)
	}
	return err
}
