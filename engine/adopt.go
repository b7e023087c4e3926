package engine

import "fmt"

// adopt makes a connection of s on this loop. prefix holds bytes that were read from it already.
func (l *Loop) adopt(s socket, prefix []byte, open func(c *Conn) Handler) {
	if l.stopping {
		l.drv.drop(s)
		return
	}
	c := l.slab.get(l)
	c.fd = s.fd
	c.setRemote(s.remote)
	if err := l.drv.register(c, s); err != nil {
		l.drv.drop(s)
		l.slab.put(c)
		l.counters.acceptErrors.Add(1)
		l.engine.cfg.Logger.Warn("a connection could not be registered", "error", err)
		return
	}
	l.open++
	l.counters.open.Add(1)
	l.counters.accepted.Add(1)
	h := l.callOpen(c, open)
	if h == nil {
		c.handler = nil
		c.Reset(Refused, nil)
		return
	}
	c.handler = h
	if len(prefix) == 0 || c.flags&(flagDead|flagClosing) != 0 {
		return
	}
	c.in = l.buffers.get(len(prefix) + spareMin)
	c.in.b = append(c.in.b, prefix...)
	l.queueAgain(c)
}

// post hands s to a loop for adoption.
func (e *Engine) post(l *Loop, s socket, prefix []byte, open func(c *Conn) Handler) error {
	if l.hosted != nil {
		if e.stopping.Load() || !l.hosted.host.enter(s, prefix, open) {
			return fmt.Errorf("engine: new connection: %w", ErrStopped)
		}
		return nil
	}
	if e.stopping.Load() || !l.Post(TaskFunc(func(l *Loop) { l.adopt(s, prefix, open) })) {
		return fmt.Errorf("engine: new connection: %w", ErrStopped)
	}
	return nil
}
