package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/report/html"
	"github.com/ortest/ortest/runnerfleet"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// evil is what nothing may come out as it went in.
const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`

// kept is a store and a bot that remember runs and results.
type kept struct {
	mu      sync.Mutex
	runs    []bot.Run // the oldest first
	results map[string]map[string]report.GoalResult
	audits  []bot.Audit
	lived   map[string]time.Duration // of instances, by run
	broken  error
}

func (k *kept) Lived(context.Context, time.Time, time.Time) (map[string]time.Duration, error) {
	return k.lived, k.broken
}

// add remembers a run of one goal; the verdict "" is none yet.
func (k *kept) add(state bot.RunState, verdict report.Verdict) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := strconv.Itoa(len(k.runs) + 1)
	goal := plan.Goal{Mode: "t", Project: "hello"}
	k.runs = append(k.runs, bot.Run{
		ID: id, Repo: bot.Repo{Owner: "o", Name: "n"}, Pull: 7, Head: strings.Repeat("ab", 20), Author: evil, Text: "/ortest " + evil,
		State: state, CreatedAt: noon.Add(time.Duration(len(k.runs)) * time.Minute), Pieces: []bot.Piece{{Piece: plan.Piece{Goal: goal}, ID: "p1"}},
		Plan: plan.Plan{Buckets: []plan.Bucket{{Estimate: 30 * time.Minute}}, Price: plan.Price{OnDemand: 0.5}},
	})
	if k.results == nil {
		k.results = make(map[string]map[string]report.GoalResult)
	}
	if verdict != "" {
		k.results[id] = map[string]report.GoalResult{goal.String(): {Goal: goal.String(), Verdict: verdict, Seconds: float64(len(k.runs)), Why: []string{evil}}}
	}
	k.audits = append(k.audits, bot.Audit{ID: int64(len(k.runs)), At: noon, Who: evil, Did: "run", Repo: "o/n", Pull: 7, Run: id, Note: evil})
	return id
}

func (k *kept) change(id string, change func(*bot.Run)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.runs {
		if k.runs[i].ID == id {
			change(&k.runs[i])
		}
	}
}

func (k *kept) Run(_ context.Context, id string) (bot.Run, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.runs {
		if r.ID == id {
			return r, k.broken
		}
	}
	return bot.Run{}, bot.ErrNotFound
}

func (k *kept) RunIDs(_ context.Context, before string, limit int) (ids []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range slices.Backward(k.runs) {
		if len(ids) < limit && older(r.ID, before) {
			ids = append(ids, r.ID)
		}
	}
	return ids, k.broken
}

func older(id, before string) bool {
	n, _ := strconv.Atoi(id)
	b, err := strconv.Atoi(before)
	return before == "" || err == nil && n < b
}

func (k *kept) LiveRuns(context.Context) (live []bot.Run, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.runs {
		if r.State != bot.Closed {
			live = append(live, r)
		}
	}
	return live, k.broken
}

func (k *kept) Goals(_ context.Context, each func(goal, run string, n int, result json.RawMessage) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range slices.Backward(k.runs) {
		for goal, g := range k.results[r.ID] {
			raw, _ := json.Marshal(g)
			return each(goal, r.ID, len(k.results), raw)
		}
	}
	return k.broken
}

func (k *kept) GoalResults(_ context.Context, goal, before string, limit int, each func(run string, at time.Time, result json.RawMessage) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, r := range slices.Backward(k.runs) {
		g, ok := k.results[r.ID][goal]
		if !ok || n == limit || !older(r.ID, before) {
			continue
		}
		n++
		raw, _ := json.Marshal(g)
		if err := each(r.ID, r.CreatedAt, raw); err != nil {
			return err
		}
	}
	return k.broken
}

func (k *kept) AuditBefore(_ context.Context, before int64, limit int) (lines []bot.Audit, err error) {
	for _, a := range slices.Backward(k.audits) {
		if len(lines) < limit && (before == 0 || a.ID < before) {
			lines = append(lines, a)
		}
	}
	return lines, k.broken
}

func (k *kept) AuditLog(_ context.Context, after int64, limit int) (lines []bot.Audit, err error) {
	for _, a := range k.audits {
		if len(lines) < limit && a.ID > after {
			lines = append(lines, a)
		}
	}
	return lines, k.broken
}

func (k *kept) Stats(context.Context) (map[string]map[string]float64, error) {
	return map[string]map[string]float64{"ortest_runs": {"closed": 3, "running": 1}}, k.broken
}

func (k *kept) View(_ context.Context, r bot.Run) (html.RunView, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := html.RunView{ID: r.ID, Repo: r.Repo.String(), Pull: r.Pull, Head: r.Head, Author: r.Author, Command: r.Text, State: "running", CreatedAt: r.CreatedAt}
	if r.State == bot.Closed || r.State == bot.Ended {
		v.State = "done"
	}
	g := html.GoalView{Goal: "t-hello", State: v.State, LogURL: "/runs/" + r.ID + "/logs/t-hello", Note: strings.Join(r.Trail, " ")}
	if result, ok := k.results[r.ID]["t-hello"]; ok {
		g.Result = &result
	}
	v.Goals = []html.GoalView{g}
	return v, nil
}

func (k *kept) Evidence(_ context.Context, _ bot.Run, goal string) (report.Evidence, error) {
	if goal != "t-hello" {
		return report.Evidence{}, nil
	}
	return report.Evidence{Goal: goal, Pieces: []report.PieceEvidence{{Logs: [][]byte{[]byte(evil)}}}}, nil
}

// site serves pages over a store.
func site(t *testing.T, k *kept, with func(*Config)) *httptest.Server {
	t.Helper()
	cfg := Config{
		Bot: k, Store: k, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Instances: func(context.Context) ([]runnerfleet.Instance, error) {
			return []runnerfleet.Instance{{
				ID: "i1", Bucket: "1/b0", State: runnerfleet.Gone, Reason: evil, LaunchedAt: noon, EndedAt: noon.Add(time.Hour), OnDemand: true,
			}}, nil
		},
		Catalog: func() Catalog {
			return Catalog{Revision: "abc", Summary: evil, Refused: evil, RefusedOf: evil, RefusedAt: noon, TakenAt: noon}
		},
	}
	if with != nil {
		with(&cfg)
	}
	srv := httptest.NewServer(Handler(cfg))
	t.Cleanup(srv.Close)
	return srv
}

// get returns an answer and its body; headers come in pairs.
func get(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", url, err))
	}
	return resp, string(body)
}
