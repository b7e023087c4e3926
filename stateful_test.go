package spoke_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/internal/hubtest"
)

// cutsVariable is how many times TestStatefulCuts cuts each connection's TCP; 10,000 take some minutes.
const cutsVariable = "SPOKE_TEST_CUTS"

// counting is a hub that answers each number with itself and two messages, and notes the numbers.
type counting struct {
	mu       sync.Mutex
	called   []int // under mu
	messages int   // under mu
}

func (h *counting) Go(c *spoke.Context, n int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.called = append(h.called, n)
	for range 2 {
		to := c.Clients().Caller()
		if h.messages%2 == 1 {
			to = c.Clients().All()
		}
		if err := to.Send("message", h.messages); err != nil {
			return 0, err
		}
		h.messages++
	}
	return n, nil
}

func byHeader(r *http.Request) (*auth.Identity, error) {
	if name := r.Header.Get("X-User"); name != "" {
		return &auth.Identity{UserID: name, Name: name}, nil
	}
	return nil, nil
}

// statefulServers are the ways to serve; stop ends what serves.
func statefulServers(t *testing.T, f func(t *testing.T, srv *spoke.Server, h *counting, addr string)) {
	t.Helper()
	engines := []string{"gnet", "mount"}
	if runtime.GOOS == "linux" {
		engines = append(engines, "epoll")
	}
	for _, name := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := spoke.Config{Authenticate: byHeader}
			cfg.Engine.Loops = 3
			if name != "mount" {
				cfg.Engine.Backend = name
			}
			cfg.Hub.StatefulReconnect = true
			cfg.Hub.DisconnectTimeout = time.Minute
			h := new(counting)
			srv, addr := start(t, cfg, func(s *spoke.Server) { mapHub(t, s, "/h", h) })
			if name == "mount" {
				web := httptest.NewServer(srv)
				t.Cleanup(web.Close)
				addr = web.Listener.Addr().String()
			}
			f(t, srv, h, addr)
		})
	}
}

// negotiate agrees on stateful reconnect and returns the token.
func negotiate(t *testing.T, addr, query string, header ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/h/negotiate?negotiateVersion=1"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		ConnectionToken      string
		UseStatefulReconnect bool
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if want := strings.Contains(query, "useStatefulReconnect=true"); answer.UseStatefulReconnect != want {
		t.Fatalf("negotiate %s: %s", query, body)
	}
	return answer.ConnectionToken
}

const asked = "&useStatefulReconnect=true"

// open opens a WebSocket with a token.
func open(t *testing.T, addr, token string, header ...string) (*hubtest.Client, error) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := hubtest.Bare(nc)
	t.Cleanup(func() { c.Close() })
	return c, c.Upgrade("/h?id="+token, header...)
}

// agree opens a connection and agrees on stateful reconnect.
func agree(t *testing.T, addr string, header ...string) (c *hubtest.Client, token string) {
	t.Helper()
	token = negotiate(t, addr, asked, header...)
	c, err := open(t, addr, token, header...)
	if err == nil {
		err = c.Write(`{"protocol":"json","version":2}`)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m := next(t, c); m.Type != 0 || m.Error != nil {
		t.Fatalf("handshake answered with %+v", m)
	}
	return c, token
}

// reset ends TCP without a word.
func reset(t *testing.T, c *hubtest.Client) {
	t.Helper()
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	var refused *hubtest.Refused
	if !errors.As(err, &refused) || refused.Status != status {
		t.Errorf("got %v, want status %d", err, status)
	}
}

// TestStatefulWhoMayComeBack: the connection's user, until its end, and nobody else.
func TestStatefulWhoMayComeBack(t *testing.T) {
	t.Parallel()
	statefulServers(t, func(t *testing.T, srv *spoke.Server, _ *counting, addr string) {
		ann := []string{"X-User", "ann"}
		c, token := agree(t, addr, ann...)
		for _, live := range []bool{true, false} {
			if !live {
				reset(t, c)
				for srv.Stats().Hubs.Away == 0 {
					runtime.Gosched()
				}
			}
			_, err := open(t, addr, token, "X-User", "bob")
			wantStatus(t, err, 403)
			_, err = open(t, addr, token)
			wantStatus(t, err, 403)
		}
		// Whichever loop it comes to.
		for range 8 {
			var err error
			if c, err = open(t, addr, token, ann...); err != nil {
				t.Fatal(err)
			}
			if m := next(t, c); m.Type != 9 || m.SequenceID != 1 {
				t.Fatalf("got %+v, want Sequence 1", m)
			}
		}
		if err := c.Write(`{"type":9,"sequenceId":1}`); err != nil {
			t.Fatal(err)
		}
		if got := invoke(t, c, "Go", 5); got != "5" {
			t.Errorf("got %s", got)
		}
		if err := c.Raw(8, []byte{3, 232}); err != nil { // a close frame is the end
			t.Fatal(err)
		}
		for err := error(nil); err == nil; {
			_, err = c.Next()
		}
		_, err := open(t, addr, token, ann...)
		wantStatus(t, err, 404)
		if n := srv.Stats().Endpoints.Connections; n != 0 {
			t.Errorf("%d tokens are left", n)
		}
		other := negotiate(t, addr, "", ann...)
		if _, err = open(t, addr, other, ann...); err != nil {
			t.Fatal(err)
		}
		_, err = open(t, addr, other, ann...)
		wantStatus(t, err, 409) // it was not asked for
	})
}

// TestStatefulRace: of clients that come back at the same time one has the connection in the end, and nothing breaks.
func TestStatefulRace(t *testing.T) {
	t.Parallel()
	statefulServers(t, func(t *testing.T, srv *spoke.Server, _ *counting, addr string) {
		c, token := agree(t, addr)
		invoke(t, c, "Go", 0)
		var wg sync.WaitGroup
		var works atomic.Int32
		for range 10 {
			wg.Go(func() {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				c := hubtest.Bare(nc)
				defer c.Close()
				if err := c.Upgrade("/h?id=" + token); err != nil {
					if works.Load() == 0 { // else it came when all was over
						t.Error(err)
					}
					return
				}
				_ = c.Write(`{"type":9,"sequenceId":2}`) // it may be over already
				_, _ = c.Call("Go", 1)
				for {
					m, err := c.Next()
					if err != nil {
						return // another one has taken over
					}
					if m.Type == 3 && string(m.Result) == "1" {
						works.Add(1)
						_ = c.Raw(8, []byte{3, 232})
						return
					}
				}
			})
		}
		wg.Wait()
		if works.Load() == 0 {
			t.Error("nobody has the connection")
		}
		for srv.Stats().Endpoints.Connections > 0 {
			runtime.Gosched()
		}
	})
}

// cut is a TCP connection that breaks after so many bytes in either direction.
type cut struct {
	net.Conn
	read, write atomic.Int64
	over        atomic.Bool
}

var errCut = errors.New("cut")

func (c *cut) Read(p []byte) (int, error) {
	left := c.read.Load()
	if left <= 0 {
		c.now()
		return 0, errCut
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.read.Add(-int64(n))
	return n, err
}

func (c *cut) Write(p []byte) (int, error) {
	left := c.write.Load()
	n, err := c.Conn.Write(p[:max(min(int64(len(p)), left), 0)])
	if c.write.Add(-int64(n)); err == nil && n < len(p) {
		c.now()
		err = errCut
	}
	return n, err
}

func (c *cut) now() {
	c.over.Store(true)
	if rand.IntN(2) == 0 {
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
	}
	_ = c.Conn.Close()
}

// TestStatefulCuts cuts TCP at any byte, in both directions, under traffic both ways: nothing is lost, doubled or out of order.
func TestStatefulCuts(t *testing.T) {
	t.Parallel()
	cuts := 150
	if v := os.Getenv(cutsVariable); v != "" {
		var err error
		if cuts, err = strconv.Atoi(v); err != nil {
			t.Fatalf("%s: %v", cutsVariable, err)
		}
	}
	for _, p := range []codec.Protocol{codec.JSON, codec.MessagePack} {
		t.Run(p.Name(), func(t *testing.T) {
			t.Parallel()
			testCuts(t, p, cuts)
		})
	}
}

func testCuts(t *testing.T, p codec.Protocol, cuts int) {
	statefulServers(t, func(t *testing.T, srv *spoke.Server, h *counting, addr string) {
		token := negotiate(t, addr, asked)
		c, err := open(t, addr, token)
		if err != nil {
			t.Fatal(err)
		}
		c.Protocol = p
		if err := c.HandshakeOf(2); err != nil {
			t.Fatal(err)
		}
		m := &player{codec: p, first: 1, expected: 1}
		m.life(c, nil)
		made := 0
		for made < cuts {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			wire := &cut{Conn: nc}
			wire.read.Store(int64(rand.IntN(3000)))
			wire.write.Store(int64(rand.IntN(3000)))
			c := hubtest.Bare(wire)
			c.Protocol = p
			made++
			if err := c.Upgrade("/h?id=" + token); err != nil {
				if !wire.over.Load() { // the server must not turn a client away that has a right to come back
					t.Fatalf("cut %d: %v", made, err)
				}
				_ = nc.Close()
				continue
			}
			if m.life(c, nil); m.fault != nil {
				t.Fatal(m.fault)
			}
			_ = nc.Close()
		}
		if c, err = open(t, addr, token); err != nil {
			t.Fatal(err)
		}
		c.Protocol = p
		last := m.calls
		m.life(c, &last)
		if m.fault != nil {
			t.Fatal(m.fault)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, w := range []struct {
			name string
			got  []int
			n    int
		}{{"calls", h.called, m.calls}, {"results", m.results, m.calls}, {"messages", m.messages, h.messages}} {
			if len(w.got) != w.n || !slices.IsSorted(w.got) || w.n > 0 && w.got[w.n-1] != w.n-1 {
				t.Errorf("%s: %d have come of %d: %v", w.name, len(w.got), w.n, w.got)
			}
		}
		t.Logf("%d cuts, %d calls, %d messages, %d resumes", made, m.calls, len(m.messages), srv.Stats().Hubs.Resumed)
		if m.calls < made {
			t.Errorf("only %d calls between %d cuts", m.calls, made)
		}
		if err := c.Raw(8, []byte{3, 232}); err != nil {
			t.Error(err)
		}
	})
}

// TestStatefulLongReplay: a client comes back to thousands of small messages, broadcasts and its own in turn, and gets them all.
func TestStatefulLongReplay(t *testing.T) {
	t.Parallel()
	statefulServers(t, func(t *testing.T, _ *spoke.Server, _ *counting, addr string) {
		token := negotiate(t, addr, asked)
		const calls = 1500
		for life := range 2 {
			c, err := open(t, addr, token)
			if err != nil {
				t.Fatal(err)
			}
			c.Protocol = codec.MessagePack
			if life == 0 {
				if err := c.HandshakeOf(2); err != nil {
					t.Fatal(err)
				}
			} else if m := next(t, c); m.Type != 9 || m.SequenceID != 1 {
				t.Fatalf("got %+v, want Sequence 1", m)
			}
			for got := 0; got < 3*calls; {
				if life == 0 && got%3 == 0 {
					rec, err := c.Protocol.AppendInvocation(nil, "1", "Go", []any{got})
					if err == nil {
						err = c.Record(rec)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if m := next(t, c); m.Type != 8 {
					got++
				}
			}
			reset(t, c)
		}
	})
}

// player is a client that keeps to wire contract, section 18.
type player struct {
	codec                 codec.Protocol
	calls                 int
	sent                  [][]byte // not acknowledged
	first                 int64    // number of the first of them
	expected, done, acked int64
	messages, results     []int
	fault                 error
}

// life plays on one WebSocket until it is cut; with until, until all has come.
func (p *player) life(c *hubtest.Client, until *int) {
	waits := p.calls > 0 || until != nil || p.expected > 1 // for Sequence
	repeated := append([][]byte(nil), p.sent...)
	if waits {
		if c.Record(p.codec.AppendSequence(nil, p.first)) != nil {
			return
		}
		for _, rec := range repeated {
			if c.Record(rec) != nil {
				return
			}
		}
	}
	most := p.calls + 20
	if until != nil {
		most = *until
	}
	for p.fault == nil {
		if p.calls < most && p.calls-len(p.results) < 8 {
			rec, err := p.codec.AppendInvocation(nil, strconv.Itoa(p.calls), "Go", []any{p.calls})
			if err != nil {
				p.fault = err
				return
			}
			p.calls++
			p.sent = append(p.sent, rec)
			if c.Record(rec) != nil {
				return
			}
		}
		if p.calls == most && len(p.results) == most && len(p.messages) == 2*most && (until == nil || len(p.sent) == 0) {
			return
		}
		m, err := c.Next()
		if err != nil {
			return
		}
		p.take(&m, &waits)
		if p.done >= p.acked+5 {
			p.acked = p.done
			if c.Record(p.codec.AppendAck(nil, p.acked)) != nil {
				return
			}
		}
	}
}

func (p *player) take(m *hubtest.Message, waits *bool) {
	switch m.Type {
	case 7:
		p.fault = fmt.Errorf("closed: %v", m.Error)
	case 8:
		if n := m.SequenceID - p.first + 1; n > 0 {
			p.sent = p.sent[n:]
			p.first += n
		}
	case 9:
		if m.SequenceID > max(p.expected, p.done+1) {
			p.fault = fmt.Errorf("sequence %d when %d was expected", m.SequenceID, p.expected)
		}
		p.expected, *waits = m.SequenceID, false
	case 1, 3:
		if *waits {
			p.fault = errors.New("a message before Sequence")
		}
		id := p.expected
		p.expected++
		if id <= p.done {
			return
		}
		p.done = id
		var n int
		if m.Type == 3 {
			p.fault = json.Unmarshal(m.Result, &n)
			p.results = append(p.results, n)
		} else {
			p.fault = json.Unmarshal(m.Arguments[0], &n)
			p.messages = append(p.messages, n)
		}
	}
}
