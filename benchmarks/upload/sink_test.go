package main

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

// TestSink: it takes what the uploader sends, item by item, and nothing else.
func TestSink(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{jsonName, messagePack} {
		for _, size := range []int{64, 300, 16 << 10, 20_000} {
			s, err := newSink(config{item: size, rate: 1 << 20, protocol: protocol})
			if err != nil {
				t.Fatal(err)
			}
			u, err := s.connect()
			if err != nil {
				t.Fatal(err)
			}
			if err := u.send(20); err != nil {
				t.Fatal(err)
			}
			_ = u.nc.Close()
			if err := s.close(); err != nil {
				t.Errorf("%s, items of %d bytes: %v", protocol, size, err)
			}
			if s.hub.taken.Load() != int64(20*size) || s.hub.sum.Load() != u.sum.Load() {
				t.Errorf("%s, items of %d bytes: %d bytes have come, and their checksum is %x: want %d, %x", protocol, size, s.hub.taken.Load(), s.hub.sum.Load(), 20*size, u.sum.Load())
			}
		}
	}
	for name, tt := range map[string]struct{ sent, want string }{
		"short":  {"\x81\x85\x00\x00\x00\x00{\"a\"}", "holds no item"},
		"cut":    {"\x81\x85\x00\x00\x00\x00{", "a frame: unexpected EOF"},
		"head":   {"\x81\xfe\x01", "the head of a frame"},
		"large":  {"\x81\xff" + strings.Repeat("\x00", 12), "larger than"},
		"base64": {"\x81\xb2\x00\x00\x00\x00" + strings.Repeat("?", 50), "base64"},
	} {
		s, err := newSink(config{item: 64, rate: 1, protocol: jsonName})
		if err != nil {
			t.Fatal(err)
		}
		nc, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bytes.NewReader([]byte(tt.sent)).WriteTo(nc); err != nil {
			t.Fatal(err)
		}
		_ = nc.Close()
		if err := s.close(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}
