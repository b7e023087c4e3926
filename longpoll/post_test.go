package longpoll

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spokehub/spoke/engine"
)

// posts is a connection whose POSTs are tried, and what is said of them.
type posts struct {
	*rig
	*receiver
	c     *conn
	named map[int]*Post
}

func postBubble(t *testing.T, f func(p *posts)) {
	t.Helper()
	bubble(t, func(r *rig) {
		v := &receiver{log: log{t: t}}
		p := &posts{rig: r, receiver: v, c: newConn(r, v)}
		v.paused = func() bool { return p.c.paused }
		r.do(func() { r.clock.add(p.c) })
		f(p)
		r.do(func() { p.c.end(engine.Shutdown, nil) })
	})
}

// offer brings a piece; what comes of it is in the log under the piece's name.
func (p *posts) offer(post *Post, piece string, last bool) {
	if !p.c.Offer(post, []byte(piece), last, func(ok bool) { p.add("%s %v", piece, ok) }) {
		p.add("%s refused", piece)
	}
}

// post is the i-th POST.
func (p *posts) post(i int) *Post {
	if p.named[i] == nil {
		if p.named == nil {
			p.named = make(map[int]*Post)
		}
		p.named[i] = new(Post)
	}
	return p.named[i]
}

func TestPost(t *testing.T) {
	t.Parallel()
	type step func(p *posts)
	offer := func(i int, piece string, last bool) step {
		return func(p *posts) { p.offer(p.post(i), piece, last) }
	}
	withdraw := func(i int) step { return func(p *posts) { p.c.Withdraw(p.post(i)) } }
	pause := func(p *posts) { p.c.PauseRead() }
	resume := func(p *posts) { p.c.ResumeRead() }
	end := func(p *posts) { p.c.end(engine.PeerClosed, nil) }
	for _, tt := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"one piece", []step{offer(0, "a", true)}, "payload a, a true"},
		{"an empty body is fine", []step{offer(0, "", true)}, " true"},
		{"several pieces", []step{offer(0, "a", false), offer(0, "b", false), offer(0, "c", true)}, "payload a, a true, payload b, b true, payload c, c true"},
		{"they take turns", []step{offer(0, "a", false), offer(1, "x", true), offer(2, "y", true), offer(0, "b", true)},
			"payload a, a true, payload b, b true, payload x, x true, payload y, y true"},
		{"paused, the answer waits, resumed it comes", []step{pause, offer(0, "a", true), resume}, "payload a, a true"},
		{"paused twice, resumed once", []step{pause, pause, offer(0, "a", true), offer(1, "b", true), resume}, "payload a, a true, payload b, b true"},
		{"resumed without a pause", []step{resume, offer(0, "a", true), resume}, "payload a, a true"},
		{"withdrawn before its turn", []step{offer(0, "a", false), offer(1, "x", false), withdraw(1), offer(0, "b", true)}, "payload a, a true, payload b, b true"},
		{"withdrawn between its pieces: the next has its turn", []step{offer(0, "a", false), offer(1, "x", true), withdraw(0)}, "payload a, a true, payload x, x true"},
		{"withdrawn while its piece waits", []step{pause, offer(0, "a", false), withdraw(0), resume, offer(1, "x", true)}, "payload x, x true"},
		{"withdrawn twice, or never offered", []step{withdraw(3), offer(0, "a", false), withdraw(0), withdraw(0), offer(1, "x", true)}, "payload a, a true, payload x, x true"},
		{"withdrawn after its last piece: too late", []step{offer(0, "a", true), withdraw(0), offer(1, "x", true)}, "payload a, a true, payload x, x true"},
		{"the end, with some waiting", []step{pause, offer(0, "a", true), offer(1, "x", false), end}, "a false, x false, closed peer-closed"},
		{"the end, between pieces", []step{offer(0, "a", false), end, offer(0, "b", true)}, "payload a, a true, closed peer-closed, b false"},
		{"after the end", []step{end, offer(0, "a", true), withdraw(0), pause, resume, end}, "closed peer-closed, a false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			postBubble(t, func(p *posts) {
				for _, s := range tt.steps {
					p.do(func() { s(p) })
				}
				p.want(strings.Split(tt.want, ", ")...)
				if !strings.Contains(tt.want, "closed") {
					p.do(func() { end(p) })
					p.want("closed peer-closed")
				}
			})
		})
	}
}

// TestPostPausedWithin: the hub pauses when it is over its input, so the answer to a piece waits until it goes on, whatever happens then.
func TestPostPausedWithin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		then func(p *posts)
		want string
	}{
		{"resumed", func(p *posts) { p.c.ResumeRead() }, "a true, payload b, b true"},
		{"ended: those bytes are with the hub, others are not", func(p *posts) { p.c.end(engine.Shutdown, nil) }, "a true, b false, closed shutdown"},
		{"withdrawn, then resumed", func(p *posts) { p.c.Withdraw(p.post(0)); p.c.ResumeRead() }, "a true, payload b, b true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			postBubble(t, func(p *posts) {
				p.payload = func([]byte) {
					p.payload = nil
					p.c.PauseRead()
				}
				p.do(func() { p.offer(p.post(0), "a", true) })
				p.do(func() { p.offer(p.post(1), "b", true) })
				p.want("payload a")
				p.do(func() { tt.then(p) })
				p.want(strings.Split(tt.want, ", ")...)
				p.do(func() { p.c.end(engine.Shutdown, nil) })
				p.lines = nil
			})
		})
	}
}

// TestPostFromWithin: what OnPayload and the answers call back with, at the worst of times.
func TestPostFromWithin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		payload func(p *posts)
		taken   func(p *posts, ok bool)
		want    string
	}{
		{"the end, from OnPayload", func(p *posts) { p.c.end(engine.ProtocolError, nil) }, nil, "payload a, a true, closed protocol-error"},
		{"pause and resume, from OnPayload", func(p *posts) { p.c.PauseRead(); p.c.ResumeRead() }, nil, "payload a, a true"},
		{"withdrawn from OnPayload", func(p *posts) { p.c.Withdraw(p.post(0)) }, nil, "payload a, a true"},
		{"the next piece comes with the answer", nil, func(p *posts, ok bool) { p.offer(p.post(0), "b", true) }, "payload a, a true, payload b, b true"},
		{"the client breaks off with the answer", nil, func(p *posts, ok bool) { p.c.Withdraw(p.post(0)) }, "payload a, a true"},
		{"... and the connection ends", nil, func(p *posts, ok bool) { p.c.Withdraw(p.post(0)); p.c.end(engine.PeerClosed, nil) }, "payload a, a true, closed peer-closed"},
		{"the end while it is held, and the client breaks off with the answer to that",
			func(p *posts) { p.c.PauseRead(); p.c.end(engine.PeerClosed, nil) },
			func(p *posts, ok bool) { p.c.Withdraw(p.post(0)) }, "payload a, a true, closed peer-closed"},
		{"the end while it is held, and the next piece comes with the answer to that",
			func(p *posts) { p.c.PauseRead(); p.c.end(engine.PeerClosed, nil) },
			func(p *posts, ok bool) { p.offer(p.post(0), "b", true) }, "payload a, a true, b false, closed peer-closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			postBubble(t, func(p *posts) {
				if tt.payload != nil {
					p.payload = func([]byte) {
						p.payload = nil
						tt.payload(p)
					}
				}
				p.do(func() {
					p.c.Offer(p.post(0), []byte("a"), false, func(ok bool) {
						p.add("a %v", ok)
						if tt.taken != nil {
							tt.taken(p, ok)
						}
					})
				})
				p.want(strings.Split(tt.want, ", ")...)
				p.do(func() { p.c.end(engine.Shutdown, nil) })
				p.lines = nil
			})
		})
	}
}

// TestPostsAreBounded: the 65th POST that would wait is refused, and the others lose nothing by it.
func TestPostsAreBounded(t *testing.T) {
	t.Parallel()
	postBubble(t, func(p *posts) {
		var want []string
		p.do(func() {
			p.c.PauseRead()
			for i := range maxPosts + 2 {
				p.offer(p.post(i), fmt.Sprint(i), true)
			}
		})
		p.want("64 refused", "65 refused")
		p.do(func() { p.c.ResumeRead() })
		for i := range maxPosts {
			want = append(want, fmt.Sprintf("payload %d", i), fmt.Sprintf("%d true", i))
		}
		p.want(want...)
		p.do(func() {
			p.c.Withdraw(p.post(maxPosts)) // a refused one has left nothing
			p.offer(p.post(100), "more", true)
			p.c.end(engine.Shutdown, nil)
		})
		p.want("payload more", "more true", "closed shutdown")
	})
}
