package main

import (
	"time"
)

// slowDown stops a slow reader after it has read n bytes: for as long as its rate asks for, or for good.
func (s *shard) slowDown(c *client, n int) {
	if !s.running || c.step != stepReady {
		return
	}
	c.conn.PauseRead()
	rate := s.worker.opts.trickle
	if rate == 0 || c.timer != nil {
		return
	}
	c.timer = s.loop.AfterFunc(time.Duration(float64(n)/float64(rate)*float64(time.Second)), func() {
		c.timer = nil
		c.conn.ResumeRead()
	})
}
