package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
)

// TestAnAccountThatIsNotNamedIsNotServed writes a maintainer's command in a repository
// of an account that is named, and of one that is not.
func TestAnAccountThatIsNotNamedIsNotServed(t *testing.T) {
	t.Parallel()
	t.Run("an owner is served, whatever the case", func(t *testing.T) {
		p := newPlace(t, func(c *systemConfig) { c.GitHub.Owners = []string{"somebody", strings.ToUpper(demoOrg)} })
		id := p.say(t, demoMaintainer, "/ortest status")
		p.settle(t)
		if said, _ := answers(p.talk(t), id); len(said) != 1 {
			t.Errorf("answers %q", said)
		}
		if is, err := (&maintainers{forge: p.sys.forge, now: time.Now}).are(t.Context(), demoMaintainer); err != nil || !is {
			t.Errorf("its maintainer is none: %v", err)
		}
	})
	t.Run("nobody else starts a machine, is answered or is a maintainer", func(t *testing.T) {
		p := newPlace(t, func(c *systemConfig) { c.GitHub.Owners = []string{"somebody"} })
		id := p.say(t, demoMaintainer, "/ortest t-hello")
		p.await(t, func(context.Context) (string, error) {
			for _, d := range p.gh.Deliveries() {
				if d.Attempted.IsZero() {
					return "webhook " + d.Name + " is to be sent", nil
				}
			}
			return "", nil
		})
		for _, d := range p.gh.Deliveries() {
			if _, err := p.sys.store.Delivery(t.Context(), d.GUID); !d.OK() || !errors.Is(err, bot.ErrNotFound) {
				t.Errorf("webhook %s ended as %s and is stored (%v)", d.Name, d.Status, err)
			}
		}
		if err := errors.Join(p.sys.bot.Sweep(t.Context()), p.sys.releases.Sweep(t.Context())); err != nil {
			t.Error(err)
		}
		if said, _ := answers(p.talk(t), id); len(said) > 0 {
			t.Errorf("answers %q", said)
		}
		nothingStarted(t, p)
		if is, err := (&maintainers{forge: p.sys.forge, now: time.Now}).are(t.Context(), demoMaintainer); err != nil || is {
			t.Errorf("a maintainer of its own repository: %v %v", is, err)
		}
	})
}

func TestTheDoctorLooksAtOwners(t *testing.T) {
	for _, tt := range []struct {
		name      string
		named, on []string
		want      []string // state and what it says
	}{
		{"a private App is of one account", nil, []string{"openresty"}, []string{"ok installed on openresty"}},
		{"an App that nobody has installed is not public yet", nil, nil, []string{"ok installed on no account"}},
		{"two accounts and no owners serve a stranger", nil, []string{"openresty", "eve"}, []string{"bad installed on openresty, eve, and github.owners is empty"}},
		{"who is not named is told as not served", []string{"OpenResty"}, []string{"openresty", "eve"}, []string{"ok installed on openresty, eve; not served: eve"}},
		{"an owner without the App is told", []string{"openresty", "calio"}, []string{"openresty"}, []string{"ok installed on openresty", "warn github.owners names calio,"}},
		{"owners before the App is installed anywhere", []string{"openresty"}, nil, []string{"ok installed on no account", "warn github.owners names openresty,"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := new(doctor)
			d.owners(tt.named, tt.on)
			if !slices.EqualFunc(d.found, tt.want, func(f finding, want string) bool { return strings.HasPrefix(f.State+" "+f.Says, want) }) {
				t.Errorf("it says %+v, want %q", d.found, tt.want)
			}
		})
	}
}

func TestAPublicAppNamesWhomItServes(t *testing.T) {
	for _, tt := range []struct {
		name, org, owner string
		public           bool
		want             string // owners of the configuration
		says             string
	}{
		{"a private App serves its owner and says nothing of others", "", "ada", false, "ada", ""},
		{"a public App serves its owner and says how others are named", "", "ada", true, "ada", "github.owners of ortest.yaml, which has ada:"},
		{"GitHub's name of the organization counts", "openresty", "OpenResty", true, "OpenResty", "which has OpenResty:"},
		{"an owner that GitHub does not name is the organization", "openresty", "", true, "openresty", "which has openresty:"},
		{"an owner that is no account is nobody", "", "an enterprise", true, "", "which has nobody and so serves everybody:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := reserve(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			c := &appCreate{url: "https://x.org", org: tt.org, public: tt.public, server: "https://github.com", api: "https://api.github.com"}
			got := converted{ID: 1, Slug: "ortest", Key: "k", WebhookSecret: "s", ClientID: "i", ClientSecret: "c"}
			got.Owner.Login = tt.owner
			made, err := files.write(c, got)
			if err != nil {
				t.Fatal(err)
			}
			config, err := readServeConfig(made.Config)
			if err != nil || strings.Join(config.GitHub.Owners, " ") != tt.want {
				t.Errorf("the configuration serves %q, %v; want %q", config.GitHub.Owners, err, tt.want)
			}
			var out strings.Builder
			made.Config = "ortest.yaml"
			if err := made.print(&out); err != nil || !strings.Contains(out.String(), tt.says) || tt.says == "" && strings.Contains(out.String(), "github.owners") {
				t.Errorf("it says %s, %v; want %q", &out, err, tt.says)
			}
		})
	}
}
