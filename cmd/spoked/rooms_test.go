package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func told(log *[]string, what string) func() error {
	return func() error {
		*log = append(*log, what)
		return nil
	}
}

// visit joins and notes whether the others were told of an arrival.
func visit(t *testing.T, r *rooms, log *[]string, room, id, name string) roomState {
	t.Helper()
	s, err := r.join(room, member{ID: id, Name: name}, func(arrived bool) error {
		return told(log, fmt.Sprintf("%s arrived=%v in %s", name, arrived, room))()
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoomsLife(t *testing.T) {
	t.Parallel()
	r := newRooms()
	r.now = func() time.Time { return time.UnixMilli(1234) }
	var log []string

	visit(t, r, &log, "lobby", "1", "Ann")
	got := visit(t, r, &log, "lobby", "2", "Bob")
	if want := []member{{"1", "Ann"}, {"2", "Bob"}}; !reflect.DeepEqual(got.Members, want) || len(got.History) != 0 {
		t.Errorf("Bob sees %+v", got)
	}
	visit(t, r, &log, "lobby", "2", "Bob")    // again: nothing new
	visit(t, r, &log, "lobby", "2", "Bobbie") // a new name
	visit(t, r, &log, "attic", "2", "Bobbie")
	if want := []string{"Ann arrived=true in lobby", "Bob arrived=true in lobby", "Bobbie arrived=false in lobby", "Bobbie arrived=true in attic"}; !reflect.DeepEqual(log, want) {
		t.Errorf("told %q, want %q", log, want)
	}
	if got, want := r.list(), []roomSummary{{"lobby", 2}, {"attic", 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}

	var said message
	if err := r.say("lobby", "1", "hello", func(m message) error { said = m; return nil }); err != nil {
		t.Fatal(err)
	}
	if want := (message{"lobby", 1, member{"1", "Ann"}, "hello", 1234}); said != want {
		t.Errorf("said %+v, want %+v", said, want)
	}
	if got := visit(t, r, &log, "lobby", "3", "Cy"); !reflect.DeepEqual(got.History, []message{said}) {
		t.Errorf("Cy sees the history %+v", got.History)
	}

	var renamed []string
	if err := r.rename(member{"2", "Robert"}, func(room string) error { renamed = append(renamed, room); return nil }); err != nil || len(renamed) != 2 {
		t.Errorf("renamed in %v, error %v", renamed, err)
	}
	left := map[string]string{}
	if err := r.leaveAll("2", func(room string, m member) error { left[room] = m.Name; return nil }); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"lobby": "Robert", "attic": "Robert"}; !reflect.DeepEqual(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
	if err := r.leave("lobby", "2", func(member) error { t.Error("told of somebody who was not there"); return nil }); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"1", "3"} {
		if err := r.leave("lobby", id, func(member) error { return nil }); err != nil {
			t.Error(err)
		}
	}
	if len(r.rooms) != 0 || len(r.of) != 0 || len(r.list()) != 0 {
		t.Errorf("left behind: rooms %v, members %v", r.rooms, r.of)
	}
}

func TestRoomsKeepTheNewestMessages(t *testing.T) {
	t.Parallel()
	r := newRooms()
	var log []string
	visit(t, r, &log, "lobby", "1", "Ann")
	for i := range maxHistory + 5 {
		if err := r.say("lobby", "1", fmt.Sprint(i+1), func(message) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	h := visit(t, r, &log, "lobby", "2", "Bob").History
	if len(h) != maxHistory || h[0].Text != "6" || h[maxHistory-1].Number != maxHistory+5 {
		t.Errorf("history of %d from %+v to %+v", len(h), h[0], h[len(h)-1])
	}
}

func TestRoomsRefuse(t *testing.T) {
	t.Parallel()
	quiet := func(bool) error { return nil }
	for name, c := range map[string]struct {
		prepare func(r *rooms)
		act     func(r *rooms) error
		want    string
	}{
		"speaking from outside": {
			func(r *rooms) { _, _ = r.join("a", member{"1", "Ann"}, quiet) },
			func(r *rooms) error { return r.say("a", "2", "x", nil) },
			`You are not in the room "a": join it first.`,
		},
		"speaking where there is no room": {
			func(*rooms) {},
			func(r *rooms) error { return r.say("b", "2", "x", nil) },
			`You are not in the room "b": join it first.`,
		},
		"too many rooms for one": {
			func(r *rooms) {
				for i := range maxRoomsPerMember {
					_, _ = r.join(fmt.Sprint(i), member{"1", "Ann"}, quiet)
				}
			},
			func(r *rooms) error { _, err := r.join("x", member{"1", "Ann"}, quiet); return err },
			"You are in 20 rooms, which is the limit: leave one first.",
		},
		"too many rooms": {
			func(r *rooms) {
				for i := range maxRooms {
					_, _ = r.join(fmt.Sprint(i), member{fmt.Sprint(i), "Ann"}, quiet)
				}
			},
			func(r *rooms) error { _, err := r.join("x", member{"y", "Ann"}, quiet); return err },
			"There are 200 rooms, which is the limit: join one of them.",
		},
		"full": {
			func(r *rooms) {
				for i := range maxMembers {
					_, _ = r.join("x", member{fmt.Sprint(i), "Ann"}, quiet)
				}
			},
			func(r *rooms) error { _, err := r.join("x", member{"y", "Ann"}, quiet); return err },
			"The room is full: it has 500 members.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRooms()
			c.prepare(r)
			before := r.list()
			if err := c.act(r); err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if after := r.list(); !reflect.DeepEqual(before, after) {
				t.Errorf("a refusal changed the rooms from %v to %v", before, after)
			}
		})
	}
}

// A change that could not be told has not happened.
func TestRoomsUntold(t *testing.T) {
	t.Parallel()
	r := newRooms()
	failed := errors.New("no")
	if _, err := r.join("a", member{"1", "Ann"}, func(bool) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("join: %v", err)
	}
	if len(r.rooms) != 0 || len(r.of) != 0 {
		t.Errorf("left behind: %v, %v", r.rooms, r.of)
	}
	if _, err := r.join("a", member{"1", "Ann"}, func(bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.say("a", "1", "x", func(message) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("say: %v", err)
	}
	if rm := r.rooms["a"]; rm.number != 0 || len(rm.history) != 0 {
		t.Errorf("the room remembers %+v", rm)
	}
}

// Everybody in a room hears everything in the same order, whoever speaks.
func TestRoomsOrder(t *testing.T) {
	t.Parallel()
	r := newRooms()
	var heard []int64 // under r.mu
	var all sync.WaitGroup
	for i := range 8 {
		id := fmt.Sprint(i)
		all.Go(func() {
			if _, err := r.join("a", member{id, "n" + id}, func(bool) error { return nil }); err != nil {
				t.Error(err)
			}
			for range 50 {
				if err := r.say("a", id, strings.Repeat("x", 10), func(m message) error { heard = append(heard, m.Number); return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i, n := range heard {
		if n != int64(i+1) {
			t.Fatalf("message %d has the number %d", i+1, n)
		}
	}
	if len(heard) != 400 {
		t.Errorf("%d messages, want 400", len(heard))
	}
}
