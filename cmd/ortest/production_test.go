package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/githubtest"
	"github.com/ortest/ortest/internal/githubtest/contract"
	"github.com/ortest/ortest/internal/postgrestest"
)

// production is what docs/install.md and docs/operations.md lead to: a configuration
// file for EC2 and PostgreSQL, secrets in files, and ortest serve.
type production struct {
	gh     *githubtest.Server
	aws    *region
	listen string
	file   string
	base   string // the configuration without live
	db     string
}

func newProduction(t *testing.T) *production {
	t.Helper()
	p := &production{aws: newRegion(t), listen: "127.0.0.1:" + freePort(t)}
	p.aws.Booted, p.aws.Ended = nil, nil // what boots there is no part of this
	dir := t.TempDir()
	made, err := openDemoDir(dir)
	must(t, err)
	t.Cleanup(func() { must(t, made.close()) })
	key, err := made.key()
	must(t, err)
	const address = "https://ortest.example.org"
	var hub http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/app/hook/config") { // a proxy with TLS stands before the bot
			fmt.Fprintf(w, `{"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": "%s/webhook"}`, address)
			return
		}
		hub.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	p.gh, err = githubtest.Open(githubtest.Config{
		Dir: filepath.Join(dir, "github"), URL: srv.URL, AppID: demoAppID, AppKey: &key.PublicKey,
		WebhookURL: "http://" + p.listen + "/webhook", WebhookSecret: made.state.WebhookSecret,
	})
	must(t, err)
	t.Cleanup(func() { must(t, p.gh.Close()) })
	hub = contract.Handler(p.gh.Handler(), func(err error) { t.Error(err) })

	cluster, err := postgrestest.Start("fsync=off")
	must(t, err)
	t.Cleanup(func() { must(t, cluster.Close()) })
	p.db = cluster.URL(nil)
	for name, text := range map[string]string{
		"app.pem": made.state.AppKey, "webhook.secret": made.state.WebhookSecret, "fleet.key": hex.EncodeToString(bytes.Repeat([]byte("k"), 32)), "aws.pem": string(p.aws.cert),
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	p.file = filepath.Join(dir, "ortest.yaml")
	p.base = fmt.Sprintf(`listen: %s
url: %s
data: data
database: %s
github: {app_id: %d, slug: ortest, key_file: app.pem, webhook_secret_files: [webhook.secret], api: %s/api/v3, server: %s}
fleet:
  cloud: ec2
  key_file: fleet.key
  settle: 500ms
  ec2: {subnets: [subnet-1, subnet-2], security_groups: [sg-1], certificates_file: aws.pem}
pace: {poll: 200ms, hold: 200ms}
`, p.listen, address, p.db, demoAppID, srv.URL, srv.URL)
	p.live(t, "{time: 60}")
	return p
}

// live saves the configuration.
func (p *production) live(t *testing.T, live string) {
	t.Helper()
	must(t, os.WriteFile(p.file, []byte(p.base+"live: "+live+"\n"), 0o600))
}

// ortest runs a command that ends well.
func (p *production) ortest(t *testing.T, args ...string) string {
	t.Helper()
	var out, says bytes.Buffer
	if code := run(t.Context(), args, nil, &out, &says); code != exitGood {
		t.Errorf("%q ended with %d: %s%s", args, code, &out, &says)
	}
	return out.String()
}

// found is what the doctor says, by what it looked at.
func (p *production) found(t *testing.T) map[string]finding {
	t.Helper()
	var out, says bytes.Buffer
	run(t.Context(), []string{"doctor", "--config", p.file, "--json"}, nil, &out, &says) // its code is what it found
	var all []finding
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatalf("%v: %s", err, &says)
	}
	by := make(map[string]finding)
	for _, f := range all {
		by[f.Check] = f
	}
	return by
}

func (p *production) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("not seen: %s", what)
		case <-look.C:
		}
	}
}

// TestProduction goes the way of an operator: doctor, serve, a comment whose machine is
// launched at EC2 with its tags, fleet ls, the audit log, and the kill switch.
func TestProduction(t *testing.T) {
	p := newProduction(t)
	pull, err := seed(t.Context(), p.gh, "good")
	must(t, err)
	before := p.found(t)
	if before["programs"].State != "skip" || before["gcc"].State != "" || before["server"].State != "warn" {
		t.Errorf("the doctor of a bot whose machines are elsewhere says %+v", before)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 2)
	go func() { ended <- run(ctx, []string{"serve", "--config", p.file}, nil, io.Discard, t.Output()) }()
	go func() { _ = p.gh.Run(ctx); ended <- exitGood }() // until the context ends
	t.Cleanup(func() {
		stop()
		for range 2 {
			if code := <-ended; code != exitGood {
				t.Errorf("serve ended with %d", code)
			}
		}
	})
	p.await(t, "readiness", func() bool { return p.found(t)["server"].State == "ok" })

	_, err = p.gh.Comment(demoRepo, pull, demoMaintainer, "/ortest t-hello")
	must(t, err)
	p.await(t, "a machine", func() bool { return len(p.aws.Instances()) == 1 })
	in := p.aws.Instances()[0]
	if in.Tags["ortest:fleet"] != "ortest" || in.Tags["ortest:instance"] != "1-b0-a1" {
		t.Errorf("the machine has tags %v", in.Tags)
	}
	p.await(t, "the machine in the database", func() bool { return strings.Contains(p.ortest(t, "fleet", "ls", "--config", p.file), "booting") })
	if ls := p.ortest(t, "fleet", "ls", "--config", p.file); !strings.Contains(ls, in.ID) {
		t.Errorf("fleet ls says %s", ls)
	}
	if said := p.ortest(t, "audit", "--data", p.db); !strings.Contains(said, `"who":"ada","did":"run"`) {
		t.Errorf("the audit log has %s", said)
	}
	p.ortest(t, "doctor", "--config", p.file)

	p.live(t, `{kill: "a key was stolen"}`)
	p.await(t, "the end of the machine", func() bool { return p.aws.Instances()[0].State == "terminated" })
	p.await(t, "the end of the run", func() bool {
		talk, err := p.gh.Conversation(demoRepo, pull)
		return err == nil && conclusions(talk)["ortest / verdict"] == "completed cancelled"
	})
}

func TestNoPasswordOfADatabaseIsShown(t *testing.T) {
	for _, tt := range []struct{ database, shown string }{
		{"/var/lib/ortest/ortest.db", "/var/lib/ortest/ortest.db"},
		{"postgres://ortest:word@db:5433/ortest", "postgres://db:5433/ortest"},
		{"postgresql://ortest@db/ortest?password=word&passfile=f", "postgresql://db/ortest"},
		{"postgres://ortest:%zz@db/ortest", "PostgreSQL"},
	} {
		if got := shownDatabase(tt.database); got != tt.shown {
			t.Errorf("%s is shown as %s, want %s", tt.database, got, tt.shown)
		}
	}
}
