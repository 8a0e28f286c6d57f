package github

import (
	"context"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	gh "github.com/google/go-github/v60/github"

	"github.com/ortest/ortest/bot"
)

// What GitHub takes; more is refused, and a refused check run would hide a verdict.
const (
	maxAnnotations = 50 // a request
	maxTitle       = 255
	maxText        = 65_535
	maxMessage     = 64 << 10
)

// CheckRuns returns all that this App made for a commit, oldest run's
// included, without their annotations.
func (f *Forge) CheckRuns(ctx context.Context, repo bot.Repo, sha string) ([]bot.CheckRun, error) {
	client, err := f.client(repo)
	if err != nil {
		return nil, err
	}
	all, err := pages(func(page int) ([]*gh.CheckRun, *gh.Response, error) {
		// filter=all: "latest" would show one of each name, and two runs of a commit share theirs.
		answer, resp, err := client.Checks.ListCheckRunsForRef(ctx, repo.Owner, repo.Name, sha, &gh.ListCheckRunsOptions{
			Filter: gh.String("all"), AppID: &f.cfg.AppID, ListOptions: gh.ListOptions{Page: page, PerPage: perPage},
		})
		if err != nil {
			return nil, nil, err
		}
		return answer.CheckRuns, resp, nil
	})
	if err != nil {
		return nil, wrap(err, "list check runs of %s at %s", repo, sha)
	}
	var ours []bot.CheckRun
	for _, c := range all {
		if c.GetApp().GetID() != f.cfg.AppID {
			continue
		}
		ours = append(ours, bot.CheckRun{
			ID: c.GetID(), Name: c.GetName(), External: c.GetExternalID(), Status: c.GetStatus(), Conclusion: c.GetConclusion(),
			Details: c.GetDetailsURL(), Title: c.GetOutput().GetTitle(), Summary: c.GetOutput().GetSummary(), Text: c.GetOutput().GetText(),
			StartedAt: c.GetStartedAt().Time, CompletedAt: c.GetCompletedAt().Time,
		})
	}
	return ours, nil
}

// CreateCheckRun creates a check run with all of its annotations. When it
// returns an id, the check run exists even if there is an error too: then
// UpdateCheckRun sends what is missing.
func (f *Forge) CreateCheckRun(ctx context.Context, repo bot.Repo, sha string, c bot.CheckRun) (int64, error) {
	client, err := f.client(repo)
	if err != nil {
		return 0, err
	}
	first, rest := cut(c.Annotations)
	made, _, err := client.Checks.CreateCheckRun(ctx, repo.Owner, repo.Name, gh.CreateCheckRunOptions{
		Name: c.Name, HeadSHA: sha, DetailsURL: optional(c.Details), ExternalID: optional(c.External),
		Status: optional(c.Status), Conclusion: optional(c.Conclusion),
		StartedAt: stamp(c.StartedAt), CompletedAt: stamp(c.CompletedAt), Output: output(c, first), Actions: actions(c),
	})
	if err != nil {
		return 0, wrap(err, "create check run %q of %s at %s", c.Name, repo, sha)
	}
	if made.GetID() == 0 {
		return 0, fmt.Errorf("create check run %q of %s at %s: the answer has no id", c.Name, repo, sha)
	}
	c.ID = made.GetID()
	return c.ID, f.annotate(ctx, repo, c, rest)
}

// UpdateCheckRun makes a check run what c says. c.Annotations are all that it
// is to have, in an order that does not change: those that GitHub counts
// already are not sent again, so that a repeat doubles none.
func (f *Forge) UpdateCheckRun(ctx context.Context, repo bot.Repo, c bot.CheckRun) error {
	if c.Status != "completed" {
		ctx = inLane(ctx, cosmetics)
	}
	todo, err := f.unsentAnnotations(ctx, repo, c)
	if err != nil {
		return err
	}
	first, rest := cut(todo)
	patch := checkPatch{
		UpdateCheckRunOptions: gh.UpdateCheckRunOptions{
			Name: c.Name, DetailsURL: optional(c.Details), ExternalID: optional(c.External),
			Status: optional(c.Status), Conclusion: optional(c.Conclusion),
			CompletedAt: stamp(c.CompletedAt), Output: output(c, first), Actions: actions(c),
		},
		StartedAt: stamp(c.StartedAt),
	}
	send := ctx
	if len(first) == 0 {
		send = mayRepeat(ctx)
	}
	path := []string{"check-runs", decimal(c.ID)}
	if _, err := f.do(send, repo, call{method: http.MethodPatch, path: path, body: patch}, nil); err != nil {
		return wrap(err, "update check run %d of %s", c.ID, repo)
	}
	return f.annotate(ctx, repo, c, rest)
}

// checkPatch adds what go-github's struct lacks: a check run created while it
// waits begins later.
type checkPatch struct {
	gh.UpdateCheckRunOptions
	StartedAt *gh.Timestamp `json:"started_at,omitempty"`
}

// unsentAnnotations returns those of c that GitHub does not have.
func (f *Forge) unsentAnnotations(ctx context.Context, repo bot.Repo, c bot.CheckRun) ([]bot.Annotation, error) {
	if len(c.Annotations) == 0 {
		return nil, nil
	}
	client, err := f.client(repo)
	if err != nil {
		return nil, err
	}
	have, _, err := client.Checks.GetCheckRun(ctx, repo.Owner, repo.Name, c.ID)
	if err != nil {
		return nil, wrap(err, "read check run %d of %s", c.ID, repo)
	}
	return c.Annotations[min(have.GetOutput().GetAnnotationsCount(), len(c.Annotations)):], nil
}

// annotate appends annotations in batches. Each request repeats the rest of
// the output, without which GitHub takes none.
func (f *Forge) annotate(ctx context.Context, repo bot.Repo, c bot.CheckRun, todo []bot.Annotation) error {
	client, err := f.client(repo)
	if err != nil {
		return err
	}
	for len(todo) > 0 {
		var batch []bot.Annotation
		batch, todo = cut(todo)
		_, _, err := client.Checks.UpdateCheckRun(ctx, repo.Owner, repo.Name, c.ID, gh.UpdateCheckRunOptions{Name: c.Name, Output: output(c, batch)})
		if err != nil {
			return wrap(err, "annotate check run %d of %s", c.ID, repo)
		}
	}
	return nil
}

// cut takes one request's annotations.
func cut(all []bot.Annotation) (batch, rest []bot.Annotation) {
	n := min(len(all), maxAnnotations)
	return all[:n], all[n:]
}

// output is nil when there is nothing to show.
func output(c bot.CheckRun, annotations []bot.Annotation) *gh.CheckRunOutput {
	if c.Title == "" && c.Summary == "" && c.Text == "" && len(annotations) == 0 {
		return nil
	}
	title := c.Title
	if title == "" {
		title = c.Name
	}
	out := &gh.CheckRunOutput{Title: gh.String(limit(title, maxTitle)), Summary: gh.String(limit(c.Summary, maxText))}
	if c.Text != "" {
		out.Text = gh.String(limit(c.Text, maxText))
	}
	for _, a := range annotations {
		line := max(a.Line, 1)
		out.Annotations = append(out.Annotations, &gh.CheckRunAnnotation{
			Path: gh.String(a.Path), StartLine: gh.Int(line), EndLine: gh.Int(max(a.EndLine, line)),
			AnnotationLevel: gh.String(a.Level), Message: gh.String(limit(a.Message, maxMessage)),
			Title: optional(limit(a.Title, maxTitle)), RawDetails: optional(limit(a.Raw, maxMessage)),
		})
	}
	return out
}

func actions(c bot.CheckRun) (all []*gh.CheckRunAction) {
	for _, b := range c.Buttons {
		all = append(all, &gh.CheckRunAction{Label: b.Label, Description: b.Does, Identifier: b.ID})
	}
	return all
}

// limit cuts s to n bytes, not within a character, and shows that it did.
func limit(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func stamp(t time.Time) *gh.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &gh.Timestamp{Time: t.UTC().Truncate(time.Second)}
}
