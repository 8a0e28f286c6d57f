package agent

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ortest/ortest/runnerfleet/fleettest"
)

// dying is a server that dies once, without a word to those who have a connection to it.
// Who connects anew reaches the one that took its place.
type dying struct {
	http.Handler
	when func() bool

	mu    sync.Mutex
	dead  bool
	seen  map[string]bool
	gone  map[string]bool // connections
	under int             // calls under way
	after int             // heartbeats that were answered after its death
}

func (d *dying) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	beat := strings.HasSuffix(r.URL.Path, "/heartbeat")
	d.mu.Lock()
	d.seen[r.RemoteAddr] = true
	if beat && !d.dead && d.under == 0 && d.when() {
		d.dead, d.gone, d.seen = true, d.seen, make(map[string]bool)
	}
	gone := d.gone[r.RemoteAddr]
	if d.under++; beat && d.dead && !gone {
		d.after++
	}
	d.mu.Unlock()
	if gone {
		_, _ = io.Copy(io.Discard, r.Body) // or its end is not noticed
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	d.Handler.ServeHTTP(w, r)
	d.mu.Lock()
	d.under--
	d.mu.Unlock()
}

func (d *dying) beats() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.after
}

func TestAServerThatDiesWithoutAWordCostsNoMachine(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "entry:one wait:DIR/go entry:two")
	d := &dying{Handler: s.api, when: func() bool { return s.work.Piece("p0").Log == "one" }, seen: make(map[string]bool)}
	s.http.Close()
	s.http = httptest.NewServer(d)
	s.start(soon())
	fleettest.Eventually(t, "a heartbeat is answered again", func() bool { return d.beats() > 0 })
	s.touch("go")
	s.end(0)
	if p := s.work.Piece("p0"); p.Log != "onetwo" || len(p.Tries) != 1 {
		t.Errorf("piece %+v", p)
	}
}
