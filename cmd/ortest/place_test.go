package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/internal/githubtest/contract"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/local"
	"github.com/ortest/ortest/runnerfleet/process"
)

// patience bounds every wait of these tests; under the race detector, on a busy
// machine, a run takes a quarter of it.
const patience = 2 * time.Minute

// server is a demo on its way to serve: what demo.run builds, with everything
// that passes the stand-in held to GitHub's descriptions.
type server struct {
	*demo
	dir    *demoDir
	ln     net.Listener
	cfg    systemConfig
	front  func(http.Handler) http.Handler // stands before everything; nil is nothing
	report func(error)                     // of what breaks the descriptions; called from several goroutines; nil looks at nothing
}

// openServer opens a data directory. Nothing is sent or worked before serve.
func openServer(ctx context.Context, data string, log *slog.Logger, with func(*systemConfig)) (*server, error) {
	return openDemo(ctx, data, &demo{variant: "good", out: io.Discard, err: io.Discard, log: log}, with)
}

func openDemo(ctx context.Context, data string, d *demo, with func(*systemConfig)) (*server, error) {
	s := &server{demo: d}
	s.wrap = func(c *systemConfig) {
		c.Settle = 2 * time.Second
		c.Pace, c.Hold, c.Sweep = 200*time.Millisecond, 200*time.Millisecond, 0
		c.Limits.Settle = 500 * time.Millisecond
		with(c)
		s.cfg = *c
	}
	var err error
	if s.dir, err = openDemoDir(data); err != nil {
		return nil, err
	}
	if s.ln, err = s.dir.listen("127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, s.dir.close())
	}
	s.url = "http://" + s.ln.Addr().String()
	if err := s.open(ctx, s.dir); err != nil {
		return nil, errors.Join(err, s.ln.Close(), s.dir.close())
	}
	return s, nil
}

// serve works until ctx ends.
func (s *server) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	h := s.watched(s.handler())
	if s.front != nil {
		h = s.front(h)
	}
	g.Go(func() error { return serveHTTP(ctx, s.ln, h) })
	g.Go(func() error { return s.gh.Run(ctx) })
	g.Go(func() error { return s.sys.run(ctx) })
	return errors.Join(g.Wait(), s.sys.close(), s.gh.Close(), s.dir.close())
}

// watched holds requests, answers and webhooks to their descriptions.
func (s *server) watched(next http.Handler) http.Handler {
	if s.report == nil {
		return next
	}
	return contract.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/webhook" {
			payload, err := io.ReadAll(r.Body)
			if err == nil {
				err = contract.Webhook(r.Header.Get("X-GitHub-Event"), payload)
			}
			if err != nil {
				s.report(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(payload))
		}
		next.ServeHTTP(w, r)
	}), s.report)
}

// place is a server in this process.
type place struct {
	*server
	data string
	stop func() // ends it; the data stays
}

// realAct is where `make build` puts act.
func realAct(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "act"))
	}
	if err != nil {
		t.Fatalf("%v; make build puts act there", err)
	}
	return dir
}

// scripted is a directory with an act that does as script.
func scripted(t testing.TB) string {
	t.Helper()
	dir, self := t.TempDir(), self(t)
	if err := os.Symlink(self, filepath.Join(dir, "act")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func self(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// machines sets up what the processes of the fleet see.
func machines(c *systemConfig, act string, env ...string) {
	cloud := c.Cloud.(*local.Cloud)
	for i, kv := range cloud.Env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			cloud.Env[i] = "PATH=" + act + ":" + path
		}
	}
	cloud.Env = append(cloud.Env, env...)
}

// open opens a place on new or old data; it does nothing before start.
func open(t testing.TB, data string, with func(*systemConfig)) *place {
	t.Helper()
	s, err := openServer(t.Context(), data, logTo(t), with)
	if err != nil {
		t.Fatal(err)
	}
	return placeOf(t, data, s)
}

// openDeaf opens a place on new data whose GitHub sends no webhook.
func openDeaf(t testing.TB, with func(*systemConfig)) *place {
	t.Helper()
	data := t.TempDir()
	s, err := openDemo(t.Context(), data, &demo{variant: "good", out: io.Discard, err: io.Discard, log: logTo(t), deaf: true}, with)
	if err != nil {
		t.Fatal(err)
	}
	return placeOf(t, data, s)
}

func logTo(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func placeOf(t testing.TB, data string, s *server) *place {
	var mu sync.Mutex
	s.report = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		t.Error(err)
	}
	return &place{server: s, data: data}
}

// start lets the place work until stop or the end of the test, which leaves no machine.
func (p *place) start(t testing.TB) *place {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.serve(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() {
		p.stop()
		removeMachines(t, p.cfg.Cloud)
	})
	return p
}

// removeMachines cleans up behind a test that failed.
func removeMachines(t testing.TB, cloud runnerfleet.Cloud) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, err := cloud.List(ctx)
	for _, m := range left {
		err = errors.Join(err, cloud.Terminate(ctx, m.CloudID))
	}
	if err != nil {
		t.Error(err)
	}
}

func newPlace(t testing.TB, with func(*systemConfig)) *place {
	t.Helper()
	return open(t, t.TempDir(), with).start(t)
}

func (p *place) say(t testing.TB, who, text string) int64 {
	t.Helper()
	id, err := p.gh.Comment(demoRepo, p.pull, who, text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// await waits until done says "", and fails with what it last said.
func (p *place) await(t testing.TB, done func(ctx context.Context) (string, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for said := ""; ; {
		now, err := done(ctx)
		switch {
		case err == nil && now == "":
			return
		case ctx.Err() != nil:
			t.Fatalf("still after %v: %s", patience, said)
		case err != nil:
			t.Fatal(err)
		}
		said = now
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// settle waits until nothing is under way: every webhook handled, every answer
// posted, every run closed, every machine gone.
func (p *place) settle(t testing.TB) {
	t.Helper()
	p.await(t, p.pending)
}

func (p *place) pending(ctx context.Context) (string, error) {
	all, again := p.gh.Deliveries(), make(map[string]bool)
	for _, d := range all {
		if d.Attempted.IsZero() {
			again[d.GUID] = true
		}
	}
	for _, d := range all {
		if d.Attempted.IsZero() {
			return fmt.Sprintf("webhook %s %s is to be sent", d.Name, d.Action), nil
		}
		stored, err := p.sys.store.Delivery(ctx, d.GUID)
		if errors.Is(err, bot.ErrNotFound) && !d.OK() {
			// A machine too busy to take it in time; GitHub is asked to send it again.
			if !again[d.GUID] {
				err = p.gh.Redeliver(d.ID)
			}
			return fmt.Sprintf("webhook %s %s was lost: %s", d.Name, d.Action, d.Status), err
		}
		if err != nil {
			return "", fmt.Errorf("delivery of %s, which ended as %s: %w", d.Name, d.Status, err)
		}
		if stored.Outcome == "" {
			return fmt.Sprintf("webhook %s %s is to be handled", d.Name, d.Action), nil
		}
	}
	owed, err := p.sys.store.UnpostedAnswers(ctx)
	if err != nil || len(owed) > 0 {
		return fmt.Sprintf("%d answers are owed", len(owed)), err
	}
	live, err := p.sys.store.LiveRuns(ctx)
	for _, r := range live {
		return fmt.Sprintf("run %s is %s, its pieces %+v", r.ID, r.State, r.Pieces), err
	}
	if err != nil {
		return "", err
	}
	left, err := p.live(ctx)
	return strings.Join(left, " "), err
}

// live returns the instances that are not gone.
func (p *place) live(ctx context.Context) (left []string, err error) {
	all, err := p.sys.store.Instances(ctx)
	for _, in := range all {
		if in.State != runnerfleet.Gone || in.Owed {
			left = append(left, fmt.Sprintf("instance %s is %s", in.ID, in.State))
		}
	}
	return left, err
}

func (p *place) runs(t testing.TB) []bot.Run {
	t.Helper()
	runs, err := p.sys.store.RecentRuns(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func (p *place) talk(t testing.TB) githubtest.Conversation {
	t.Helper()
	talk, err := p.gh.Conversation(demoRepo, p.pull)
	if err != nil {
		t.Fatal(err)
	}
	return talk
}

func (p *place) activity(t testing.TB) githubtest.Activity {
	t.Helper()
	a, err := p.gh.Activity(demoRepo)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// processes returns the living processes of the place's machines.
func (p *place) processes(t testing.TB) (left []string) {
	t.Helper()
	all, err := process.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", one.PID))
		if err == nil && !one.Zombie && one.PID != os.Getpid() &&
			bytes.Contains(env, []byte(runnerfleet.EnvInstance+"=")) && bytes.Contains(env, []byte(p.data+"/")) {
			cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", one.PID)) // it may just have ended
			left = append(left, strings.ReplaceAll(string(cmd), "\x00", " "))
		}
	}
	return left
}
