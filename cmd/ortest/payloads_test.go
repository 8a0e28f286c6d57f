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
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// examplesEnv names the examples of webhooks elsewhere than where make examples
// puts them.
const examplesEnv = "ORTEST_WEBHOOKS_EXAMPLES"

// example is a payload as npm's @octokit/webhooks-examples has it.
type example struct {
	name    string
	payload json.RawMessage
}

// webhookExamples reads the package's index.json; none when nobody fetched it.
func webhookExamples(t *testing.T) []example {
	t.Helper()
	path := cmp.Or(os.Getenv(examplesEnv), filepath.Join("..", "..", "bin", "webhooks-examples.json"))
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "NOT TESTED: %s: there are no official examples of webhooks at %s; make examples fetches them, or %s names them\n", t.Name(), path, examplesEnv)
		return nil
	}
	var index []struct {
		Name     string
		Examples []json.RawMessage
	}
	if err := errors.Join(err, json.Unmarshal(raw, &index)); err != nil {
		t.Fatal(err)
	}
	var all []example
	for _, e := range index {
		for _, payload := range e.Examples {
			all = append(all, example{e.Name, payload})
		}
	}
	return all
}

// TestGitHubsExamplesAreTakenOrIgnoredWithAReason sends each of them signed, as it
// is and as an App would get it.
func TestGitHubsExamplesAreTakenOrIgnoredWithAReason(t *testing.T) {
	t.Parallel()
	all := webhookExamples(t)
	if len(all) == 0 {
		return
	}
	p := open(t, t.TempDir(), func(*systemConfig) {})
	p.report = nil // many are older than the descriptions
	p.start(t)
	events := make(map[string]string)
	for i, e := range all {
		for _, kind := range []string{"plain", "app"} {
			payload := []byte(e.payload)
			if kind == "app" {
				payload = withInstallation(t, payload)
			}
			guid := fmt.Sprintf("example-%d-%s", i, kind)
			events[guid] = e.name
			if code := p.post(t, e.name, guid, payload); code != http.StatusAccepted {
				t.Errorf("%s, example %d: code %d", e.name, i, code)
			}
		}
	}
	counts := make(map[string]int)
	for guid, event := range events {
		p.await(t, func(ctx context.Context) (string, error) {
			d, err := p.sys.store.Delivery(ctx, guid)
			if err != nil || d.Outcome == "" {
				return event + " is to be handled", err
			}
			why, ignored := strings.CutPrefix(d.Outcome, "ignored:")
			if ignored && strings.TrimSpace(why) == "" {
				t.Errorf("%s: ignored for no reason", event)
			}
			counts[d.Outcome]++
			return "", nil
		})
	}
	for outcome, n := range counts {
		t.Logf("%4d %s", n, outcome)
	}
	nothingStarted(t, p)
}

// withInstallation is the payload as an App gets it.
func withInstallation(t *testing.T, payload []byte) []byte {
	t.Helper()
	var body map[string]json.RawMessage
	if err := json.Unmarshal(payload, &body); err != nil {
		t.Fatal(err)
	}
	body["installation"] = json.RawMessage(`{"id":1,"node_id":"x"}`)
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// post sends a signed webhook and returns the answer's code.
func (p *place) post(t *testing.T, event, guid string, payload []byte) int {
	t.Helper()
	mac := hmac.New(sha256.New, p.cfg.Secrets[0])
	mac.Write(payload)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/webhook", bytes.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", event)
	req.Header.Set("X-GitHub-Delivery", guid)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}
