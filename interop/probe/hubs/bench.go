package hubs

import (
	"encoding/json"

	"github.com/spokehub/spoke"
)

// Bench has the bench methods: groups and selectors.
type Bench struct{}

// Join adds the caller to a group.
func (Bench) Join(c *spoke.Context, group string) error { return c.Join(group) }

// Leave removes the caller from a group.
func (Bench) Leave(c *spoke.Context, group string) error { return c.Leave(group) }

// Publish sends to a group.
func (Bench) Publish(c *spoke.Context, group string, x json.RawMessage) error {
	return c.Clients().Group(group).Send("message", x)
}

// PublishOthers sends to a group without the caller.
func (Bench) PublishOthers(c *spoke.Context, group string, x json.RawMessage) error {
	return c.Clients().OthersInGroup(group).Send("message", x)
}

// Tell sends to one connection.
func (Bench) Tell(c *spoke.Context, id string, x json.RawMessage) error {
	return c.Clients().Client(id).Send("message", x)
}

// TellUser sends to the connections of one user.
func (Bench) TellUser(c *spoke.Context, user string, x json.RawMessage) error {
	return c.Clients().User(user).Send("message", x)
}
