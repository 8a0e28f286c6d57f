package page

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	settle = 200 * time.Millisecond // changes that come close together are told once
	look   = time.Second            // machines tell nobody when they change
	beat   = 15 * time.Second       // keeps proxies from closing a silent stream
)

// events tells a page when it is out of date, until the page goes away. It
// says "changed" at once, since a page that comes back may have missed much.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	changed, end := s.cfg.GitHub.Subscribe()
	defer end()
	secure(w.Header())
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	tell := func(text string) bool {
		_, err := fmt.Fprint(w, text, "\n\n")
		return err == nil && stream.Flush() == nil
	}
	const news = "event: changed\ndata: 1"
	if !tell("retry: 1000\n" + news) {
		return
	}
	looks, beats := time.NewTicker(look), time.NewTicker(beat)
	defer looks.Stop()
	defer beats.Stop()
	seen := s.machines(ctx)
	for alive := true; alive; {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			alive = tell(news) && wait(ctx, settle)
		case <-looks.C:
			if now := s.machines(ctx); !slices.Equal(now, seen) {
				seen = now
				alive = tell(news)
			}
		case <-beats.C:
			alive = tell(": alive")
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// machines returns the machines to show; an error is logged and shows none.
func (s *site) machines(ctx context.Context) []Machine {
	if s.cfg.Machines == nil {
		return nil
	}
	list, err := s.cfg.Machines(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.Error("list machines", "err", err)
	}
	return list
}
