package hubrt

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// acksAlone is a peer on a transport that cannot be come back to.
func acksAlone(p *Peer) { p.Keeper, p.Acks = nil, true }

// TestStatefulAcksAlone: a client that has agreed on a transport to which it cannot come back has its messages counted and acknowledged (wire contract, section 18.1), and
// nothing is kept for it, whether it acknowledges or not.
func TestStatefulAcksAlone(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		opt := resumes
		opt.StatefulBuffer = 100
		h := r.hub(probe{}, opt)
		s := r.connectStateful(h, acksAlone)
		for i := range 20 { // without an Ack: on WebSockets the replies would wait
			text := `"` + strings.Repeat("x", i+50) + `"`
			s.send(call1("1", "Echo", text))
			s.expect(result("1", text))
		}
		s.expect(ack(20))
		for _, to := range []Target{h.Clients().All(), h.Clients().Client(s.id.String())} {
			if err := to.Send("m", 1); err != nil {
				t.Fatal(err)
			}
			s.expect(message("m", "1"))
		}
		s.send(sequence(20), call1("2", "Echo", `"again"`), call1("3", "Echo", `"b"`)) // the first has the number 20 now, which was handled
		s.expect(result("3", `"b"`), ack(21))
		s.send(ack(1), ack(1000), `{"type":6}`)
		s.silent(3 * time.Second)
		synctest.Wait()
		if st := r.rt.Stats(); st.StatefulBytes != 0 {
			t.Errorf("%+v", st)
		}
		s.lose()
		synctest.Wait()
		if s.come() {
			t.Error("the client could come back")
		}
		if st := r.rt.Stats(); st.Connections != 0 || st.Away != 0 {
			t.Errorf("%+v", st)
		}
		checkEmpty(t, h)

		old := r.dialStateful(h, acksAlone)
		old.send(shake)
		old.expect(`{}`)
		old.send(ack(7), sequence(9), call1("1", "Echo", `"a"`))
		old.expect(result("1", `"a"`))
		old.silent(3 * time.Second)
		old.lose()

		early := r.connectStateful(h, acksAlone)
		early.send(sequence(2)) // before anything that it could be behind
		early.expect(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
		early.expectEnd(engine.ProtocolError)
	})
}
