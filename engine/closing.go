package engine

import (
	"context"
	"log/slog"
)

// Close ends the connection after the queued bytes have gone: FIN, then up to Linger for the peer's FIN. Nothing more is shown
// to OnData, nothing more is queued, and no other method of the handler is called but OnClose, when it is over. Close after
// Close is nothing.
func (c *Conn) Close(r CloseReason, err error) {
	if c.flags&(flagDead|flagClosing) != 0 {
		return
	}
	c.setReason(r, err)
	c.flags = c.flags&^(flagPaused|flagOver|flagReshow) | flagClosing
	l := c.loop
	l.unstall(c)
	l.dropInput(c)
	l.deadlines[c.slot] = l.now + seconds(l.engine.cfg.Linger)
	if c.flags&flagBlocked == 0 {
		l.markDirty(c) // the flush at the end of the iteration sends the FIN
	}
	if c.flags&flagEOF == 0 {
		l.later(c) // what came during a pause has no event any more
	}
}

// Reset ends the connection at once, by RST; what is queued is lost. The descriptor has gone when it returns; OnClose runs at
// the end of the iteration. After Close it hurries the end, with the reason that Close was given.
func (c *Conn) Reset(r CloseReason, err error) {
	c.kill(r, err, true)
}

func (c *Conn) setReason(r CloseReason, err error) {
	c.reason = r
	if err != nil {
		c.setRare(func(r *rareConn) { r.err = err })
	}
}

// kill gives the descriptor back; OnClose runs at the end of the iteration. The first reason stands.
func (c *Conn) kill(r CloseReason, err error, reset bool) {
	if c.flags&flagDead != 0 {
		return
	}
	c.verify("kill")
	if c.flags&flagClosing == 0 {
		c.setReason(r, err)
	}
	c.loop.drv.close(c, reset)
	c.bury()
}

// bury takes a connection whose descriptor has gone off the books.
func (c *Conn) bury() {
	l := c.loop
	c.flags |= flagDead
	l.unstall(c)
	l.dropOutput(c)
	l.dropInput(c)
	l.dropSealed(c)
	l.deadlines[c.slot] = 0
	l.dead = append(l.dead, c)
	l.open--
	l.counters.closed[min(c.reason, reasonCount-1)].Add(1)
	l.publish() // before it is not open any more: see Stats
	l.counters.open.Add(-1)
}

// finishClose goes on with a Close when everything that was queued has left.
func (l *Loop) finishClose(c *Conn) {
	if c.flags&flagFinSent == 0 {
		if c.flags&flagTLS != 0 && !l.notify(c) {
			return // the flush that has written it comes back
		}
		c.flags |= flagFinSent
		if c.flags&flagEOF == 0 {
			l.drv.finish(c)
		}
	}
	if c.flags&flagEOF != 0 {
		c.kill(c.reason, nil, false) // the close itself sends the FIN
	}
}

// lingered ends a Close that has taken too long: by RST if bytes are still here, which the peer would otherwise take for all.
func (l *Loop) lingered(c *Conn) {
	c.kill(c.reason, nil, c.flags&flagFinSent == 0)
}

// runClosed tells the handlers of the connections that have ended.
func (l *Loop) runClosed() {
	for i := 0; i < len(l.dead); i++ { // a handler may end more
		c := l.dead[i]
		if c.flags&flagTold != 0 {
			continue
		}
		c.flags |= flagTold
		err := l.rare[c].err
		if log := l.engine.cfg.Logger; log.Enabled(context.Background(), slog.LevelDebug) {
			log.Debug("connection closed", "reason", c.reason.String(), "remote", c.Remote(), "error", err)
		}
		if c.handler != nil {
			l.callClose(c, err)
		}
	}
}
