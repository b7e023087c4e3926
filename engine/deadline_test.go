package engine

import (
	"testing"
	"time"
)

// TestDeadlineHerd: very many deadlines of one second run in parts, each once, with the loop's other work in between; those that are set meanwhile are not
// lost, and a later second waits for its turn.
func TestDeadlineHerd(t *testing.T) {
	t.Parallel()
	const n = 3*deadlineBudget + 10
	l, _, _ := idleLoop(t, &probe{})
	conns, ran, sum := make([]*Conn, n), make([]int, n), 0
	for i := range n {
		l.adopt(socket{fd: -1, peer: sinkPeer{&Sink{}}}, nil, func(c *Conn) Handler {
			c.SetDeadline(3)
			conns[i] = c
			return &probe{deadline: func(c *Conn, _ uint32) {
				sum++
				if ran[i]++; ran[i] == 1 {
					c.SetDeadline(4)
				}
			}}
		})
	}
	turn := func(second int) {
		l.setTime(time.Duration(second-1) * time.Second)
		k, _ := l.drv.wait(l.events, 0)
		l.iterate(k)
	}
	for i := 1; i <= 4; i++ {
		posted := false
		l.Post(TaskFunc(func(*Loop) { posted = true }))
		turn(3)
		if want := min(i*deadlineBudget, n); sum != want {
			t.Fatalf("after iteration %d %d deadlines have run, want %d", i, sum, want)
		}
		if !posted {
			t.Fatalf("iteration %d has not run what was posted", i)
		}
		if more := sum < n; l.busy() != more {
			t.Fatalf("after iteration %d the loop is busy: %v, want %v", i, l.busy(), more)
		}
	}
	turn(4) // the first part of second 4
	if want := n + deadlineBudget; sum != want {
		t.Fatalf("%d deadlines have run, want %d", sum, want)
	}
	conns[0].SetDeadline(5) // in the part that has been looked at
	conns[n-1].Reset(Aborted, nil)
	for l.busy() {
		turn(5) // meanwhile it is later: first the rest, then second 5
	}
	for i, got := range ran {
		want := 2
		switch i {
		case 0:
			want = 3
		case n - 1:
			want = 1
		}
		if got != want {
			t.Errorf("the deadline of connection %d has run %d times, want %d", i, got, want)
		}
	}
}

// TestReports: what is reported is taken once and in order, however little at a time, and an empty list of many keeps no memory.
func TestReports(t *testing.T) {
	t.Parallel()
	var r reports
	events := make([]event, 3)
	next, added := int32(0), int32(0)
	take := func() {
		for _, e := range events[:r.take(events)] {
			if e.slot != next {
				t.Fatalf("event %d was taken, want %d", e.slot, next)
			}
			next++
		}
	}
	for range 2 * reportsKeep {
		r.add(added, 1, readyIn)
		r.add(added+1, 1, readyIn)
		if added += 2; added%8 == 0 {
			take()
		}
	}
	for r.pending() {
		if take(); len(r.list) > int(2*(added-next))+len(events) {
			t.Fatalf("the list has %d places for %d events", len(r.list), added-next)
		}
	}
	if next != added || r.list != nil {
		t.Errorf("%d of %d events were taken, and memory for %d is kept", next, added, cap(r.list))
	}
}
