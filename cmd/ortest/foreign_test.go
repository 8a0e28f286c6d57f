package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
	"github.com/ortest/ortest/workflows"
)

// thief is a workflow that wants whatever machine has a label.
const thief = `name: thief
on:
  workflow_dispatch:
    inputs:
      label: {required: true, type: string}
jobs:
  steal:
    runs-on: ${{ inputs.label }}
    steps:
      - run: echo stolen
`

// herald tells of a run once it is stored, before anybody acts on it.
type herald struct {
	*store.Store
	told func(ctx context.Context, r bot.Run) error
}

func (h *herald) AddRun(ctx context.Context, r bot.Run) (bot.Run, error) {
	if err := h.told(ctx, r); err != nil {
		return r, err
	}
	return h.Store.AddRun(ctx, r)
}

// TestAForeignJobRunsNoLineOfCode has a job of another workflow with the very label of
// the piece, and before the piece's own: GitHub gives it to the piece's runner.
func TestAForeignJobRunsNoLineOfCode(t *testing.T) {
	t.Parallel()
	act, ran := scripted(t), filepath.Join(t.TempDir(), "ran")
	// What the runner starts for a job says which workflow it is of, and goes on.
	log := t.TempDir()
	wrapped := fmt.Sprintf("#!/bin/sh\ncat \"$3\" >>%q\nexec %q \"$@\"\n", ran, filepath.Join(act, "act"))
	if err := os.WriteFile(filepath.Join(log, "act"), []byte(wrapped), 0o755); err != nil {
		t.Fatal(err)
	}
	var p *place
	var stolen atomic.Int64
	p = open(t, t.TempDir(), func(c *systemConfig) {
		machines(c, log)
		c.Stores = func(st *store.Store) (bot.Store, runnerfleet.Store) {
			return &herald{Store: st, told: func(ctx context.Context, r bot.Run) error {
				if stolen.Load() != 0 {
					return nil
				}
				id, err := p.sys.forge.Dispatch(ctx, r.Repo, "thief.yml", map[string]string{"label": workflows.Label(r.Pieces[0].Nonce)})
				stolen.Store(id)
				return err
			}}, st
		}
	})
	p.start(t)
	if _, err := p.gh.Push(t.Context(), githubtest.Commit{
		Repo: demoRepo, Branch: "main", Author: demoAuthor, Message: "Steal",
		Files: map[string]githubtest.File{".github/workflows/thief.yml": {Data: []byte(thief)}},
	}); err != nil {
		t.Fatal(err)
	}
	r, got := testRun(t, p)
	if got.Verdict != report.Pass || r.Pieces[0].Attempt != 2 {
		t.Errorf("verdict %s, piece %+v, want it good at its second attempt", got.Verdict, r.Pieces[0])
	}
	seen, err := os.ReadFile(ran)
	if err != nil || strings.Contains(string(seen), "stolen") || !strings.Contains(string(seen), "ortest/ortest@") {
		t.Errorf("the machine ran, with %v:\n%s", err, seen)
	}
	said := strings.Join(r.Pieces[0].Trouble, "\n")
	if !strings.Contains(said, "foreign job") && !strings.Contains(said, "not ours") {
		t.Errorf("trouble %q", said)
	}
	if text := sticky(p.talk(t)); !strings.Contains(text, "refused it") {
		t.Errorf("nothing is said of it:\n%s", text)
	}
	for _, run := range p.activity(t).Runs {
		if run.ID == stolen.Load() && run.Conclusion != "failure" {
			t.Errorf("the foreign job ended as %s", run.Conclusion)
		}
	}
}
