package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/report/html"
)

// How often those who follow a run are told of it.
const (
	lookEvery  = time.Second      // a run is looked at for all who follow it
	beatEvery  = 15 * time.Second // something is sent, so that nobody on the way gives up
	followFor  = 10 * time.Minute // then the browser asks again, of whichever server answers
	sendWithin = 10 * time.Second
	askAgain   = 3 * time.Second // after a connection broke
)

// shot is a run's page as it was at a moment: everybody who follows the run
// shares the work of looking at it.
type shot struct {
	mu   sync.Mutex
	at   time.Time
	view html.RunView
	tag  string // names what the page shows
	over bool
}

// look returns the run as it is, or as it was no longer than age ago. What is
// over is looked at once.
func (p *pages) look(ctx context.Context, id string, age time.Duration) (html.RunView, string, bool, error) {
	s := p.shots.of(id, func() *shot { return new(shot) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tag != "" && (s.over || time.Since(s.at) < age) {
		return s.view, s.tag, s.over, nil
	}
	run, err := p.Store.Run(ctx, id)
	if err != nil {
		return html.RunView{}, "", false, err
	}
	if s.view, err = p.Bot.View(ctx, run); err != nil {
		return html.RunView{}, "", false, err
	}
	var page bytes.Buffer
	if err := html.Page(&page, s.view); err != nil {
		return html.RunView{}, "", false, err
	}
	sum := sha256.Sum256(page.Bytes())
	s.at, s.tag, s.over = time.Now(), hex.EncodeToString(sum[:8]), run.State == bot.Closed
	return s.view, s.tag, s.over, nil
}

// run is the page of one run. While the run lives its script follows it.
func (p *pages) run(r *http.Request, a *answer) error {
	view, _, over, err := p.look(r.Context(), r.PathValue("id"), lookEvery/4)
	if err != nil {
		return err
	}
	var above strings.Builder
	if err := p.templates.ExecuteTemplate(&above, "top", p.top(r, !over)); err != nil {
		return fmt.Errorf("render %s: %w", r.URL.Path, err)
	}
	view.Top = template.HTML(above.String())
	if !over {
		view.Script = template.JS(liveJS)
	}
	return html.Page(a, view)
}

// events tells a browser, as Server-Sent Events, that a run's page changed. An
// event's id names what the page shows: a browser that lost the connection says
// what it saw last, and hears at once when that is not how it is now.
func (p *pages) events(w http.ResponseWriter, r *http.Request) {
	protect(w.Header(), p.policy)
	select {
	case p.places <- struct{}{}:
		defer func() { <-p.places }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Too many follow runs already; the page itself is there.", http.StatusServiceUnavailable)
		return
	}
	id, seen := r.PathValue("id"), r.Header.Get("Last-Event-ID")
	_, tag, over, err := p.look(r.Context(), id, lookEvery)
	if err != nil {
		p.send(w, r, func(*http.Request, *answer) error { return err })
		return
	}
	if over && seen == tag {
		w.WriteHeader(http.StatusNoContent) // and the browser asks no more
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	ctx, cancel := context.WithTimeout(r.Context(), followFor)
	defer cancel()
	p.follow(ctx, id, stream{http.NewResponseController(w), w}, seen)
}

// stream is the way to one browser.
type stream struct {
	control *http.ResponseController
	w       http.ResponseWriter
}

// send reports whether somebody still listens.
func (s stream) send(text string) bool {
	if err := s.control.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return false
	}
	if _, err := fmt.Fprint(s.w, text); err != nil {
		return false
	}
	return s.control.Flush() == nil
}

// follow tells of a run until ctx ends, the run is over or nobody listens.
func (p *pages) follow(ctx context.Context, id string, to stream, seen string) {
	if !to.send(fmt.Sprintf("retry: %d\n\n", askAgain.Milliseconds())) {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for beat := time.Now(); ; {
		_, tag, over, err := p.look(ctx, id, lookEvery*9/10)
		switch {
		case err != nil && ctx.Err() == nil:
			p.Log.Warn("run not followed", "run", id, "err", err)
			return // the browser asks again
		case err != nil:
			return
		case over:
			to.send(fmt.Sprintf("id: %s\nevent: end\ndata: %s\n\n", tag, id))
			return
		case tag != seen:
			seen, beat = tag, time.Now()
			if !to.send(fmt.Sprintf("id: %s\nevent: run\ndata: %s\n\n", tag, id)) {
				return
			}
		case time.Since(beat) >= beatEvery:
			beat = time.Now()
			if !to.send(": the run goes on\n\n") {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
