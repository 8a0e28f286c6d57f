package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/ortest/ortest/bot"
	"github.com/ortest/ortest/plan"
)

// mostRemembered is of how many runs it is remembered what their documents say.
const mostRemembered = 16

// memory is what the documents of runs said when they were read last. Runs are read
// all the time, of their hundreds of pieces one changes at a time, and their plans
// never do: the same bytes are the same piece, whoever wrote them, and are not decoded
// again. What is remembered is shared, so that nobody changes a slice of it in place.
type memory struct {
	mu   sync.Mutex
	runs map[string]remembered
}

type remembered struct {
	stored
	plan   plan.Plan
	pieces []bot.Piece
}

// run decodes a run.
func (m *memory) run(o stored) (r bot.Run, err error) {
	if err := json.Unmarshal(o.document, &r); err != nil {
		return bot.Run{}, fmt.Errorf("decode: %w", err)
	}
	m.mu.Lock()
	was := m.runs[r.ID]
	m.mu.Unlock()
	now := remembered{stored: o, plan: was.plan}
	if !bytes.Equal(o.plan, was.stored.plan) {
		now.plan = plan.Plan{}
		if err := json.Unmarshal(o.plan, &now.plan); err != nil {
			return bot.Run{}, fmt.Errorf("decode plan: %w", err)
		}
	}
	if o.pieces != nil {
		now.pieces = make([]bot.Piece, len(o.pieces))
	}
	for i, raw := range o.pieces {
		if i < len(was.pieces) && bytes.Equal(raw, was.stored.pieces[i]) {
			now.pieces[i] = was.pieces[i]
			continue
		}
		p := &now.pieces[i]
		if err := json.Unmarshal(raw, p); err != nil {
			return bot.Run{}, fmt.Errorf("decode piece: %w", err)
		}
		p.Files, p.Trouble = slices.Clip(p.Files), slices.Clip(p.Trouble) // whoever appends has a copy
	}
	m.keep(r, now)
	r.Plan, r.Pieces = now.plan, slices.Clone(now.pieces)
	return r, nil
}

// keep remembers a run for as long as it goes on, and one of the others less where
// there are too many.
func (m *memory) keep(r bot.Run, now remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.runs, r.ID)
	if r.State == bot.Closed {
		return
	}
	if m.runs == nil {
		m.runs = make(map[string]remembered)
	}
	for id := range m.runs {
		if len(m.runs) < mostRemembered {
			break
		}
		delete(m.runs, id)
	}
	m.runs[r.ID] = now
}
