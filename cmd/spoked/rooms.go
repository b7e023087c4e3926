package main

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// The bounds of the chat.
const (
	maxRooms          = 200 // rooms that exist at once
	maxMembers        = 500 // members of one room: each arrival is told to all of them
	maxRoomsPerMember = 20
	maxHistory        = 20 // messages a room remembers
	maxListed         = 100
)

// member is somebody in a room.
type member struct {
	ID   string `json:"id"` // public connection id
	Name string `json:"name"`
}

// message is one thing said in a room. Numbers count up from 1 in each room.
type message struct {
	Room   string `json:"room"`
	Number int64  `json:"number"`
	From   member `json:"from"`
	Text   string `json:"text"`
	At     int64  `json:"at"` // milliseconds since 1970
}

// roomState is what a member sees of a room on entering it.
type roomState struct {
	Room    string    `json:"room"`
	Members []member  `json:"members"`
	History []message `json:"history"`
}

// roomSummary is a line in the list of rooms.
type roomSummary struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
}

// rooms holds who is where. A room exists while somebody is in it. The callbacks run under the lock, so that all members
// hear of things in the order in which they happened; they must not block.
type rooms struct {
	mu    sync.Mutex
	rooms map[string]*room           // under mu
	of    map[string]map[string]bool // under mu; by connection id: the rooms it is in
	now   func() time.Time
}

type room struct {
	members map[string]string // name by connection id
	history []message         // the newest last
	number  int64             // of the newest message
}

func newRooms() *rooms {
	return &rooms{rooms: map[string]*room{}, of: map[string]map[string]bool{}, now: time.Now}
}

// join puts m into the room named name. Whoever is there already gets only m's new name. told is called for an arrival
// or a new name.
func (r *rooms) join(name string, m member, told func(arrived bool) error) (roomState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rm := r.rooms[name]
	old, inside := "", false
	if rm != nil {
		old, inside = rm.members[m.ID]
	}
	if !inside {
		switch {
		case len(r.of[m.ID]) >= maxRoomsPerMember:
			return roomState{}, refusal("You are in %d rooms, which is the limit: leave one first.", maxRoomsPerMember)
		case rm == nil && len(r.rooms) >= maxRooms:
			return roomState{}, refusal("There are %d rooms, which is the limit: join one of them.", maxRooms)
		case rm != nil && len(rm.members) >= maxMembers:
			return roomState{}, refusal("The room is full: it has %d members.", maxMembers)
		}
	}
	if !inside || old != m.Name {
		if err := told(!inside); err != nil {
			return roomState{}, err
		}
	}
	if rm == nil {
		rm = &room{members: map[string]string{}}
		r.rooms[name] = rm
	}
	if r.of[m.ID] == nil {
		r.of[m.ID] = map[string]bool{}
	}
	r.of[m.ID][name] = true
	rm.members[m.ID] = m.Name
	return rm.state(name), nil
}

// leave takes id out of a room; told is called if it was there.
func (r *rooms) leave(name, id string, told func(m member) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.remove(name, id, told)
}

// leaveAll takes id out of every room, when its connection has ended.
func (r *rooms) leaveAll(id string, told func(room string, m member) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first error
	for name := range r.of[id] {
		if err := r.remove(name, id, func(m member) error { return told(name, m) }); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// remove is leave, under mu.
func (r *rooms) remove(name, id string, told func(m member) error) error {
	rm := r.rooms[name]
	if rm == nil {
		return nil
	}
	was, inside := rm.members[id]
	if !inside {
		return nil
	}
	delete(rm.members, id)
	if len(rm.members) == 0 {
		delete(r.rooms, name)
	}
	delete(r.of[id], name)
	if len(r.of[id]) == 0 {
		delete(r.of, id)
	}
	return told(member{ID: id, Name: was})
}

// say adds a message of id's to a room.
func (r *rooms) say(name, id, text string, told func(message) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	rm := r.rooms[name]
	if rm == nil {
		return refusal("You are not in the room %q: join it first.", name)
	}
	as, inside := rm.members[id]
	if !inside {
		return refusal("You are not in the room %q: join it first.", name)
	}
	m := message{Room: name, Number: rm.number + 1, From: member{ID: id, Name: as}, Text: text, At: r.now().UnixMilli()}
	if err := told(m); err != nil {
		return err
	}
	rm.number++
	if len(rm.history) == maxHistory {
		rm.history = slices.Delete(rm.history, 0, 1)
	}
	rm.history = append(rm.history, m)
	return nil
}

// rename gives id another name in all its rooms.
func (r *rooms) rename(m member, told func(room string) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.of[m.ID] {
		if r.rooms[name].members[m.ID] == m.Name {
			continue
		}
		if err := told(name); err != nil {
			return err
		}
		r.rooms[name].members[m.ID] = m.Name
	}
	return nil
}

// list returns the largest rooms first, at most maxListed of them.
func (r *rooms) list() []roomSummary {
	r.mu.Lock()
	all := make([]roomSummary, 0, len(r.rooms))
	for name, rm := range r.rooms {
		all = append(all, roomSummary{Room: name, Members: len(rm.members)})
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b roomSummary) int {
		return cmp.Or(cmp.Compare(b.Members, a.Members), cmp.Compare(a.Room, b.Room))
	})
	return all[:min(len(all), maxListed)]
}

// state is a copy of what a member may see, with members by name.
func (rm *room) state(name string) roomState {
	s := roomState{Room: name, Members: make([]member, 0, len(rm.members)), History: append([]message{}, rm.history...)}
	for id, as := range rm.members {
		s.Members = append(s.Members, member{ID: id, Name: as})
	}
	slices.SortFunc(s.Members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return s
}
