package ec2_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

// builds is an account with a stock image, where a machine that is to become an image
// prints what it is told and then powers off.
func builds(says string, off bool) *ec2test.Server {
	s := account()
	s.Images = append(s.Images, ec2test.Image{ID: "ami-stock", Name: "debian-12-amd64-20261101", Owner: "debian", Created: "2026-11-01", Root: "/dev/xvda"})
	for i := range s.Images {
		s.Images[i].Created = "1999-11-01T00:00:00.000Z" // before a test's own time begins
	}
	s.Storing = time.Minute
	s.Booted = func(in ec2test.Instance) {
		if in.Tags["ortest:image"] == "" {
			return
		}
		s.Print(in.ID, says)
		if off {
			s.PowerOff(in.ID)
		}
	}
	return s
}

func build() ec2.Build {
	return ec2.Build{
		Arch: x64, Name: "ortest-x64-2026-11-21", From: "debian-12-amd64-*", Owners: []string{"debian"}, Command: "ortest image prepare",
		Disk: 30, Most: time.Hour, Poll: 10 * time.Second, Say: func(string, ...any) {},
	}
}

func TestBuildImage(t *testing.T) {
	const good = "[   12.0] cloud-init\nortest: the image is ready\n"
	for _, tt := range []struct {
		name   string
		aws    func() *ec2test.Server
		change func(*ec2.Build)
		err    string
	}{
		{"a builder that is ready", func() *ec2test.Server { return builds(good, true) }, nil, ""},
		{"one that powers off without the word", func() *ec2test.Server {
			return builds("E: Unable to locate package\nDB_PASSWORD=hunter2hunter2\n", true)
		}, nil, "did not say that the image is ready; its console ends:\n  E: Unable to locate package\n  [hidden]"},
		{"one that shows nothing", func() *ec2test.Server { return builds("", true) }, nil, "its console shows nothing"},
		{"one that never ends", func() *ec2test.Server { return builds("ortest: making the image\n", false) }, nil, "the builder is not ready: context deadline exceeded; its console ends:\n  ortest: making the image"},
		{"an image that AWS cannot store", func() *ec2test.Server {
			s := builds(good, true)
			s.StoreFails = "Client.InternalError"
			return s
		}, nil, "AWS could not store image"},
		{"a stock image that is not there", func() *ec2test.Server { return builds(good, true) },
			func(b *ec2.Build) { b.From = "debian-99-*" }, "no image debian-99-* of debian"},
		{"no capacity in the first offers", func() *ec2test.Server {
			s := builds(good, true)
			s.Refuse = func(_, kind, _ string) string {
				return map[string]string{"c5.large": "InsufficientInstanceCapacity"}[kind]
			}
			return s
		}, nil, ""},
		{"no capacity anywhere", func() *ec2test.Server {
			s := builds(good, true)
			s.Refuse = func(_, _, _ string) string { return "InsufficientInstanceCapacity" }
			return s
		}, nil, "cloud has no capacity"},
		{"a name that is taken", func() *ec2test.Server { return builds(good, true) },
			func(b *ec2.Build) { b.Name = "ortest-x64-2026-11-01" }, "InvalidAMIName.Duplicate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			credentials(t)
			synctest.Test(t, func(t *testing.T) {
				s, b, cfg := tt.aws(), build(), configure()
				if tt.change != nil {
					tt.change(&b)
				}
				before := len(s.Images)
				cfg.HTTP = &http.Client{Transport: direct{s}}
				c, err := ec2.Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				img, err := c.BuildImage(t.Context(), b)
				switch {
				case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
					t.Fatalf("got %v, want %q", err, tt.err)
				case tt.err == "":
					isCandidate(t, s, c, img)
				case len(s.Images) != before || len(s.Snapshots()) != 0:
					t.Errorf("images %+v and snapshots %q are left", s.Images, s.Snapshots())
				}
				for _, in := range s.Instances() {
					if in.State != "terminated" || in.Tags["ortest:fleet"] != "test" || in.Tags["ortest:deadline"] == "" {
						t.Errorf("builder %+v, want it gone, with the tags by which a sweep finds it", in)
					}
				}
			})
		})
	}
}

// isCandidate holds that no launch takes the image before it is promoted.
func isCandidate(t *testing.T, s *ec2test.Server, c *ec2.Cloud, img ec2.Image) {
	t.Helper()
	l := launch()
	if _, err := buy(t, c, l); err != nil {
		t.Fatal(err)
	}
	if err := c.PromoteImage(t.Context(), img.ID); err != nil {
		t.Fatal(err)
	}
	<-time.After(5 * time.Minute) // in the test's own time: how long the newest image is remembered
	l.Instance = "r1-b2-a1"
	if _, err := buy(t, c, l); err != nil {
		t.Fatal(err)
	}
	all := s.Instances()
	if before, after := all[len(all)-2].Image, all[len(all)-1].Image; before != "ami-new" || after != img.ID {
		t.Errorf("launched from %s, and once promoted from %s; want ami-new, then %s", before, after, img.ID)
	}
	for _, in := range all {
		s.Kill(in.ID)
	}
}

func TestBuilderIsEndedOnAnInterrupt(t *testing.T) {
	s := builds("ortest: making the image\n", false)
	c := open(t, s, configure())
	ctx, cancel := context.WithCancel(t.Context())
	b := build()
	b.Poll = time.Millisecond
	b.Say = func(format string, _ ...any) {
		if strings.Contains(format, "runs") {
			cancel()
		}
	}
	if _, err := c.BuildImage(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if all := s.Instances(); len(all) != 1 || all[0].State != "terminated" {
		t.Errorf("builders %+v", all)
	}
}

func TestWhoSeesABuilder(t *testing.T) {
	s := account()
	c := open(t, s, configure())
	tags := func(deadline time.Duration) map[string]string {
		return map[string]string{
			"ortest:fleet": "test", "ortest:image": "ortest-x64-2026-11-21", "ortest:deadline": time.Now().Add(deadline).UTC().Format(time.RFC3339),
		}
	}
	s.Fill(1, tags(time.Hour))
	s.Fill(1, tags(-time.Second))
	late := s.Instances()[1].ID
	all, err := c.List(t.Context())
	if err != nil || len(all) != 1 || all[0].CloudID != late {
		t.Errorf("the bot's passes see %+v, %v; want the one past its deadline alone", all, err)
	}
	r, err := ec2.OpenReaper(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := r.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("the sweep sees %+v, %v; want both", all, err)
	}
}

func TestRemovedImageLeavesNoSnapshot(t *testing.T) {
	s := builds("ortest: the image is ready\n", true)
	s.Storing = 0
	c := open(t, s, configure())
	b := build()
	b.Poll = time.Millisecond
	if _, err := c.BuildImage(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	all, err := c.Images(t.Context(), "ortest-x64-*")
	if err != nil || len(all) != 1 || !all[0].Candidate || len(s.Snapshots()) != 1 {
		t.Fatalf("%+v, %v; want the one that was built", all, err)
	}
	for range 2 { // a repeat is no error
		if err := c.RemoveImage(t.Context(), all[0]); err != nil {
			t.Fatal(err)
		}
	}
	gone := !slices.ContainsFunc(s.Images, func(i ec2test.Image) bool { return i.ID == all[0].ID })
	if !gone || len(s.Snapshots()) != 0 {
		t.Errorf("left: %+v, %q", s.Images, s.Snapshots())
	}
}
