package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

// fleetRunner is a registration at GitHub.
type fleetRunner struct {
	Repo   string `json:"repo"`
	Name   string `json:"name"`
	Status string `json:"status"` // online, offline or busy
}

// fleetKnown is what the bot's database and GitHub say; what was not asked is nil.
type fleetKnown struct {
	instances map[string]runnerfleet.Instance
	runs      map[string]bool          // those that live
	runners   map[string][]fleetRunner // by instance; "": of none
	missing   map[string]bool          // instances whose runner GitHub does not list
}

// fleetKnow reads the bot's database, and with its configuration asks GitHub for the runners
// of the repositories that its live runs are of.
func (a *app) fleetKnow(cmd *cobra.Command, f *fleetFlags) (k fleetKnown, err error) {
	if f.data == "" {
		return k, nil
	}
	database := cmp.Or(f.database, databaseIn(f.data))
	if err := isThere(database); errors.Is(err, fs.ErrNotExist) {
		return k, usage(fmt.Errorf("--data: %s is not there", database))
	}
	s, err := store.Open(cmd.Context(), store.Config{Database: database, Log: a.log(cmd.ErrOrStderr())})
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	all, err := s.Instances(cmd.Context())
	if err != nil {
		return k, err
	}
	k.instances = make(map[string]runnerfleet.Instance, len(all))
	for _, in := range all {
		k.instances[in.ID] = in
	}
	live, err := s.LiveRuns(cmd.Context())
	if err != nil {
		return k, err
	}
	k.runs = make(map[string]bool)
	for _, r := range live {
		k.runs[r.ID] = true
	}
	if f.forge == nil {
		return k, nil
	}
	return k, k.ask(cmd.Context(), f.forge, live)
}

// ask sorts GitHub's runners by the instance that each is of.
func (k *fleetKnown) ask(ctx context.Context, forge *github.Forge, live []bot.Run) error {
	k.runners, k.missing = make(map[string][]fleetRunner), make(map[string]bool)
	asked := make(map[string]bool)
	planned, listed := make(map[int64]string), make(map[int64]bool)
	for _, r := range live {
		for _, p := range r.Pieces {
			if p.Runner != 0 && p.State == bot.Assigned {
				planned[p.Runner] = p.Instance
			}
		}
	}
	for _, r := range live {
		if asked[r.Repo.String()] {
			continue
		}
		asked[r.Repo.String()] = true
		all, err := forge.Runners(ctx, r.Repo)
		if err != nil {
			return err
		}
		for _, x := range all {
			in, ours := planned[x.ID]
			if !ours && !strings.HasPrefix(x.Name, "ortest-") {
				continue // somebody else's
			}
			listed[x.ID] = true
			row := fleetRunner{Repo: r.Repo.String(), Name: x.Name, Status: x.Status}
			if x.Busy {
				row.Status = "busy"
			}
			k.runners[in] = append(k.runners[in], row)
		}
	}
	for id, in := range planned {
		if !listed[id] {
			k.missing[in] = true
		}
	}
	return nil
}

// rows are those of the runners that no instance has.
func (k fleetKnown) rows() (rows []fleetRow) {
	for _, r := range k.runners[""] {
		rows = append(rows, fleetRow{Cloud: "-", Runners: []fleetRunner{r}, Differs: "runner without instance"})
	}
	return rows
}

// differs says what is wrong with an instance that bot or GitHub see otherwise, or "".
func (k fleetKnown) differs(in runnerfleet.Instance) string {
	run, _, _ := strings.Cut(in.Bucket, "/b")
	switch {
	case k.runs != nil && in.ID != "" && !canary(in) && !k.runs[run]:
		return "instance without run"
	case k.missing[in.ID]:
		return "its runner is not on GitHub"
	case in.State == runnerfleet.Idle && slices.ContainsFunc(k.runners[in.ID], func(r fleetRunner) bool { return r.Status == "busy" }):
		return "idle for the bot, busy for GitHub"
	}
	return ""
}
