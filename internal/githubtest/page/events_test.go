package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stream is the answer to a request for events, readable while it is written.
type stream struct {
	*httptest.ResponseRecorder
	mu sync.Mutex
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ResponseRecorder.Write(p)
}

// took returns how often "changed" was said since it was last asked.
func (s *stream) took() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := strings.Count(s.Body.String(), "event: changed\n")
	s.Body.Reset()
	return n
}

// pass lets the bubble's time pass, which takes none.
func pass(d time.Duration) { <-time.After(d) }

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, cfg := demo()
		m := &machinesOf{}
		cfg.Machines = m.list
		ctx, leave := context.WithCancel(t.Context())
		out := &stream{ResponseRecorder: httptest.NewRecorder()}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Handler(cfg, http.NotFoundHandler()).ServeHTTP(out, get("/_page/events").WithContext(ctx))
		}()
		said := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got := out.took(); got != want {
				t.Errorf("%s: told %d times, want %d", what, got, want)
			}
		}
		said("a page that comes", 1)
		g.change()
		said("a change", 1)
		g.change()
		g.change()
		said("changes right after it", 0)
		pass(settle)
		said("once they have settled", 1)
		pass(3 * look)
		said("nothing happens", 0)
		m.set(Machine{ID: "i-1"})
		pass(look)
		said("a machine appears", 1)
		pass(look)
		said("the machine is still there", 0)
		pass(beat)
		synctest.Wait()
		if !strings.Contains(out.Body.String(), ": alive\n\n") {
			t.Error("a silent stream shows no sign of life")
		}
		leave()
		<-done
		if len(g.subs) != 0 {
			t.Error("the subscription outlived the page")
		}
	})
}
