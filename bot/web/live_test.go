package web

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report"
)

// follower reads a run's events.
type follower struct {
	resp  *http.Response
	lines *bufio.Scanner
}

func follow(t *testing.T, url, seen string) follower {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if seen != "" {
		req.Header.Set("Last-Event-ID", seen)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return follower{resp, bufio.NewScanner(resp.Body)}
}

// next returns the next event's name and id; "" at the end.
func (f follower) next() (event, id string) {
	for f.lines.Scan() {
		switch line := f.lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			event = line[7:]
		case strings.HasPrefix(line, "id: "):
			id = line[4:]
		case line == "" && event != "":
			return event, id
		}
	}
	return "", ""
}

func TestARunIsFollowed(t *testing.T) {
	k := &kept{}
	id := k.add(bot.Running, "")
	srv := site(t, k, nil)
	f := follow(t, srv.URL+"/runs/1/events", "")
	if kind := f.resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("kind %s", kind)
	}
	event, first := f.next()
	if event != "run" || first == "" {
		t.Fatalf("first event %s %s", event, first)
	}
	k.change(id, func(r *bot.Run) { r.Trail = []string{"attempt 2"} })
	event, second := f.next()
	if event != "run" || second == first {
		t.Errorf("after a change: %s %s", event, second)
	}

	same := follow(t, srv.URL+"/runs/1/events", second)
	k.change(id, func(r *bot.Run) { r.State = bot.Closed })
	k.mu.Lock()
	k.results["1"] = map[string]report.GoalResult{"t-hello": {Goal: "t-hello", Verdict: report.Pass}}
	k.mu.Unlock()
	for name, f := range map[string]follower{"the first": f, "one that had seen all": same} {
		event, last := f.next()
		for event == "run" {
			event, last = f.next()
		}
		if event != "end" || last == second {
			t.Errorf("%s: %s %s, want the end", name, event, last)
		}
		if event, _ := f.next(); event != "" {
			t.Errorf("%s: %s after the end", name, event)
		}
		again := follow(t, srv.URL+"/runs/1/events", last)
		if again.resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: who has seen the end is told again: %s", name, again.resp.Status)
		}
	}
	if _, body := get(t, srv.URL+"/runs/1"); strings.Contains(body, "<script>") {
		t.Error("the page of a closed run has a script")
	}
}

func TestFollowersAreBounded(t *testing.T) {
	k := &kept{}
	k.add(bot.Running, "")
	srv := site(t, k, func(c *Config) { c.Clients = 2 })
	a, b := follow(t, srv.URL+"/runs/1/events", ""), follow(t, srv.URL+"/runs/1/events", "")
	a.next()
	b.next()
	if c := follow(t, srv.URL+"/runs/1/events", ""); c.resp.StatusCode != http.StatusServiceUnavailable || c.resp.Header.Get("Retry-After") == "" {
		t.Errorf("the third of two: %s", c.resp.Status)
	}
	if resp, _ := get(t, srv.URL+"/runs/1"); resp.StatusCode != http.StatusOK {
		t.Errorf("the page itself: %s", resp.Status)
	}
	if c := follow(t, srv.URL+"/runs/2/events", ""); c.resp.StatusCode == http.StatusOK {
		t.Error("a run that is none can be followed")
	}
}
