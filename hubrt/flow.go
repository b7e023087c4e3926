package hubrt

import "sync"

// streamWindow is how many bytes of stream items of one connection wait for its loop, together with one item that may be larger. What each stream has produced beyond that, one
// item, waits with its producer. So a connection's streams hold little memory however slow its client is, and however many of them there are.
const streamWindow = 8 << 10

// flow is the way out of a connection's streams. It slows their producers down to what the client takes: an item passes when fewer than streamWindow bytes are on their way to the loop
// and the link has room. Those that wait pass in the order in which they came, one item at a time. Any goroutine.
type flow struct {
	mu      sync.Mutex
	out     int              // under mu: bytes that are on their way to the loop
	stalled bool             // under mu: the link has no room; it will say when it has
	waiting ring[*streaming] // under mu: each at most once
	gone    int              // under mu: of these: have ended meanwhile
}

// maxGone is how many streams that have ended may stay among those that wait, or as many as have not: a client that reads nothing can begin and cancel streams for as long as
// its answers find room.
const maxGone = 64

// pass lets the next item of s through, of n bytes; false: the stream has ended meanwhile.
func (f *flow) pass(s *streaming, n int) bool {
	f.mu.Lock()
	if f.open() && f.waiting.len() == 0 {
		f.out += n
		f.mu.Unlock()
		return true
	}
	s.waits = n
	f.waiting.push(s)
	f.mu.Unlock()
	select {
	case <-s.pass:
		return true
	case <-s.ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.waits == 0 { // it has been let through just now
		<-s.pass
		f.out -= n
		f.admit()
		return false
	}
	s.waits = 0
	if f.gone++; f.gone > max(maxGone, f.waiting.len()/2) {
		f.sweep()
	}
	return false
}

// sweep takes those out that have ended. Under mu.
func (f *flow) sweep() {
	for range f.waiting.len() {
		if s, _ := f.waiting.pop(); s.waits > 0 {
			f.waiting.push(s)
		}
	}
	f.gone = 0
}

func (f *flow) open() bool { return !f.stalled && f.out < streamWindow }

// admit lets those through that wait. Under mu.
func (f *flow) admit() {
	for f.open() {
		s, ok := f.waiting.pop()
		if !ok {
			return
		}
		if s.waits == 0 {
			f.gone-- // it has ended
			continue
		}
		f.out += s.waits
		s.waits = 0
		s.pass <- struct{}{} // has room for one
	}
}

// written says that n bytes have reached the link, and whether that has room for more.
func (f *flow) written(n int, room bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out -= n
	f.stalled = !room
	f.admit()
}

// room says that the link has room again.
func (f *flow) room() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stalled = false
	f.admit()
}
