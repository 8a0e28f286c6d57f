package web

import "sync"

// cache keeps up to most values; a full one forgets half of them, any ones,
// which costs those who ask for them a little time. Its zero value keeps nothing.
type cache[T any] struct {
	most int
	mu   sync.Mutex
	kept map[string]T
}

func (c *cache[T]) get(key string) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.kept[key]
	return v, ok
}

func (c *cache[T]) put(key string, v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room()
	c.kept[key] = v
}

// of returns what is kept under a key, or keeps what make returns.
func (c *cache[T]) of(key string, make func() T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.kept[key]
	if !ok {
		c.room()
		v = make()
		c.kept[key] = v
	}
	return v
}

func (c *cache[T]) room() {
	if c.kept == nil {
		c.kept = make(map[string]T)
	}
	if len(c.kept) < c.most {
		return
	}
	for key := range c.kept {
		if len(c.kept) <= c.most/2 {
			return
		}
		delete(c.kept, key)
	}
}
