//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"sync"

	gerrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"
	"golang.org/x/sys/unix"
)

// roomWatch is a second poller of a loop of the gnet backend, on a goroutine of its own: it tells what gnet tells nobody. That is when
// a socket that took no more has room again, and the reset of one that gnet does not have. Only those are in it.
type roomWatch struct {
	driver *gnetDriver
	poller *netpoll.Poller
	done   chan struct{}

	mu      sync.Mutex
	waiting map[int32]*watched // under mu; by descriptor
}

// watched is what is waited for on a descriptor. // under roomWatch.mu
type watched struct {
	slot int32
	gen  uint32
	room bool
	ends int16 // of poll(2): what is told when it comes; 0: nothing
}

func (w *roomWatch) start(d *gnetDriver) error {
	p, err := netpoll.OpenPoller()
	if err != nil {
		return err
	}
	w.driver, w.poller, w.done, w.waiting = d, p, make(chan struct{}), map[int32]*watched{}
	go func() {
		defer close(w.done)
		_ = p.Polling(w.ready) // the error is that stop has been called, or has been logged
	}()
	return nil
}

func (w *roomWatch) stop() {
	if err := w.poller.Trigger(queue.HighPriority, func(any) error { return gerrors.ErrEngineShutdown }, nil); err != nil {
		w.driver.loop.engine.cfg.Logger.Error("the poller for room to write could not be ended", "error", err)
		return
	}
	<-w.done
	_ = w.poller.Close()
}

// watch has readyOut reported once when c's descriptor has room. Loop only, like the next two.
func (w *roomWatch) watch(c *Conn) error { return w.add(c, true, 0) }

// watchEnd has it reported once when poll(2) tells one of ends.
func (w *roomWatch) watchEnd(c *Conn, ends int16) error { return w.add(c, false, ends) }

func (w *roomWatch) add(c *Conn, room bool, ends int16) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.waiting[c.fd]
	if x == nil {
		x = &watched{slot: c.slot, gen: c.gen}
		w.waiting[c.fd] = x
	} else {
		_ = w.poller.Delete(int(c.fd)) // to be told of what has come before
	}
	x.room = x.room || room
	x.ends |= ends
	// Edge-triggered: kqueue's poller forgets a descriptor only when it is closed.
	if err := w.poller.AddWrite(&netpoll.PollAttachment{FD: int(c.fd), Callback: w.ready}, true); err != nil {
		delete(w.waiting, c.fd)
		return err
	}
	return nil
}

// forget ends that, and says whether room was waited for. To be called before fd is closed, so that a late event finds nobody.
func (w *roomWatch) forget(fd int32) (room bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.waiting[fd]
	if x == nil {
		return false
	}
	delete(w.waiting, fd)
	_ = w.poller.Delete(int(fd))
	return x.room
}

// ready is called by the poller's goroutine.
func (w *roomWatch) ready(fd int, _ netpoll.IOEvent, _ netpoll.IOFlags) error {
	if bits, x := w.what(int32(fd)); bits != 0 {
		w.driver.reports.add(x.slot, x.gen, bits)
		w.driver.loop.wakeUp()
	}
	return nil
}

// what has become ready of a descriptor.
func (w *roomWatch) what(fd int32) (bits readiness, of watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.waiting[fd]
	if x == nil {
		return 0, watched{}
	}
	if x.room {
		x.room = false
		bits |= readyOut
	}
	if x.ends != 0 {
		if ended := polled(fd) & x.ends; ended != 0 {
			x.ends = 0
			bits |= endBits(ended)
		}
	}
	if x.ends == 0 {
		delete(w.waiting, fd)
		_ = w.poller.Delete(int(fd))
	}
	return bits, *x
}

// polled asks poll(2), whose answer is the same for all systems, for the end of fd.
func polled(fd int32) int16 {
	p := []unix.PollFd{{Fd: fd}}
	if _, err := unix.Poll(p, 0); err != nil {
		return 0
	}
	return p[0].Revents
}

func endBits(ended int16) readiness {
	bits := readyIn | readyEnd
	if ended&unix.POLLHUP != 0 {
		bits |= readyHup
	}
	if ended&unix.POLLERR != 0 {
		bits |= readyErr
	}
	return bits
}
