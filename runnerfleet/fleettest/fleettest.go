// Package fleettest has the fakes that fleet tests share, and the contracts
// that a fake and the thing it stands for both pass.
//
// The fakes remember, copy what they return, and can be told to fail before or
// after they took effect. One Faults value may be shared, which then sees every call
// of a fleet to the world in order.
package fleettest

import (
	"sync"
	"testing"
	"time"
)

// Call is one moment at which a fake can be told to fail.
type Call struct {
	Name  string // "cloud.Launch", "store.UpdateInstance", "work.Lost", …
	After bool   // the effect has been taken, and the answer gets lost
}

// Faults decides which calls fail. The zero value lets all succeed.
type Faults struct {
	mu   sync.Mutex
	hook func(Call) error
}

// Set installs the function that is asked twice for each call, before and after
// its effect; nil lets all succeed.
func (f *Faults) Set(hook func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// at asks at one moment. A nil Faults has none.
func (f *Faults) at(name string, after bool) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(Call{Name: name, After: after})
}

// CrashAt returns a hook that fails the nth moment (from 0) and everything after
// it, as if the process had died there, and says whether it came to that.
func CrashAt(n int, err error) (hook func(Call) error, crashed func() bool) {
	var mu sync.Mutex
	left := n
	return func(Call) error {
			mu.Lock()
			defer mu.Unlock()
			if left--; left < 0 {
				return err
			}
			return nil
		}, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return left < 0
		}
}

// Eventually asks until the answer is yes. Real processes have no virtual clock,
// so it is generous with time and quick to see.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
