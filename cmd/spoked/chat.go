package main

import (
	"context"
	"errors"
	"time"

	"github.com/spokehub/spoke"
)

// announceEvery is the least time between two lists of rooms: a rush of arrivals costs no more than that.
const announceEvery = 250 * time.Millisecond

// chat is the hub /chat. It has no state of its own: the methods are called for many connections at once.
type chat struct {
	rooms   *rooms
	changed chan struct{} // holds one token while the list of rooms is out of date
	hub     *spoke.Hub    // set by attach
	live    *live         // set by attach
}

func newChat() *chat {
	return &chat{rooms: newRooms(), changed: make(chan struct{}, 1)}
}

// attach sets what is only known once the hub is mapped.
func (h *chat) attach(hub *spoke.Hub, l *live) { h.hub, h.live = hub, l }

func roomGroup(name string) string { return "room/" + name }

// Join enters a room under a name, and returns who is there and what was said last. The other members get "joined"(room, member), or
// "renamed"(room, member) if the caller was there already.
func (h *chat) Join(c *spoke.Context, room, name string) (roomState, error) {
	room, err := cleanText("The room's name", room, maxRoom, false)
	if err != nil {
		return roomState{}, err
	}
	name, err = cleanText("Your name", name, maxName, false)
	if err != nil {
		return roomState{}, err
	}
	m := member{ID: c.ConnectionID(), Name: name}
	state, err := h.rooms.join(room, m, func(arrived bool) error {
		if !arrived {
			return c.Clients().Group(roomGroup(room)).Send("renamed", room, m)
		}
		if err := c.Join(roomGroup(room)); err != nil {
			return err
		}
		if err := c.Clients().OthersInGroup(roomGroup(room)).Send("joined", room, m); err != nil {
			return errors.Join(err, c.Leave(roomGroup(room))) // the room does not count the caller in, so the group must not either
		}
		return nil
	})
	if err != nil {
		return roomState{}, err
	}
	h.touch()
	if err := c.Err(); err != nil {
		// The connection has ended meanwhile, and OnDisconnected may have come before the entry above.
		return roomState{}, errors.Join(err, h.OnDisconnected(c, nil))
	}
	return state, nil
}

// Leave leaves a room; leaving one that the caller is not in does nothing. Members get "left"(room, member).
func (h *chat) Leave(c *spoke.Context, room string) error {
	room, err := cleanText("The room's name", room, maxRoom, false)
	if err != nil {
		return err
	}
	err = h.rooms.leave(room, c.ConnectionID(), func(m member) error {
		return errors.Join(c.Leave(roomGroup(room)), c.Clients().Group(roomGroup(room)).Send("left", room, m))
	})
	h.touch()
	return err
}

// Send says something in a room that the caller is in. Members, the caller too, get "message"(message).
func (h *chat) Send(c *spoke.Context, room, text string) error {
	room, err := cleanText("The room's name", room, maxRoom, false)
	if err != nil {
		return err
	}
	text, err = cleanText("The message", text, maxMessage, true)
	if err != nil {
		return err
	}
	return h.rooms.say(room, c.ConnectionID(), text, func(m message) error {
		return c.Clients().Group(roomGroup(room)).Send("message", m)
	})
}

// Rename changes the caller's name in all its rooms. Members get "renamed"(room, member).
func (h *chat) Rename(c *spoke.Context, name string) error {
	name, err := cleanText("Your name", name, maxName, false)
	if err != nil {
		return err
	}
	m := member{ID: c.ConnectionID(), Name: name}
	return h.rooms.rename(m, func(room string) error {
		return c.Clients().Group(roomGroup(room)).Send("renamed", room, m)
	})
}

// Rooms lists the rooms, the largest first. Everybody gets "rooms"(list) when it has changed.
func (h *chat) Rooms() []roomSummary { return h.rooms.list() }

// OnDisconnected leaves all rooms and the live broadcast.
func (h *chat) OnDisconnected(c *spoke.Context, _ error) error {
	id := c.ConnectionID()
	h.live.unwatch(id)
	err := h.rooms.leaveAll(id, func(room string, m member) error {
		return c.Clients().Group(roomGroup(room)).Send("left", room, m)
	})
	h.touch()
	return err
}

// touch notes that the list of rooms has changed.
func (h *chat) touch() {
	select {
	case h.changed <- struct{}{}:
	default: // noted already
	}
}

// announce sends the list of rooms to everybody after changes, until ctx ends.
func (h *chat) announce(ctx context.Context) {
	announce(ctx, h.changed, announceEvery, func() { _ = h.hub.Clients().All().Send("rooms", h.rooms.list()) })
}

// announce calls send after changed, at most once in every.
func announce(ctx context.Context, changed <-chan struct{}, every time.Duration, send func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			send()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}
