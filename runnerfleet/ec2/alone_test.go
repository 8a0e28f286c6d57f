package ec2_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

func TestLaunchAlone(t *testing.T) {
	s, cfg := account(), configure()
	cfg.AgentURL = "https://example.org/ortest-linux-x86_64"
	c := open(t, s, cfg)
	l := launch()
	l.OnDemand, l.Deadline = true, time.Now().Add(90*time.Minute).Truncate(time.Second)
	const list = `[{"piece":"77-1/p1/1","jit":"it's $(a) <configuration>"}]`
	id, err := c.LaunchAlone(t.Context(), l, []byte(list))
	if err != nil {
		t.Fatal(err)
	}
	in := s.Instances()[0]
	if in.ID != id || in.Market != "on-demand" || in.Image != "ami-new" || in.AtShutdown != "terminate" {
		t.Errorf("launched %+v", in)
	}
	for k, want := range map[string]string{
		"ortest:fleet": "test", "ortest:instance": "r1-b1-a1", "ortest:deadline": l.Deadline.UTC().Format(time.RFC3339),
	} {
		if in.Tags[k] != want {
			t.Errorf("tag %s is %q, want %q", k, in.Tags[k], want)
		}
	}
	script := unpacked(t, in.UserData)
	first, _, _ := strings.Cut(strings.TrimPrefix(script, "#!/bin/sh\n"), "set -eu")
	if !strings.Contains(first, "\nshutdown -P +90\n") {
		t.Errorf("user-data does not begin with the machine's timer:\n%s", script)
	}
	for _, want := range []string{"\n" + list + "\n", `"` + cfg.AgentURL + `"`, strings.Repeat("0", 64) + "  ortest", "agent --list list.json", "--uid-owner 0 -j REJECT"} {
		if !strings.Contains(script, want) {
			t.Errorf("user-data lacks %q", want)
		}
	}
	if out, err := shellCheck(t, script); err != nil {
		t.Errorf("a shell does not read it: %v\n%s", err, out)
	}
	if left := s.Templates(); len(left) != 0 {
		t.Errorf("launch templates %v are left: they hold runners' configurations", left)
	}
}

func TestLaunchAloneRefuses(t *testing.T) {
	long := make([]byte, 20<<10) // which no packing makes shorter
	if _, err := rand.Read(long); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, refuse string
		list         []byte
		want         error
	}{
		{"a list that is too long for user-data", "", long, ec2.ErrTooLong},
		{"no capacity", "InsufficientInstanceCapacity", []byte("[]"), runnerfleet.ErrCapacity},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := account()
			s.Refuse = func(_, _, _ string) string { return tt.refuse }
			c := open(t, s, configure())
			if _, err := c.LaunchAlone(t.Context(), launch(), tt.list); !errors.Is(err, tt.want) {
				t.Errorf("LaunchAlone: %v, want %v", err, tt.want)
			}
			if left := s.Templates(); len(left) != 0 || len(s.Instances()) != 0 {
				t.Errorf("left are templates %v and %d machines", left, len(s.Instances()))
			}
		})
	}
}

// TestAloneNeedsItsOwnPolicyAlone: what the jobs up and down ask of AWS.
func TestAloneNeedsItsOwnPolicyAlone(t *testing.T) {
	s, cfg := account(), configure()
	s.Parameters = map[string]string{"/ortest/image": "ami-old"}
	a := cfg.Arches[x64]
	a.Image = "ssm:/ortest/image"
	cfg.Arches[x64] = a
	c := open(t, s, cfg)
	id, err := c.LaunchAlone(t.Context(), launch(), []byte("[]"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ec2.OpenReaper(t.Context(), "test")
	if err == nil {
		_, err = r.List(t.Context())
	}
	if err == nil {
		err = r.Terminate(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	asked := s.Asked()
	for call, others := range meant {
		for _, o := range others {
			asked[o] = asked[o] || asked[call]
		}
	}
	if got, want := sorted(readPolicy(t, "aws/alone-policy.json").actions(t)), sorted(asked); !slices.Equal(got, want) {
		t.Errorf("the jobs may %q\nthe jobs do %q", got, want)
	}
}

func unpacked(t *testing.T, userData string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(userData))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func shellCheck(t *testing.T, script string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = bytes.NewReader([]byte(script))
	return cmd.CombinedOutput()
}
