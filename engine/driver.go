package engine

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// acceptRetry is the time after which a lack of descriptors or memory is looked at again.
const acceptRetry = 100 * time.Millisecond

// driver is what a backend does for one loop: the system calls, or their likeness in memory. Everything else is the same
// for all backends. All methods but wake are for the loop.
//
// Readiness is edge-triggered: a driver reports a direction once when it becomes ready, and again only after read or write
// has answered EAGAIN (or, for reading, fewer bytes than there was room for) and it becomes ready anew.
type driver interface {
	// wait fills events with what has become ready, for at most d (0: do not wait).
	wait(events []event, d time.Duration) (int, error)
	// pending says that the driver has something to do without waiting. Asked once more when the loop is about to sleep.
	pending() bool
	// step does it; once an iteration.
	step()
	// wake ends a wait. Any goroutine; only while the loop is asleep, so never after stop.
	wake()
	// register makes s known by c's slot and generation. After an error the driver does not own s.
	register(c *Conn, s socket) error
	// Of the next three, 0 is success and EAGAIN says that there is nothing to read or no room now. read gives 0, 0 at the end.
	read(c *Conn, p []byte) (int, syscall.Errno)
	write(c *Conn, p []byte) (int, syscall.Errno)
	writev(c *Conn, v [][]byte) (int, syscall.Errno)
	// finish ends the direction to the peer.
	finish(c *Conn)
	// close gives the descriptor back; reset: by RST, with what the kernel still holds thrown away.
	close(c *Conn, reset bool)
	// detach takes c's descriptor out of the loop, with the bytes that the driver has read and the loop has not. After an
	// error c is as it was.
	detach(c *Conn) (nc net.Conn, unread []byte, err error)
	local(c *Conn) net.Addr
	// drop throws away a socket that was never registered.
	drop(s socket)
	// stop gives the driver's own resources back.
	stop()
}

// socket is what becomes a connection: a descriptor, one end of a memory connection, or a connection of the gnet backend.
type socket struct {
	fd     int32
	peer   memoryPeer
	conn   net.Conn
	remote netip.AddrPort
}

// event says what became ready for the connection in a slot, if it still has the generation.
type event struct {
	slot int32
	gen  uint32
	bits readiness
}

type readiness uint32

const (
	readyIn  readiness = 1 << iota // bytes, or the end
	readyOut                       // room
	readyEnd                       // the peer has ended its direction (FIN)
	readyHup                       // both directions have ended
	readyErr                       // an error, as after RST
)

// reports are events that other goroutines have found: for drivers that do not get all of theirs from a poller.
type reports struct {
	mu   sync.Mutex
	list []event // under mu
	head int     // under mu: the first of list that has not been taken
}

// add queues an event. Any goroutine; who calls it wakes the loop.
func (r *reports) add(slot int32, gen uint32, bits readiness) {
	r.mu.Lock()
	r.list = append(r.list, event{slot: slot, gen: gen, bits: bits})
	r.mu.Unlock()
}

// reportsKeep is for how many events an empty list keeps its memory.
const reportsKeep = 16 << 10

// take moves as many as there is room for. The rest is moved to the front seldom: if each look did, the time for very many would grow with their square.
func (r *reports) take(events []event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := copy(events, r.list[r.head:])
	switch r.head += n; {
	case r.head == len(r.list):
		r.list, r.head = r.list[:0], 0
		if cap(r.list) > reportsKeep {
			r.list = nil
		}
	case r.head*2 > len(r.list):
		r.list, r.head = r.list[:copy(r.list, r.list[r.head:])], 0
	}
	return n
}

func (r *reports) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head < len(r.list)
}
