package ec2_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/internal/ec2test"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/runnerfleet/ec2"
)

// placed is a configuration whose machines must run somewhere.
func placed(p ec2.Placement) ec2.Config {
	cfg := configure()
	a := cfg.Arches[x64]
	a.Placement = p
	cfg.Arches[x64] = a
	return cfg
}

func TestPlacement(t *testing.T) {
	const reservation = "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId"
	for _, tt := range []struct {
		name string
		in   ec2.Placement
		key  string
		want string
	}{
		{"dedicated hardware", ec2.Placement{Tenancy: "dedicated"}, "Placement.Tenancy", "dedicated"},
		{"a host", ec2.Placement{Tenancy: "host", Host: "h-1"}, "Placement.HostId", "h-1"},
		{"a group of hosts", ec2.Placement{Tenancy: "host", HostGroup: "arn:aws:1"}, "Placement.HostResourceGroupArn", "arn:aws:1"},
		{"a placement group", ec2.Placement{Group: "near"}, "Placement.GroupName", "near"},
		{"a capacity reservation", ec2.Placement{Reservation: "cr-1"}, reservation, "cr-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := account()
			c := open(t, s, placed(tt.in))
			l := launch()
			params, err := c.Prepare(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			l.Params = params
			for range 2 { // a repeat buys nothing
				if _, err := c.Launch(t.Context(), l); err != nil {
					t.Fatal(err)
				}
			}
			all := s.Instances()
			if len(all) != 1 || all[0].Market != "on-demand" || all[0].Placement[tt.key] != tt.want || all[0].Image != "ami-new" || all[0].Tags["ortest:instance"] != l.Instance {
				t.Errorf("got %+v, want one with %s %s", all, tt.key, tt.want)
			}
			if n := s.Calls("CreateFleet"); n != 0 {
				t.Errorf("%d fleets", n)
			}
		})
	}
}

func TestPlacementThatFindsNoCapacityTriesTheNextOfferLater(t *testing.T) {
	s := account()
	s.Refuse = func(_, kind, subnet string) string {
		return map[string]string{"c5.large subnet-a": "InsufficientHostCapacity"}[kind+" "+subnet]
	}
	c := open(t, s, placed(ec2.Placement{Tenancy: "host"}))
	l := launch()
	if _, err := buy(t, c, l); !errors.Is(err, runnerfleet.ErrCapacity) {
		t.Fatalf("got %v, want no capacity: another offer is another launch", err)
	}
	l.Try = 1
	if _, err := buy(t, c, l); err != nil {
		t.Fatal(err)
	}
	if all := s.Instances(); len(all) != 1 || all[0].Subnet != "subnet-b" {
		t.Errorf("got %+v, want one in the next subnet", all)
	}
}

func TestPlacementsThatAWSWouldRefuse(t *testing.T) {
	for _, p := range []ec2.Placement{{Tenancy: "shared"}, {Host: "h-1"}, {Tenancy: "dedicated", HostGroup: "arn"}, {Tenancy: "host", Host: "h-1", HostGroup: "arn"}} {
		if err := placed(p).Validate(); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}

// inTime runs f with a cloud in time of its own.
func inTime(t *testing.T, s *ec2test.Server, cfg ec2.Config, f func(*testing.T, *ec2.Cloud)) {
	t.Helper()
	credentials(t)
	synctest.Test(t, func(t *testing.T) {
		cfg.HTTP = &http.Client{Transport: direct{s}}
		c, err := ec2.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		f(t, c)
	})
}

func TestShortOfferIsAskedForAgainAfterExactlyThreeMinutes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		kind  string
	}{
		{"a moment before it is not", 3*time.Minute - 1, "c6i.large"},
		{"at three minutes it is", 3 * time.Minute, "c5.large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := account()
			s.Refuse = func(_, kind, _ string) string {
				return map[string]string{"c5.large": "InsufficientInstanceCapacity"}[kind]
			}
			inTime(t, s, configure(), func(t *testing.T, c *ec2.Cloud) {
				l := launch()
				if _, err := buy(t, c, l); err != nil {
					t.Fatal(err)
				}
				s.Change(func() { s.Refuse = nil })
				<-time.After(tt.after)
				l.Instance = "r1-b2-a1"
				if _, err := buy(t, c, l); err != nil {
					t.Fatal(err)
				}
				if got := s.Instances()[1].Type; got != tt.kind {
					t.Errorf("bought %s, want %s", got, tt.kind)
				}
			})
		})
	}
}

func TestOldLaunchTemplatesGo(t *testing.T) {
	s := account()
	for i := range s.Images {
		s.Images[i].Created = "1999-01-01T00:00:00.000Z"
	}
	inTime(t, s, configure(), func(t *testing.T, c *ec2.Cloud) {
		l := launch()
		old, err := c.Prepare(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		newer := func(name string) {
			s.Change(func() {
				s.Images = append(s.Images, ec2test.Image{ID: "ami-" + name, Name: "ortest-x64-" + name, Owner: "self", Created: time.Now().Format(time.RFC3339), Root: "/dev/xvda"})
			})
		}
		again, err := ec2.Open(t.Context(), func() ec2.Config {
			cfg := configure()
			cfg.HTTP = &http.Client{Transport: direct{s}}
			return cfg
		}())
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(26*time.Hour - time.Second) // MaxAge is two hours
		newer("a")
		if _, err := again.Prepare(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got := s.Templates(); len(got) != 2 {
			t.Errorf("templates %q, want the old one there, which a launch may still name", got)
		}
		<-time.After(5 * time.Minute)
		newer("b")
		if _, err := again.Prepare(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got := s.Templates(); len(got) != 2 {
			t.Errorf("templates %q, want the oldest gone", got)
		}
		l.Params = old
		if _, err := c.Launch(t.Context(), l); !errors.Is(err, runnerfleet.ErrCapacity) {
			t.Errorf("a launch by a template that is gone: %v, want it settled anew", err)
		}
		l.Try = 1
		if _, err := buy(t, c, l); err != nil {
			t.Error(err)
		}
		if all := s.Instances(); len(all) != 1 || !slices.Contains([]string{"ami-b"}, all[0].Image) {
			t.Errorf("machines %+v", all)
		}
	})
}
