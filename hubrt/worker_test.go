package hubrt

import (
	"fmt"
	"testing"
	"time"
)

// TestWorkersTogether: calls of one batch run at the same time when they block, as many as there are workers, although the batch wakes only one worker itself.
func TestWorkersTogether(t *testing.T) {
	t.Parallel()
	const n = 20
	for _, tt := range []struct {
		name string
		warm bool // the workers are there already, and idle
	}{{"workers to be started", false}, {"idle workers", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1, workers: n}, func(r *rig) {
				h := r.hub(nil, Options{})
				all := make(chan struct{})
				arrived := make(chan struct{}, n)
				handle(t, h, "Meet", func() error { // returns when all are here
					arrived <- struct{}{}
					select {
					case <-all:
						return nil
					case <-time.After(time.Minute):
						return Errorf("the others did not come")
					}
				})
				var clients []*client
				for range n {
					clients = append(clients, r.connect(h))
				}
				rounds := 1
				if tt.warm {
					rounds = 2
				}
				for round := range rounds {
					all = make(chan struct{})
					clients[0].on(func(*Conn) { // the loop finds all calls in one iteration
						for i, c := range clients {
							c.send(call1(fmt.Sprint(i), "Meet"))
						}
					})
					for range n {
						<-arrived
					}
					close(all)
					for i, c := range clients {
						c.expect(result(fmt.Sprint(i), "null"))
					}
					if got := r.rt.Stats().Workers; got != n {
						t.Errorf("round %d: %d workers, want %d", round, got, n)
					}
				}
				for _, c := range clients {
					c.leave()
				}
			})
		})
	}
}

// TestWorkerWaking: while a worker is about to begin, jobs are queued; when it begins and jobs wait, it wakes the next one.
func TestWorkerWaking(t *testing.T) {
	t.Parallel()
	rt := &Runtime{idle: make(chan struct{}, 1)}
	p := &rt.pool
	p.init(rt, 2, 3, 0)
	idle := &worker{jobs: make(chan *call, 1)}
	p.workers, p.idle, p.waking = 2, []*worker{idle}, true
	jobs := []*call{{conn: &Conn{}}, {conn: &Conn{}}, {conn: &Conn{}}, {conn: &Conn{}}, {conn: &Conn{}}}
	for i, job := range jobs[:3] {
		if !p.submit(job, false) || p.queue.len() != i+1 || len(p.idle) != 1 {
			t.Fatalf("job %d: %d are queued, %d workers are idle", i, p.queue.len(), len(p.idle))
		}
	}
	if !p.submit(jobs[3], false) || p.queue.len() != 3 || len(p.idle) != 0 {
		t.Errorf("with a full queue: %d are queued, %d workers are idle", p.queue.len(), len(p.idle))
	}
	if job := <-idle.jobs; job != jobs[3] {
		t.Error("the idle worker got another job")
	}
	if p.submit(jobs[4], false) || p.turns.len() != 1 {
		t.Error("a job was taken for which there is no room")
	}
	p.turns.pop()
	p.idle = []*worker{idle}
	p.begun()
	if job := <-idle.jobs; job != jobs[0] || !p.waking || p.queue.len() != 2 {
		t.Errorf("the next worker did not get the oldest job: waking %t, %d are queued", p.waking, p.queue.len())
	}
	p.begun()
	if p.waking || p.queue.len() != 2 {
		t.Errorf("with no idle worker: waking %t, %d are queued", p.waking, p.queue.len())
	}
}
