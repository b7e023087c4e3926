package ws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/spokehub/spoke/engine"
)

// closed is what OnClosed was told.
type closed struct {
	reason   engine.CloseReason
	graceful bool
	code     uint16
	err      error
}

// receiver is a Receiver made of functions, each of which may be nil. It checks what every Receiver may rely on.
type receiver struct {
	t        testing.TB
	payload  func(c *Conn, p []byte)
	deadline func(c *Conn, now uint32)
	drain    func(c *Conn)
	ended    chan closed // gets one value
	calls    int         // of OnClosed
	done     bool        // after Close or OnClosed
}

func newReceiver(t testing.TB) *receiver { return &receiver{t: t, ended: make(chan closed, 1)} }

// echo sends back every piece as a message of its own, of the kind it was part of.
func echo(t testing.TB) *receiver {
	r := newReceiver(t)
	r.payload = func(c *Conn, p []byte) { c.Write(!c.m.isText, p) }
	return r
}

func (r *receiver) OnPayload(c *Conn, p []byte) {
	if r.done || c.phase != phaseOpen {
		r.t.Error("OnPayload after Close or OnClosed")
	}
	if len(p) == 0 {
		r.t.Error("OnPayload with an empty piece")
	}
	if r.payload != nil {
		r.payload(c, p)
	}
}

func (r *receiver) OnDrain(c *Conn) {
	if r.drain != nil {
		r.drain(c)
	}
}

func (r *receiver) OnDeadline(c *Conn, now uint32) {
	if r.calls != 0 {
		r.t.Error("OnDeadline after OnClosed")
	}
	if r.deadline != nil {
		r.deadline(c, now)
	}
}

func (r *receiver) OnClosed(_ *Conn, reason engine.CloseReason, graceful bool, code uint16, err error) {
	if r.calls++; r.calls > 1 {
		r.t.Errorf("OnClosed was called %d times", r.calls)
		return
	}
	r.done = true
	r.ended <- closed{reason, graceful, code, err}
}

// peer is the client's end of a connection.
type peer struct {
	t    testing.TB
	nc   net.Conn
	conn *Conn // loop
	buf  []byte
}

// newEngine is one on the memory backend, stopped when the test ends.
func newEngine(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	cfg.Backend = "memory"
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("the engine did not stop: %v", err)
		}
	})
	return e
}

func connect(t testing.TB, e *engine.Engine, cfg *Config, recv Receiver) *peer {
	t.Helper()
	p := &peer{t: t}
	made := make(chan *Conn, 1)
	nc, err := e.Dial(func(ec *engine.Conn) engine.Handler {
		c := NewConn(ec, cfg, recv)
		made <- c
		return c
	})
	if err != nil {
		t.Fatal(err)
	}
	p.nc, p.conn = nc, <-made
	t.Cleanup(func() { _ = nc.Close() })
	return p
}

// loop runs f on the connection's loop and waits for it.
func (p *peer) loop(f func(c *Conn)) {
	p.t.Helper()
	done := make(chan struct{})
	if !p.conn.ec.Loop().Post(engine.TaskFunc(func(*engine.Loop) { f(p.conn); close(done) })) {
		p.t.Fatal("the loop has stopped")
	}
	<-done
}

func (p *peer) send(pieces ...string) {
	p.t.Helper()
	for _, s := range pieces {
		if _, err := io.WriteString(p.nc, s); err != nil {
			p.t.Fatalf("write: %v", err)
		}
	}
}

// next is the next frame in words; "eof" or "reset" at the end.
func (p *peer) next() string {
	p.t.Helper()
	for {
		if h, payload, rest, ok := readServer(p.buf); ok {
			if h.Masked || h.Rsv != 0 || !h.Fin {
				p.t.Errorf("the server sent a frame with header %+v", h)
			}
			s := describe(byte(h.OpCode), payload)
			p.buf = rest
			return s
		}
		chunk := make([]byte, 4096)
		n, err := p.nc.Read(chunk)
		p.buf = append(p.buf, chunk[:n]...)
		switch {
		case n > 0:
		case errors.Is(err, io.EOF):
			if len(p.buf) > 0 {
				p.t.Errorf("the stream ends inside a frame: %x", p.buf)
			}
			return "eof"
		case err != nil:
			return "reset"
		}
	}
}

func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.next(); got != w {
			p.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// silent checks that nothing comes for a millisecond, which in a synctest bubble is until everything else waits. Only there.
func (p *peer) silent() {
	p.t.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(time.Millisecond)) // a deadline in the past would fail even if something were there
	defer func() { _ = p.nc.SetReadDeadline(time.Time{}) }()
	chunk := make([]byte, 4096)
	n, err := p.nc.Read(chunk)
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || len(p.buf) != 0 {
		p.t.Errorf("got %x, %v, want silence", append(p.buf, chunk[:n]...), err)
	}
}

// TestCasesConn runs the RFC 6455 table through a whole connection. Its echo server answers piece by piece, since a receiver does not
// see where messages end; so the payload is compared as a stream, control frames one by one.
func TestCasesConn(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engine.Config{})
	for _, c := range rfcCases() {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			whole := strings.Join(c.send, "")
			runs := [][]string{c.send, {whole}}
			if len(whole) < 2000 {
				runs = append(runs, chop(1, whole))
			}
			for _, pieces := range runs {
				runCase(t, e, c, pieces)
			}
		})
	}
}

func runCase(t *testing.T, e *engine.Engine, c rfcCase, pieces []string) {
	t.Helper()
	want := traceOf(pieces...)
	recv := echo(t)
	p := connect(t, e, nil, recv)
	var sent sync.WaitGroup
	sent.Go(func() {
		for _, s := range pieces {
			if _, err := io.WriteString(p.nc, s); err != nil {
				return // the server has ended the connection
			}
		}
	})
	var stream []byte
	var controls []string
	for {
		got := p.next()
		if got == "eof" {
			break
		}
		switch kind, payload, _ := strings.Cut(got, " "); kind {
		case "text", "binary":
			stream = append(stream, payload...)
		case "reset":
			t.Fatalf("%s: reset after%s", c.about, shorten(controls))
		default:
			controls = append(controls, got)
		}
	}
	_ = p.nc.Close()
	sent.Wait()
	wantControls := slices.DeleteFunc(slices.Clone(c.want), func(s string) bool {
		return strings.HasPrefix(s, "text ") || strings.HasPrefix(s, "binary ")
	})
	if !slices.Equal(controls, wantControls) {
		t.Errorf("%s: control frames%s, want%s", c.about, shorten(controls), shorten(wantControls))
	}
	if !bytes.Equal(stream, want.stream) {
		t.Errorf("%s: %d bytes of payload came back, want %d: %q", c.about, len(stream), len(want.stream), shorten([]string{string(stream), string(want.stream)}))
	}
	end := <-recv.ended
	if want.fault != faultNone {
		if end.reason != engine.WebSocketProtocol || end.graceful || end.code != 1006 || end.err != want.fault {
			t.Errorf("%s: closed with %+v, want reason %v and %v", c.about, end, engine.WebSocketProtocol, want.fault)
		}
	} else if end.reason != engine.ClientClosed || !end.graceful || end.err != nil {
		t.Errorf("%s: closed with %+v, want a graceful end by the client", c.about, end)
	}
}

// TestPeerCloses: whatever the code, the answer is 1000, and the receiver is told at once, without waiting for the end of TCP.
func TestPeerCloses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, send string
		code       uint16
	}{
		{"no code", clientFrame(8, true, 0, ""), 1005},
		{"1000", closing(1000, "bye"), 1000},
		{"1001", closing(1001, ""), 1001},
		{"4999", closing(4999, ""), 4999},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			recv := newReceiver(t)
			p := connect(t, newEngine(t, engine.Config{}), nil, recv)
			p.send(c.send + text("not read"))
			if got, want := <-recv.ended, (closed{engine.ClientClosed, true, c.code, nil}); got != want {
				t.Errorf("closed with %+v, want %+v", got, want)
			}
			p.loop(func(c *Conn) { // all of this comes too late
				c.Write(false, []byte("late"))
				c.Close(1001, engine.Aborted, nil)
				c.SetDeadline(1)
				c.PauseRead()
			})
			p.expect("close 1000", "eof")
		})
	}
}

// TestClose: our close frame goes behind what was written, what comes then is thrown away, and the peer's close frame ends it.
func TestClose(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	for _, c := range []struct {
		name  string
		code  uint16
		frame string
		send  string
		want  closed
	}{
		{"answered", 1000, "close 1000", text("late") + ping("late") + closing(1000, ""), closed{engine.Aborted, true, 1000, why}},
		{"answered without a code", 1001, "close 1001", clientFrame(8, true, 0, ""), closed{engine.Aborted, true, 1005, why}},
		{"without a code", 1005, "close", closing(1000, ""), closed{engine.Aborted, true, 1000, why}},
		{"answered with a fault", 1000, "close 1000", clientFrame(3, true, 0, ""), closed{engine.Aborted, false, 1006, why}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			recv := newReceiver(t)
			p := connect(t, newEngine(t, engine.Config{}), nil, recv)
			frame := engine.NewFrame(append(AppendHeader(nil, true, 6), "shared"...), 2)
			p.loop(func(conn *Conn) {
				conn.Write(false, []byte("before"))
				conn.Send(frame)
				recv.done = true
				conn.Close(c.code, engine.Aborted, why)
				conn.Close(1002, engine.InternalError, nil)
				conn.Write(false, []byte("after"))
				conn.Send(frame)
			})
			p.expect("text before", "binary shared", c.frame)
			p.send(c.send)
			p.expect("eof")
			if got := <-recv.ended; got != c.want {
				t.Errorf("closed with %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestCloseInternal: after an internal error TCP ends at once (wire contract, section 4); so it does for a code nobody may send.
func TestCloseInternal(t *testing.T) {
	t.Parallel()
	for _, code := range []uint16{1011, 1006, 0, 999, 5000} {
		recv := newReceiver(t)
		p := connect(t, newEngine(t, engine.Config{}), nil, recv)
		why := errors.New("why")
		p.loop(func(c *Conn) {
			c.Write(false, []byte("before"))
			c.Close(code, engine.InternalError, why)
		})
		p.expect("text before", "close 1011", "eof")
		_ = p.nc.Close()
		if got, want := <-recv.ended, (closed{engine.InternalError, false, 1006, why}); got != want {
			t.Errorf("code %d: closed with %+v, want %+v", code, got, want)
		}
	}
}

// TestCloseWithin: what stands behind in the same bytes is not shown after a Close within OnPayload, but a close frame is seen.
func TestCloseWithin(t *testing.T) {
	t.Parallel()
	recv := newReceiver(t)
	recv.payload = func(c *Conn, p []byte) {
		if string(p) != "one" {
			t.Errorf("got %q", p)
		}
		recv.done = true
		c.PauseRead()
		c.Close(1000, engine.Aborted, nil)
		c.PauseRead() // must not stop the close frame from being seen
	}
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	p.send(text("one") + text("two") + ping("") + closing(3000, ""))
	p.expect("close 1000", "eof")
	if got, want := <-recv.ended, (closed{engine.Aborted, true, 3000, nil}); got != want {
		t.Errorf("closed with %+v, want %+v", got, want)
	}
}

// TestCloseWhilePaused: Close ends a pause, since the answer may stand behind what nobody has read.
func TestCloseWhilePaused(t *testing.T) {
	t.Parallel()
	recv := newReceiver(t)
	got := make(chan string, 1)
	recv.payload = func(c *Conn, p []byte) {
		c.PauseRead()
		got <- string(p)
	}
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	p.send(text("one") + text("two") + closing(1000, ""))
	if s := <-got; s != "one" {
		t.Errorf("got %q", s)
	}
	p.loop(func(c *Conn) {
		recv.done = true
		c.Close(1000, engine.Aborted, nil)
	})
	p.expect("close 1000", "eof")
	if got, want := <-recv.ended, (closed{engine.Aborted, true, 1000, nil}); got != want {
		t.Errorf("closed with %+v, want %+v", got, want)
	}
}

// TestEOF: TCP that ends without a close frame is no graceful end.
func TestEOF(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, send string }{
		{"at once", ""},
		{"between frames", text("x")},
		{"inside a header", "\x81"},
		{"inside a payload", text("hello")[:8]},
		{"inside a close frame", closing(1000, "")[:7]},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			recv := newReceiver(t)
			p := connect(t, newEngine(t, engine.Config{}), nil, recv)
			p.send(c.send)
			_ = p.nc.Close()
			if got, want := <-recv.ended, (closed{engine.PeerClosed, false, 1006, nil}); got != want {
				t.Errorf("closed with %+v, want %+v", got, want)
			}
		})
	}
}

// TestEOFAfterClose: TCP that ends instead of an answer to our close frame is no graceful end, and the reason is ours.
func TestEOFAfterClose(t *testing.T) {
	t.Parallel()
	recv := newReceiver(t)
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	why := errors.New("why")
	p.loop(func(c *Conn) {
		recv.done = true
		c.Close(1000, engine.Aborted, why)
	})
	p.expect("close 1000")
	_ = p.nc.Close()
	if got, want := <-recv.ended, (closed{engine.Aborted, false, 1006, why}); got != want {
		t.Errorf("closed with %+v, want %+v", got, want)
	}
}

// TestDrain: the engine's OnDrain is passed on while the WebSocket is open.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		t.Run(fmt.Sprintf("open %v", open), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				drained := 0
				recv := newReceiver(t)
				recv.drain = func(*Conn) { drained++ }
				sink, s := steps(t, engine.Config{Outbound: 1000}, recv, "")
				sink.Stall(true)
				s.on(func(c *Conn) {
					for range 3 { // the first one counts as the frame being written
						c.Send(engine.NewFrame(append(AppendHeader(nil, true, 1000), make([]byte, 1000)...), 4))
					}
				})
				synctest.Wait()
				s.on(func(c *Conn) {
					if c.Write(true, nil); !open { // and over the cap
						recv.done = true
						c.Close(1000, engine.Aborted, nil)
					}
				})
				synctest.Wait()
				sink.Stall(false)
				synctest.Wait()
				s.on(func(*Conn) {
					if want := map[bool]int{true: 1}[open]; drained != want {
						t.Errorf("OnDrain was called %d times, want %d", drained, want)
					}
				})
			})
		})
	}
}

// TestPause: a pause within OnPayload holds from the next piece on, for control frames too, and nothing is lost or reordered.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		recv := newReceiver(t)
		recv.payload = func(c *Conn, p []byte) {
			got = append(got, string(p))
			c.PauseRead()
		}
		p := connect(t, newEngine(t, engine.Config{}), nil, recv)
		p.send(text("one") + ping("p") + text("two"))
		p.silent()
		p.loop(func(*Conn) {
			if want := []string{"one"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
		p.send(text("three"))
		p.loop((*Conn).ResumeRead)
		p.expect("pong p")
		p.silent()
		p.loop(func(c *Conn) {
			if want := []string{"one", "two"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			c.ResumeRead()
			c.ResumeRead()
		})
		synctest.Wait()
		p.loop(func(c *Conn) {
			if want := []string{"one", "two", "three"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			c.ResumeRead()
		})
		p.send(closing(1000, ""))
		p.expect("close 1000", "eof")
	})
}

// TestPauseAndResumeWithin: a pause that is over before OnPayload returns changes nothing.
func TestPauseAndResumeWithin(t *testing.T) {
	t.Parallel()
	recv := echo(t)
	inner := recv.payload
	recv.payload = func(c *Conn, p []byte) {
		c.PauseRead()
		inner(c, p)
		c.ResumeRead()
	}
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	p.send(text("one") + first("tw") + last("o") + closing(1000, ""))
	p.expect("text one", "text tw", "text o", "close 1000", "eof")
}

// TestPauseBeforeFault: a fault inside a piece ends the connection even if the receiver has paused at what stood before it.
func TestPauseBeforeFault(t *testing.T) {
	t.Parallel()
	recv := newReceiver(t)
	recv.payload = func(c *Conn, _ []byte) { c.PauseRead() }
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	p.send(text("good\xff"))
	p.expect("close 1007", "eof")
	if got, want := <-recv.ended, (closed{engine.WebSocketProtocol, false, 1006, faultText}); got != want {
		t.Errorf("closed with %+v, want %+v", got, want)
	}
}

// TestAfterTheEnd: what a late caller does to a Conn that has ended must not reach the connection that has its place by then.
func TestAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, engine.Config{})
		dial := func(recv Receiver) (*engine.Sink, *Conn) {
			made := make(chan *Conn, 1)
			sink, err := e.DialSink(func(ec *engine.Conn) engine.Handler {
				c := NewConn(ec, &Config{KeepAlive: -1}, recv)
				made <- c
				return c
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(sink.CloseWrite)
			return sink, <-made
		}
		oldRecv := newReceiver(t)
		sink, old := dial(oldRecv)
		on := (&step{conn: old, ran: make(chan struct{})}).on
		on((*Conn).PauseRead)
		sink.Reset()
		<-oldRecv.ended
		recv := newReceiver(t)
		recv.payload = func(_ *Conn, p []byte) { t.Errorf("%q came in spite of the pause", p) }
		deadlines := 0
		recv.deadline = func(*Conn, uint32) { deadlines++ }
		fresh := old
		for range 2000 { // until the place is taken again
			if sink, fresh = dial(recv); fresh.ec == old.ec {
				break
			}
		}
		if fresh.ec != old.ec {
			t.Fatal("no connection got the place of the old one")
		}
		on = (&step{conn: fresh, ran: make(chan struct{})}).on
		on(func(c *Conn) {
			c.PauseRead()
			c.SetDeadline(c.ec.Loop().Now() + 5)
			old.ResumeRead()
			old.SetDeadline(0)
			old.Write(false, []byte("late"))
			old.Send(engine.NewFrame([]byte("late"), 0))
			old.Close(1000, engine.Aborted, nil)
		})
		sink.Feed([]byte(text("x")))
		time.Sleep(10 * time.Second)
		on(func(c *Conn) {
			if n := sink.Bytes(); n != 0 || c.ec.Closed() {
				t.Errorf("%d bytes were sent, closed %v", n, c.ec.Closed())
			}
			if n := e.Stats().BytesIn; n != 0 {
				t.Errorf("%d bytes were read in spite of the pause", n)
			}
			if deadlines != 1 {
				t.Errorf("the deadline came %d times, want once", deadlines)
			}
			recv.payload = nil
			c.ResumeRead()
		})
	})
}

// TestWriteLengths: the three forms of a length, and an empty message.
func TestWriteLengths(t *testing.T) {
	t.Parallel()
	p := connect(t, newEngine(t, engine.Config{}), nil, newReceiver(t))
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		payload := strings.Repeat("x", n)
		p.loop(func(c *Conn) {
			c.Write(false, []byte(payload))
			c.Write(true, []byte(payload))
		})
		p.expect("text "+payload, "binary "+payload)
	}
}

// TestConnSize keeps the cost of an idle connection in sight.
func TestConnSize(t *testing.T) {
	t.Parallel()
	const most = 96
	size := unsafe.Sizeof(Conn{})
	t.Logf("%d bytes per connection beside the engine's", size)
	if size > most {
		t.Errorf("Conn has %d bytes, at most %d are allowed", size, most)
	}
}

// step is a task that shows a connection the bytes of a client and waits until it has run.
type step struct {
	conn     *Conn
	in, copy []byte
	ran      chan struct{}
}

func (s *step) Run(*engine.Loop) {
	copy(s.copy, s.in) // OnData unmasks in place
	if n := s.conn.OnData(s.conn.ec, s.copy); n != len(s.in) {
		panic("not everything was consumed")
	}
	s.ran <- struct{}{}
}

// steps is a connection whose far end takes what is sent and keeps nothing, for counting and timing what this side does.
func steps(t testing.TB, cfg engine.Config, recv Receiver, in string) (*engine.Sink, *step) {
	t.Helper()
	made := make(chan *Conn, 1)
	sink, err := newEngine(t, cfg).DialSink(func(ec *engine.Conn) engine.Handler {
		c := NewConn(ec, nil, recv)
		made <- c
		return c
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.CloseWrite)
	return sink, &step{conn: <-made, in: []byte(in), copy: make([]byte, len(in)), ran: make(chan struct{})}
}

// on runs f on the loop and waits for it.
func (s *step) on(f func(c *Conn)) {
	s.conn.ec.Loop().Post(engine.TaskFunc(func(*engine.Loop) {
		f(s.conn)
		s.ran <- struct{}{}
	}))
	<-s.ran
}

func (s *step) run() {
	s.conn.ec.Loop().Post(s)
	<-s.ran
}

// TestEchoAllocs: messages in, messages out as shared frames and as copies, and pongs allocate nothing.
func TestEchoAllocs(t *testing.T) {
	recv := newReceiver(t)
	frame := engine.NewFrame(append(AppendHeader(nil, false, 6), "shared"...), 2)
	recv.payload = func(c *Conn, p []byte) {
		c.Write(!c.m.isText, p)
		c.Send(frame)
	}
	_, s := steps(t, engine.Config{}, recv, text("Hello, wörld")+ping("p")+first("a\xc3")+pongF("")+last("\xa9")+binaryF(strings.Repeat("b", 300)))
	if n := testing.AllocsPerRun(200, s.run); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// BenchmarkEcho is a text message there and back, without a network: posting a task, the frame in, the frame out, the flush.
func BenchmarkEcho(b *testing.B) {
	_, s := steps(b, engine.Config{}, echo(b), text(strings.Repeat("a", 32)))
	b.ReportAllocs()
	for b.Loop() {
		s.run()
	}
}
