package engine

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDescriptorReuse: two connections become ready in one batch; the first one's handler resets the second, and a new connection
// gets its descriptor at once. The event of the second, which is still in the batch, must not reach the new one.
func TestDescriptorReuse(t *testing.T) {
	// Not parallel: another test could take the descriptor.
	w := start(t, Config{Loops: 1}, epollBackend)
	l := w.Loops()[0]
	var conns []*Conn // loop
	opened := make(chan struct{}, 2)
	fresh := &probe{data: func(_ *Conn, p []byte) int {
		t.Errorf("a new connection was shown %q, which was for the one before", p)
		return len(p)
	}, eof: func(*Conn) { t.Error("a new connection was told of the end of the one before") }}
	tested := make(chan string, 1)
	var theirs int // the peer's end of the new connection
	h := &probe{data: func(c *Conn, p []byte) int {
		other := conns[0]
		if other == c {
			other = conns[1]
		}
		if other.Closed() {
			return len(p)
		}
		fd, slot, gen := other.fd, other.slot, other.gen
		other.Reset(Aborted, nil)
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			tested <- err.Error()
			return len(p)
		}
		mine := pair[0]
		theirs = pair[1]
		if pair[0] != int(fd) && pair[1] != int(fd) {
			tested <- fmt.Sprintf("the kernel gave %v, not descriptor %d again", pair, fd)
			return len(p)
		}
		if pair[1] == int(fd) {
			mine, theirs = theirs, mine
		}
		l.adopt(socket{fd: int32(mine)}, nil, func(n *Conn) Handler {
			if n.fd != fd {
				t.Errorf("the new connection has descriptor %d, want %d", n.fd, fd)
			}
			if n.slot == slot || n.gen == gen {
				t.Errorf("slot %d and generation %d are in use again, within the iteration", slot, gen)
			}
			return fresh
		})
		tested <- ""
		return len(p)
	}}
	dial := w.serve(func(c *Conn) Handler { conns = append(conns, c); opened <- struct{}{}; return h })
	a, b := dial(), dial()
	defer a.Close()
	defer b.Close()
	await(t, opened, "a connection")
	await(t, opened, "a connection")
	held, release := make(chan struct{}), make(chan struct{})
	l.Post(TaskFunc(func(*Loop) { close(held); <-release }))
	await(t, held, "the loop")
	send(t, a, []byte("a")) // both are ready when the loop looks again: one batch
	send(t, b, []byte("b"))
	close(release)
	if s := await(t, tested, "the reuse"); s != "" {
		t.Fatal(s)
	}
	on(t, l, func() {})
	on(t, l, func() { l.slab.each(func(c *Conn) { c.Reset(Aborted, nil) }) })
	_ = unix.Close(theirs)
}
