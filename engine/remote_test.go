package engine

import (
	"errors"
	"net/netip"
	"testing"
)

// TestRemote: a connection says the address that it came with, whatever the slot's last owner had, and keeps nothing of it beside the slot afterwards.
func TestRemote(t *testing.T) {
	t.Parallel()
	l, _, _ := idleLoop(t, &probe{})
	for _, s := range []string{"192.0.2.1:80", "[2001:db8::1]:65535", "[fe80::1%eth0]:1", "", "[::ffff:192.0.2.1]:80", "0.0.0.0:0", "[::]:0"} {
		var want netip.AddrPort
		if s != "" {
			want = netip.MustParseAddrPort(s)
		}
		var got netip.AddrPort
		cause, seen := errors.New("cause"), error(nil)
		l.adopt(socket{fd: -1, peer: sinkPeer{&Sink{}}, remote: want}, nil, func(c *Conn) Handler {
			got = c.Remote()
			c.Reset(Aborted, cause)
			if again := c.Remote(); again != want {
				t.Errorf("%v is %v after the end", want, again)
			}
			return &probe{close: func(_ *Conn, _ CloseReason, err error) { seen = err }}
		})
		if got != want {
			t.Errorf("%v is %v", want, got)
		}
		l.turn()
		if seen != cause {
			t.Errorf("%v: OnClose got %v, want what Reset was given", want, seen)
		}
		if l.rare != nil {
			t.Errorf("%v: %d connections that have gone are remembered", want, len(l.rare))
		}
	}
}
