package hubrt

import (
	"net/netip"
	"testing"

	"github.com/spokehub/spoke/engine"
)

func TestRemote(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigConfig{loops: 1})
	h := r.hub(nil, Options{})
	ref := r.anchor()
	for _, tt := range []struct {
		name string
		a    netip.AddrPort
		rare bool
	}{
		{"none", netip.AddrPort{}, false},
		{"IPv4", netip.MustParseAddrPort("192.0.2.1:65535"), false},
		{"IPv4, all zeros", netip.MustParseAddrPort("0.0.0.0:0"), false},
		{"IPv6", netip.MustParseAddrPort("[2001:db8::1]:443"), false},
		{"IPv6, all zeros", netip.MustParseAddrPort("[::]:1"), false},
		{"IPv4 in IPv6", netip.MustParseAddrPort("[::ffff:192.0.2.1]:443"), false},
		{"with a zone", netip.MustParseAddrPort("[fe80::1%eth0]:443"), true},
		{"a port only", netip.AddrPortFrom(netip.Addr{}, 7), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newLoopTask(ref.Loop(), func() {
				c := h.Open(&nullLink{ref: ref}, Peer{Remote: tt.a})
				if got := c.context().Remote(); got != tt.a {
					t.Errorf("got %v, want %v", got, tt.a)
				}
				if got := c.rare.Load() != nil; got != tt.rare {
					t.Errorf("it takes memory of its own: %v", got)
				}
				c.Closed(engine.PeerClosed, nil)
			}).run()
		})
	}
	r.close()
}
