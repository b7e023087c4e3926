//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"sync"

	gerrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"
)

// roomWatch is a second poller of a loop of the gnet backend, on a goroutine of its own: it tells when a socket that took no more has
// room again, which gnet tells nobody. Only connections that wait for room are in it, each once.
type roomWatch struct {
	driver *gnetDriver
	poller *netpoll.Poller
	done   chan struct{}

	mu      sync.Mutex
	waiting map[int32]event // under mu; by descriptor
}

func (w *roomWatch) start(d *gnetDriver) error {
	p, err := netpoll.OpenPoller()
	if err != nil {
		return err
	}
	w.driver, w.poller, w.done, w.waiting = d, p, make(chan struct{}), map[int32]event{}
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

// watch has ev reported once when fd has room. Loop only, like forget.
func (w *roomWatch) watch(fd int32, ev event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.waiting[fd]; ok {
		return nil
	}
	w.waiting[fd] = ev
	// Edge-triggered: kqueue's poller forgets a descriptor only when it is closed.
	if err := w.poller.AddWrite(&netpoll.PollAttachment{FD: int(fd), Callback: w.ready}, true); err != nil {
		delete(w.waiting, fd)
		return err
	}
	return nil
}

// forget ends that, and says whether it was on. To be called before fd is closed, so that a late event finds nobody.
func (w *roomWatch) forget(fd int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.waiting[fd]; !ok {
		return false
	}
	delete(w.waiting, fd)
	_ = w.poller.Delete(int(fd))
	return true
}

// ready is called by the poller's goroutine.
func (w *roomWatch) ready(fd int, _ netpoll.IOEvent, _ netpoll.IOFlags) error {
	w.mu.Lock()
	ev, ok := w.waiting[int32(fd)]
	if ok {
		delete(w.waiting, int32(fd))
		_ = w.poller.Delete(fd)
	}
	w.mu.Unlock()
	if ok {
		w.driver.reports.add(ev.slot, ev.gen, ev.bits)
		w.driver.loop.wakeUp()
	}
	return nil
}
