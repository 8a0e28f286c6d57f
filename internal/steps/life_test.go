package steps

import (
	"errors"
	"sync"
)

var errDead = errors.New("the bot is dead")

// life is that of the bot's processes, counted by what they do to the world.
type life struct {
	mu    sync.Mutex
	done  []string // what was done
	dieAt int      // after so many of those; 0 is never
	dead  bool
}

// does lets a living process do something; it may not live to see the answer.
func (l *life) does(what string, do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errDead
	}
	n := len(l.done)
	err := do()
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.done = append(l.done, what); n+1 == l.dieAt {
		l.dead = true
		return errDead
	}
	return nil
}

// errNothing says that nothing was done which a later process could find.
var errNothing = errors.New("nothing was done")

// reads lets a living process look.
func (l *life) reads(look func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errDead
	}
	return look()
}

// buried reports whether the process has died, and lets another one live.
func (l *life) buried() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.dead
	l.dead = false
	return was
}
