package loopback

import (
	"net"
	"testing"
)

func TestFreeAddress(t *testing.T) {
	t.Parallel()
	addr, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("%v is not on loopback", l.Addr())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
