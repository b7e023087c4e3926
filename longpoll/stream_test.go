package longpoll

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// streaming is a stream with its client.
type streaming struct {
	*rig
	*receiver
	s     *Stream
	nc    *engine.MemoryConn
	plain bool
}

func streamBubble(t *testing.T, plain bool, cfg engine.Config, f func(p *streaming)) {
	t.Helper()
	bubbleWith(t, cfg, func(r *rig) {
		p := &streaming{rig: r, receiver: &receiver{log: log{t: t}}, s: new(Stream), plain: plain}
		nc, err := r.e.Dial(func(ec *engine.Conn) engine.Handler {
			p.s.Begin(ec, p.receiver, plain)
			ec.Write(StreamHead(nil, "Mon, 02 Jan 2006 15:04:05 GMT", plain))
			return p.s
		})
		if err != nil {
			t.Fatal(err)
		}
		p.nc = nc.(*engine.MemoryConn)
		synctest.Wait()
		f(p)
		nc.Close()
		synctest.Wait()
		if p.receiver.closed != 1 {
			t.Errorf("OnClosed was called %d times", p.receiver.closed)
		}
	})
}

// rest reads the answer to its end.
func (p *streaming) rest() (body string, err error) {
	p.receiver.t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(p.nc), nil)
	if err != nil {
		p.receiver.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestStream(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*maxOwnEvent)
	for _, plain := range []bool{false, true} {
		streamBubble(t, plain, engine.Config{}, func(p *streaming) {
			shared := engine.NewFrame(AppendChunk(nil, []byte("shared\x1e")), 0)
			if plain {
				shared = frame("shared\x1e")
			}
			own := []byte("own\x1e")
			p.do(func() {
				p.s.Send(shared)
				p.s.Write(own)
				clear(own)
				p.s.Write([]byte(long))
				p.s.Write([]byte("a\nb"))
				p.s.SetDeadline(p.s.Loop().Now() + 2)
			})
			time.Sleep(4 * time.Second)
			p.want("deadline")
			p.do(func() {
				p.s.SetDeadline(p.s.Loop().Now() + 1)
				p.s.End(engine.ClientClosed, nil)
				p.s.End(engine.Shutdown, nil)
			})
			p.want("closed client-closed")
			body, err := p.rest()
			if want := Hello + "data: shared\x1e\r\n\r\ndata: own\x1e\r\n\r\ndata: " + long + "\r\n\r\ndata: a\r\ndata: b\r\n\r\n"; body != want || err != nil {
				t.Errorf("plain %v: %.300q, %v", plain, body, err)
			}
			time.Sleep(4 * time.Second)
			p.want() // nothing comes after the end
		})
	}
}

// TestStreamEnds: however it ends, the hub is told once; and only an end that the hub wants is a proper end for the client.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		act  func(p *streaming)
		want string
	}{
		{"the client's end", func(p *streaming) { p.nc.CloseWrite() }, "closed peer-closed"},
		{"the client is gone", func(p *streaming) { p.nc.Close() }, "closed peer-reset: connection reset by peer"},
		{"failed", func(p *streaming) { p.do(func() { p.s.Fail(errors.New("broken")); p.s.Fail(nil) }) }, "closed internal-error: broken"},
		{"failed, then ended", func(p *streaming) { p.do(func() { p.s.Fail(nil); p.s.End(engine.Shutdown, nil) }) }, "closed internal-error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			streamBubble(t, false, engine.Config{}, func(p *streaming) {
				p.nc.Write([]byte("GET /more HTTP/1.1\r\n\r\n")) // nobody could ever be answered
				synctest.Wait()
				p.want()
				tt.act(p)
				p.want(tt.want)
				if tt.name != "the client is gone" {
					if body, err := p.rest(); !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("the answer ends with %q, %v: want it broken off", body, err)
					}
				}
			})
		})
	}
}

// TestStreamPosts: the connection's POSTs end with it.
func TestStreamPosts(t *testing.T) {
	t.Parallel()
	streamBubble(t, false, engine.Config{}, func(p *streaming) {
		taken := func(ok bool) { p.add("taken %v", ok) }
		p.do(func() {
			p.s.Offer(new(Post), []byte("a"), true, taken)
			p.s.PauseRead()
			p.s.Offer(new(Post), []byte("b"), true, taken)
		})
		p.nc.Close()
		p.want("payload a", "taken true", "taken false", "closed peer-reset: connection reset by peer")
		p.do(func() { p.s.Offer(new(Post), []byte("c"), true, taken) })
		p.want("taken false")
	})
}

// TestStreamDrain: a client that does not read leaves no room; the hub is told once there is.
func TestStreamDrain(t *testing.T) {
	t.Parallel()
	streamBubble(t, false, engine.Config{Outbound: 4 << 10}, func(p *streaming) {
		piece := bytes.Repeat([]byte("x"), 64<<10)
		n := 0
		p.do(func() {
			for p.s.Room() && n < 1000 {
				p.s.Write(piece)
				n++
			}
		})
		if n == 1000 {
			t.Fatal("there is room without end")
		}
		p.want()
		res, err := http.ReadResponse(bufio.NewReader(p.nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, res.Body, int64(n*len(piece))); err != nil {
			t.Fatal(err)
		}
		p.want("drain")
		p.do(func() {
			if !p.s.Room() {
				t.Error("no room after the drain")
			}
		})
		p.lines = nil
	})
}

// TestStreamAllocs: a short event of its own costs no allocation.
func TestStreamAllocs(t *testing.T) {
	streamBubble(t, false, engine.Config{}, func(p *streaming) {
		go io.Copy(io.Discard, p.nc)
		own := []byte("own\x1e")
		var n float64
		p.do(func() {
			p.s.Write(own)
			n = testing.AllocsPerRun(100, func() { p.s.Write(own) })
		})
		if n != 0 {
			t.Errorf("%v allocations for an event of its own", n)
		}
	})
}
