package main

import (
	"context"
	"time"

	"github.com/spokehub/spoke"
)

const maxSleep = time.Minute

// bench is the hub /bench: methods for measuring, and for tests with other clients.
type bench struct{}

// benchOptions lets the methods that measurements are made with run on the event loop.
func benchOptions(o *spoke.HubOptions) {
	inline := spoke.MethodOptions{Inline: true}
	o.Methods = map[string]spoke.MethodOptions{
		"Echo": inline, "Broadcast": inline, "Join": inline, "Leave": inline, "Publish": inline,
	}
}

// Echo returns x.
func (bench) Echo(x spoke.Raw) spoke.Raw { return x }

// EchoByWorker returns x, too, but runs on a worker like any other method: what the hand-over costs is the difference.
func (bench) EchoByWorker(x spoke.Raw) spoke.Raw { return x }

// Broadcast sends "message"(x) to all.
func (bench) Broadcast(c *spoke.Context, x spoke.Raw) error {
	return c.Clients().All().Send("message", x)
}

// Join puts the caller into a group.
func (bench) Join(c *spoke.Context, group string) error { return c.Join(group) }

// Leave takes the caller out of a group.
func (bench) Leave(c *spoke.Context, group string) error { return c.Leave(group) }

// Publish sends "message"(x) to a group.
func (bench) Publish(c *spoke.Context, group string, x spoke.Raw) error {
	return c.Clients().Group(group).Send("message", x)
}

// Sleep returns after so many milliseconds, or when the connection has ended.
func (bench) Sleep(ctx context.Context, milliseconds int) error {
	if milliseconds < 0 || milliseconds > int(maxSleep.Milliseconds()) { // before it is multiplied: that may overflow
		return refusal("Sleep takes 0 to %d milliseconds, not %d.", maxSleep.Milliseconds(), milliseconds)
	}
	timer := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fail fails with a text that the client gets.
func (bench) Fail(text string) error { return refusal("%s", text) }

// Panic panics.
func (bench) Panic() { panic("the hub method Panic was called") }

// WhoAmI returns the caller's user id; "" is nobody.
func (bench) WhoAmI(c *spoke.Context) string { return c.UserID() }

// Tell sends "message"(x) to all connections of a user.
func (bench) Tell(c *spoke.Context, user string, x spoke.Raw) error {
	return c.Clients().User(user).Send("message", x)
}

// Abort ends the caller's connection, without permission to reconnect.
func (bench) Abort(c *spoke.Context) { c.Abort() }
