package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockWait is how long a lock's former holder gets to leave.
const lockWait = 10 * time.Second

// lock takes the right to migrate the file or to work its jobs, which one
// process at a time may have. The kernel gives it back however the process
// ends, so a successor of a killed one need not wait. Close the file to unlock.
func (s *lite) lock(ctx context.Context) (*os.File, error) {
	f, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(lockWait)
	defer limit.Stop()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-limit.C:
			return nil, errors.Join(errors.New("another ortest serves this database: stop it first"), f.Close())
		case <-retry.C:
		}
	}
}
