package ws

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/spokehub/spoke/engine"
)

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

// TestSocketSize keeps the cost of an idle connection in sight.
func TestSocketSize(t *testing.T) {
	t.Parallel()
	const most = 48
	size := unsafe.Sizeof(Socket{})
	t.Logf("%d bytes per connection beside the engine's", size)
	if size > most {
		t.Errorf("Socket has %d bytes, at most %d are allowed", size, most)
	}
}

// TestEchoAllocs: messages in, messages out as shared frames and as copies, and pongs allocate nothing.
func TestEchoAllocs(t *testing.T) {
	recv := newReceiver(t)
	frame := engine.NewFrame(append(AppendHeader(nil, false, 6), "shared"...), 2)
	recv.payload = func(c *Conn, p []byte) {
		c.Write(!c.m.isText(), p)
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
