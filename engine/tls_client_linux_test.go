package engine

import (
	"bytes"
	"crypto/tls"
	"net"
	"sync"
	"testing"
)

// Both ends of a TLS connection move into the loops after a blocking handshake, with what they have read of each other by then (a TLS 1.3 client: tickets), and talk there.
func TestTLSClientAndServerMove(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{memoryBackend, epollBackend, gnetBackend} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(b.name+" "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				testMove(t, start(t, Config{OwnedMax: 8 << 20}, b), version)
			})
		}
	}
}

func testMove(t *testing.T, w *world, version uint16) {
	var near, far net.Conn
	if w.Backend() == backendMemory {
		near, far = Pipe()
	} else {
		near, far = tcpPair(t)
	}
	cfg := clientTLS()
	cfg.MaxVersion = version
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	server, client := TLSServer(near, serverTLS()), TLSClient(far, cfg)
	var hands sync.WaitGroup
	hands.Go(func() {
		if err := server.Handshake(); err != nil {
			t.Error(err)
		}
	})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	hands.Wait()
	if err := w.Attach(server, nil, echo().open); err != nil {
		t.Fatal(err)
	}
	want := numbers(2 << 20)
	back := make(chan []byte, 1)
	var got []byte
	closed, ends := endings()
	if err := w.Attach(client, nil, func(c *Conn) Handler {
		if st, ok := c.TLS(); !ok || st.Version != version || st.ServerName != "localhost" {
			t.Errorf("the client's side has %v, %v", tls.VersionName(st.Version), ok)
		}
		c.Write(want)
		return &probe{
			data: func(c *Conn, p []byte) int {
				if got = append(got, p...); len(got) >= len(want) {
					back <- got
					c.Close(ResponseEnd, nil)
				}
				return len(p)
			},
			close: closed,
		}
	}); err != nil {
		t.Fatal(err)
	}
	if got := await(t, back, "the echo"); !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, or others, of %d", len(got), len(want))
	}
	if e := await(t, ends, "the close"); e.reason != ResponseEnd {
		t.Errorf("closed with %v", e.reason)
	}
	w.noBridges(t)
}
