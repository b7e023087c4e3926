//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows

package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// gnetDriver is the driver of the gnet backend: one event loop of gnet hosts one loop of ours. gnet polls, reads and calls; the
// rest is done here, because of what gnet does not offer:
//
//   - It writes what it can and copies the rest into a buffer without a bound, and tells nobody when there is room again. So
//     its buffer is never used: writes go to the descriptor, what does not fit stays in our queue, and a second poller tells.
//   - It cannot pause. A paused connection is read on into gnet's buffer; with parkAt bytes there it is taken out of gnet (a
//     duplicate of the descriptor is kept, which nobody polls), so that TCP slows the peer, and brought back when it is read again.
//   - It closes a connection when the peer ends its direction. We go on with a duplicate of the descriptor, for what is to be written.
//   - It cannot close a listener without ending, and its loops begin with the listeners. So its client engine is used, whose
//     loops take connections of the standard library, and the standard library listens.
//
// It has no end of an iteration and no timers either: see hosted.
type gnetDriver struct {
	gnet.BuiltinEventEngine
	loop    *Loop
	client  *gnet.Client
	el      gnet.EventLoop // constant, once the driver has been made
	peers   []gnetPeer     // loop; by slot
	reports reports
	room    roomWatch
	over    chan struct{} // closed when gnet's goroutines have ended

	mu       sync.Mutex
	entering int  // under mu: connections on their way into gnet's loop
	sealed   bool // under mu: no more may set out
	stopped  bool // under mu
}

// gnetPeer is a connection as gnet sees it.
type gnetPeer struct {
	gc   gnet.Conn
	away *away // not nil: gnet does not have the connection
	gnetStream
}

// away is a connection that has left gnet: parked for a pause, or ended by the peer. Its descriptor is ours.
type away struct {
	kept     []byte // read by gnet, not yet by the loop
	ended    bool   // by the peer
	end      syscall.Errno
	entering bool // on its way back
}

// parkAt is how many unread bytes of a paused connection have it taken out of gnet: at most these and one read of readBudget wait.
const parkAt = 16 << 10

// arrival travels with a connection into gnet's loop, as its context; from then on that is the *Conn.
type arrival struct {
	prefix []byte
	open   func(c *Conn) Handler
	remote netip.AddrPort

	slot int32 // of a connection that comes back
	gen  uint32

	opened bool // by gnet's loop, before enroll returns
	taken  bool // by ours
	boot   func(gc gnet.Conn)
	gnetStream
}

var errNotTaken = errors.New("gnet's event loop did not take the connection")

func newGnet(l *Loop) (driver, error) {
	d := &gnetDriver{loop: l, over: make(chan struct{})}
	var err error
	d.client, err = gnet.NewClient(d, gnet.WithNumEventLoop(1), gnet.WithReadBufferCap(readBudget),
		gnet.WithTCPNoDelay(gnet.TCPDelay), // that is: leave it alone; net sets it, and an error of gnet's here loses a descriptor
		gnet.WithLogger(gnetLog{l.engine.cfg.Logger}))
	if err != nil {
		return nil, err
	}
	if err := d.room.start(d); err != nil {
		return nil, err
	}
	if err := d.client.Start(); err != nil {
		d.room.stop()
		return nil, err
	}
	if err := d.boot(); err != nil {
		d.stop()
		<-d.over
		return nil, err
	}
	l.hosted = newHosted(l, d)
	return d, nil
}

// boot has a connection pass through gnet's loop: there is no other way to get hold of the loop.
func (d *gnetDriver) boot() error {
	ours, theirs, err := bootPair()
	if err != nil {
		return err
	}
	defer func() { _ = theirs.Close() }()
	a := &arrival{boot: func(gc gnet.Conn) { d.el = gc.EventLoop() }}
	return d.enroll(ours, a)
}

// wake asks gnet for a turn.
func (d *gnetDriver) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	if err := d.el.Execute(context.Background(), d); err != nil {
		panic("engine: gnet's event loop takes no work: " + err.Error()) // like a poller that fails
	}
}

// Run implements gnet.Runnable.
func (d *gnetDriver) Run(context.Context) error {
	d.loop.hosted.turn()
	return nil
}

// wait returns what the second poller has found; gnet has waited before.
func (d *gnetDriver) wait(events []event, _ time.Duration) (int, error) {
	return d.reports.take(events), nil
}

func (d *gnetDriver) pending() bool { return d.reports.pending() }
func (d *gnetDriver) step()         {}

// begin counts a connection in that sets out for gnet's loop; end counts it out.
func (d *gnetDriver) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sealed || d.stopped {
		return false
	}
	d.entering++
	return true
}

func (d *gnetDriver) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entering--
}

// seal: a connection that sets out when gnet's loop has ended would wait there for ever.
func (d *gnetDriver) seal() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sealed = d.entering == 0
	return d.sealed
}

// stop ends gnet, from a goroutine of its own: gnet waits for its loop, which this may be.
func (d *gnetDriver) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	d.stopped = true
	go func() {
		if err := d.client.Stop(); err != nil {
			d.loop.engine.cfg.Logger.Error("gnet has ended with an error", "error", err)
		}
		d.room.stop()
		close(d.over)
	}()
}

func (d *gnetDriver) ended() { <-d.over }

// enter brings a connection into the loop, from a goroutine of its own.
func (d *gnetDriver) enter(s socket, prefix []byte, open func(c *Conn) Handler) bool {
	if !d.begin() {
		return false
	}
	go d.bring(s.conn, &arrival{prefix: prefix, open: open, remote: s.remote})
	return true
}

// bring waits until gnet's loop has taken nc. The caller has called begin.
func (d *gnetDriver) bring(nc net.Conn, a *arrival) {
	defer d.end()
	err := d.enroll(nc, a)
	if err == nil {
		return
	}
	d.loop.Post(TaskFunc(func(l *Loop) { // before end: so the loop is still there
		if a.gen != 0 {
			d.notBack(a, err)
			return
		}
		l.counters.acceptErrors.Add(1)
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.counters.fdExhausted.Add(1)
		}
		l.engine.cfg.Logger.Warn("a connection could not be registered", "error", err)
	}))
}

// OnOpen implements gnet.EventHandler.
func (d *gnetDriver) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	a := gc.Context().(*arrival)
	a.opened = true
	if a.boot != nil {
		a.boot(gc)
		gc.SetContext(nil)
		return nil, gnet.Close
	}
	d.loop.hosted.arrive()
	if a.gen != 0 {
		d.back(a, gc)
	} else {
		d.loop.adopt(socket{fd: descriptor(gc), conn: gc, remote: a.remote}, a.prefix, a.open)
		if !a.taken {
			d.refused(a)
		}
	}
	return nil, action(gc)
}

// action closes what was closed in a callback. It may have been closed for gnet already; then gnet must be kept from going on
// with a descriptor that can be somebody else's.
func action(gc gnet.Conn) gnet.Action {
	if gc.Context() == nil {
		return gnet.Close
	}
	return gnet.None
}

// OnTraffic implements gnet.EventHandler.
func (d *gnetDriver) OnTraffic(gc gnet.Conn) gnet.Action {
	c, ok := gc.Context().(*Conn)
	if !ok {
		return gnet.Close
	}
	d.loop.hosted.arrive()
	d.arrived(c)
	d.loop.event(&event{slot: c.slot, gen: c.gen, bits: readyIn})
	if gc.Context() != nil {
		d.handled(c, gc)
	}
	return action(gc)
}

// OnClose implements gnet.EventHandler: the end of what was read, but not of the connection.
func (d *gnetDriver) OnClose(gc gnet.Conn, err error) gnet.Action {
	c, ok := gc.Context().(*Conn)
	if !ok {
		return gnet.None // we have closed it
	}
	d.loop.hosted.arrive()
	a := &away{kept: drain(gc), ended: true, end: errnoOf(err)}
	bits := readyIn | readyEnd
	if a.end != 0 {
		bits |= readyErr
	}
	gc.SetContext(nil)
	peer := &d.peers[c.slot]
	peer.gc, peer.away = nil, a
	bits |= d.succeed(c)
	d.loop.event(&event{slot: c.slot, gen: c.gen, bits: bits})
	return gnet.None
}

// drain takes what gnet has read.
func drain(gc gnet.Conn) []byte {
	n := gc.InboundBuffered()
	if n == 0 {
		return nil
	}
	p := make([]byte, n)
	n, _ = gc.Read(p) // fails only if there is nothing
	return p[:n]
}

func (d *gnetDriver) register(c *Conn, s socket) error {
	if need := len(d.loop.slab.pages) << pageBits; len(d.peers) < need {
		d.peers = append(d.peers, make([]gnetPeer, need-len(d.peers))...)
	}
	gc := s.conn.(gnet.Conn)
	a := gc.Context().(*arrival)
	a.taken, a.slot, a.gen = true, c.slot, c.gen
	gc.SetContext(c)
	d.peers[c.slot] = gnetPeer{gc: gc, gnetStream: a.gnetStream}
	return nil
}

func (d *gnetDriver) read(c *Conn, p []byte) (int, syscall.Errno) {
	peer := &d.peers[c.slot]
	a := peer.away
	if a == nil {
		n, _ := peer.gc.Read(p) // fails only if there is nothing
		d.wanted(c)
		if n > 0 {
			return n, 0
		}
		return 0, syscall.EAGAIN
	}
	n := copy(p, a.kept)
	if a.kept = a.kept[n:]; len(a.kept) > 0 {
		return n, 0
	}
	a.kept = nil
	if !a.ended {
		d.comeBack(c) // now: nobody reads again before gnet says so
	}
	switch {
	case n > 0:
		return n, 0
	case a.ended:
		return 0, a.end
	}
	return 0, syscall.EAGAIN
}

// back goes on with a connection that gnet has again.
func (d *gnetDriver) back(a *arrival, gc gnet.Conn) {
	c := d.loop.slab.at(a.slot, a.gen)
	gc.SetContext(nil)
	if c == nil || d.peers[a.slot].away == nil {
		return // closed meanwhile
	}
	d.returned(c, gc)
	gc.SetContext(c)
	peer := &d.peers[c.slot]
	peer.gc, peer.away = gc, nil
}

// notBack handles a connection that gnet could not take back: it is tried again, unless the peer has gone.
func (d *gnetDriver) notBack(a *arrival, err error) {
	c := d.loop.slab.at(a.slot, a.gen)
	if c == nil || d.peers[a.slot].away == nil {
		return
	}
	d.peers[a.slot].away.entering = false
	if errors.Is(err, syscall.ENOTCONN) {
		c.kill(PeerReset, syscall.ECONNRESET, false)
		return
	}
	d.loop.engine.cfg.Logger.Warn("a connection cannot be read on for now", "error", err, "retry", acceptRetry)
	d.loop.AfterFunc(acceptRetry, func() {
		if c := d.loop.slab.at(a.slot, a.gen); c != nil && d.peers[a.slot].away != nil {
			d.comeBack(c)
		}
	})
}

// drop throws away a connection that was not registered: of OnOpen, which has gnet close it, or before gnet had it.
func (d *gnetDriver) drop(s socket) {
	switch t := s.conn.(type) {
	case gnet.Conn:
		_ = t.SetLinger(0)
		t.SetContext(nil)
	case *net.TCPConn:
		_ = t.SetLinger(0)
		_ = t.Close()
	default:
		_ = t.Close()
	}
}

// gnetListener is a listener of the standard library, whose connections go to all loops in turn.
type gnetListener struct {
	engine *Engine
	ln     net.Listener
	open   func(c *Conn) Handler
	file   *socketFile
	warned time.Time // by serve alone
	closed atomic.Bool
	done   chan struct{}
}

func (e *Engine) listenGnet(network, addr string, open func(c *Conn) Handler) (listener, net.Addr, error) {
	ln, file, err := netListen(network, addr)
	if err != nil {
		return nil, nil, err
	}
	return &gnetListener{engine: e, ln: ln, open: open, file: file, done: make(chan struct{})}, ln.Addr(), nil
}

// serve accepts until close. It waits until a loop has taken the connection before it accepts the next, so that a flood of them
// waits in the kernel.
func (g *gnetListener) serve() {
	for {
		nc, err := g.ln.Accept()
		l := g.engine.pick()
		for err == nil && !g.closed.Load() {
			if err := spareDescriptor(nc); err == nil {
				break
			} else {
				g.backOff(l, err) // with one connection in hand, and the others in the kernel
			}
		}
		switch {
		case err == nil:
			g.hand(l, nc)
		case g.closed.Load():
			return
		default:
			g.backOff(l, err)
		}
	}
}

// hand gives nc to the loop.
func (g *gnetListener) hand(l *Loop, nc net.Conn) {
	d := l.hosted.host.(*gnetDriver)
	if !d.begin() {
		d.drop(socket{conn: nc})
		return
	}
	a := &arrival{open: g.open}
	if t, ok := nc.(*net.TCPConn); ok {
		a.remote = remoteOf(t)
	}
	if size := g.engine.cfg.SendBuffer; size > 0 {
		_ = setSendBuffer(nc, size) // fails if the peer has gone, which the loop will see
	}
	d.bring(nc, a)
}

// backOff waits until descriptors may be free again.
func (g *gnetListener) backOff(l *Loop, err error) {
	l.counters.acceptErrors.Add(1)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		l.counters.fdExhausted.Add(1)
	}
	if time.Since(g.warned) > time.Second { // ten tries a second make one line
		g.warned = time.Now()
		g.engine.cfg.Logger.Warn("connections cannot be accepted for now", "error", err, "retry", acceptRetry)
	}
	select {
	case <-g.done:
	case <-time.After(acceptRetry):
	}
}

func (g *gnetListener) close() {
	if g.closed.Swap(true) {
		return
	}
	close(g.done)
	_ = g.ln.Close()
	g.file.remove()
}

func setSendBuffer(nc net.Conn, bytes int) error {
	if t, ok := nc.(interface{ SetWriteBuffer(bytes int) error }); ok {
		return t.SetWriteBuffer(bytes)
	}
	return os.ErrInvalid
}

// remoteOf is the peer's address; a mapped IPv4 address is IPv4.
func remoteOf(t *net.TCPConn) netip.AddrPort {
	a, ok := t.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
