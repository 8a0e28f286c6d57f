package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/store"
)

// storedRun is a directory of a server's data with one run of one goal.
func storedRun(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(t.Context(), store.Config{Database: filepath.Join(dir, "ortest.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	goal := plan.Goal{Mode: "t", Project: "hello"}
	r, err := st.AddRun(t.Context(), bot.Run{Repo: bot.Repo{Owner: "o", Name: "r"}, Pull: 1, State: bot.Accepted, CreatedAt: time.Unix(1, 0),
		Pieces: []bot.Piece{{ID: "p1", Piece: plan.Piece{Goal: goal, Part: 1, Parts: 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []report.Entry{
		{Manifest: &report.Manifest{Goal: "t-hello", Repo: "o/r", Arch: "linux x86_64", Files: []report.TestFile{{Path: "t/a.t"}}}},
		{File: &report.FileResult{Path: "t/a.t"}},
	} {
		e.Seq = i
		meta, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		log := []byte("making t-hello ...\n")
		if i == 1 {
			log = []byte("t/a.t .. ok\x00\xff\nno newline at the end")
		}
		if err := st.AddEntry(t.Context(), r.ID, bot.StoredEntry{Piece: "p1", Attempt: 1, Seq: i, Meta: meta, Log: log}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLogs(t *testing.T) {
	dir := storedRun(t)
	const raw = "making t-hello ...\nt/a.t .. ok\x00\xff\nno newline at the end"
	ortest := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := run(context.Background(), append([]string{"logs", "--data", dir}, args...), nil, &out, &errs)
		return out.String(), errs.String(), code
	}
	for _, tt := range []struct {
		name, says string
		args       []string
		code       int
	}{
		{name: "a run's logs are written byte for byte", args: []string{"1"}},
		{name: "a goal's log is", args: []string{"1", "t-hello"}},
		{name: "a run that does not exist is wrong usage", args: []string{"9"}, code: exitUsage, says: "the newest are 1"},
		{name: "a goal that the run has not is wrong usage", args: []string{"1", "tv-hello"}, code: exitUsage, says: "it has t-hello"},
		{name: "a run is needed", code: exitUsage, says: "name a run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, code := ortest(tt.args...)
			if code != tt.code || !strings.Contains(errs, tt.says) {
				t.Fatalf("ended with %d: %s", code, errs)
			}
			if code == exitGood && out != raw {
				t.Errorf("got %q", out)
			}
		})
	}
	to := filepath.Join(t.TempDir(), "new", "logs")
	out, errs, code := ortest("1", "--out", to)
	got, err := os.ReadFile(filepath.Join(to, "t-hello.log"))
	if code != exitGood || err != nil || string(got) != raw || !strings.Contains(out, "t-hello.log") {
		t.Errorf("ended with %d: %s%s (%v) %q", code, out, errs, err, got)
	}
	left, err := os.ReadDir(to)
	if err != nil || len(left) != 1 {
		t.Errorf("%v lie in the directory (%v)", left, err)
	}
}
