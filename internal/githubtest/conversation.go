package githubtest

import (
	"fmt"
	"slices"
)

// Conversation is a pull request as its page shows it; its rows are for reading only.
type Conversation struct {
	Repo     Repository
	Pull     Pull
	Comments []Comment
	Lines    []Comment  // on lines of the changes
	Checks   []CheckRun // of the head, the newest of each name
}

// Activity is what Actions has to do in a repository.
type Activity struct {
	Runs    []RunJobs // newest first
	Runners []RunnerState
}

// RunJobs is a workflow run with its jobs.
type RunJobs struct {
	WorkflowRun
	Jobs []Job
}

// RunnerState is a runner, and whether it was heard of lately.
type RunnerState struct {
	Runner
	Online bool
}

// Conversation returns what stands on a pull request.
func (s *Server) Conversation(repo string, number int) (Conversation, error) {
	var c Conversation
	err := s.view(func(st *state) (err error) {
		if c.Repo, err = st.repository(repo); err != nil {
			return err
		}
		if c.Pull, err = st.pullOf(repo, number); err != nil {
			return err
		}
		c.Comments = st.comments.filter(func(o Comment) bool { return o.Pull == c.Pull.ID })
		for _, o := range st.lines.filter(func(o lineComment) bool { return o.Pull == c.Pull.ID }) {
			c.Lines = append(c.Lines, o.Comment)
		}
		c.Checks = latest(st.checks.filter(func(o CheckRun) bool { return o.Repo == c.Repo.ID && o.HeadSHA == c.Pull.HeadSHA }))
		return nil
	})
	return c, err
}

// Activity returns the workflow runs and runners of a repository.
func (s *Server) Activity(repo string) (Activity, error) {
	var a Activity
	err := s.view(func(st *state) error {
		r, err := st.repository(repo)
		if err != nil {
			return err
		}
		for _, run := range st.runs.filter(func(o WorkflowRun) bool { return o.Repo == r.ID }) {
			a.Runs = append(a.Runs, RunJobs{WorkflowRun: run, Jobs: st.jobsOf(run.ID)})
		}
		slices.Reverse(a.Runs)
		for _, o := range st.runners.filter(func(o Runner) bool { return o.Repo == r.ID }) {
			a.Runners = append(a.Runners, RunnerState{Runner: o, Online: s.online(o.ID)})
		}
		return nil
	})
	return a, err
}

// Users returns all accounts, the App's own bot among them.
func (s *Server) Users() []User {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.st.users.filter(nil)
}

// Pulls returns a repository's pull requests, oldest first.
func (s *Server) Pulls(repo string) ([]Pull, error) {
	var pulls []Pull
	err := s.view(func(st *state) error {
		r, err := st.repository(repo)
		pulls = st.pulls.filter(func(p Pull) bool { return p.Repo == r.ID })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list pull requests: %w", err)
	}
	return pulls, nil
}
