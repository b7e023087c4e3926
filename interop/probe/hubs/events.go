package hubs

import (
	"time"

	"github.com/spokehub/spoke"
)

// Welcome greets in its connected event.
type Welcome struct{ Probe }

// OnConnected sends a message, waits and sends another one.
func (Welcome) OnConnected(c *spoke.Context) error {
	if err := c.Clients().Caller().Send("message", "welcome"); err != nil {
		return err
	}
	t := time.NewTimer(300 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.Done():
		return c.Err()
	}
	return c.Clients().Caller().Send("message", "ready")
}

// FailConnect fails in its connected event.
type FailConnect struct{ Probe }

// OnConnected fails.
func (FailConnect) OnConnected(*spoke.Context) error { return &invalidOperation{"no entry"} }

// FailDisconnect fails in its disconnected event.
type FailDisconnect struct{ Probe }

// OnDisconnected fails.
func (FailDisconnect) OnDisconnected(*spoke.Context, error) error {
	return &invalidOperation{"no exit"}
}
