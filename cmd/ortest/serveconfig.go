package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/kballard/go-shellquote"

	"github.com/ortest/ortest/bot"
	releases "github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/plan"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

// exampleConfig is a configuration with every key, its default and its meaning.
//
//go:embed serve.example.yaml
var exampleConfig []byte

// serveConfig is the file of ortest serve. What stands under live counts from
// the moment the file is saved; the rest from the next start.
type serveConfig struct {
	Listen   string       `yaml:"listen"`
	URL      string       `yaml:"url"`
	Data     string       `yaml:"data"`
	Database string       `yaml:"database"` // a file, or a postgres:// URL
	GitHub   githubConfig `yaml:"github"`
	Fleet    fleetConfig  `yaml:"fleet"`
	Pace     paceConfig   `yaml:"pace"`
	Keep     keepConfig   `yaml:"keep"`
	Pages    pagesConfig  `yaml:"pages"`
	Trace    traceConfig  `yaml:"trace"`
	Log      string       `yaml:"log"` // text or json
	Live     liveConfig   `yaml:"live"`
}

type githubConfig struct {
	AppID       int64    `yaml:"app_id"`
	Slug        string   `yaml:"slug"`
	KeyFile     string   `yaml:"key_file"`
	Secrets     []string `yaml:"webhook_secret_files"`
	API         string   `yaml:"api"`
	Server      string   `yaml:"server"`
	RunnerGroup int64    `yaml:"runner_group"`
	Owners      []string `yaml:"owners"`

	ClientID     string `yaml:"client_id"`
	ClientSecret string `yaml:"client_secret_file"`
}

type fleetConfig struct {
	Cloud        string        `yaml:"cloud"`
	EC2          ec2Config     `yaml:"ec2"`
	Runner       string        `yaml:"runner"`
	KeyFile      string        `yaml:"key_file"`
	MaxInstances int           `yaml:"max_instances"`
	MaxAge       time.Duration `yaml:"max_age"`
	BootGrace    time.Duration `yaml:"boot_grace"`
	Silence      time.Duration `yaml:"silence"`
	Settle       time.Duration `yaml:"settle"`
}

type paceConfig struct {
	Poll      time.Duration `yaml:"poll"`
	Hold      time.Duration `yaml:"hold"`
	Sweep     time.Duration `yaml:"sweep"`
	Redeliver time.Duration `yaml:"redeliver"`
}

// keepConfig is how long what is over stays.
type keepConfig struct {
	Logs time.Duration `yaml:"logs"`
	Runs time.Duration `yaml:"runs"`
}

// leastKept is what a release, a budget and a person who was asleep look back on.
const leastKept = 7 * 24 * time.Hour

func (c keepConfig) validate(wrong func(is bool, format string, args ...any)) {
	for name, d := range map[string]time.Duration{"logs": c.Logs, "runs": c.Runs} {
		wrong(d != 0 && d < leastKept, "keep.%s: %s is less than a week; 0s is for ever", name, d)
	}
}

type liveConfig struct {
	Catalog     string           `yaml:"catalog"`
	Repository  repositoryConfig `yaml:"repository"`
	Time        int              `yaml:"time"`
	Maintenance string           `yaml:"maintenance"`
	Kill        string           `yaml:"kill"`
	Supersede   bool             `yaml:"supersede"`
	Teams       []string         `yaml:"teams"`
	Expects     string           `yaml:"expectations"`
	Budgets     budgetConfig     `yaml:"budgets"`
	Policy      policyConfig     `yaml:"policy"`
	Release     []releases.Rule  `yaml:"release"`
}

type budgetConfig struct {
	Command bot.Budget `yaml:"command"`
	Pull    bot.Budget `yaml:"pull_request"`
	User    bot.Budget `yaml:"user_and_day"`
	Day     bot.Budget `yaml:"day"`
}

type policyConfig struct {
	InstanceTypes []string `yaml:"instance_types"`
	Revisions     []string `yaml:"revisions"`
	CCOpts        []string `yaml:"cc_opts"`
}

// readServeConfig reads a configuration strictly: an unknown key is an error
// that says where it stands. Paths are relative to the file's directory.
func readServeConfig(path string) (serveConfig, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return serveConfig{}, fmt.Errorf("read configuration: %w; ortest serve --example prints one to begin with", err)
	}
	c, err := parseServeConfig(raw)
	if err != nil {
		return serveConfig{}, fmt.Errorf("read configuration %s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return serveConfig{}, err
	}
	c.URL = strings.TrimRight(c.URL, "/")
	below := func(p *string) {
		if *p != "" && !store.IsURL(*p) && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for _, p := range []*string{&c.Data, &c.Database, &c.GitHub.KeyFile, &c.GitHub.ClientSecret, &c.Trace.HeaderFile, &c.Fleet.KeyFile, &c.Fleet.EC2.Certificates, &c.Live.Catalog} {
		below(p)
	}
	if c.Database == "" {
		c.Database = databaseIn(c.Data)
	}
	for i := range c.GitHub.Secrets {
		below(&c.GitHub.Secrets[i])
	}
	for machine, p := range c.Fleet.EC2.Agents {
		below(&p)
		c.Fleet.EC2.Agents[machine] = p
	}
	argv, err := shellquote.Split(c.Fleet.Runner)
	if err != nil {
		return serveConfig{}, err
	}
	if strings.Contains(argv[0], "/") { // else it is looked for in PATH
		below(&argv[0])
		c.Fleet.Runner = shellquote.Join(argv...)
	}
	return c, nil
}

func parseServeConfig(raw []byte) (serveConfig, error) {
	c := serveConfig{
		Listen: "127.0.0.1:8080",
		GitHub: githubConfig{Slug: "ortest", Server: "https://github.com"},
		Fleet: fleetConfig{
			Cloud: "local", Runner: "./run.sh", MaxInstances: 4,
			EC2:    ec2Config{Name: "ortest", Owners: []string{"self"}, Spot: true},
			MaxAge: 4 * time.Hour, BootGrace: 5 * time.Minute, Silence: time.Minute, Settle: 10 * time.Second,
		},
		Pace: paceConfig{Poll: 15 * time.Second, Hold: 15 * time.Second, Sweep: time.Minute, Redeliver: time.Minute},
		Keep: keepConfig{Logs: 90 * 24 * time.Hour, Runs: 2 * 365 * 24 * time.Hour},
		Log:  "text",
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict())
	if err := dec.Decode(&c); err != nil {
		return c, err
	}
	return c, c.validate()
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// validate names every key that is missing or cannot be.
func (c serveConfig) validate() error {
	var bad []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			bad = append(bad, fmt.Errorf(format, args...))
		}
	}
	_, _, err := net.SplitHostPort(c.Listen)
	wrong(err != nil, "listen: %q is not HOST:PORT", c.Listen)
	u, err := url.Parse(c.URL)
	wrong(err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http",
		"url: %q is not where people, GitHub and instances reach this server, such as https://ortest.example.org", c.URL)
	wrong(c.Data == "", "data: the directory for everything that is kept is missing")
	wrong(store.IsURL(c.Database) && c.Fleet.KeyFile == "",
		"fleet.key_file: replicas that share a database must share the key of one-time tokens: name a file with 32 secret bytes, the same for all; openssl rand -hex 32 makes one")
	wrong(c.GitHub.AppID <= 0, "github.app_id: the App's number is missing; its settings page shows it")
	wrong(c.GitHub.KeyFile == "", "github.key_file: the file with the App's private key is missing")
	wrong(len(c.GitHub.Secrets) == 0 || len(c.GitHub.Secrets) > 2, "github.webhook_secret_files: name one file, or two while the secret is changed")
	for i, o := range c.GitHub.Owners {
		wrong(!accountName.MatchString(o), "github.owners[%d]: %q is no account of GitHub, such as openresty", i, o)
	}
	c.Keep.validate(wrong)
	c.Pages.validate(wrong, c.GitHub)
	c.Trace.validate(wrong)
	wrong(c.Fleet.Cloud != "local" && c.Fleet.Cloud != "ec2", "fleet.cloud: %q is none of: local, ec2", c.Fleet.Cloud)
	if c.Fleet.Cloud == "ec2" {
		c.Fleet.EC2.validate(wrong, c.URL)
	}
	wrong(c.Fleet.MaxInstances < 1, "fleet.max_instances: %d is less than 1", c.Fleet.MaxInstances)
	for name, d := range map[string]time.Duration{
		"fleet.max_age": c.Fleet.MaxAge, "fleet.boot_grace": c.Fleet.BootGrace, "fleet.silence": c.Fleet.Silence,
		"fleet.settle": c.Fleet.Settle, "pace.poll": c.Pace.Poll, "pace.hold": c.Pace.Hold, "pace.sweep": c.Pace.Sweep, "pace.redeliver": c.Pace.Redeliver,
	} {
		wrong(d <= 0, "%s: %s is no time to wait", name, d)
	}
	argv, err := shellquote.Split(c.Fleet.Runner)
	wrong(err != nil || len(argv) == 0, "fleet.runner: %q is no command line", c.Fleet.Runner)
	wrong(c.Log != "text" && c.Log != "json", "log: %q is neither text nor json", c.Log)
	bad = append(bad, c.Live.check())
	return errors.Join(bad...)
}

// check names every setting that cannot be.
func (c liveConfig) check() error {
	var bad []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			bad = append(bad, fmt.Errorf(format, args...))
		}
	}
	wrong(c.Catalog != "" && c.Repository.URL != "", "live.catalog and live.repository: the catalog comes from one of them")
	c.Repository.validate(wrong)
	wrong(c.Time < 0 || c.Time > 1440, "live.time: %d is not from 1 to 1440 minutes", c.Time)
	for i, p := range c.Policy.CCOpts {
		_, err := regexp.Compile(p)
		wrong(err != nil || len(p) > 500, "live.policy.cc_opts[%d]: %q is no RE2 pattern of at most 500 bytes", i, p)
	}
	for name, b := range map[string]bot.Budget{
		"command": c.Budgets.Command, "pull_request": c.Budgets.Pull, "user_and_day": c.Budgets.User, "day": c.Budgets.Day,
	} {
		wrong(b.Minutes < 0 || b.USD < 0, "live.budgets.%s: less than nothing", name)
	}
	for i, r := range c.Release {
		err := r.Validate()
		wrong(err != nil, "live.release[%d]: %w", i, err)
	}
	return errors.Join(bad...)
}

// settings is what of the file the bot asks for each command.
func (c liveConfig) settings() bot.Settings {
	return bot.Settings{
		Policy:      plan.Policy{InstanceTypes: c.Policy.InstanceTypes, Revisions: c.Policy.Revisions, CCOpts: c.Policy.CCOpts},
		Limit:       time.Duration(c.Time) * time.Minute,
		Maintenance: c.Maintenance, Kill: c.Kill, Supersede: c.Supersede,
		Teams: c.Teams, Expectations: c.Expects,
		Command: c.Budgets.Command, Pull: c.Budgets.Pull, User: c.Budgets.User, Day: c.Budgets.Day,
	}
}

func (c fleetConfig) limits() runnerfleet.Limits {
	return runnerfleet.Limits{MaxInstances: c.MaxInstances, MaxAge: c.MaxAge, BootGrace: c.BootGrace, Silence: c.Silence, Settle: c.Settle}
}

// Bytes below which a secret is none.
const (
	leastWebhookSecret = 8
	leastFleetKey      = 32
)

// secret reads a file that holds one secret, without the blanks around it.
func secret(path string, least int) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&^mayRead(path) != 0 {
		return nil, fmt.Errorf("read secret: others may read %s; chmod 600 it", path)
	}
	b = []byte(strings.TrimSpace(string(b)))
	if len(b) < least {
		return nil, fmt.Errorf("read secret: %s has %d bytes, want at least %d", path, len(b), least)
	}
	return b, nil
}

// mayRead is what a secret's mode may be. systemd's credentials are of root, and
// their group bits are the bot's own right to read them.
func mayRead(path string) os.FileMode {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && filepath.Dir(path) == filepath.Clean(dir) {
		return 0o740
	}
	return 0o700
}
