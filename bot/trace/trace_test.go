package trace

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/runnerfleet"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func after(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func aRun() (bot.Run, []runnerfleet.Instance) {
	goal := plan.Piece{Goal: plan.Goal{Mode: "t", Project: "hello"}}
	r := bot.Run{
		ID: "7", Repo: bot.Repo{Owner: "o", Name: "n"}, Pull: 3, Text: "/ortest t-hello \xff", AskedAt: after(-1), CreatedAt: noon, EndedAt: after(30),
		Dispatch: []bot.Dispatch{
			{Pieces: []string{"p1", "p2"}, Attempts: []int{1, 1}, TriedAt: after(1), WorkflowRun: 5},
			{Pieces: []string{"p2"}, Attempts: []int{2}, TriedAt: after(12)},
		},
		Pieces: []bot.Piece{
			{Piece: goal, ID: "p1", Attempt: 1, Instance: "i1", FinishedAt: after(10)},
			{Piece: goal, ID: "p2", Attempt: 2, FinishedAt: after(29), Reason: "given up"},
			{Piece: goal, ID: "p3", Attempt: 1, FinishedAt: after(29)}, // never dispatched
		},
	}
	return r, []runnerfleet.Instance{
		{ID: "i1", Bucket: "7/b0", IntendedAt: after(1), LaunchedAt: after(2), EnrolledAt: after(4), EndedAt: after(28)},
		{ID: "i2", Bucket: "7/b1", IntendedAt: after(1)}, // never launched
		{ID: "i3", Bucket: "77/b0", IntendedAt: after(1), EndedAt: after(2)},
	}
}

func TestARunAsATrace(t *testing.T) {
	r, instances := aRun()
	spans := Spans("https://x.org", r, instances, after(31))
	var names []string
	ids := make(map[string]bool)
	for i, s := range spans {
		names = append(names, s.Name)
		if ids[s.ID] {
			t.Errorf("two spans are %s", s.ID)
		}
		ids[s.ID] = true
		if s.Trace != spans[0].Trace || i > 0 && !ids[s.Parent] || i == 0 && s.Parent != "" {
			t.Errorf("%s hangs nowhere: %+v", s.Name, s)
		}
		if s.Start.Before(spans[0].Start) || s.End.After(spans[0].End) || s.End.Before(s.Start) {
			t.Errorf("%s is outside of its run: %v to %v", s.Name, s.Start, s.End)
		}
	}
	if want := []string{"run", "decide", "dispatch", "dispatch", "instance", "launch", "boot", "instance", "t-hello", "t-hello", "report"}; !slices.Equal(names, want) {
		t.Errorf("spans %q, want %q", names, want)
	}
	if !spans[0].Start.Equal(after(-1)) || !spans[0].End.Equal(after(31)) {
		t.Errorf("the run is from %v to %v", spans[0].Start, spans[0].End)
	}
	if p1, i1 := spans[8], spans[4]; p1.Parent != i1.ID {
		t.Error("a piece is not below its instance")
	}
	if p2 := spans[9]; !p2.Start.Equal(after(12)) || p2.Wrong != "given up" {
		t.Errorf("the second attempt: %+v", p2)
	}
	// Another replica tells the same.
	for i, s := range Spans("https://x.org", r, instances, after(31)) {
		if s.ID != spans[i].ID || s.Trace != spans[i].Trace {
			t.Errorf("told again, %s is another span", s.Name)
		}
	}
	if other, _ := IDs("https://y.org", r); other == spans[0].Trace {
		t.Error("two servers' runs are one trace")
	}
}

func TestWhatACollectorGets(t *testing.T) {
	r, instances := aRun()
	var got otlpRequest
	var header http.Header
	code := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		header = req.Header
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = json.Unmarshal(body, &got)
		}
		if err != nil || req.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", req.URL.Path, err)
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(srv.Close)
	e := &Exporter{Endpoint: srv.URL + "/", Header: http.Header{"Authorization": {"Bearer x"}}, Client: srv.Client()}
	if err := e.Send(t.Context(), Spans("u", r, instances, after(31))); err != nil {
		t.Fatal(err)
	}
	if header.Get("Content-Type") != "application/json" || header.Get("Authorization") != "Bearer x" {
		t.Errorf("header %v", header)
	}
	spans := got.Resources[0].Scopes[0].Spans
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(spans[0].Trace) || !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(spans[0].ID) {
		t.Errorf("names %s %s", spans[0].Trace, spans[0].ID)
	}
	if spans[0].Start != "1777895940000000000" || spans[0].Status.Code != 1 || spans[9].Status.Code != 2 {
		t.Errorf("root %+v, bad one %+v", spans[0], spans[9])
	}
	code = http.StatusServiceUnavailable
	if err := e.Send(t.Context(), nil); err == nil {
		t.Error("a collector that refuses is no error")
	}
}
