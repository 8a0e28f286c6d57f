package github

import (
	"bytes"
	lru "container/list"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// What is kept of answers, and for how long nothing is asked about what is not there.
const (
	cacheBytes = 32 << 20
	cacheEntry = 4 << 20 // a longer answer is not kept
	goneFor    = 3 * time.Second
)

// kept is an answer that was read whole.
type kept struct {
	key    string
	status int
	header http.Header
	body   []byte
	until  time.Time // of what is not there: when it is asked for again
}

func (k *kept) etag() string { return k.header.Get("ETag") }

// answer is the kept answer to a request, as if it came now.
func (k *kept) answer(req *http.Request) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", k.status, http.StatusText(k.status)), StatusCode: k.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: k.header.Clone(),
		Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)), Request: req,
	}
}

// cache keeps what GitHub said to reads. Nothing of it is believed without
// asking: an unchanged answer costs nothing of the hourly limit. Who reads the
// same at the same time shares one answer, but never one that was asked for
// before a write of ours had ended.
type cache struct {
	mu      sync.Mutex
	size    int
	order   *lru.List // of *kept, the last used in front
	byKey   map[string]*lru.Element
	turn    int // of writes
	flights map[string]*flight
}

// flight is a read that is under way. The last of its readers to leave ends it.
type flight struct {
	readers int
	end     context.CancelFunc
	done    chan struct{}
	got     *kept
	err     error
}

func newCache() *cache {
	return &cache{order: lru.New(), byKey: make(map[string]*lru.Element), flights: make(map[string]*flight)}
}

func keyOf(req *http.Request) string {
	return req.URL.String() + "\n" + req.Header.Get("Accept")
}

// read answers a GET: from what is kept, when GitHub says that it is unchanged.
func (c *cache) read(req *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	key := keyOf(req)
	known, turn := c.get(key)
	if known != nil && time.Now().Before(known.until) {
		return known.answer(req), nil
	}
	name := fmt.Sprintf("%d\n%s\n%s", turn, req.Header.Get("Authorization"), key)
	f := c.board(name, req, func(req *http.Request) (*kept, error) { return c.fetch(req, known, send) })
	select {
	case <-f.done:
	case <-req.Context().Done():
		c.leave(name, f)
		return nil, req.Context().Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.got.answer(req), nil
}

// board joins a read, which is begun when nobody reads the same. Its context is
// that of no reader: who leaves takes nobody's answer along.
func (c *cache) board(name string, req *http.Request, fetch func(*http.Request) (*kept, error)) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flights[name]
	if f == nil {
		ctx, cancel := context.WithCancel(context.WithoutCancel(req.Context()))
		f = &flight{end: cancel, done: make(chan struct{})}
		c.flights[name] = f
		go func() {
			defer cancel()
			f.got, f.err = fetch(req.Clone(ctx))
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.flights[name] == f {
				delete(c.flights, name)
			}
			close(f.done)
		}()
	}
	f.readers++
	return f
}

func (c *cache) leave(name string, f *flight) {
	c.mu.Lock()
	f.readers--
	last := f.readers == 0
	if last && c.flights[name] == f {
		delete(c.flights, name)
	}
	c.mu.Unlock()
	if last {
		f.end()
		<-f.done
	}
}

func (c *cache) fetch(req *http.Request, known *kept, send func(*http.Request) (*http.Response, error)) (*kept, error) {
	if known != nil && known.etag() != "" {
		req.Header.Set("If-None-Match", known.etag())
	}
	resp, err := send(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end, or the error says so
	if resp.StatusCode == http.StatusNotModified && known != nil {
		return known, nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	k := &kept{key: keyOf(req), status: resp.StatusCode, header: resp.Header.Clone(), body: body}
	switch {
	case k.status == http.StatusNotFound:
		k.until = time.Now().Add(goneFor)
		c.put(k)
	case k.status == http.StatusOK && k.etag() != "" && len(body) <= cacheEntry:
		c.put(k)
	}
	return k, nil
}

func (c *cache) get(key string) (*kept, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil, c.turn
	}
	c.order.MoveToFront(e)
	return e.Value.(*kept), c.turn
}

func (c *cache) put(k *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.byKey[k.key])
	c.byKey[k.key] = c.order.PushFront(k)
	c.size += len(k.body)
	for c.size > cacheBytes {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *lru.Element) {
	if e == nil {
		return
	}
	k := c.order.Remove(e).(*kept)
	delete(c.byKey, k.key)
	c.size -= len(k.body)
}

// wrote forgets what was not there: it may be now. What is being read at the
// same time is not shared with later reads.
func (c *cache) wrote() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if !e.Value.(*kept).until.IsZero() {
			c.drop(e)
		}
		e = next
	}
}
