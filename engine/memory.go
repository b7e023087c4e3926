package engine

import (
	"fmt"
	"net"
	"syscall"
	"time"
)

// memory is the driver of the memory backend. It blocks on a channel and a timer only, so that testing/synctest can tell that
// a loop is idle and move its clock.
type memory struct {
	loop  *Loop
	peers []memoryPeer // loop; by slot
	woken chan struct{}
	timer *time.Timer // loop
	reports
}

// memoryPeer is the loop's side of a memory connection: non-blocking calls with the errors of a socket.
type memoryPeer interface {
	// start names the connection that readiness is reported for; nil ends that.
	start(d *memory, slot int32, gen uint32)
	read(p []byte) (int, syscall.Errno)
	write(p []byte) (int, syscall.Errno)
	finish()
	close(reset bool)
	conn() net.Conn
}

func newMemory(l *Loop) *memory {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &memory{loop: l, woken: make(chan struct{}, 1), timer: t}
}

// report queues an event and wakes the loop. Any goroutine.
func (d *memory) report(slot int32, gen uint32, bits readiness) {
	d.add(slot, gen, bits)
	d.loop.wakeUp()
}

func (d *memory) wait(events []event, dur time.Duration) (int, error) {
	if n := d.take(events); n > 0 || dur <= 0 {
		return n, nil
	}
	d.timer.Reset(dur)
	select {
	case <-d.woken:
		d.timer.Stop()
	case <-d.timer.C:
	}
	return d.take(events), nil
}

func (d *memory) step() {}

func (d *memory) wake() {
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

func (d *memory) register(c *Conn, s socket) error {
	if need := len(c.loop.slab.pages) << pageBits; len(d.peers) < need {
		d.peers = append(d.peers, make([]memoryPeer, need-len(d.peers))...)
	}
	d.peers[c.slot] = s.peer
	s.peer.start(d, c.slot, c.gen)
	return nil
}

func (d *memory) read(c *Conn, p []byte) (int, syscall.Errno)  { return d.peers[c.slot].read(p) }
func (d *memory) write(c *Conn, p []byte) (int, syscall.Errno) { return d.peers[c.slot].write(p) }

func (d *memory) writev(c *Conn, v [][]byte) (int, syscall.Errno) {
	sum := 0
	for _, p := range v {
		n, e := d.peers[c.slot].write(p)
		sum += n
		if e != 0 && sum == 0 {
			return 0, e
		}
		if e != 0 || n < len(p) {
			break
		}
	}
	return sum, 0
}

func (d *memory) finish(c *Conn) { d.peers[c.slot].finish() }

func (d *memory) close(c *Conn, reset bool) {
	p := d.peers[c.slot]
	d.peers[c.slot] = nil
	p.start(nil, 0, 0)
	p.close(reset)
}

func (d *memory) detach(c *Conn) (net.Conn, []byte, error) {
	p := d.peers[c.slot]
	nc := p.conn()
	if nc == nil {
		return nil, nil, fmt.Errorf("%T has no net.Conn on the loop's side", p)
	}
	d.peers[c.slot] = nil
	p.start(nil, 0, 0)
	return nc, nil, nil
}

func (d *memory) local(*Conn) net.Addr { return memoryAddr{} }

func (d *memory) drop(s socket) { s.peer.close(true) }

func (d *memory) stop() {}

// memoryAddr is the address of both ends of a memory connection.
type memoryAddr struct{}

// Network implements net.Addr.
func (memoryAddr) Network() string { return backendMemory }

// String implements net.Addr.
func (memoryAddr) String() string { return backendMemory }

// Dial makes a connection of the memory backend and returns the client's end, a *MemoryConn. open runs on the loop that gets the connection;
// each loop gets one in turn. Any goroutine.
func (e *Engine) Dial(open func(c *Conn) Handler) (net.Conn, error) {
	if e.cfg.Backend != backendMemory {
		return nil, fmt.Errorf("engine: dial is for the memory backend, this is %q", e.cfg.Backend)
	}
	client, server := Pipe()
	if err := e.post(e.pick(), socket{fd: -1, peer: server}, nil, open); err != nil {
		return nil, err
	}
	return client, nil
}
