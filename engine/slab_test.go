package engine

import (
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func TestConnSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(Conn{}); n > 88 {
		t.Errorf("a connection takes %d bytes, at most 88 are meant", n)
	}
	if n := unsafe.Sizeof(piece{}); n != 16 {
		t.Errorf("a waiting frame takes %d bytes, the documentation says 16", n)
	}
}

// TestPagesComeBack: when a crowd has left, so has its memory, and old references name nobody though new pages are in their place.
func TestPagesComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Loops: 1}, memoryBackend)
		l := w.Loops()[0]
		var refs []Ref
		crowd := func(n int) []*Sink {
			sinks := make([]*Sink, n)
			for i := range sinks {
				s, err := w.DialSink(func(c *Conn) Handler { refs = append(refs, c.Ref()); return &probe{} })
				if err != nil {
					t.Fatal(err)
				}
				sinks[i] = s
			}
			on(t, l, func() {})
			return sinks
		}
		pages := func() (n int) {
			on(t, l, func() {
				for _, p := range l.slab.pages {
					if p != nil {
						n++
					}
				}
			})
			return n
		}
		const n = 20 * pageSize
		sinks := crowd(n)
		if got := pages(); got != 20 {
			t.Fatalf("%d connections take %d pages", n, got)
		}
		for _, s := range sinks[1:] {
			s.CloseWrite()
		}
		time.Sleep(3 * time.Second)
		if got := pages(); got != 2 {
			t.Errorf("one connection takes %d pages, want its own and a spare one", got)
		}
		old := refs
		refs = nil
		crowd(n)
		on(t, l, func() {
			for i, r := range old {
				if c := r.Conn(); (c != nil) != (i == 0) {
					t.Fatalf("reference %d of the first crowd names %v", i, c)
				}
			}
			for i, r := range refs {
				if c := r.Conn(); c == nil || l.slab.at(c.slot, c.gen) != c {
					t.Fatalf("reference %d of the second crowd names nobody", i)
				}
			}
		})
	})
}

func TestBuffers(t *testing.T) {
	t.Parallel()
	var p buffers
	for _, n := range []int{0, 1, 256, 257, 1 << 10, 5000, 64 << 10, 64<<10 + 1, 1 << 20} {
		b := p.get(n)
		if len(b.b) != 0 || cap(b.b) < n {
			t.Errorf("asked for %d bytes, got %d of %d", n, len(b.b), cap(b.b))
		}
		b.b = append(b.b, make([]byte, n)...)
		p.put(b)
		if b.class >= 0 {
			if again := p.get(n); again != b || len(again.b) != 0 {
				t.Errorf("a buffer of %d bytes did not come back empty", n)
			}
		}
	}
	for range 3 {
		var all []*buffer
		for range 5000 {
			all = append(all, p.get(1000))
		}
		for _, b := range all {
			p.put(b)
		}
	}
	if n := len(p.free[1]); n != bufferClasses[1].keep {
		t.Errorf("%d buffers are kept, want %d", n, bufferClasses[1].keep)
	}
}

// TestSlotReuse: the slot of a closed connection is used again with another generation, and only when no list of the loop points at
// it any more; an event that comes late for its old owner reaches nobody.
func TestSlotReuse(t *testing.T) {
	t.Parallel()
	l, _, _ := idleLoop(t, &probe{})
	adopt := func(h Handler) (got *Conn) {
		l.adopt(socket{fd: -1, peer: sinkPeer{&Sink{}}}, nil, func(c *Conn) Handler { got = c; return h })
		return got
	}
	told := 0
	old := adopt(&probe{close: func(*Conn, CloseReason, error) { told++ }})
	ref := old.Ref()
	late := event{slot: old.slot, gen: old.gen, bits: readyIn | readyOut | readyEnd | readyErr}
	old.Write([]byte("x")) // onto the dirty list
	old.PauseRead()
	old.ResumeRead()        // and the list of those to be shown again
	old.Close(Aborted, nil) // and the list of the next iteration's readers
	old.Reset(Aborted, nil)
	if c := adopt(&probe{}); c == old {
		t.Fatal("a slot was used again in the iteration in which its owner ended")
	}
	for range 3 {
		l.turn()
	}
	var fresh *Conn
	for range 3 {
		if c := adopt(&probe{close: func(_ *Conn, r CloseReason, _ error) { t.Errorf("closed with %v by an event for the one before", r) }}); c == old {
			fresh = c
		}
	}
	if fresh == nil {
		t.Fatal("the slot is not used again")
	}
	if told != 1 {
		t.Errorf("OnClose was called %d times", told)
	}
	if fresh.Ref() == ref || ref.Conn() != nil {
		t.Error("the old reference names the new connection")
	}
	l.event(&late)
	l.turn()
}

// TestListedSlotStays: a connection that ends while it waits for its next read keeps its slot until that list has let go of it.
func TestListedSlotStays(t *testing.T) {
	t.Parallel()
	l, c, _ := idleLoop(t, &probe{})
	l.ready = append(l.ready, c) // after runReady of this iteration
	c.flags |= flagInReady
	c.Reset(Aborted, nil)
	l.runClosed()
	l.runFlush()
	l.runFree()
	if c.flags&flagFreed != 0 {
		t.Fatal("the slot is free though the list of readers points at it")
	}
	l.turn()
	if c.flags&flagFreed == 0 {
		t.Fatal("the slot is not free though no list points at it")
	}
}
