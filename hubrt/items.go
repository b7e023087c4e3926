package hubrt

import "sync"

// Items is a connection's bag of values. Safe for concurrent use; the zero value is empty.
type Items struct {
	mu     sync.RWMutex
	values map[any]any // under mu
}

// Get returns the value under key, and whether there is one.
func (i *Items) Get(key any) (any, bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	v, ok := i.values[key]
	return v, ok
}

// Set puts value under key, which must be comparable, in place of what was there.
func (i *Items) Set(key, value any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.values == nil {
		i.values = make(map[any]any)
	}
	i.values[key] = value
}

// Delete removes the value under key, if there is one.
func (i *Items) Delete(key any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.values, key)
}
