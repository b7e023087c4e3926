package main

import (
	"fmt"

	"github.com/spokehub/spoke/engine"
)

// postersOf is how many connections each loop has for the POSTs of its clients. What one client sends goes out on one of them, in order.
const postersOf = 8

// postMax is how many bytes may wait on a poster until its clients count as failed.
const postMax = 64 << 20

// poster makes the POSTs of some of a shard's clients, one after the other on a connection that is kept alive. It implements engine.Handler. // loop
type poster struct {
	shard   *shard // constant
	conn    *engine.Conn
	dialing bool
	waiting bool // for the answer to the first of queue
	ending  bool // the connection ends when nothing is left
	queue   []posted
	bytes   int // of queue
	answers alike
}

// posted is a request.
type posted struct {
	client *client
	raw    []byte
}

func newPoster(s *shard) *poster { return &poster{shard: s} }

// poster is the client's.
func (c *client) poster() *poster { return c.shard.posters[int(c.number)%postersOf] }

// post sends hub records.
func (p *poster) post(c *client, records []byte) {
	if p.bytes > postMax {
		c.fail("post: the server does not read", fmt.Sprintf("%d MiB of POSTs wait to be taken", postMax>>20))
		return
	}
	p.add(c, append(c.request("POST", len(records)), records...))
}

// delete ends a polled connection.
func (p *poster) delete(c *client) { p.add(c, c.request("DELETE", -1)) }

func (p *poster) add(c *client, raw []byte) {
	p.queue = append(p.queue, posted{c, raw})
	p.bytes += len(raw)
	p.next()
}

// next makes the next request, if none is under way.
func (p *poster) next() {
	switch {
	case p.waiting || p.dialing:
	case len(p.queue) == 0:
		if p.ending && p.conn != nil {
			p.conn.Close(engine.ClientClosed, nil)
		}
	case p.conn == nil:
		p.dialing = true
		p.shard.worker.dialer.add(dialing{poster: p})
	default:
		p.waiting = true
		first := p.queue[0]
		p.shard.tally.BytesOut += int64(len(first.raw))
		p.conn.Write(first.raw)
		if s := first.client.silenceSeconds(); s > 0 {
			p.conn.SetDeadline(p.conn.Loop().Now() + s + 1)
		}
	}
}

// end lets the connection end once all has been said.
func (p *poster) end() {
	p.ending = true
	p.next()
}

// done takes the first request out.
func (p *poster) done() *client {
	first := p.queue[0]
	p.queue[0] = posted{}
	if p.queue = p.queue[1:]; len(p.queue) == 0 {
		p.queue = nil
	}
	p.bytes -= len(first.raw)
	p.waiting = false
	return first.client
}

// open gives the connection to the poster.
func (p *poster) open(conn *engine.Conn) engine.Handler {
	p.conn, p.dialing = conn, false
	p.next()
	return p
}

// dialFailed runs on a dialer's goroutine.
func (p *poster) dialFailed(err error) {
	p.shard.loop.Post(engine.TaskFunc(func(*engine.Loop) {
		p.dialing = false
		if len(p.queue) > 0 {
			p.done().fail(dialFault(err), err.Error())
		}
		p.next()
	}))
}

// OnData implements engine.Handler.
func (p *poster) OnData(conn *engine.Conn, b []byte) int {
	n := 0
	for n < len(b) {
		a, k, err := p.answers.parse(b[n:])
		switch {
		case err != nil:
			p.lost("post: not HTTP", err.Error())
			return len(b)
		case k == 0:
			return n
		case !p.waiting:
			conn.Close(engine.ClientClosed, nil) // an answer to nothing; it says nothing about any client
			return len(b)
		}
		n += k
		p.shard.tally.BytesIn += int64(k)
		if a.status < 200 {
			continue
		}
		conn.SetDeadline(0)
		c := p.done()
		if a.status != 200 && a.status != 202 {
			c.fail(fmt.Sprintf("post: HTTP %d", a.status), statusText(a))
		}
		if a.close {
			conn.Close(engine.ResponseEnd, nil)
			return len(b)
		}
		p.next()
	}
	return n
}

// lost ends a connection on which something is wrong, and the client whose request was under way.
func (p *poster) lost(kind, text string) {
	if p.waiting {
		p.done().fail(kind, text)
	}
	p.conn.Close(engine.ClientClosed, nil)
}

// OnEOF implements engine.Handler.
func (p *poster) OnEOF(conn *engine.Conn) {
	if p.waiting {
		p.lost("post: the server ended TCP", "the server ended TCP before it answered a POST")
		return
	}
	conn.Close(engine.PeerClosed, nil) // the server's idle timeout
}

// OnDrain implements engine.Handler.
func (p *poster) OnDrain(*engine.Conn) {}

// OnDeadline implements engine.Handler.
func (p *poster) OnDeadline(*engine.Conn, uint32) {
	p.lost("post: the server is silent", fmt.Sprintf("a POST had no answer within %v", p.shard.worker.opts.silence))
}

// OnClose implements engine.Handler.
func (p *poster) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	p.conn = nil
	if p.waiting {
		text := r.String()
		if err != nil {
			text = err.Error()
		}
		p.done().fail("post: "+r.String(), text)
	}
	p.next()
}
