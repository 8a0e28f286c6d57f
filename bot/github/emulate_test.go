package github_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
)

// emulateEnv names the emulator's index.js elsewhere than where make emulate puts it.
const emulateEnv = "ORTEST_EMULATE"

// startEmulator starts npm's emulate, a GitHub that we did not write, and returns a
// Forge that speaks to it; nil when nobody fetched it.
func startEmulator(t *testing.T) *github.Forge {
	t.Helper()
	script := cmp.Or(os.Getenv(emulateEnv), filepath.Join("..", "..", "bin", "emulate", "node_modules", "emulate", "dist", "index.js"))
	if _, err := os.Stat(script); err != nil {
		fmt.Fprintf(os.Stderr, "NOT TESTED: %s: %v; make emulate fetches the emulator, or %s names it\n", t.Name(), err, emulateEnv)
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	granted, _ := github.Needs(true, true)
	seed, err := json.Marshal(map[string]any{"github": map[string]any{
		"users": []any{map[string]any{"login": "ada", "name": "Ada"}},
		"orgs":  []any{map[string]any{"login": "ortest-examples", "members": []any{map[string]any{"login": "ada"}}}},
		"repos": []any{map[string]any{"owner": "ortest-examples", "name": "hello", "auto_init": true}},
		"apps": []any{map[string]any{
			"app_id": appID, "slug": "ortest", "name": "ortest", "private_key": string(private), "permissions": granted, "events": []string{"issue_comment"},
			"installations": []any{map[string]any{"installation_id": 100, "account": "ortest-examples", "repository_selection": "all"}},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	// It wants a newer Node.js than some systems have; make emulate puts one beside it.
	node := filepath.Join(filepath.Dir(script), "..", "..", "node", "bin", "node")
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	cmd := exec.CommandContext(ctx, node, script, "start", "--service", "github", "--port", strconv.Itoa(port), "--seed", file)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() }) // it was killed
	at := fmt.Sprintf("http://127.0.0.1:%d", port)
	for deadline := time.Now().Add(20 * time.Second); ; {
		resp, err := http.Get(at + "/meta")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
	f, err := github.New(github.Config{AppID: appID, Key: private, BaseURL: at, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestTheAdapterAgainstAnIndependentEmulator runs App auth, pull requests, comments
// and check runs, unchanged, against somebody else's idea of GitHub.
func TestTheAdapterAgainstAnIndependentEmulator(t *testing.T) {
	f := startEmulator(t)
	if f == nil {
		return
	}
	ctx, repo := t.Context(), bot.Repo{Installation: 100, Owner: "ortest-examples", Name: "hello"}
	repos, err := f.Repositories(ctx)
	if err != nil || len(repos) != 1 || repos[0] != repo {
		t.Logf("DIFFERENCE: repositories %v, %v", repos, err)
	}
	p := bot.Proposal{Branch: "ortest/expect-1", Title: "t", Body: "b", Files: map[string][]byte{"x/y.yaml": []byte("- id: x\n")}}
	at, err := f.OpenPull(ctx, repo, repo.String(), p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := f.OpenPull(ctx, repo, repo.String(), p); err != nil || again != at {
		t.Errorf("again it is %s, %v; not %s", again, err, at)
	}
	number, err := strconv.Atoi(at[strings.LastIndex(at, "/")+1:])
	if err != nil {
		t.Fatal(err)
	}
	pr, err := f.PullRequest(ctx, repo, number)
	if err != nil || !pr.Open || pr.Fork {
		t.Errorf("pull request %+v, %v", pr, err)
	}
	if role, err := f.Permission(ctx, repo, "ada"); err != nil || role == "" {
		t.Errorf("role %q, %v", role, err)
	}
	id, err := f.CreateComment(ctx, repo, number, "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.UpdateComment(ctx, repo, id, "two"); err != nil {
		t.Error(err)
	}
	all, err := f.Comments(ctx, repo, number, time.Time{})
	if err != nil || len(all) != 1 || all[0].Body != "two" {
		t.Errorf("comments %+v, %v", all, err)
	}
	if err := f.React(ctx, repo, bot.InComment, id, "eyes"); err != nil {
		t.Logf("DIFFERENCE: %v", err)
	}
	c := bot.CheckRun{Name: "ortest / verdict", External: "1", Status: "queued", Title: "t", Summary: "s"}
	if c.ID, err = f.CreateCheckRun(ctx, repo, pr.Head, c); err != nil {
		t.Fatal(err)
	}
	c.Status, c.Conclusion, c.CompletedAt = "completed", "failure", time.Now()
	c.Annotations = []bot.Annotation{{Path: "x/y.yaml", Line: 1, Level: "failure", Message: "m"}}
	for range 2 {
		if err := f.UpdateCheckRun(ctx, repo, c); err != nil {
			t.Error(err)
		}
	}
	checks, err := f.CheckRuns(ctx, repo, pr.Head)
	if err != nil || len(checks) != 1 || checks[0].Conclusion != "failure" {
		t.Logf("DIFFERENCE: check runs %+v, %v", checks, err)
	}
	if err := f.DeleteComment(ctx, repo, id); err != nil {
		t.Error(err)
	}
	if err := f.UpdateComment(ctx, repo, id, "three"); err == nil {
		t.Error("a deleted comment was changed")
	}
}
