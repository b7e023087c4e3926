package spoke_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

// Long is a hub whose answers are much longer than the questions.
type Long struct {
	ByWorker func(n int) string    `spoke:"ByWorker"`
	Inline   func(n int) string    `spoke:"Inline,inline"`
	Echo     func(s string) string `spoke:"Echo"`
}

func long(n int) string { return strings.Repeat("x", n) }

func mapLong(s *spoke.Server) *spoke.Hub {
	hub, err := s.MapHub("/h", Long{long, long, func(s string) string { return s }})
	if err != nil {
		panic(err)
	}
	return hub
}

const (
	longCalls = 300
	longSize  = 32 << 10 // 300 are nine times what may wait for one client
)

// longAnswers takes records in any portions, and says whether all answers have come. They must come in order.
type longAnswers struct {
	t    *testing.T
	next int
}

func (a *longAnswers) take(records string) (all bool) {
	a.t.Helper()
	for r := range strings.SplitSeq(records, "\x1e") {
		var m struct {
			Type         int
			InvocationID string
			Result       string
			Error        string
		}
		if err := json.Unmarshal([]byte(r), &m); r == "" || r == "{}" || err == nil && m.Type == 6 {
			continue
		} else if err != nil {
			a.t.Fatalf("%v: %.100q", err, r)
		}
		if m.Type != 3 || m.InvocationID != fmt.Sprint(a.next) || len(m.Result) != longSize {
			a.t.Fatalf("type %d, answer to %q with %d bytes and error %q, want that to %d", m.Type, m.InvocationID, len(m.Result), m.Error, a.next)
		}
		a.next++
	}
	return a.next == longCalls
}

// ask is the calls first to last, as records.
func ask(method string, first, last int) string {
	var b strings.Builder
	for i := first; i < last; i++ {
		fmt.Fprintf(&b, "{\"type\":1,\"invocationId\":\"%d\",\"target\":%q,\"arguments\":[%d]}\x1e", i, method, longSize)
	}
	return b.String()
}

// TestManyLongReplies: a client asks for far more than may wait for it, and begins to read late. It is slowed down, not cut off: it gets all answers, in their order.
func TestManyLongReplies(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"epoll", "gnet"} {
		for _, method := range []string{"ByWorker", "Inline"} {
			t.Run(backend+", "+method, func(t *testing.T) {
				t.Parallel()
				cfg := spoke.Config{}
				cfg.Engine.Backend = backend
				s, addr := start(t, cfg, func(s *spoke.Server) { mapLong(s) })
				c := dial(t, addr, "/h")
				if err := c.Write(strings.TrimSuffix(ask(method, 0, longCalls), "\x1e")); err != nil {
					t.Fatal(err)
				}
				waitFor(t, "calls that wait for room", func() bool { st := s.Stats().Hubs; return st.CallsWaiting > 0 && st.CallsRunning == 0 })
				for i := range longCalls {
					m, err := c.Next()
					if err != nil {
						t.Fatalf("after %d answers: %v", i, err)
					}
					if m.Type == 6 {
						continue
					}
					if m.Error != nil || m.InvocationID != fmt.Sprint(i) || len(m.Result) != longSize+2 {
						t.Fatalf("answer %d is %+v", i, m)
					}
				}
			})
		}
	}
}

// TestManyLongRepliesToRequests is the same over event streams and long polls. The POSTs are answered as fast as the client takes the answers to its calls.
func TestManyLongRepliesToRequests(t *testing.T) {
	onEachServer(t, mapLong, func(t *testing.T, _ *spoke.Hub, url string, client, _ *http.Client) {
		for _, method := range []string{"ByWorker", "Inline"} {
			for _, polls := range []bool{false, true} {
				ctx, cancel := context.WithTimeout(t.Context(), 3*hubtest.Timeout)
				defer cancel()
				r, err := openRequests(t, url, client, client)
				if err != nil {
					t.Fatal(err)
				}
				var events *bufio.Reader
				if polls {
					if _, err = r.poll(ctx, client); err == nil {
						err = r.post(shakeHands)
					}
				} else {
					events, err = r.stream(ctx)
				}
				if err != nil {
					t.Fatal(err)
				}
				const each = 50
				if err := r.post(ask(method, 0, each)); err != nil { // answered at once, as so much may wait
					t.Fatal(err)
				}
				posted := make(chan error, 1)
				go func() {
					var err error
					for i := each; i < longCalls && err == nil; i += each {
						err = r.post(ask(method, i, i+each))
					}
					posted <- err
				}()
				answers := longAnswers{t: t}
				for all := false; !all; {
					var records string
					if polls {
						records, err = r.poll(ctx, client)
					} else {
						records, err = event(events)
					}
					if err != nil {
						t.Fatalf("%s, polls: %v, after %d answers: %v", method, polls, answers.next, err)
					}
					all = answers.take(records)
				}
				if err := <-posted; err != nil {
					t.Fatal(err)
				}
				if polls {
					if err := r.delete(); err != nil {
						t.Error(err)
					}
				}
			}
		}
	})
}

// TestPollBehindPosts: a client that makes five requests at a time, first come first served, as the Java client does, sends so much at once that its poll is behind its POSTs.
func TestPollBehindPosts(t *testing.T) {
	onEachServer(t, mapLong, func(t *testing.T, _ *spoke.Hub, url string, client, _ *http.Client) {
		few := client.Transport.(*http.Transport).Clone()
		if few.MaxConnsPerHost = 5; few.ForceAttemptHTTP2 {
			return // requests do not wait for one another
		}
		defer few.CloseIdleConnections()
		client = &http.Client{Transport: few}
		ctx, cancel := context.WithTimeout(t.Context(), hubtest.Timeout)
		defer cancel()
		r, err := openRequests(t, url, client, client)
		if err == nil {
			_, err = r.poll(ctx, client)
		}
		if err == nil {
			err = r.post(shakeHands)
		}
		if err != nil {
			t.Fatal(err)
		}
		const calls = 40 // 800 kB, of which so much may be with the server as answers of a megabyte may
		posted := make(chan error, calls)
		for i := range calls {
			go func() {
				posted <- r.post(fmt.Sprintf("{\"type\":1,\"invocationId\":\"%d\",\"target\":\"Echo\",\"arguments\":[%q]}\x1e", i, long(20_000)))
			}()
		}
		for n := 0; n < calls; {
			records, err := r.poll(ctx, client)
			if err != nil {
				t.Fatalf("after %d answers: %v", n, err)
			}
			n += strings.Count(records, `"type":3`)
		}
		for range calls {
			if err := <-posted; err != nil {
				t.Error(err)
			}
		}
		if err := r.delete(); err != nil {
			t.Error(err)
		}
	})
}

// TestReplyBehindALargeOne: an answer may have any size, and while it is on its way to a slow client, what comes behind it waits: it does not end the connection.
func TestReplyBehindALargeOne(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"epoll", "gnet"} {
		for _, size := range []int{3 << 20, 16 << 20} {
			t.Run(fmt.Sprint(backend, ", ", size), func(t *testing.T) {
				t.Parallel()
				cfg := spoke.Config{}
				cfg.Engine.Backend = backend
				var hub *spoke.Hub
				s, addr := start(t, cfg, func(s *spoke.Server) { hub = mapLong(s) })
				c := dial(t, addr, "/h")
				write := func(record string) {
					t.Helper()
					if err := c.Write(record); err != nil {
						t.Fatal(err)
					}
				}
				write(fmt.Sprintf(`{"type":1,"invocationId":"0","target":"ByWorker","arguments":[%d]}`, size))
				waitFor(t, "the large answer", func() bool { st := s.Stats(); return st.Hubs.Calls == 1 && st.Hubs.CallsRunning == 0 })
				for i := range 3 {
					if err := hub.Clients().All().Send("news", i); err != nil {
						t.Fatal(err)
					}
					write(fmt.Sprintf(`{"type":1,"invocationId":"%d","target":"Echo","arguments":["x"]}`, i+1))
				}
				waitFor(t, "the other calls", func() bool { // answered, held back or, were it wrong, lost
					st := s.Stats().Hubs
					return st.CallsWaiting > 0 || st.Calls == 4 && st.CallsRunning == 0 || st.Connections == 0
				})
				news := 0
				for answers := 0; answers < 4 || news < 3; {
					m, err := c.Next()
					if err != nil {
						t.Fatalf("after %d answers and %d messages: %v", answers, news, err)
					}
					switch m.Type {
					case 1:
						news++
					case 3:
						want := 3
						if answers == 0 {
							want = size + 2
						}
						if m.InvocationID != fmt.Sprint(answers) || len(m.Result) != want {
							t.Fatalf("answer to %q with %d bytes, want that to %d with %d", m.InvocationID, len(m.Result), answers, want)
						}
						answers++
					}
				}
			})
		}
	}
}
