package http1

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// pieces answers with what came, read in pieces; each is asked for by hand.
type pieces struct {
	x    *Exchange
	got  strings.Builder
	most int
	n    int
	ends []string
}

func (p *pieces) serve(x *Exchange) {
	p.x = x
	x.ReadPieces(func(b []byte, last, ok bool) {
		p.got.Write(b)
		p.most = max(p.most, len(b))
		p.n++
		switch {
		case !ok:
			p.ends = append(p.ends, "broken")
		case last:
			p.ends = append(p.ends, "whole")
			x.Reply(200, nil, fmt.Appendf(nil, "%d bytes", p.got.Len()))
		}
	})
}

// TestPieces: a body of any length comes in pieces, in order, and none before it is asked for; then the connection goes on.
func TestPieces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 40<<10) // 640 KiB
	for name, raw := range map[string]string{
		"empty":          post(""),
		"short":          post("hello"),
		"long":           post(long),
		"chunked":        chunked("5\r\nhello\r\n0\r\n\r\n"),
		"chunked, long":  chunked(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(long), long)),
		"exactly 64 KiB": post(long[:64<<10]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := new(pieces)
			bubble(t, Config{Serve: p.serve}, func(t *testing.T, s *server) {
				c := s.dial()
				go func() { c.send(raw + head("POST /next HTTP/1.1", "Host: a", "Content-Length: 0")) }()
				synctest.Wait()
				for i := 0; len(p.ends) == 0 && i < 100; i++ {
					n := p.n
					synctest.Wait()
					if p.n != n {
						t.Fatal("a piece came that nobody had asked for")
					}
					s.onLoop(p.x.More)
					synctest.Wait()
				}
				want := 0
				if strings.Contains(raw, "hello") {
					want = 5
				} else if i := strings.Index(raw, long[:64<<10]); i >= 0 {
					want = len(raw) - i
					if strings.Contains(raw, "chunked") {
						want = len(long)
					}
				}
				c.want(200, fmt.Sprintf("%d bytes", want))
				if p.most > 2*maxPiece {
					t.Errorf("a piece has %d bytes", p.most)
				}
				c.want(200, fmt.Sprintf("%d bytes", want)) // the next request brings nothing
				c.close()
				s.closed(engine.PeerClosed)
				s.quiet()
			})
		})
	}
}

// TestPiecesBroken: what goes wrong is told once, whatever the moment.
func TestPiecesBroken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tail   string
		what   func(t *testing.T, s *server, c *client, p *pieces)
		reason engine.CloseReason
	}{
		"client leaves in a piece": {"abc", func(t *testing.T, _ *server, c *client, _ *pieces) { c.close() }, engine.PeerClosed},
		"client leaves between pieces": {strings.Repeat("x", maxPiece+1), func(t *testing.T, s *server, c *client, p *pieces) {
			c.close()
			synctest.Wait()
			s.onLoop(p.x.More)
		}, engine.PeerClosed},
		"too slow": {"abc", func(t *testing.T, _ *server, c *client, _ *pieces) {
			time.Sleep(40 * time.Second)
			c.want(408, "")
		}, engine.BodyTimeout},
		"answered early": {"abc", func(t *testing.T, s *server, c *client, p *pieces) {
			s.onLoop(func() { p.x.Reply(404, nil, nil) })
			c.want(404, "")
			c.close()
		}, engine.ResponseEnd},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := new(pieces)
			bubble(t, Config{Serve: p.serve}, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(head("POST / HTTP/1.1", "Host: a", "Content-Length: 1000000") + tt.tail)
				synctest.Wait()
				tt.what(t, s, c, p)
				synctest.Wait()
				if len(p.ends) != 1 || p.ends[0] != "broken" {
					t.Errorf("told %q, want broken once", p.ends)
				}
				s.closed(tt.reason)
			})
		})
	}
}

// TestReplyFrames: a body of shared frames.
func TestReplyFrames(t *testing.T) {
	t.Parallel()
	frames := []*engine.Frame{engine.NewFrame([]byte("shared "), 0), engine.NewFrame([]byte("frames"), 0)}
	serve := func(x *Exchange) { x.ReplyFrames(200, nil, frames) }
	bubble(t, Config{Serve: serve}, func(t *testing.T, s *server) {
		c := s.dial()
		for range 2 {
			c.send(head("GET / HTTP/1.1", "Host: a"))
			if r := c.want(200, "shared frames"); r.ContentLength != 13 {
				t.Errorf("Content-Length is %d", r.ContentLength)
			}
		}
		c.send(head("HEAD / HTTP/1.1", "Host: a"))
		if r := c.answer("HEAD"); r.ContentLength != 13 || r.body != "" {
			t.Errorf("HEAD: %d bytes said, body %q", r.ContentLength, r.body)
		}
		c.close()
	})
}
