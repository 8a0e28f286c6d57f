package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/internal/postgrestest"
)

// flood is a load of webhooks on servers that are processes of their own.
type flood struct {
	rate      int           // deliveries a second
	lasts     time.Duration //
	replicas  int
	postgres  bool
	killEvery time.Duration // 0: never
	asking    time.Duration // between two comments with a command
	redeliver time.Duration // the wait of pace.redeliver
	durable   bool          // the database syncs, as in production
	room      int           // bytes of a disk of the server's own; 0: it has the machine's
	happens   func(*deluge) // while it rains; nil: nothing does
	old       string        // a binary of these tests of an earlier version, which the first servers are; "": this one
}

// BenchmarkWebhooks is the acceptance of the intake: 500 deliveries a second for a
// minute, with one server on SQLite, and with three on PostgreSQL of which one is
// killed every ten seconds. ORTEST_FLOOD gives another duration.
func BenchmarkWebhooks(b *testing.B) {
	lasts := time.Minute
	if text := os.Getenv("ORTEST_FLOOD"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	base := flood{rate: 500, lasts: lasts, replicas: 1, asking: 2 * time.Second, redeliver: time.Second, durable: true}
	b.Run("SQLite", func(b *testing.B) {
		for b.Loop() {
			base.run(b).report(b)
		}
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		f := base
		f.replicas, f.postgres, f.killEvery = 3, true, 10*time.Second
		for b.Loop() {
			f.run(b).report(b)
		}
	})
}

// BenchmarkRollingUpgrade kills three replicas of an earlier version, one after the
// other, and starts this version in their place. ORTEST_OLD names the earlier
// version's binary of these tests; make upgrade builds it.
func BenchmarkRollingUpgrade(b *testing.B) {
	f := flood{rate: 100, lasts: 25 * time.Second, replicas: 3, postgres: true, killEvery: 6 * time.Second, asking: time.Second, redeliver: time.Second, durable: true}
	if f.old = os.Getenv("ORTEST_OLD"); f.old == "" {
		b.Fatal("ORTEST_OLD names no binary: make upgrade builds one of an earlier version")
	}
	for b.Loop() {
		f.run(b).report(b)
	}
}

// TestAKilledReplicaLosesNothing is the same, small.
func TestAKilledReplicaLosesNothing(t *testing.T) {
	t.Parallel()
	f := flood{rate: 40, lasts: 6 * time.Second, replicas: 3, postgres: true, killEvery: 2 * time.Second, asking: time.Second, redeliver: time.Second}
	f.run(t)
}

// deluge is a flood under way: what stands between the servers and GitHub.
type deluge struct {
	flood
	t        testing.TB
	dir      string
	gh       *githubtest.Server
	away     atomic.Bool // GitHub, but for the webhooks that it sends
	cluster  *postgrestest.Cluster
	log      *logged // of the servers; nil: they are quiet
	hub      *http.Server
	url      string
	database string
	secret   []byte
	template []byte // a real payload, with the marks where it is changed
	client   http.Client
	pull     int

	mu      sync.Mutex
	servers []*exec.Cmd
	addrs   []string
	took    []time.Duration
	failed  []failure
	guids   map[string]int // sent, by GUID; the value is what the last answer was
	again   int            // sent again
	turn    int
	caught  chan []byte // the payload that the template is made of

	processed map[string]bool // GUIDs that check has seen to be
}

// failure is a delivery that was not taken, as the App's list has it.
type failure struct {
	ID   int64     `json:"id"`
	GUID string    `json:"guid"`
	At   time.Time `json:"delivered_at"`
}

// The marks in the template.
const (
	markID   = "8888888888888"
	markBody = "@body@"
)

func (f flood) run(t testing.TB) *deluge {
	d := &deluge{flood: f, t: t, dir: t.TempDir(), secret: []byte("a secret of webhooks"), guids: make(map[string]int), processed: make(map[string]bool), caught: make(chan []byte, 1)}
	d.client.Transport = &http.Transport{MaxIdleConnsPerHost: 200}
	d.client.Timeout = 10 * time.Second // GitHub's patience
	d.open()
	for i := range d.replicas {
		d.start(i)
	}
	for i := range d.replicas {
		d.ready(i)
	}
	d.learn()
	stop := make(chan struct{})
	var aside sync.WaitGroup
	var asked []int64
	aside.Go(func() { asked = d.ask(stop) })
	if d.killEvery > 0 {
		aside.Go(func() { d.kill(stop) })
	}
	if d.happens != nil {
		aside.Go(func() { d.happens(d) })
	}
	d.pour()
	close(stop)
	aside.Wait()
	d.check(asked)
	return d
}

// open makes GitHub, the database and the servers' files.
func (d *deluge) open() {
	t := d.t
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	write := func(name string, content []byte) { must(t, os.WriteFile(filepath.Join(d.dir, name), content, 0o600)) }
	write("app.pem", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	write("webhook.secret", d.secret)
	write("fleet.key", []byte(randomHex()))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d.url = "http://" + ln.Addr().String()
	d.gh, err = githubtest.Open(githubtest.Config{
		Dir: filepath.Join(d.dir, "github"), URL: d.url, AppID: demoAppID, AppKey: &key.PublicKey,
		WebhookURL: d.url + "/webhook", WebhookSecret: string(d.secret), RateLimit: 1_000_000,
	})
	must(t, err)
	d.pull, err = seed(t.Context(), d.gh, "good")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v3/app/hook/deliveries", d.list)
	mux.HandleFunc("POST /api/v3/app/hook/deliveries/{id}/attempts", d.attempt)
	mux.HandleFunc("POST /webhook", d.forward)
	mux.Handle("/", d.gh.Handler())
	d.hub = &http.Server{Handler: d.outage(mux), ReadHeaderTimeout: 10 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.hub.Serve(ln) }) // ends with Close
	wg.Go(func() { _ = d.gh.Run(ctx) })   // ends with ctx
	t.Cleanup(func() {
		d.mu.Lock()
		for _, s := range d.servers {
			_ = s.Process.Kill()
			_ = s.Wait()
		}
		d.mu.Unlock()
		cancel()
		_ = d.hub.Close()
		wg.Wait()
		_ = d.gh.Close()
	})
	must(t, os.Mkdir(d.disk(), 0o700))
	d.database = filepath.Join(d.disk(), "ortest.db")
	if !d.postgres {
		return
	}
	var settings []string
	if !d.durable {
		settings = append(settings, "fsync=off")
	}
	c, err := postgrestest.Start(settings...)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	d.cluster = c
	d.database = c.URL(url.Values{"pool_max_conns": {"12"}})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a server, at the address that it had before.
func (d *deluge) start(i int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := i == len(d.addrs)
	if first {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(d.t, err)
		d.addrs = append(d.addrs, ln.Addr().String())
		must(d.t, ln.Close())
		d.servers = append(d.servers, nil)
	}
	file := filepath.Join(d.dir, fmt.Sprintf("serve%d.yaml", i))
	config := fmt.Sprintf("listen: %s\nurl: http://%s\ndata: %s\ndatabase: %q\n"+
		"github: {app_id: %d, key_file: app.pem, webhook_secret_files: [webhook.secret], api: %s/api/v3, server: %s}\n"+
		"fleet: {key_file: fleet.key}\npace: {sweep: 2s, redeliver: %s}\n",
		d.addrs[i], d.addrs[i], filepath.Join(d.dir, fmt.Sprint("data", i)), d.database, demoAppID, d.url, d.url, d.redeliver)
	must(d.t, os.WriteFile(file, []byte(config), 0o600))
	cmd := d.command("serve", "--config", file)
	if first && d.old != "" {
		cmd.Path = d.old
	}
	must(d.t, cmd.Start())
	d.servers[i] = cmd
}
