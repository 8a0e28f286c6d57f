package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestAlerts holds deploy/alerts.yaml against what the bot really answers at
// /metrics, and against the table of docs/operations.md.
func TestAlerts(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert  string            `yaml:"alert"`
				Expr   string            `yaml:"expr"`
				For    string            `yaml:"for"`
				Labels map[string]string `yaml:"labels"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(deployed(t, "alerts.yaml")), &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	served := servedMetrics(t)
	page, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	var named []string
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			named = append(named, r.Alert)
			metrics := regexp.MustCompile(`ortest_\w+`).FindAllString(r.Expr, -1)
			if len(metrics) == 0 && !strings.Contains(r.Expr, `up{job="ortest"}`) {
				t.Errorf("%s looks at nothing of ortest's: %s", r.Alert, r.Expr)
			}
			for _, m := range metrics {
				if !served[m] {
					t.Errorf("%s looks at %s, which is not served", r.Alert, m)
				}
			}
			if severity := r.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("%s has the severity %q", r.Alert, severity)
			}
			if !strings.Contains(string(page), "\n| `"+r.Alert+"` | ") {
				t.Errorf("docs/operations.md does not say what to do about %s", r.Alert)
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(Ortest\\w+)` \\|").FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(named, m[1]) {
			t.Errorf("docs/operations.md tells of %s, which deploy/alerts.yaml has not", m[1])
		}
	}
}

// servedMetrics are the metrics of a bot that has just begun.
func servedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	p := openDeaf(t, func(*systemConfig) {}).start(t)
	resp, err := http.Get(p.url + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	served := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) `).FindAllStringSubmatch(string(text), -1) {
		served[m[1]] = true
	}
	if len(served) < 10 {
		t.Fatalf("%d metrics are served:\n%s", len(served), text)
	}
	return served
}
