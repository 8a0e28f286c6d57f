package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ortest/ortest/store"
)

// ready waits until a server takes webhooks.
func (d *deluge) ready(i int) {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		res, err := d.client.Get("http://" + d.addrs[i] + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("server %d is never ready: %v", i, err)
		}
	}
}

// learn takes a comment's webhook as the pattern of all others.
func (d *deluge) learn() {
	_, err := d.gh.Comment(demoRepo, d.pull, demoStranger, markBody)
	must(d.t, err)
	var event map[string]any
	select {
	case payload := <-d.caught:
		must(d.t, json.Unmarshal(payload, &event))
	case <-time.After(patience):
		d.t.Fatal("the comment's webhook never came")
	}
	event["comment"].(map[string]any)["id"] = json.Number(markID)
	d.template, err = json.Marshal(event)
	must(d.t, err)
}

// forward hands on what GitHub itself sends: the comments with commands.
func (d *deluge) forward(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if bytes.Contains(body, []byte(markBody)) {
		select {
		case d.caught <- body:
		default: // it is there already
		}
	}
	code, _ := d.post(r.Context(), r.Header, body)
	w.WriteHeader(code)
}

// post sends a webhook to the server whose turn it is, or as a load balancer does to
// the next when it is not there.
func (d *deluge) post(ctx context.Context, header http.Header, body []byte) (code int, took time.Duration) {
	d.mu.Lock()
	d.turn++
	turn, addrs := d.turn, slices.Clone(d.addrs)
	d.mu.Unlock()
	begun := time.Now()
	for i := range addrs { // none before there is a server
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addrs[(turn+i)%len(addrs)]+"/webhook", bytes.NewReader(body))
		must(d.t, err)
		req.Header = header.Clone()
		res, err := d.client.Do(req)
		if errors.Is(err, syscall.ECONNREFUSED) {
			continue
		}
		if err != nil {
			break
		}
		_, _ = io.Copy(io.Discard, res.Body) // the connection is used again
		_ = res.Body.Close()
		return res.StatusCode, time.Since(begun)
	}
	return http.StatusBadGateway, 0
}

// pour sends what is to be sent, each at its time, whatever became of those before.
func (d *deluge) pour() {
	var under sync.WaitGroup
	begun, n := time.Now(), int(float64(d.rate)*d.lasts.Seconds())
	every := time.Second / time.Duration(d.rate)
	for i := range n {
		<-time.After(time.Until(begun.Add(time.Duration(i) * every)))
		under.Go(func() { d.send(fmt.Sprintf("flood-%08d", i), int64(1_000_000+i)) })
	}
	under.Wait()
}

// send sends one delivery, and notes for the sweep what was refused.
func (d *deluge) send(guid string, id int64) {
	body := bytes.Replace(d.template, []byte(markID), []byte(strconv.FormatInt(id, 10)), 1)
	mac := hmac.New(sha256.New, d.secret)
	mac.Write(body)
	header := http.Header{}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": "issue_comment", "X-GitHub-Delivery": guid,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		header.Set(k, v)
	}
	code, took := d.post(context.Background(), header, body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.guids[guid] = code
	if code == http.StatusAccepted || code == http.StatusOK {
		d.took = append(d.took, took)
		return
	}
	d.failed = append(d.failed, failure{ID: int64(len(d.failed) + 1), GUID: guid, At: time.Now()})
}

// list is GitHub's list of the App's failed deliveries, the newest first.
func (d *deluge) list(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // none is the first page
	d.mu.Lock()
	all := slices.Clone(d.failed)
	d.mu.Unlock()
	slices.Reverse(all)
	page := all[min(from, len(all)):min(from+100, len(all))]
	if from+100 < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?cursor=%d>; rel="next"`, d.url, r.URL.Path, from+100))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page)
}

// attempt sends a failed delivery again.
func (d *deluge) attempt(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || id < 1 || id > len(d.failed) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	d.again++
	guid := d.failed[id-1].GUID
	n, err := strconv.Atoi(strings.TrimPrefix(guid, "flood-"))
	must(d.t, err)
	go d.send(guid, int64(1_000_000+n))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "{}")
}

// kill kills a server now and then, which is started again as by its supervisor.
func (d *deluge) kill(stop chan struct{}) {
	tick := time.NewTicker(d.killEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		d.mu.Lock()
		s := d.servers[i%len(d.servers)]
		d.mu.Unlock()
		must(d.t, s.Process.Kill())
		_ = s.Wait() // it was killed
		d.start(i % len(d.servers))
	}
}

// ask writes comments with a command, and returns them.
func (d *deluge) ask(stop chan struct{}) (asked []int64) {
	tick := time.NewTicker(d.asking)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return asked
		case <-tick.C:
		}
		id, err := d.gh.Comment(demoRepo, d.pull, demoMaintainer, "/ortest help")
		must(d.t, err)
		asked = append(asked, id)
	}
}

// check waits until everything is processed, and looks for what came twice or never.
func (d *deluge) check(asked []int64) {
	look := d.shown
	if d.room == 0 {
		st, err := store.Open(d.t.Context(), store.Config{Database: d.database, Log: slog.New(slog.DiscardHandler)})
		must(d.t, err)
		defer func() { must(d.t, st.Close()) }()
		look = func() string { return d.missing(st) }
	}
	deadline, said := time.Now().Add(2*patience), cmp.Or(look(), d.unanswered(asked))
	for said != "" && time.Now().Before(deadline) {
		<-time.After(200 * time.Millisecond)
		said = cmp.Or(look(), d.unanswered(asked))
	}
	if said != "" {
		d.t.Error(said)
	}
}

// missing says which delivery is still to be processed, or "".
func (d *deluge) missing(st *store.Store) string {
	d.mu.Lock()
	guids := slices.Collect(maps.Keys(d.guids))
	d.mu.Unlock()
	for _, guid := range guids {
		if d.processed[guid] {
			continue
		}
		if got, err := st.Delivery(d.t.Context(), guid); err != nil || got.Outcome == "" {
			return fmt.Sprintf("%d of %d deliveries are processed, and %s is not (%v)", len(d.processed), len(guids), guid, err)
		}
		d.processed[guid] = true
	}
	return ""
}

// unanswered says which comment has no answer, or "".
func (d *deluge) unanswered(asked []int64) string {
	talk, err := d.gh.Conversation(demoRepo, d.pull)
	must(d.t, err)
	answers := make(map[string]int)
	for _, c := range talk.Comments {
		if c.App {
			mark, _, _ := strings.Cut(c.Body, "\n")
			answers[mark]++
		}
	}
	for _, id := range asked {
		switch n := answers[fmt.Sprintf("<!-- ortest:answer %d.0 -->", id)]; {
		case n == 0:
			return fmt.Sprintf("comment %d of %d is not answered", id, len(asked))
		case n > 1:
			d.t.Errorf("comment %d is answered %d times", id, n)
		}
	}
	return ""
}

// report tells how long the answers took.
func (d *deluge) report(b *testing.B) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.took)
	at := func(q float64) float64 {
		if len(d.took) == 0 {
			return 0
		}
		return float64(d.took[min(int(q*float64(len(d.took))), len(d.took)-1)].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(float64(len(d.guids)), "deliveries")
	b.ReportMetric(float64(len(d.failed)), "refused")
	b.ReportMetric(float64(d.again), "sent-again")
	load, _ := os.ReadFile("/proc/loadavg") // only where there is one
	b.Logf("load %s", bytes.TrimSpace(load))
}
