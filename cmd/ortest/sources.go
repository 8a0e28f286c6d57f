package main

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/ortest/ortest/report/html"
	"github.com/ortest/ortest/report/result"
)

// sources finds test files in a directory of checkouts or bare repositories. A
// file that is not there is nil: a report is made without it.
type sources struct {
	dir  string
	seen map[string][]byte
}

// file returns a test file of a repository at a commit.
func (s *sources) file(ctx context.Context, g result.Goal, name string) []byte {
	if s.dir == "" || !strings.HasSuffix(name, ".t") || !filepath.IsLocal(name) || !filepath.IsLocal(g.Result.Repo) {
		return nil
	}
	key := strings.Join([]string{g.Result.Repo, g.Result.Commit, name}, "\x00")
	if b, ok := s.seen[key]; ok {
		return b
	}
	if s.seen == nil {
		s.seen = make(map[string][]byte)
	}
	s.seen[key] = s.read(ctx, g, name)
	return s.seen[key]
}

func (s *sources) read(ctx context.Context, g result.Goal, name string) []byte {
	base := path.Base(g.Result.Repo)
	for _, sub := range []string{g.Result.Repo, base, g.Result.Repo + ".git", base + ".git", "."} {
		dir := filepath.Join(s.dir, sub)
		if b := atCommit(ctx, dir, g.Result.Commit, name); b != nil {
			return b
		}
	}
	return nil
}

// atCommit reads a file from a repository. A folder that is none has only the
// file as it is now, which may be another one than was tested: it is not used.
func atCommit(ctx context.Context, dir, commit, name string) []byte {
	if len(commit) < 7 || strings.Trim(commit, "0123456789abcdef") != "" || !exists(dir) {
		return nil
	}
	cmd := exec.CommandContext(ctx, "git", "-C", dir, "cat-file", "blob", commit+":"+name)
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_TERMINAL_PROMPT=0")
	b, err := cmd.Output()
	if err != nil {
		return nil
	}
	return b
}

// locate fills in the lines of findings whose test file is at hand.
func (s *sources) locate(ctx context.Context, goals []result.Goal) {
	for i := range goals {
		for k := range goals[i].Result.Findings {
			f := &goals[i].Result.Findings[k]
			result.Locate(f, s.file(ctx, goals[i], f.File))
		}
	}
}

// mostBundles are of one goal; a suite that fails as a whole needs no more.
const mostBundles = 50

// writeBundles writes a folder for each failing block and returns which there are, by
// the address of their README.
func (s *sources) writeBundles(ctx context.Context, dir string, cells []result.Cell) (map[string]bool, error) {
	made := make(map[string]bool)
	for _, c := range cells {
		for i, f := range c.Result.Findings {
			if i == mostBundles {
				break
			}
			at := bundleOf(c, f.Fingerprint())
			if made[at] {
				continue
			}
			files := result.Bundle(c, f, s.file(ctx, c.Goal, f.File))
			if len(files) == 0 {
				continue
			}
			made[at] = true
			for name, b := range files {
				to := filepath.Join(dir, filepath.FromSlash(path.Dir(at)), filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					return nil, err
				}
				if err := os.WriteFile(to, b, 0o644); err != nil {
					return nil, err
				}
			}
		}
	}
	return made, nil
}

// bundleOf is the address of a bundle's README from the index. A fingerprint
// that was read may be anything.
func bundleOf(c result.Cell, print string) string {
	print = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, print)
	return "repro/" + c.Name + "/" + print[:min(len(print), 32)] + "/README.md"
}

// bundles tells a site which bundles there are.
func bundles(site *html.Site, made map[string]bool) {
	site.Bundle = func(c result.Cell, print string) string {
		if at := bundleOf(c, print); made[at] {
			return at
		}
		return ""
	}
}
