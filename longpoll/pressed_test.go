package longpoll

import (
	"fmt"
	"testing"
)

// TestPressed: of the POSTs of a client that has no poll waiting, one may be kept waiting for long, as the others may have taken the poll's place at the client.
func TestPressed(t *testing.T) {
	t.Parallel()
	pollBubble(t, &Limits{Outbound: 1, OutboundMax: 100, OwnedMax: 5, FramesMax: 100}, func(p *polls) {
		posts := make(map[int]*Post)
		offer := func(i int, piece string, last bool) {
			if posts[i] == nil {
				posts[i] = new(Post)
			}
			if !p.Offer(posts[i], []byte(piece), last, func(ok bool) { p.add("%s %v", piece, ok) }) {
				p.add("%s refused", piece)
			}
		}
		p.receiver.payload = func([]byte) { p.PauseRead() }
		p.do(func() { p.Poll(p.waiter("first")) })
		p.want("first: 200 data ")
		p.do(func() { offer(0, "aa", true) })
		p.want("payload aa")
		p.do(func() { offer(1, "b", false) }) // in two pieces
		p.want("aa true")
		p.do(func() { offer(2, "c", true) })
		p.want("payload b", "b true") // the next piece may come; two POSTs wait
		p.do(func() { offer(1, "B", true) })
		p.want("payload B", "B true")
		p.do(func() { offer(3, "ddd", true) })
		p.want("payload c", "c true")
		p.do(func() { offer(4, "e", true) })
		p.want("payload ddd") // the hub has been given enough
		p.do(func() { offer(5, "f", true) })
		p.want()
		p.do(func() { p.Poll(p.waiter("poll")) })
		p.do(func() {
			p.receiver.payload = nil
			p.ResumeRead()
		})
		p.want("ddd true", "payload e", "e true", "payload f", "f true")

		p.receiver.payload = func([]byte) { p.PauseRead() }
		p.do(func() { offer(6, "g", true) })
		p.do(func() { offer(7, "h", true) }) // a poll waits: nothing is in its way
		p.want("payload g")
		p.do(func() { p.Gone(p.waiter("poll")) })
		p.want()
		p.do(func() { offer(8, "i", true) })
		p.want("g true", "payload h", "h true")
		p.do(func() {
			p.receiver.payload = nil
			p.ResumeRead()
		})
		p.want("payload i", "i true")
	})
}

// TestPressedEnds: a client that goes while its POSTs are pressed in leaves nothing behind.
func TestPressedEnds(t *testing.T) {
	t.Parallel()
	pollBubble(t, defaults(), func(p *polls) {
		p.receiver.payload = func([]byte) { p.PauseRead() }
		var want []string
		p.do(func() {
			for i := range 4 {
				p.Offer(new(Post), []byte("x"), true, func(ok bool) { p.add("%d %v", i, ok) })
			}
		})
		for i := range 3 {
			want = append(want, "payload x", fmt.Sprintf("%d true", i))
		}
		p.want(want...)
		p.do(func() { p.Delete(); p.End(0, nil) })
		p.want("3 false", "closed none")
	})
}
