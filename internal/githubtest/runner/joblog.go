package runner

import (
	"context"
	"io"
	"sync"
	"time"
)

const (
	logEvery = 500 * time.Millisecond
	logPart  = 1 << 20
)

// joblog is where a job prints to: the runner's own output, and the server
// through send. A write never waits for the server.
type joblog struct {
	client *client
	job    int64
	echo   io.Writer

	mu     sync.Mutex
	unsent []byte
	sent   int64 // offset of unsent in the log
}

// Write takes what was printed. It never fails: a job does not end because
// nobody listens.
func (l *joblog) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.unsent = append(l.unsent, p...)
	l.mu.Unlock()
	_, _ = l.echo.Write(p)
	return len(p), nil
}

// run sends what comes until done is closed and all is sent, or ctx ends, or
// the server wants no more.
func (l *joblog) run(ctx context.Context, done <-chan struct{}) {
	tick := time.NewTicker(logEvery)
	defer tick.Stop()
	for last := false; ; {
		if err := l.flush(ctx); err != nil || last {
			return
		}
		select {
		case <-done:
			last = true
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// flush sends all that was printed before it was called.
func (l *joblog) flush(ctx context.Context) error {
	for {
		l.mu.Lock()
		part, offset := l.unsent[:min(len(l.unsent), logPart)], l.sent
		l.mu.Unlock()
		if len(part) == 0 {
			return nil
		}
		if err := l.client.log(ctx, l.job, offset, part); err != nil {
			return err
		}
		l.mu.Lock()
		l.unsent, l.sent = l.unsent[len(part):], l.sent+int64(len(part))
		l.mu.Unlock()
	}
}
