package engine

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// TestAttachTCP moves connections of the standard library in and out, as the hand-over with net/http does.
func TestAttachTCP(t *testing.T) {
	overBoth(t, testAttachTCP)
}

func testAttachTCP(t *testing.T, b backend) {
	w := start(t, Config{}, b)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client := dialAt(t, "tcp", ln.Addr().String())
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	remote := make(chan netip.AddrPort, 1)
	closed, ends := endings()
	if err := w.Attach(nc, []byte("he"), func(c *Conn) Handler {
		remote <- c.Remote()
		h := echo()
		h.close = closed
		return h
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the attached connection can still be written: %v", err)
	}
	send(t, client, []byte("llo"))
	receive(t, client, "hello")
	if r := await(t, remote, "the connection"); r.String() != client.LocalAddr().String() {
		t.Errorf("the remote address is %v, want %v", r, client.LocalAddr())
	}
	_ = client.Close()
	if e := await(t, ends, "the close"); e.reason != PeerClosed {
		t.Errorf("closed with %v", e.reason)
	}
	if err := w.Attach(nc, nil, echo().open); err == nil {
		t.Error("a closed connection was attached")
	}
}
