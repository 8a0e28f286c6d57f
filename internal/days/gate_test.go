package days

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
	"github.com/ortest/ortest/store"
)

// gate is a real store whose answers get lost, and which is away for a while.
type gate struct {
	*store.Store
	fault func(write bool) error // asked before and after each write, and before each read
}

func reading[T any](g *gate, do func() (T, error)) (v T, err error) {
	if err := g.fault(false); err != nil {
		return v, err
	}
	return do()
}

func writing[T any](g *gate, do func() (T, error)) (v T, err error) {
	if err := g.fault(true); err != nil {
		return v, err
	}
	if v, err = do(); err != nil {
		return v, err
	}
	return v, g.fault(true)
}

// put is a write without a result.
func (g *gate) put(do func() error) error {
	_, err := writing(g, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (g *gate) AddDelivery(ctx context.Context, d bot.Delivery) (bool, error) {
	return writing(g, func() (bool, error) { return g.Store.AddDelivery(ctx, d) })
}

func (g *gate) Delivery(ctx context.Context, guid string) (bot.Delivery, error) {
	return reading(g, func() (bot.Delivery, error) { return g.Store.Delivery(ctx, guid) })
}

func (g *gate) FinishDelivery(ctx context.Context, guid, outcome string) error {
	return g.put(func() error { return g.Store.FinishDelivery(ctx, guid, outcome) })
}

func (g *gate) AddHead(ctx context.Context, r bot.Repo, pull int, h bot.Head) error {
	return g.put(func() error { return g.Store.AddHead(ctx, r, pull, h) })
}

func (g *gate) HeadAt(ctx context.Context, r bot.Repo, pull int, t time.Time, rather string) (bot.Head, error) {
	return reading(g, func() (bot.Head, error) { return g.Store.HeadAt(ctx, r, pull, t, rather) })
}

func (g *gate) AddRun(ctx context.Context, r bot.Run) (bot.Run, error) {
	return writing(g, func() (bot.Run, error) { return g.Store.AddRun(ctx, r) })
}

func (g *gate) AddAnswer(ctx context.Context, a bot.Answer) error {
	return g.put(func() error { return g.Store.AddAnswer(ctx, a) })
}

func (g *gate) PutAnswer(ctx context.Context, a bot.Answer) error {
	return g.put(func() error { return g.Store.PutAnswer(ctx, a) })
}

func (g *gate) UnpostedAnswers(ctx context.Context) ([]bot.Answer, error) {
	return reading(g, func() ([]bot.Answer, error) { return g.Store.UnpostedAnswers(ctx) })
}

func (g *gate) Answers(ctx context.Context, r bot.Repo, pull int) ([]bot.Answer, error) {
	return reading(g, func() ([]bot.Answer, error) { return g.Store.Answers(ctx, r, pull) })
}

func (g *gate) Commands(ctx context.Context, r bot.Repo, place string, id int64) (map[int]string, error) {
	return reading(g, func() (map[int]string, error) { return g.Store.Commands(ctx, r, place, id) })
}

func (g *gate) Run(ctx context.Context, id string) (bot.Run, error) {
	return reading(g, func() (bot.Run, error) { return g.Store.Run(ctx, id) })
}

func (g *gate) Runs(ctx context.Context, r bot.Repo, pull int) ([]bot.Run, error) {
	return reading(g, func() ([]bot.Run, error) { return g.Store.Runs(ctx, r, pull) })
}

func (g *gate) LiveRuns(ctx context.Context) ([]bot.Run, error) {
	return reading(g, func() ([]bot.Run, error) { return g.Store.LiveRuns(ctx) })
}

func (g *gate) RunsSince(ctx context.Context, t time.Time) ([]bot.Run, error) {
	return reading(g, func() ([]bot.Run, error) { return g.Store.RunsSince(ctx, t) })
}

func (g *gate) UpdateRun(ctx context.Context, id string, change func(*bot.Run) bool) (bot.Run, error) {
	return writing(g, func() (bot.Run, error) { return g.Store.UpdateRun(ctx, id, change) })
}

func (g *gate) AddEntry(ctx context.Context, run string, e bot.StoredEntry) error {
	return g.put(func() error { return g.Store.AddEntry(ctx, run, e) })
}

func (g *gate) Entries(ctx context.Context, run, piece string) ([]bot.StoredEntry, error) {
	return reading(g, func() ([]bot.StoredEntry, error) { return g.Store.Entries(ctx, run, piece) })
}

func (g *gate) Metas(ctx context.Context, run string) ([]bot.StoredEntry, error) {
	return reading(g, func() ([]bot.StoredEntry, error) { return g.Store.Metas(ctx, run) })
}

func (g *gate) PutResult(ctx context.Context, run, goal string, result json.RawMessage) error {
	return g.put(func() error { return g.Store.PutResult(ctx, run, goal, result) })
}

func (g *gate) Results(ctx context.Context, run string) (map[string]json.RawMessage, error) {
	return reading(g, func() (map[string]json.RawMessage, error) { return g.Store.Results(ctx, run) })
}

func (g *gate) PutCatalog(ctx context.Context, revision string, packed []byte) error {
	return g.put(func() error { return g.Store.PutCatalog(ctx, revision, packed) })
}

func (g *gate) Mark(ctx context.Context, name string) (time.Time, error) {
	return reading(g, func() (time.Time, error) { return g.Store.Mark(ctx, name) })
}

func (g *gate) SetMark(ctx context.Context, name string, t time.Time) error {
	return g.put(func() error { return g.Store.SetMark(ctx, name, t) })
}

func (g *gate) Instances(ctx context.Context) ([]runnerfleet.Instance, error) {
	return reading(g, func() ([]runnerfleet.Instance, error) { return g.Store.Instances(ctx) })
}

func (g *gate) Instance(ctx context.Context, id string) (runnerfleet.Instance, error) {
	return reading(g, func() (runnerfleet.Instance, error) { return g.Store.Instance(ctx, id) })
}

func (g *gate) AddInstance(ctx context.Context, in runnerfleet.Instance) error {
	return g.put(func() error { return g.Store.AddInstance(ctx, in) })
}

func (g *gate) UpdateInstance(ctx context.Context, id string, change func(*runnerfleet.Instance) bool) (runnerfleet.Instance, error) {
	return writing(g, func() (runnerfleet.Instance, error) { return g.Store.UpdateInstance(ctx, id, change) })
}

func (g *gate) Note(ctx context.Context, word string, until time.Time) error {
	return g.put(func() error { return g.Store.Note(ctx, word, until) })
}

func (g *gate) Noted(ctx context.Context, now time.Time) ([]string, error) {
	return reading(g, func() ([]string, error) { return g.Store.Noted(ctx, now) })
}
