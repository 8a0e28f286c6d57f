package steps

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/runnerfleet"
)

// desk is a store in memory, of the bot and its fleet. What it keeps of runs and
// answers is what their JSON keeps.
type desk struct {
	bot.Store
	*life
	deliveries map[string]bot.Delivery
	heads      []headOf
	runs       []bot.Run // as their JSON keeps them
	commands   map[string]string
	answers    [][]byte
	approved   map[string]string
	entries    map[string]bot.StoredEntry
	results    map[string]json.RawMessage
	catalogs   map[string][]byte
	marks      map[string]time.Time
	instances  []runnerfleet.Instance
}

type headOf struct {
	at string
	bot.Head
}

func newDesk(l *life) *desk {
	return &desk{
		life: l, deliveries: make(map[string]bot.Delivery), commands: make(map[string]string), approved: make(map[string]string),
		entries: make(map[string]bot.StoredEntry), results: make(map[string]json.RawMessage), catalogs: make(map[string][]byte), marks: make(map[string]time.Time),
	}
}

func packed(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // everything stored can be encoded
	}
	return raw
}

func unpacked[T any](raw []byte) (v T) {
	if err := json.Unmarshal(raw, &v); err != nil {
		panic(err) // it was written by packed
	}
	return v
}

func pullOf(repo bot.Repo, pull int) string { return fmt.Sprintf("%s#%d", repo, pull) }

func (d *desk) AddDelivery(_ context.Context, v bot.Delivery) (fresh bool, err error) {
	return fresh, d.does("AddDelivery "+v.Event, func() error {
		if was, known := d.deliveries[v.GUID]; known {
			fresh = was.Outcome == ""
			return errNothing
		}
		d.deliveries[v.GUID], fresh = v, true
		return nil
	})
}

func (d *desk) Delivery(_ context.Context, guid string) (v bot.Delivery, err error) {
	return v, d.reads(func() error { v = d.deliveries[guid]; return nil })
}

func (d *desk) FinishDelivery(_ context.Context, guid, outcome string) error {
	return d.does("FinishDelivery", func() error {
		v := d.deliveries[guid]
		v.Outcome = outcome
		d.deliveries[guid] = v
		return nil
	})
}

func (d *desk) AddHead(_ context.Context, repo bot.Repo, pull int, h bot.Head) error {
	return d.does("AddHead", func() error {
		one := headOf{pullOf(repo, pull), h}
		if slices.Contains(d.heads, one) {
			return errNothing
		}
		d.heads = append(d.heads, one)
		return nil
	})
}

func (d *desk) HeadAt(_ context.Context, repo bot.Repo, pull int, t time.Time, rather string) (h bot.Head, err error) {
	return h, d.reads(func() error {
		found := false
		for _, o := range d.heads {
			newer := o.At.After(h.At) || o.At.Equal(h.At) && h.SHA != rather
			if o.at == pullOf(repo, pull) && !o.At.After(t) && (!found || newer) {
				h, found = o.Head, true
			}
		}
		if !found {
			return bot.ErrNotFound
		}
		return nil
	})
}

// claim takes a command for a run or an answer.
func (d *desk) claim(repo bot.Repo, place string, comment int64, index int, line string) error {
	key := fmt.Sprintf("%s/%s/%d/%d", repo, place, comment, index)
	if _, taken := d.commands[key]; taken {
		return bot.ErrSeen
	}
	d.commands[key] = line
	return nil
}

func (d *desk) Commands(_ context.Context, repo bot.Repo, place string, id int64) (all map[int]string, err error) {
	all = make(map[int]string)
	return all, d.reads(func() error {
		for i := range 100 {
			if line, ok := d.commands[fmt.Sprintf("%s/%s/%d/%d", repo, place, id, i)]; ok {
				all[i] = line
			}
		}
		return nil
	})
}

func (d *desk) AddRun(_ context.Context, r bot.Run) (bot.Run, error) {
	return r, d.does("AddRun", func() error {
		if err := d.claim(r.Repo, r.Place, r.Comment, r.Index, r.Text); err != nil {
			return err
		}
		r.ID = strconv.Itoa(len(d.runs) + 1)
		d.runs = append(d.runs, unpacked[bot.Run](packed(r)))
		return nil
	})
}

func (d *desk) AddAnswer(_ context.Context, a bot.Answer) error {
	return d.does("AddAnswer", func() error {
		if err := d.claim(a.Repo, a.Place, a.Comment, a.Index, a.Text); err != nil {
			return err
		}
		d.answers = append(d.answers, packed(a))
		return nil
	})
}

func (d *desk) PutAnswer(_ context.Context, a bot.Answer) error {
	return d.does("PutAnswer", func() error {
		for i, raw := range d.answers {
			if o := unpacked[bot.Answer](raw); o.Place == a.Place && o.Comment == a.Comment && o.Index == a.Index {
				d.answers[i] = packed(a)
			}
		}
		return nil
	})
}

func (d *desk) answersWith(is func(bot.Answer) bool) (all []bot.Answer, err error) {
	return all, d.reads(func() error {
		for _, raw := range slices.Backward(d.answers) {
			if a := unpacked[bot.Answer](raw); is(a) {
				all = append(all, a)
			}
		}
		return nil
	})
}

func (d *desk) UnpostedAnswers(context.Context) ([]bot.Answer, error) {
	return d.answersWith(bot.Answer.Owed)
}

func (d *desk) Answers(_ context.Context, repo bot.Repo, pull int) ([]bot.Answer, error) {
	return d.answersWith(func(a bot.Answer) bool { return a.Repo == repo && a.Pull == pull })
}

func (d *desk) AddApproval(_ context.Context, _ bot.Repo, _ int, h bot.Head, by string) error {
	return d.does("AddApproval", func() error {
		if d.approved[h.SHA] != "" {
			return errNothing
		}
		d.approved[h.SHA] = by
		return nil
	})
}

func (d *desk) Approved(_ context.Context, _ bot.Repo, _ int, sha string) (by string, err error) {
	return by, d.reads(func() error { by = d.approved[sha]; return nil })
}

func (d *desk) Run(_ context.Context, id string) (r bot.Run, err error) {
	return r, d.reads(func() error {
		n, err := strconv.Atoi(id)
		if err != nil || n < 1 || n > len(d.runs) {
			return bot.ErrNotFound
		}
		r = clone(d.runs[n-1])
		return nil
	})
}

func (d *desk) Piece(ctx context.Context, run, id string) (bot.Piece, error) {
	r, err := d.Run(ctx, run)
	if err == nil && r.Piece(id) == nil {
		err = bot.ErrNotFound
	}
	if err != nil {
		return bot.Piece{}, err
	}
	return *r.Piece(id), nil
}

func (d *desk) RunOf(_ context.Context, repo bot.Repo, workflowRun int64) (run string, err error) {
	return run, d.reads(func() error {
		for _, r := range d.runs {
			if r.Repo == repo && slices.ContainsFunc(r.Dispatch, func(o bot.Dispatch) bool { return o.WorkflowRun == workflowRun }) {
				run = r.ID
				return nil
			}
		}
		return bot.ErrNotFound
	})
}

// clone shares nothing that anybody changes.
func clone(r bot.Run) bot.Run {
	r.Pieces, r.Dispatch, r.Checks = slices.Clone(r.Pieces), slices.Clone(r.Dispatch), slices.Clone(r.Checks)
	r.Lost, r.Trail = slices.Clone(r.Lost), slices.Clone(r.Trail)
	for i := range r.Pieces {
		r.Pieces[i].Trouble = slices.Clone(r.Pieces[i].Trouble)
	}
	return r
}

// runsWith returns runs, oldest first.
func (d *desk) runsWith(is func(bot.Run) bool) (all []bot.Run, err error) {
	return all, d.reads(func() error {
		for _, r := range d.runs {
			if is(r) {
				all = append(all, clone(r))
			}
		}
		return nil
	})
}

func (d *desk) Runs(_ context.Context, repo bot.Repo, pull int) ([]bot.Run, error) {
	all, err := d.runsWith(func(r bot.Run) bool { return r.Repo == repo && r.Pull == pull })
	slices.Reverse(all)
	return all, err
}

func (d *desk) RecentRuns(context.Context, int) ([]bot.Run, error) {
	all, err := d.runsWith(func(bot.Run) bool { return true })
	slices.Reverse(all)
	return all, err
}

func (d *desk) LiveRuns(context.Context) ([]bot.Run, error) {
	return d.runsWith(func(r bot.Run) bool { return r.State != bot.Closed })
}

func (d *desk) RunsSince(_ context.Context, t time.Time) ([]bot.Run, error) {
	return d.runsWith(func(r bot.Run) bool { return !r.CreatedAt.Before(t) })
}

func (d *desk) UpdateRun(_ context.Context, id string, change func(*bot.Run) bool) (r bot.Run, err error) {
	return r, d.does("UpdateRun", func() error {
		n, err := strconv.Atoi(id)
		if err != nil || n < 1 || n > len(d.runs) {
			return bot.ErrNotFound
		}
		if r = clone(d.runs[n-1]); !change(&r) {
			r = clone(d.runs[n-1])
			return errNothing
		}
		raw, was := packed(r), packed(d.runs[n-1])
		if bytes.Equal(raw, was) {
			return errNothing
		}
		d.runs[n-1] = unpacked[bot.Run](raw)
		return nil
	})
}

func (d *desk) AddEntry(_ context.Context, run string, e bot.StoredEntry) error {
	return d.does("AddEntry", func() error {
		key := fmt.Sprintf("%s/%s/%d/%d", run, e.Piece, e.Attempt, e.Seq)
		if _, known := d.entries[key]; known {
			return errNothing
		}
		d.entries[key] = e
		return nil
	})
}

func (d *desk) Entries(_ context.Context, run, piece string) (all []bot.StoredEntry, err error) {
	err = d.reads(func() error {
		for key, e := range d.entries {
			if len(key) > len(run) && key[:len(run)+1] == run+"/" && (piece == "" || e.Piece == piece) {
				all = append(all, e)
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b bot.StoredEntry) int {
		return cmp.Or(cmp.Compare(a.Piece, b.Piece), a.Attempt-b.Attempt, a.Seq-b.Seq)
	})
	return all, err
}

func (d *desk) Metas(ctx context.Context, run string) ([]bot.StoredEntry, error) {
	return d.Entries(ctx, run, "")
}

func (d *desk) PutResult(_ context.Context, run, goal string, result json.RawMessage) error {
	return d.does("PutResult", func() error { d.results[run+" "+goal] = result; return nil })
}

func (d *desk) Results(_ context.Context, run string) (all map[string]json.RawMessage, err error) {
	all = make(map[string]json.RawMessage)
	return all, d.reads(func() error {
		for key, raw := range d.results {
			if len(key) > len(run) && key[:len(run)+1] == run+" " {
				all[key[len(run)+1:]] = raw
			}
		}
		return nil
	})
}

func (d *desk) PutCatalog(_ context.Context, revision string, all []byte) error {
	return d.does("PutCatalog", func() error { d.catalogs[revision] = all; return nil })
}

func (d *desk) Catalog(_ context.Context, revision string) (all []byte, err error) {
	return all, d.reads(func() error {
		if all = d.catalogs[revision]; all == nil {
			return bot.ErrNotFound
		}
		return nil
	})
}

func (d *desk) Mark(_ context.Context, name string) (t time.Time, err error) {
	return t, d.reads(func() error { t = d.marks[name]; return nil })
}

func (d *desk) SetMark(_ context.Context, name string, t time.Time) error {
	return d.does("SetMark", func() error {
		first := d.marks[name].IsZero()
		if d.marks[name] = t; !first {
			return errNothing // it says how far a sweep came; the next one overlaps
		}
		return nil
	})
}

func (d *desk) Instances(context.Context) (all []runnerfleet.Instance, err error) {
	return all, d.reads(func() error { all = slices.Clone(d.instances); return nil })
}

func (d *desk) find(id string) int {
	return slices.IndexFunc(d.instances, func(in runnerfleet.Instance) bool { return in.ID == id })
}

func (d *desk) Instance(_ context.Context, id string) (in runnerfleet.Instance, err error) {
	return in, d.reads(func() error {
		i := d.find(id)
		if i < 0 {
			return runnerfleet.ErrNotFound
		}
		in = d.instances[i]
		return nil
	})
}

func (d *desk) AddInstance(_ context.Context, in runnerfleet.Instance) error {
	return d.does("AddInstance", func() error {
		if d.find(in.ID) >= 0 {
			return runnerfleet.ErrExists
		}
		d.instances = append(d.instances, in)
		return nil
	})
}

func (d *desk) UpdateInstance(_ context.Context, id string, change func(*runnerfleet.Instance) bool) (in runnerfleet.Instance, err error) {
	return in, d.does("UpdateInstance", func() error {
		i := d.find(id)
		if i < 0 {
			return runnerfleet.ErrNotFound
		}
		was := d.instances[i]
		if in = was; !change(&in) {
			in = was
			return errNothing
		}
		d.instances[i] = in
		if was.SeenAt = in.SeenAt; bytes.Equal(packed(was), packed(in)) {
			return errNothing // a sign of life
		}
		return nil
	})
}
