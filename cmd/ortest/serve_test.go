package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheExampleConfigurationIsValid(t *testing.T) {
	c, err := parseServeConfig(exampleConfig)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := parseServeConfig([]byte("url: https://x.org\ndata: d\ngithub: {app_id: 1, key_file: k, webhook_secret_files: [s]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	// What the example shows as a default is one.
	if c.Listen != bare.Listen || fmt.Sprint(c.Fleet) != fmt.Sprint(bare.Fleet) || c.Pace != bare.Pace || c.Keep != bare.Keep || c.Log != bare.Log || c.GitHub.Server != bare.GitHub.Server {
		t.Errorf("the example says\n%+v\nand the defaults are\n%+v", c, bare)
	}
}

func TestServeConfigSaysWhatIsWrong(t *testing.T) {
	good := "url: https://x.org\ndata: d\ngithub: {app_id: 1, key_file: k, webhook_secret_files: [s]}\n"
	for _, tt := range []struct{ name, text, says string }{
		{"an unknown key, with its place", good + "lisen: 1\n", `[4:1] unknown field "lisen"`},
		{"a URL without a scheme", strings.Replace(good, "https://", "", 1), "url:"},
		{"no App", strings.Replace(good, "app_id: 1, ", "", 1), "github.app_id"},
		{"three secrets", strings.Replace(good, "[s]", "[s, t, u]", 1), "webhook_secret_files"},
		{"an address without a port", good + "listen: here\n", "listen:"},
		{"a cloud that is none", good + "fleet: {cloud: mars}\n", "fleet.cloud"},
		{"logs that are gone before anybody has read them", good + "keep: {logs: 167h}\n", "keep.logs: 167h0m0s is less than a week"},
		{"runs that are gone before they are over", good + "keep: {runs: -1h}\n", "keep.runs"},
		{"a repository where an account belongs", strings.Replace(good, "app_id: 1", "app_id: 1, owners: [openresty, a/b]", 1), `github.owners[1]: "a/b" is no account`},
		{"an owner without a name", strings.Replace(good, "app_id: 1", "app_id: 1, owners: ['']", 1), "github.owners[0]"},
		{"a release that is repeated every second", good + "live: {release: [{branches: [main], every: 1s}]}\n", "live.release[0]"},
		{"no time at all", good + "pace: {poll: 0s}\n", "pace.poll"},
		{"a pattern that is none", good + "live: {policy: {cc_opts: ['(']}}\n", "cc_opts[0]"},
		{"a budget below nothing", good + "live: {budgets: {day: {usd: -1}}}\n", "live.budgets.day"},
		{"a day and a minute", good + "live: {time: 1441}\n", "live.time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseServeConfig([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %q", err, tt.says)
			}
		})
	}
	if _, err := parseServeConfig([]byte(good + "live: {time: 1440}\nkeep: {logs: 168h, runs: 0s}\n")); err != nil {
		t.Errorf("just a day, just a week, and for ever: %v", err)
	}
}

// TestPathsAreRelativeToTheConfiguration: an agent starts in a folder of its own, and
// the doctor where the operator is, so that no other folder would be the same for both.
func TestPathsAreRelativeToTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ortest.yaml")
	must(t, os.MkdirAll(filepath.Join(dir, "a runner"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "a runner", "run.sh"), []byte("#!/bin/sh\n"), 0o755))
	for _, tt := range []struct {
		name, runner, want, doctor string
	}{
		{"the default is beside the file", "./run.sh", dir + "/run.sh", "bad"},
		{"a folder below it, with blanks and arguments", "'a runner/run.sh' --once", "'" + dir + "/a runner/run.sh' --once", "ok"},
		{"an absolute path stays", "/opt/actions-runner/run.sh", "/opt/actions-runner/run.sh", "bad"},
		{"a word without a slash is looked for in PATH", "sh ./run.sh", "sh ./run.sh", "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			must(t, os.WriteFile(path, []byte("url: https://x.org\ndata: d\ngithub: {app_id: 1, key_file: k, webhook_secret_files: [s]}\n"+
				"fleet: {runner: \""+tt.runner+"\", ec2: {agents: {aarch64: bin/ortest-linux-arm64, x86_64: /opt/ortest}}}\n"), 0o600))
			c, err := readServeConfig(path)
			must(t, err)
			if c.Fleet.Runner != tt.want {
				t.Errorf("fleet.runner is %s, want %s", c.Fleet.Runner, tt.want)
			}
			if a := c.Fleet.EC2.Agents; a["aarch64"] != dir+"/bin/ortest-linux-arm64" || a["x86_64"] != "/opt/ortest" {
				t.Errorf("fleet.ec2.agents is %v, want it below %s", a, dir)
			}
			d := new(doctor)
			if d.runner(c); len(d.found) != 1 || d.found[0].State != tt.doctor {
				t.Errorf("the doctor says %+v, want %s", d.found, tt.doctor)
			}
		})
	}
}

func TestASavedConfigurationCounts(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ortest.yaml")
	save := func(live string) {
		text := "url: https://x.org\ndata: d\ngithub: {app_id: 1, key_file: k, webhook_secret_files: [s]}\nlive: " + live + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save("{time: 30}")
	cfg, err := readServeConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l, err := openLive(path, cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if got := l.settings(); got.Limit != 30*time.Minute || got.Maintenance != "" {
		t.Errorf("settings %+v", got)
	}
	save("{maintenance: new disks, budgets: {day: {usd: 5}}}")
	l.reload()
	if got := l.settings(); got.Maintenance != "new disks" || got.Day.USD != 5 || got.Limit != 0 {
		t.Errorf("settings %+v, want the saved ones", got)
	}
	save("{maintenanse: x}")
	l.reload()
	if got := l.settings(); got.Maintenance != "new disks" || !strings.Contains(log.String(), "configuration refused") || !l.refused.Load() {
		t.Errorf("settings %+v after a file that is not valid, refused %v; log %s", got, l.refused.Load(), &log)
	}
	save("{maintenance: new disks}")
	if l.reload(); l.refused.Load() {
		t.Error("a file that is valid again is refused")
	}
	before := l.catalog.Load().Revision
	over := filepath.Join(dir, "catalog")
	if err := os.MkdirAll(filepath.Join(over, "projects"), 0o755); err != nil {
		t.Fatal(err)
	}
	save("{catalog: catalog}")
	l.reload()
	if err := os.WriteFile(filepath.Join(over, "projects", "x.yaml"), []byte("name: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	l.reload()
	if got := l.catalog.Load().Revision; got != before || !strings.Contains(log.String(), "catalog refused") {
		t.Errorf("catalog %s after a broken one, want %s; log %s", got, before, &log)
	}
}

func TestDoctorAsksTheApp(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(*systemConfig) {})
	p.settle(t)
	d := new(doctor)
	d.app(t.Context(), serveConfig{URL: p.url, GitHub: githubConfig{AppID: demoAppID, Slug: "ortest"}}, p.sys.forge)
	state := make(map[string]string)
	for _, f := range d.found {
		state[f.Check] = f.State
	}
	for check, want := range map[string]string{"app": "ok", "clock": "ok", "permissions": "ok", "events": "ok", "webhook": "ok", "owners": "ok", "deliveries": "ok"} {
		if state[check] != want {
			t.Errorf("%s is %q, want %q: %+v", check, state[check], want, d.found)
		}
	}
}
