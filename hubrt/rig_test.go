package hubrt

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/internal/logtest"
)

// rig is a runtime on memory loops, for the length of a synctest bubble.
type rig struct {
	t   *testing.T
	eng *engine.Engine
	rt  *Runtime
	log *logtest.Buffer

	mu   sync.Mutex
	next byte
}

type rigConfig struct {
	loops, workers, queue, sends, results, departed int
}

// bubble runs f with a rig in a bubble of its own, where time moves when everybody waits.
func bubble(t *testing.T, cfg rigConfig, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, cfg)
		f(r)
		r.close()
	})
}

func newRig(t *testing.T, cfg rigConfig) *rig {
	t.Helper()
	if cfg.loops == 0 {
		cfg.loops = 2
	}
	eng, err := engine.New(engine.Config{Backend: "memory", Loops: cfg.loops})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, eng: eng, log: new(logtest.Buffer)}
	r.rt = NewRuntime(RuntimeConfig{
		Loops: eng.Loops(), Workers: cfg.workers, WorkerQueue: cfg.queue, SendQueue: cfg.sends, ClientResults: cfg.results, MaxDeparted: cfg.departed,
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return r
}

func (r *rig) close() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := r.eng.Shutdown(ctx); err != nil {
		r.t.Errorf("engine: %v", err)
	}
	if err := r.rt.Stop(ctx); err != nil {
		r.t.Errorf("workers: %v", err)
	}
	if s := r.rt.Stats(); s.CallsRunning != 0 || s.CallsWaiting != 0 || s.Workers != 0 || s.Questions != 0 || s.Streams != 0 {
		r.t.Errorf("left behind: %+v", s)
	}
}

// hub makes a hub; value may be nil.
func (r *rig) hub(value any, opt Options) *Hub {
	r.t.Helper()
	h, err := r.rt.NewHub("test", value, opt)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func handle(t *testing.T, h *Hub, name string, fn any) {
	t.Helper()
	if err := h.Handle(name, fn); err != nil {
		t.Fatal(err)
	}
}

// link is a transport that is nothing but the stream of bytes: records go out as they are.
type link struct {
	conn   *engine.Conn
	hub    *Conn // loop
	frames int   // loop: calls of Send
	binary []bool

	ended  bool // loop
	end    engine.CloseReason
	err    error
	failed bool
	pauses int // loop
	closed chan struct{}
}

func (l *link) Loop() *engine.Loop    { return l.conn.Loop() }
func (l *link) Format(binary bool)    { l.binary = append(l.binary, binary) }
func (l *link) Send(f *engine.Frame)  { l.frames++; l.conn.Send(f) }
func (l *link) Write(p []byte)        { l.conn.Write(p) }
func (l *link) Room() bool            { return !l.conn.Over() }
func (l *link) PauseRead()            { l.pauses++; l.conn.PauseRead() }
func (l *link) ResumeRead()           { l.conn.ResumeRead() }
func (l *link) SetDeadline(at uint32) { l.conn.SetDeadline(at) }

func (l *link) End(r engine.CloseReason, err error) {
	if l.ended {
		panic("End or Fail twice")
	}
	l.ended, l.end, l.err = true, r, err
	l.conn.Close(r, err)
}

func (l *link) Fail(err error) {
	l.failed = true
	l.End(engine.InternalError, err)
}

func (l *link) OnData(_ *engine.Conn, p []byte) int   { l.hub.Receive(p); return len(p) }
func (l *link) OnEOF(c *engine.Conn)                  { c.Close(engine.PeerClosed, nil) }
func (l *link) OnDrain(*engine.Conn)                  { l.hub.Drained() }
func (l *link) OnDeadline(_ *engine.Conn, now uint32) { l.hub.Deadline(now) }
func (l *link) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	l.hub.Closed(r, err)
	close(l.closed)
}

// client is the far end of a connection.
type client struct {
	t    *testing.T
	nc   net.Conn
	link *link // its fields are the loop's until closed
	id   ID
	got  []byte
}

type peerOption func(p *Peer)

func asUser(id string) peerOption {
	return func(p *Peer) { p.User = &auth.Identity{UserID: id} }
}

// dial opens a connection; there is no handshake yet.
func (r *rig) dial(h *Hub, opts ...peerOption) *client {
	r.t.Helper()
	r.mu.Lock()
	r.next++
	p := Peer{ID: ID{r.next, 15: r.next}, Transport: WebSockets, Binary: true}
	r.mu.Unlock()
	for _, o := range opts {
		o(&p)
	}
	l := &link{closed: make(chan struct{})}
	nc, err := r.eng.Dial(func(c *engine.Conn) engine.Handler {
		l.conn = c
		l.hub = h.Open(l, p)
		return l
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return &client{t: r.t, nc: nc, link: l, id: p.ID}
}

const shake = `{"protocol":"json","version":1}`

// connect opens a connection and does the handshake.
func (r *rig) connect(h *Hub, opts ...peerOption) *client {
	r.t.Helper()
	c := r.dial(h, opts...)
	c.send(shake)
	c.expect(`{}`)
	return c
}

// send sends records.
func (c *client) send(records ...string) {
	c.t.Helper()
	c.raw(strings.Join(records, "\x1e") + "\x1e")
}

func (c *client) raw(s string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(s)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// read returns the next record; ok false: the stream has ended, or nothing has come for an hour of the bubble's time.
func (c *client) read() (rec string, ok bool) {
	c.t.Helper()
	for {
		if i := bytes.IndexByte(c.got, 0x1e); i >= 0 {
			rec = string(c.got[:i])
			c.got = c.got[i+1:]
			return rec, true
		}
		_ = c.nc.SetReadDeadline(time.Now().Add(time.Hour))
		buf := make([]byte, 4096)
		n, err := c.nc.Read(buf)
		c.got = append(c.got, buf[:n]...)
		if err != nil && n == 0 {
			return fmt.Sprintf("end of stream (%v), %q is left", err, c.got), false
		}
	}
}

// expect wants exactly these records next, pings left out.
func (c *client) expect(records ...string) {
	c.t.Helper()
	for _, want := range records {
		got, ok := c.read()
		for ok && got == `{"type":6}` && want != got {
			got, ok = c.read()
		}
		if got != want {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// expectEnd wants the end of the stream, without a further record, for this reason.
func (c *client) expectEnd(want engine.CloseReason) {
	c.t.Helper()
	if got, ok := c.read(); ok {
		c.t.Fatalf("got %s, want the end", got)
	}
	_ = c.nc.Close()
	<-c.link.closed
	if c.link.end != want {
		c.t.Errorf("ended with %v, want %v", c.link.end, want)
	}
}

// leave drops the connection as a client does that just goes.
func (c *client) leave() {
	_ = c.nc.Close()
	<-c.link.closed
}

// silent wants nothing for some seconds, pings left out.
func (c *client) silent(d time.Duration) {
	c.t.Helper()
	end := time.Now().Add(d)
	for {
		if i := bytes.IndexByte(c.got, 0x1e); i >= 0 {
			if rec := string(c.got[:i]); rec != `{"type":6}` {
				c.t.Fatalf("got %s, want silence", rec)
			}
			c.got = c.got[i+1:]
			continue
		}
		_ = c.nc.SetReadDeadline(end)
		buf := make([]byte, 4096)
		n, err := c.nc.Read(buf)
		c.got = append(c.got, buf[:n]...)
		if n == 0 && err != nil {
			if !time.Now().Before(end) {
				return
			}
			c.t.Fatalf("the stream ended: %v", err)
		}
	}
}

// on runs f on the client's loop and waits for it.
func (c *client) on(f func(c *Conn)) {
	c.t.Helper()
	done := make(chan struct{})
	ok := c.link.conn.Loop().Post(engine.TaskFunc(func(*engine.Loop) {
		f(c.link.hub)
		close(done)
	}))
	if !ok {
		c.t.Fatal("the loop has stopped")
	}
	<-done
}

// call is the JSON of an invocation.
func call1(id, target string, args ...string) string {
	idPart := ""
	if id != "" {
		idPart = `"invocationId":"` + id + `",`
	}
	return fmt.Sprintf(`{"type":1,%s"target":"%s","arguments":[%s]}`, idPart, target, strings.Join(args, ","))
}

func result(id, value string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"%s","result":%s}`, id, value)
}

func failure(id, text string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"%s","error":"%s"}`, id, text)
}

func message(target string, args ...string) string {
	return fmt.Sprintf(`{"type":1,"target":"%s","arguments":[%s]}`, target, strings.Join(args, ","))
}

var inline = method.Options{Inline: true}

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
