package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	gh "github.com/google/go-github/v60/github"

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
		notes = append(notes, "it is private: GitHub's own runners are paid by the minute, a protected environment may need a paid plan, and the project's source must be readable by the jobs")
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
	w := proposing{client, repo, p}
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
	if err := w.branch(ctx, base); err != nil {
		return out, err
	}
	for _, path := range out.Changed {
		if err := w.put(ctx, path); err != nil {
			return out, err
		}
	}
	out.URL, out.Opened, err = w.pull(ctx, base)
	return out, err
}

type proposing struct {
	client *gh.Client
	repo   bot.Repo
	Proposal
}

// holds reports whether a file at ref is as it is to be, and which blob it is.
func (w proposing) holds(ctx context.Context, path, ref string) (same bool, sha string, err error) {
	file, _, _, err := w.client.Repositories.GetContents(ctx, w.repo.Owner, w.repo.Name, path, &gh.RepositoryContentGetOptions{Ref: ref})
	if codeOf(err) == http.StatusNotFound {
		return false, "", nil
	}
	if err != nil {
		return false, "", wrap(err, "read %s of %s", path, w.repo)
	}
	if file == nil {
		return false, "", fmt.Errorf("%s of %s is a directory: %w; remove it first", path, w.repo, ErrOdd)
	}
	text, err := file.GetContent()
	if err != nil {
		return false, "", fmt.Errorf("read %s of %s: %w", path, w.repo, err)
	}
	return text == string(w.Files[path]), file.GetSHA(), nil
}

// branch makes the branch at the default branch's head, unless it is there.
func (w proposing) branch(ctx context.Context, base string) error {
	_, _, err := w.client.Git.GetRef(ctx, w.repo.Owner, w.repo.Name, "heads/"+w.Branch)
	if err == nil {
		return nil
	}
	if codeOf(err) != http.StatusNotFound {
		return wrap(err, "read branch %s of %s", w.Branch, w.repo)
	}
	head, _, err := w.client.Git.GetRef(ctx, w.repo.Owner, w.repo.Name, "heads/"+base)
	if err != nil {
		return wrap(err, "read branch %s of %s", base, w.repo)
	}
	_, _, err = w.client.Git.CreateRef(ctx, w.repo.Owner, w.repo.Name, &gh.Reference{
		Ref: gh.String("refs/heads/" + w.Branch), Object: &gh.GitObject{SHA: head.Object.SHA},
	})
	return wrap(err, "make branch %s of %s", w.Branch, w.repo)
}

func (w proposing) put(ctx context.Context, path string) error {
	same, sha, err := w.holds(ctx, path, w.Branch)
	if err != nil || same {
		return err
	}
	o := &gh.RepositoryContentFileOptions{
		Message: gh.String(w.Title + ": " + path), Content: w.Files[path], Branch: gh.String(w.Branch),
	}
	if sha != "" {
		o.SHA = gh.String(sha)
	}
	_, _, err = w.client.Repositories.CreateFile(ctx, w.repo.Owner, w.repo.Name, path, o)
	if code := codeOf(err); code == http.StatusForbidden || code == http.StatusNotFound {
		return fmt.Errorf("%w; the token needs to write contents, pull requests and workflows", wrap(err, "write %s of %s", path, w.repo))
	}
	return wrap(err, "write %s of %s", path, w.repo)
}

func (w proposing) pull(ctx context.Context, base string) (url string, opened bool, err error) {
	open, _, err := w.client.PullRequests.List(ctx, w.repo.Owner, w.repo.Name, &gh.PullRequestListOptions{
		State: "open", Head: w.repo.Owner + ":" + w.Branch, Base: base,
	})
	if err != nil {
		return "", false, wrap(err, "list pull requests of %s", w.repo)
	}
	for _, p := range open {
		if p.GetHead().GetRef() == w.Branch {
			return p.GetHTMLURL(), false, nil
		}
	}
	p, _, err := w.client.PullRequests.Create(ctx, w.repo.Owner, w.repo.Name, &gh.NewPullRequest{
		Title: gh.String(w.Title), Head: gh.String(w.Branch), Base: gh.String(base), Body: gh.String(w.Body),
	})
	if err != nil {
		return "", false, wrap(err, "open a pull request in %s", w.repo)
	}
	return p.GetHTMLURL(), true, nil
}
