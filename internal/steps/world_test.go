package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/bot/github"
	"github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/runnerfleet"
)

const (
	tick       = 5 * time.Second
	sweepEvery = time.Minute
	maintainer = "agentzh"
	stranger   = "ada"
)

var repo = bot.Repo{Installation: 1, Owner: "openresty", Name: "echo-nginx-module"}

// world is the bot with all that is around it.
type world struct {
	t        *testing.T
	story    story
	life     *life
	desk     *desk
	forge    *forge
	machines []*machine
	cat      *catalog.Catalog
	settings bot.Settings
	outbox   []bot.Delivery // webhooks that GitHub is to send, or could not deliver yet
	guid     int
	failed   []failure      // webhooks that came to nothing, as GitHub lists them
	asked    map[string]int // how often each was asked for again
	told     int            // how many parts of the story have happened
	last     int            // how much was done before the last of them
	now      time.Duration
	lives    int

	bot      *bot.Bot
	releases *release.Releases
	hub      *github.Forge
	fleet    *runnerfleet.Fleet
	api      *runnerfleet.API
}

func newWorld(t *testing.T, s story, cat *catalog.Catalog) *world {
	l := new(life)
	w := &world{t: t, story: s, life: l, desk: newDesk(l), cat: cat, asked: make(map[string]int)}
	w.forge = &forge{
		life: l, emit: w.emit, head: strings.Repeat("a", 40), reactions: make(map[string]bool), made: make(map[string]int), begun: make(map[string]int),
		branches: map[string]string{"master": strings.Repeat("d", 40)}, stubborn: s.stubborn,
	}
	if s.settings != nil {
		s.settings(&w.settings)
	}
	w.begin()
	w.sweep(t.Context()) // a bot that has been there for a while
	l.done = nil
	w.forge.pushed = time.Now()
	w.emit("pull_request", bot.Event{Pull: &bot.PullEvent{Repo: repo, Number: 7, Action: "opened", Head: w.forge.head, At: time.Now()}})
	return w
}

// begin is a new process.
func (w *world) begin() {
	w.lives++
	log := slog.New(slog.DiscardHandler)
	decode := func(_ string, raw json.RawMessage) (e bot.Event, err error) { return e, json.Unmarshal(raw, &e) }
	w.bot = &bot.Bot{
		Store: w.desk, Forge: w.forge, Decode: decode, Instances: w.desk, Catalog: func() *catalog.Catalog { return w.cat },
		Settings: func() bot.Settings { return w.settings }, URL: "https://bot.example", Server: "https://github.com", Log: log,
		Now: time.Now, Hold: time.Minute, Poll: 30 * time.Second,
	}
	w.releases = &release.Releases{
		Bot: w.bot, Forge: w.forge, Rules: func() []release.Rule { return w.story.rules }, URL: w.bot.URL, Log: log,
		Alone: func(ctx context.Context, _ string, do func(context.Context) error) error { return do(ctx) }, // one process lives
		Push:  func([]byte) (bot.Repo, string, error) { return repo, "release", nil },
	}
	w.hub = w.newHub(log)
	w.fleet = &runnerfleet.Fleet{
		Cloud: (*cloud)(w), Store: w.desk, Work: w.bot, URL: w.bot.URL, Key: make([]byte, 32), Interval: tick, Log: log,
		Limits: runnerfleet.Limits{MaxInstances: 20, MaxAge: 3 * time.Hour, BootGrace: 10 * time.Minute, Silence: 2 * time.Minute, Settle: 30 * time.Second},
	}
	w.api = &runnerfleet.API{Store: w.desk, Work: w.bot, Key: w.fleet.Key, Wake: func() {}, Log: log}
}

// emit sends a webhook.
func (w *world) emit(event string, e bot.Event) {
	if w.story.deaf {
		return
	}
	w.guid++
	w.outbox = append(w.outbox, bot.Delivery{GUID: fmt.Sprintf("g%d", w.guid), Event: event, Payload: packed(e), ReceivedAt: time.Now()})
}

// say writes a comment.
func (w *world) say(login, body string) {
	w.forge.written++
	c := bot.Comment{ID: 1000 + w.forge.written, Author: login, Body: body, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	w.forge.comments = append(w.forge.comments, c)
	e := w.forge.said(c, "created")
	w.emit("issue_comment", bot.Event{Comment: &e})
}

// press presses a button of a check run that is over.
func (w *world) press(check, action string) {
	i := slices.IndexFunc(w.forge.checks, func(c bot.CheckRun) bool { return c.Name == check })
	head := w.forge.head
	if check == release.CheckName {
		head = w.forge.branches["release"]
	}
	w.emit("check_run", bot.Event{Button: &bot.ButtonEvent{
		Repo: repo, Action: action, Check: check, Run: w.forge.checks[i].External, Head: head, Sender: maintainer, At: time.Now(),
	}})
}

// live lets the world go on until the story is told and nothing moves any more.
func (w *world) live() {
	w.t.Helper()
	ctx := w.t.Context()
	for w.now = 0; w.now < 12*time.Hour; w.now += tick {
		if w.told < len(w.story.parts) && w.story.parts[w.told].when(w) {
			if w.told++; w.told == len(w.story.parts) {
				w.last = len(w.life.done)
			}
			w.story.parts[w.told-1].then(w)
		}
		w.work(ctx)
		for _, m := range w.machines {
			m.work(ctx)
		}
		if w.life.buried() {
			w.begin()
		}
		if w.told == len(w.story.parts) && w.over() {
			return
		}
		<-time.After(tick)
	}
	w.t.Errorf("no end: %s", w.outcome())
}

// work is what a process does by itself.
func (w *world) work(ctx context.Context) {
	w.deliver(ctx)
	for i := range w.guid {
		guid := fmt.Sprintf("g%d", i+1)
		if d, stored := w.desk.deliveries[guid]; stored && d.Outcome == "" {
			_ = w.releases.HandleDelivery(ctx, guid) // tried again, as all below
		}
	}
	live, _ := w.desk.LiveRuns(ctx)
	for _, r := range live {
		_ = w.bot.Drive(ctx, r.ID)
		_ = w.releases.Driven(ctx, r.ID)
	}
	_ = w.bot.PostAnswers(ctx)
	_ = w.fleet.Once(ctx)
	if w.now%sweepEvery == 0 {
		w.sweep(ctx)
	}
}

func (w *world) sweep(ctx context.Context) {
	if w.story.refused { // elsewhere GitHub's list is empty
		_ = w.hub.RedeliverFailed(ctx, w.desk)
	}
	_ = w.bot.Sweep(ctx)
	_ = w.releases.Sweep(ctx)
}

func (w *world) run(n int) (r bot.Run) {
	if n <= len(w.desk.runs) {
		r = w.desk.runs[n-1]
	}
	return r
}

// over reports whether nothing moves any more.
func (w *world) over() bool {
	for i := range w.desk.runs {
		if w.run(i+1).State != bot.Closed {
			return false
		}
	}
	for _, raw := range w.desk.answers {
		if unpacked[bot.Answer](raw).Owed() {
			return false
		}
	}
	for _, d := range w.desk.deliveries {
		if d.Outcome == "" {
			return false
		}
	}
	for _, in := range w.desk.instances {
		if in.State != runnerfleet.Gone {
			return false
		}
	}
	swept := !w.story.deaf || w.now%sweepEvery == 0 && len(w.desk.commands) > 0
	came := w.story.deaf || len(w.desk.deliveries) == w.guid
	return len(w.outbox) == 0 && came && swept && !slices.ContainsFunc(w.machines, func(m *machine) bool { return m.on || m.runner != nil })
}

// cloud launches machines in a world.
type cloud world

func (c *cloud) Launch(_ context.Context, l runnerfleet.Launch) (id string, err error) {
	return id, c.life.does("Launch", func() error {
		for _, m := range c.machines {
			if m.launch.Instance == l.Instance {
				if m.launch != l {
					return errors.New("another launch of the same instance")
				}
				id = m.id
				return errNothing
			}
		}
		id = fmt.Sprintf("m-%d", len(c.machines)+1)
		m := &machine{world: (*world)(c), id: id, launch: l, on: true, began: time.Now(), dies: c.story.lost == len(c.machines)+1}
		m.client = runnerfleet.NewClient("https://bot.example", l.Instance, &http.Client{Transport: m.world})
		c.machines = append(c.machines, m)
		return nil
	})
}

func (c *cloud) List(context.Context) (all []runnerfleet.Machine, err error) {
	return all, c.life.reads(func() error {
		for _, m := range c.machines {
			if m.on {
				all = append(all, runnerfleet.Machine{CloudID: m.id, Instance: m.launch.Instance, Running: true, LaunchedAt: m.began, Deadline: m.launch.Deadline})
			}
		}
		return nil
	})
}

func (c *cloud) Terminate(_ context.Context, id string) error {
	return c.life.does("Terminate", func() error {
		for _, m := range c.machines {
			if m.id == id && m.on {
				m.off()
				return nil
			}
		}
		return errNothing
	})
}

// RoundTrip takes an agent's call to the process that lives now.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec.Result(), nil
}
