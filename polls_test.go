package spoke_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/engine"
)

// polling is how large the tests of the transports that are made of requests are: SPOKE_POLLS=1m is a minute with 1,000 clients.
func polling(t *testing.T) (clients int, length time.Duration) {
	t.Helper()
	v := os.Getenv("SPOKE_POLLS")
	if v == "" {
		return 50, 700 * time.Millisecond
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatalf("SPOKE_POLLS: %v", err)
	}
	return 1000, d
}

// requests is one SignalR client that makes HTTP requests.
type requests struct {
	t       *testing.T
	client  *http.Client // keeps its connections
	fresh   *http.Client // takes a new connection for each request, and so any loop
	id      string       // of its connection
	url     string       // with the token
	addr    string       // without TLS; else empty
	careful bool         // gives a poll up only by ending its direction, so that nothing may be lost
	next    int          // the number that comes next
	dropped int          // polls given up: what was in their answers may be lost
	gaps    int
	polls   int           // answered with something
	heard   time.Time     // when the last one was
	longest time.Duration // between two of them
	away    time.Duration // how long the way to the server and back may take: the client waits for up to so long before it polls again
}

// onEachServer serves hubs in each of the ways in which requests may come in, and hands each to f with clients for it.
func onEachServer(t *testing.T, mapHubs func(s *spoke.Server) *spoke.Hub, f func(t *testing.T, hub *spoke.Hub, url string, client, fresh *http.Client)) {
	t.Helper()
	onEachServerWith(t, func(*spoke.Config) {}, mapHubs, f)
}

// onEachServerWith is onEachServer with another configuration.
func onEachServerWith(t *testing.T, change func(*spoke.Config), mapHubs func(s *spoke.Server) *spoke.Hub, f func(t *testing.T, hub *spoke.Hub, url string, client, fresh *http.Client)) {
	t.Helper()
	cfg := func(t *testing.T) spoke.Config { // a machine that is busy with other things is not to end anything
		c := spoke.Config{Drain: -1, ParkedTimeout: 2 * patience, Engine: engine.Config{Loops: 3, SendTimeout: 2 * patience}, Logger: slog.New(endsOf(t))}
		c.HTTP.HeadTimeout, c.Hub.HandshakeTimeout, c.Hub.PollTimeout = 2*patience, 2*patience, 2*patience
		change(&c)
		return c
	}
	for _, backend := range []string{"epoll", "gnet"} {
		t.Run(backend, func(t *testing.T) {
			c := cfg(t)
			c.Engine.Backend = backend
			var hub *spoke.Hub
			_, addr := start(t, c, func(s *spoke.Server) { hub = mapHubs(s) })
			keep, once := &http.Transport{MaxIdleConnsPerHost: 4096}, &http.Transport{DisableKeepAlives: true}
			defer keep.CloseIdleConnections()
			f(t, hub, "http://"+addr, &http.Client{Transport: keep}, &http.Client{Transport: once})
		})
	}
	for name, h2 := range map[string]bool{"net-http, HTTP/1.1": false, "net-http, HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			s, err := spoke.New(cfg(t))
			if err != nil {
				t.Fatal(err)
			}
			hub := mapHubs(s)
			url, client := mountedAs(t, s, h2)
			defer func() { // before the mount
				if err := s.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			f(t, hub, url, client, client)
		})
	}
}

// ends is the log of a test's server, of which it keeps why connections without a socket of their own have ended. Any goroutine.
type ends struct {
	slog.Handler // for all but what is below

	mu  sync.Mutex
	all []string // under mu
}

// endsOf logs to t, if that fails, what has ended its connections.
func endsOf(t *testing.T) *ends {
	e := &ends{Handler: slog.DiscardHandler}
	t.Cleanup(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if t.Failed() {
			t.Logf("the server's log of connections that were ended not by their clients:\n%s", strings.Join(e.all, ""))
		}
	})
	return e
}

// Enabled implements slog.Handler.
func (e *ends) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (e *ends) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != "connection closed" {
		return nil
	}
	keep := false
	r.Attrs(func(a slog.Attr) bool {
		keep = keep || a.Key == "transport"
		if a.Key == "reason" && a.Value.String() == engine.ClientClosed.String() {
			keep = false
			return false
		}
		return true
	})
	if !keep {
		return nil
	}
	var line bytes.Buffer
	err := slog.NewTextHandler(&line, &slog.HandlerOptions{Level: slog.LevelDebug}).Handle(ctx, r)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, line.String())
	return err
}

// openRequests negotiates.
func openRequests(t *testing.T, url string, client, fresh *http.Client) (*requests, error) {
	res, err := client.Post(url+"/h/negotiate?negotiateVersion=1", "", nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var n struct{ ConnectionID, ConnectionToken string }
	if err := json.NewDecoder(res.Body).Decode(&n); err != nil {
		return nil, err
	}
	r := &requests{t: t, client: client, fresh: fresh, id: n.ConnectionID, url: url + "/h?id=" + n.ConnectionToken}
	if addr, plain := strings.CutPrefix(url, "http://"); plain {
		r.addr = addr
	}
	return r, nil
}

const shakeHands = "{\"protocol\":\"json\",\"version\":1}\x1e"

func (r *requests) post(body string) error {
	res, err := r.client.Post(r.url, "text/plain", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return fmt.Errorf("a POST was answered with %s", res.Status)
	}
	return nil
}

// errGivenUp is that of a poll that its client has given up: because of its own deadline, or because net/http's client has given it a pooled connection that it was about to end for the
// sake of the deadline of the request before.
var errGivenUp = errors.New("the poll was given up")

// poll is one poll; whole is what its answer brought, if that came whole.
func (r *requests) poll(ctx context.Context, client *http.Client) (whole string, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", r.url, nil)
	if err != nil {
		return "", err
	}
	var b []byte
	res, err := client.Do(req)
	if err == nil {
		defer res.Body.Close()
		b, err = io.ReadAll(res.Body)
	}
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)):
		return "", errGivenUp
	case err != nil:
		return "", err
	case res.StatusCode == 204 || res.StatusCode == 200:
		return string(b), nil
	}
	return "", fmt.Errorf("a poll was answered with %s %q", res.Status, b)
}

// delete ends the connection.
func (r *requests) delete() error {
	req, err := http.NewRequest("DELETE", r.url, nil)
	if err != nil {
		return err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != 202 {
		return fmt.Errorf("a DELETE was answered with %s", res.Status)
	}
	return nil
}

// numbers are those of the messages in records. They must follow one another.
func numbers(records string) (first, n int, err error) {
	for records != "" {
		rec, rest, whole := strings.Cut(records, "\x1e")
		if !whole {
			return 0, 0, fmt.Errorf("a part of a record: %.100q", rec)
		}
		records = rest
		if _, args, ok := strings.Cut(rec, `"arguments":[`); ok {
			digits, _, _ := strings.Cut(args, ",")
			x, err := strconv.Atoi(strings.TrimRight(digits, "]}"))
			if err != nil {
				return 0, 0, err
			}
			if n == 0 {
				first = x
			} else if x != first+n {
				return 0, 0, fmt.Errorf("%d follows %d in one answer", x, first+n-1)
			}
			n++
		} else if rec != "{}" && rec != `{"type":6}` {
			return 0, 0, fmt.Errorf("record %.100q", rec)
		}
	}
	return first, n, nil
}

// take counts what an answer has brought.
func (r *requests) take(records string) error {
	first, n, err := numbers(records)
	switch {
	case err != nil:
		return err
	case n == 0:
		return nil
	case first < r.next:
		return fmt.Errorf("%d to %d came again, or late: %d was next", first, first+n-1, r.next)
	case first > r.next:
		if r.gaps++; r.gaps > r.dropped {
			return fmt.Errorf("%d to %d are lost, and there were %d gaps before with %d polls given up", r.next, first-1, r.gaps-1, r.dropped)
		}
	}
	r.next = first + n
	r.polls++
	now := time.Now()
	if !r.heard.IsZero() {
		r.longest = max(r.longest, now.Sub(r.heard))
	}
	r.heard = now
	return nil
}

// run polls until the message with the last number has come.
func (r *requests) run(rng *rand.Rand, last *atomic.Int64) error {
	for last.Load() == 0 || r.next <= int(last.Load()) {
		var err error
		if r.away > 0 {
			time.Sleep(time.Duration(rng.Int64N(int64(r.away))))
		}
		switch client := []*http.Client{r.client, r.fresh}[rng.IntN(2)]; {
		case last.Load() > 0 || rng.IntN(10) < 7: // at the end none is given up, so that it is heard
			err = r.once(client)
		case rng.IntN(2) == 0:
			err = r.two()
		case r.careful:
			err = r.endOne(time.Duration(rng.IntN(20_000)) * time.Microsecond)
		default:
			err = r.dropOne(client, time.Duration(rng.IntN(20_000))*time.Microsecond)
		}
		if err != nil {
			return fmt.Errorf("%v after its last answer, with %d polls given up: %w", time.Since(r.heard), r.dropped, err)
		}
	}
	return nil
}

// patience is how long a poll that is not given up may take: the next message is never more than a moment away, so one that takes longer has been lost. It is that long because a machine
// that is busy with other things, too, may have a client wait for half a minute until its connection has shaken hands.
const patience = 2 * time.Minute

func (r *requests) once(client *http.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := r.poll(ctx, client)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("a poll was not answered for %v", patience)
	}
	return r.taken(got, err)
}

// dropOne gives a poll up after a while.
func (r *requests) dropOne(client *http.Client, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return r.taken(r.poll(ctx, client))
}

// taken takes what poll returns.
func (r *requests) taken(got string, err error) error {
	switch {
	case errors.Is(err, errGivenUp):
		r.dropped++
		return nil
	case err != nil:
		return err
	}
	return r.take(got)
}

// endOne ends its direction after a while, and takes what comes: a whole answer, or none. Then nothing may be lost.
func (r *requests) endOne(d time.Duration) error {
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	target := r.url[strings.Index(r.url, "/h?"):]
	if _, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, r.addr); err != nil {
		return err
	}
	time.Sleep(d)
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	all, err := io.ReadAll(nc)
	if err != nil || len(all) == 0 {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(all)), nil)
	if err != nil {
		return fmt.Errorf("a poll whose client had ended its direction: %.200q: %w", all, err)
	}
	got, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return err
	}
	return r.take(string(got))
}

// two polls overlap: one of them is replaced, or was answered before the other came.
func (r *requests) two() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	type result struct {
		got string
		err error
	}
	other := make(chan result, 1)
	go func() {
		got, err := r.poll(ctx, r.fresh)
		other <- result{got, err}
	}()
	got, err := r.poll(ctx, r.client)
	o := <-other
	if (err != nil || o.err != nil) && ctx.Err() != nil {
		return fmt.Errorf("one of two polls was not answered for %v", patience)
	}
	a, _, badA := numbers(got) // nothing of one that was given up
	b, n, badB := numbers(o.got)
	if err := errors.Join(badA, badB); err != nil {
		return err
	}
	if n > 0 && b < a {
		got, err, o.got, o.err = o.got, o.err, got, err
	}
	if err := r.taken(got, err); err != nil {
		return err
	}
	return r.taken(o.got, o.err)
}

// broadcast sends numbered messages, a hundred a second, for that long, and then says which was the last; more follow, so that the end is heard. One that is late is sent all the same.
func broadcast(t *testing.T, hub *spoke.Hub, length time.Duration, padding string, last *atomic.Int64) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		begun := time.Now()
		end := begun.Add(length)
		for n := 0; ; n++ {
			if err := hub.Clients().All().Send("n", n, padding); err != nil {
				t.Error(err)
			}
			if n > 0 && last.Load() == 0 && time.Now().After(end) {
				last.Store(int64(n))
			}
			for due := begun.Add(time.Duration(n+1) * 10 * time.Millisecond); time.Now().Before(due); {
				select {
				case <-tick.C:
				case <-quit:
					return
				}
			}
			select {
			case <-quit:
				return
			default:
			}
		}
	})
	return func() { close(quit); done.Wait() }
}

// TestPollsDroppedAndOverlapped: whatever clients do with their polls, each message comes once, in order, to all whose answers have come whole.
func TestPollsDroppedAndOverlapped(t *testing.T) {
	count, length := polling(t)
	onEachServer(t, func(s *spoke.Server) *spoke.Hub { return mapHub(t, s, "/h", nil) }, func(t *testing.T, hub *spoke.Hub, url string, client, fresh *http.Client) {
		clients := make([]*requests, count)
		var ready, all sync.WaitGroup
		begin := make(chan struct{})
		var last atomic.Int64
		for i := range clients {
			ready.Add(1)
			all.Go(func() {
				begun := false
				defer func() {
					if !begun {
						ready.Done()
					}
				}()
				r, err := openRequests(t, url, client, fresh)
				if err == nil {
					_, err = r.poll(context.Background(), client)
				}
				if err == nil {
					err = r.post(shakeHands)
				}
				var got string
				if err == nil {
					got, err = r.poll(context.Background(), client)
				}
				if err != nil || got != "{}\x1e" {
					t.Errorf("client %d: %q, %v", i, got, err)
					return
				}
				clients[i] = r
				r.heard = time.Now()
				r.careful = i%2 == 0 && r.addr != ""
				if count > 100 { // so many on one machine share its processors with the server
					r.away = 250 * time.Millisecond
				}
				begun = true
				ready.Done()
				<-begin
				if err := r.run(rand.New(rand.NewPCG(uint64(i), 1)), &last); err != nil {
					t.Errorf("client %d, connection %s: %v", i, r.id, err)
					return
				}
				err = r.delete()
				if errors.Is(err, context.DeadlineExceeded) { // of another request: see errGivenUp
					err = r.delete()
				}
				if err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		ready.Wait()
		begun := time.Now()
		stop := broadcast(t, hub, length, "", &last)
		close(begin)
		all.Wait()
		stop()
		took := time.Since(begun)
		drops, gaps, polls := 0, 0, 0
		var longest time.Duration
		for _, r := range clients {
			if r != nil {
				drops += r.dropped
				gaps += r.gaps
				polls += r.polls
				longest = max(longest, r.longest)
			}
		}
		t.Logf("%d clients, %d messages in %.1f s, %.0f deliveries a second in %d answers to polls, %d polls given up, %d of them with an answer on its way, at most %.1f s between two answers of a client",
			count, last.Load()+1, took.Seconds(), float64(last.Load()+1)*float64(count)/took.Seconds(), polls, drops, gaps, longest.Seconds())
	})
}

// TestEventStreamsAndSlowReaders: an event stream brings each message once, in order, also to who reads in fits and starts.
func TestEventStreamsAndSlowReaders(t *testing.T) {
	count, length := polling(t)
	onEachServer(t, func(s *spoke.Server) *spoke.Hub { return mapHub(t, s, "/h", nil) }, func(t *testing.T, hub *spoke.Hub, url string, client, fresh *http.Client) {
		var ready, all sync.WaitGroup
		var last atomic.Int64
		for i := range count {
			ready.Add(1)
			all.Go(func() {
				begun := sync.OnceFunc(ready.Done)
				defer begun()
				r, err := openRequests(t, url, client, fresh)
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				req, _ := http.NewRequestWithContext(ctx, "GET", r.url, nil)
				req.Header.Set("Accept", "text/event-stream")
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if err := r.post(shakeHands); err != nil {
					t.Error(err)
					return
				}
				naps := 0
				br := bufio.NewReader(res.Body)
				rng := rand.New(rand.NewPCG(uint64(i), 2))
				for last.Load() == 0 || r.next <= int(last.Load()) {
					line, err := br.ReadString('\n')
					if err != nil {
						t.Errorf("client %d: %v", i, err)
						return
					}
					records, data := strings.CutPrefix(strings.TrimSuffix(line, "\r\n"), "data: ")
					if !data {
						continue
					}
					begun()
					if err := r.take(records); err != nil {
						t.Errorf("client %d: %v", i, err)
						return
					}
					if i%5 == 1 && naps < 3 && rng.IntN(20) == 0 { // a reader that does something else for a while, but below the send timeout
						naps++
						time.Sleep(min(length/4, 6*time.Second))
					}
				}
			})
		}
		ready.Wait()
		stop := broadcast(t, hub, length, strings.Repeat("x", 400_000/count), &last)
		all.Wait()
		stop()
	})
}

// TestUploadInPosts: a stream of calls cut into POSTs anywhere arrives whole and in order.
func TestUploadInPosts(t *testing.T) {
	var mu sync.Mutex
	sums := make(map[string]int)
	mapHubs := func(s *spoke.Server) *spoke.Hub {
		h := mapHub(t, s, "/h", nil)
		if err := h.Handle("Add", func(c *spoke.Context, n int, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if sums[c.ConnectionID()] != n {
				return fmt.Errorf("%d came, %d was next", n, sums[c.ConnectionID()])
			}
			sums[c.ConnectionID()]++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := h.Handle("Count", func(c *spoke.Context) int {
			mu.Lock()
			defer mu.Unlock()
			return sums[c.ConnectionID()]
		}); err != nil {
			t.Fatal(err)
		}
		return h
	}
	onEachServer(t, mapHubs, func(t *testing.T, _ *spoke.Hub, url string, client, fresh *http.Client) {
		for i := range 4 {
			rng := rand.New(rand.NewPCG(uint64(i), 3))
			r, err := openRequests(t, url, client, fresh)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.poll(context.Background(), client); err != nil {
				t.Fatal(err)
			}
			var all bytes.Buffer
			all.WriteString(shakeHands)
			const calls = 500
			for n := range calls {
				fmt.Fprintf(&all, "{\"type\":1,\"target\":\"Add\",\"arguments\":[%d,%q]}\x1e", n, strings.Repeat("x", rng.IntN(2000)))
			}
			all.WriteString("{\"type\":1,\"invocationId\":\"c\",\"target\":\"Count\",\"arguments\":[]}\x1e")
			for all.Len() > 0 {
				limit := []int{3, 500, 20_000, 200_000}[rng.IntN(4)]
				if err := r.post(string(all.Next(rng.IntN(limit) + 1))); err != nil {
					t.Fatal(err)
				}
			}
			got := ""
			for want := fmt.Sprintf("{\"type\":3,\"invocationId\":\"c\",\"result\":%d}\x1e", calls); !strings.HasSuffix(got, want); {
				more, err := r.poll(context.Background(), client)
				if err != nil || strings.Contains(more, "error") {
					t.Fatalf("%q, %v", more, err)
				}
				if got += more; len(got) > 1000 || more == "" {
					t.Fatalf("got %.300q, want %q at the end", got, want)
				}
			}
			if err := r.delete(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
