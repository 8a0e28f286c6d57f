package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
)

// TestUpAndDownOnEC2 runs the jobs up and down against EC2: each machine has the list of
// its own and a timer, and down ends this run's and what an earlier one left, and
// nobody else's.
func TestUpAndDownOnEC2(t *testing.T) {
	w := newWithout(t, "good")
	w.app()
	aws := &ec2test.Server{
		Images: []ec2test.Image{{ID: "ami-1", Name: "ortest-x64-1", Owner: "self", Created: "2026-01-01T00:00:00.000Z", Root: "/dev/xvda"}},
		Quotas: map[string]float64{"L-1216C47A": 64, "L-34B43A08": 64},
	}
	srv := httptest.NewServer(aws)
	t.Cleanup(srv.Close)
	env := map[string]string{
		"ORTEST_CLOUD": "ec2", "AWS_ENDPOINT_URL": srv.URL, "AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "ORTEST_FLEET": "alone", "ORTEST_TARGETS": "t-hello th-hello", "ORTEST_STAGES": "2",
		"ORTEST_SUBNETS": "subnet-a subnet-b", "ORTEST_SECURITY_GROUPS": "sg-1", "ORTEST_AGENT_BINARY": "https://example.org/ortest", "ORTEST_AGENT_SHA256": strings.Repeat("0", 64),
	}
	out, said, code := w.action("plan", env)
	if code != 0 {
		t.Fatal(said)
	}
	env["ORTEST_PLAN"] = out["run"]
	for _, stage := range []string{"machines", "machines-2"} {
		env["ORTEST_MACHINES"] = out[stage]
		if _, said, code := w.action("up", env); code != 0 || !strings.Contains(said, "1 machines started") {
			t.Fatalf("up ended with %d: %s", code, said)
		}
	}
	all := aws.Instances()
	for i, in := range all {
		z, err := gzip.NewReader(strings.NewReader(in.UserData))
		if err != nil {
			t.Fatal(err)
		}
		script, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(script); strings.Count(got, "77-1/p") != 1 || !strings.Contains(got, fmt.Sprintf("77-1/p%d/1", i+1)) {
			t.Errorf("machine %d has another list:\n%s", i+1, got)
		}
		if in.Tags["ortest:fleet"] != "alone" || in.Tags["ortest:instance"] != fmt.Sprintf("gha-77-1-b%d", i+1) {
			t.Errorf("machine %d has tags %v", i+1, in.Tags)
		}
	}
	tags := func(fleet, instance string, left time.Duration) map[string]string {
		return map[string]string{"ortest:fleet": fleet, "ortest:instance": instance, "ortest:deadline": time.Now().Add(left).UTC().Format(time.RFC3339)}
	}
	aws.Fill(1, tags("alone", "gha-76-1-b1", -time.Minute)) // whose own down never came
	aws.Fill(1, tags("alone", "gha-78-1-b1", time.Hour))    // another run's
	aws.Fill(1, tags("other", "gha-77-1-b1", -time.Minute)) // another fleet's
	for range 2 {
		if _, said, code := w.action("down", env); code != 0 {
			t.Errorf("down ended with %d: %s", code, said)
		}
	}
	for i, in := range aws.Instances() {
		if want := map[bool]string{true: "terminated", false: "running"}[i < 3]; in.State != want {
			t.Errorf("machine %s is %s, want %s", in.Tags["ortest:instance"], in.State, want)
		}
	}
	if len(all) != 2 || len(aws.Templates()) != 0 {
		t.Errorf("%d machines were started, templates %v are left", len(all), aws.Templates())
	}
	for _, missing := range []string{"ORTEST_SUBNETS", "ORTEST_AGENT_SHA256"} {
		t.Run("without "+missing, func(t *testing.T) {
			w := *w
			w.t = t
			less := maps.Clone(env)
			less[missing] = ""
			if _, said, code := w.action("up", less); code != 2 || !strings.Contains(said, missing+" is empty") {
				t.Errorf("up ended with %d: %s", code, said)
			}
		})
	}
}
