package githubtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// File is a file of a commit.
type File struct {
	Data []byte
	Exec bool
}

// Commit is a set of files to put on a branch.
type Commit struct {
	Repo    string // OWNER/NAME
	Branch  string
	From    string // where a branch that does not exist yet starts; "" starts one without history
	Message string
	Author  string // login
	Files   map[string]File
	Whole   bool // the branch then holds Files and nothing else
}

// Push commits files to a branch and returns the commit's SHA; the App is
// told, also of open pull requests from that branch. A commit that would change nothing is not
// made: the branch's head is returned. The same commits at the same times have
// the same SHAs.
func (s *Server) Push(ctx context.Context, c Commit) (string, error) {
	err := s.view(func(st *state) error {
		repo, err := st.repository(c.Repo)
		c.Repo = repo.FullName()
		if _, found := st.user(c.Author); err == nil && !found {
			err = fmt.Errorf("no user %s", c.Author)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("push to %s: %w", c.Repo, err)
	}
	before, err := s.git.resolve(ctx, c.Repo, "refs/heads/"+c.Branch)
	if err != nil && !errors.Is(err, errNoObject) {
		return "", fmt.Errorf("push to %s: %w", c.Repo, err)
	}
	sha, err := s.commit(ctx, c)
	if err != nil {
		return "", fmt.Errorf("push to %s: %w", c.Repo, err)
	}
	if sha != before {
		if err := s.tellPush(ctx, c, before, sha); err != nil {
			return "", fmt.Errorf("push to %s: %w", c.Repo, err)
		}
	}
	// Also when nothing was committed: a kill may have come between the two.
	if err := s.syncPulls(ctx, c, sha); err != nil {
		return "", fmt.Errorf("push to %s: %w", c.Repo, err)
	}
	return sha, nil
}

// commit lets git build the commit under a name of its own and moves the
// branch only when the tree is another one.
func (s *Server) commit(ctx context.Context, c Commit) (string, error) {
	head, err := s.git.resolve(ctx, c.Repo, c.Branch)
	if err != nil && c.From != "" {
		if head, err = s.git.resolve(ctx, c.Repo, c.From); err != nil {
			return "", fmt.Errorf("start from %s: %w", c.From, err)
		}
	}
	scratch := newSecret("refs/ortest/")
	if _, err := s.git.feed(ctx, c.Repo, c.script(scratch, head, s.now().Unix()), "fast-import", "--quiet", "--force"); err != nil {
		return "", err
	}
	sha, err := s.git.resolve(ctx, c.Repo, scratch)
	if err != nil {
		return "", err
	}
	if head != "" {
		same, err := s.sameTree(ctx, c.Repo, head, sha)
		if err != nil {
			return "", err
		}
		if same {
			sha = head
		}
	}
	if _, err := s.git.run(ctx, c.Repo, "update-ref", "refs/heads/"+c.Branch, sha); err != nil {
		return "", err
	}
	_, err = s.git.run(ctx, c.Repo, "update-ref", "-d", scratch)
	return sha, err
}

func (s *Server) sameTree(ctx context.Context, repo, a, b string) (bool, error) {
	out, err := s.git.run(ctx, repo, "rev-parse", a+"^{tree}", b+"^{tree}")
	if err != nil {
		return false, err
	}
	trees := strings.Fields(string(out))
	return len(trees) == 2 && trees[0] == trees[1], nil
}

// script is the commit in the language of git fast-import.
func (c Commit) script(ref, head string, at int64) []byte {
	var b bytes.Buffer
	data := func(raw []byte) {
		fmt.Fprintf(&b, "data %d\n", len(raw))
		b.Write(raw)
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "reset %s\n\ncommit %s\ncommitter %s <%s> %d +0000\n", ref, ref, c.Author, email(c.Author), at)
	data([]byte(c.Message))
	if head != "" {
		fmt.Fprintf(&b, "from %s\n", head)
	}
	if c.Whole {
		b.WriteString("deleteall\n")
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		mode := "100644"
		if c.Files[path].Exec {
			mode = "100755"
		}
		fmt.Fprintf(&b, "M %s inline %s\n", mode, path)
		data(c.Files[path].Data)
	}
	return b.Bytes()
}

// email is the address that GitHub gives an account that keeps its own private.
func email(login string) string { return login + "@users.noreply.github.test" }

// tellPush records the webhook of a branch that moved, or was made when before is "".
func (s *Server) tellPush(ctx context.Context, c Commit, before, after string) error {
	info, err := s.git.commitInfo(ctx, c.Repo, after)
	if err != nil {
		return err
	}
	return s.update(func(st *state, x *tx) error {
		repo, err := st.repository(c.Repo)
		if err != nil {
			return err
		}
		return s.emitPush(x, repo, push{branch: c.Branch, by: c.Author, before: before, head: info})
	})
}
