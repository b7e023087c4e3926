package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// start runs a server for the length of a test. What it logs can be read after stop.
func start(t *testing.T, coalesce bool) (addr string, log *bytes.Buffer, stop func()) {
	t.Helper()
	return startWith(t, coalesce, false)
}

func startWith(t *testing.T, coalesce, pings bool) (addr string, log *bytes.Buffer, stop func()) {
	t.Helper()
	log = new(bytes.Buffer)
	s, err := newServer(netip.MustParseAddrPort("127.0.0.1:0"), coalesce, pings, log)
	if err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(s.listener)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.serve() }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		s.stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port), log, stop
}

type client struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{t, nc, bufio.NewReader(nc)}
}

// open negotiates on the same connection, upgrades and shakes hands.
func open(t *testing.T, addr string) *client {
	t.Helper()
	c := dial(t, addr)
	c.write([]byte("POST /bench/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"))
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("negotiate: %v, %v", resp, err)
	}
	body, _ := io.ReadAll(resp.Body)
	if !bytes.Contains(body, []byte(`"connectionToken":"`)) {
		t.Fatalf("negotiate: %s", body)
	}
	c.write([]byte("GET /bench?id=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	resp, err = http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	if got := resp.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455, section 1.3
		t.Fatalf("Sec-WebSocket-Accept: %q", got)
	}
	c.say(`{"protocol":"json","version":1}`)
	c.want("{}")
	c.say(`{"type":6}`)
	return c
}

func (c *client) write(p []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

func masked(first byte, p []byte) []byte {
	b := appendHeader(nil, first, len(p))
	b[1] |= 0x80
	const key = 0x04030201
	b = binary.LittleEndian.AppendUint32(b, key)
	at := len(b)
	b = append(b, p...)
	unmask(b[at:], key)
	return b
}

func text(records ...string) []byte {
	return masked(0x81, []byte(strings.Join(records, "\x1e")+"\x1e"))
}

// say sends one message.
func (c *client) say(records ...string) {
	c.t.Helper()
	c.write(text(records...))
}

// next reads a frame.
func (c *client) next() (first byte, payload []byte) {
	c.t.Helper()
	var h [8]byte
	c.read(h[:2])
	first, length := h[0], uint64(h[1])
	switch length {
	case 126:
		c.read(h[:2])
		length = uint64(binary.BigEndian.Uint16(h[:]))
	case 127:
		c.read(h[:8])
		length = binary.BigEndian.Uint64(h[:])
	}
	payload = make([]byte, length)
	c.read(payload)
	return first, payload
}

func (c *client) read(p []byte) {
	c.t.Helper()
	if _, err := io.ReadFull(c.r, p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) want(record string) {
	c.t.Helper()
	if first, p := c.next(); first != 0x81 || string(p) != record+"\x1e" {
		c.t.Fatalf("a frame %#02x %q, want %q", first, p, record)
	}
}

func call(id, target string, args ...string) string {
	if id != "" {
		id = `"invocationId":"` + id + `",`
	}
	return `{"type":1,` + id + `"target":"` + target + `","arguments":[` + strings.Join(args, ",") + `]}`
}

func TestEcho(t *testing.T) {
	t.Parallel()
	addr, _, _ := start(t, false)
	for _, size := range []int{0, 32, 100, 5000, 70000} {
		c := open(t, addr)
		arg := `"` + strings.Repeat("a", size) + `"`
		want := `{"type":3,"invocationId":"17","result":` + arg + `}`
		c.say(call("17", "Echo", arg))
		c.want(want)
		c.say(call("17", "Echo", arg), `{"type":6}`, call("17", "Echo", arg)) // two in one message
		c.want(want)
		c.want(want)
		c.write(append(text(call("17", "Echo", arg)), text(call("17", "Echo", arg))...)) // two frames
		c.want(want)
		c.want(want)
		c.say(call("", "Echo", arg)) // without an answer
		c.say(call("17", "Echo", arg))
		c.want(want)
	}
}

// TestCuts: frames come in pieces.
func TestCuts(t *testing.T) {
	t.Parallel()
	addr, _, _ := start(t, false)
	c := open(t, addr)
	frame := text(call("1", "Echo", `"abc"`))
	for cut := 1; cut < len(frame); cut++ {
		c.write(frame[:cut])
		c.write(frame[cut:])
		c.want(`{"type":3,"invocationId":"1","result":"abc"}`)
	}
	for i := range frame {
		c.write(frame[i : i+1])
	}
	c.want(`{"type":3,"invocationId":"1","result":"abc"}`)
}

func TestFanOut(t *testing.T) {
	t.Parallel()
	for _, coalesce := range []bool{false, true} {
		t.Run(fmt.Sprintf("coalesce=%t", coalesce), func(t *testing.T) {
			t.Parallel()
			addr, _, _ := start(t, coalesce)
			a, b, other := open(t, addr), open(t, addr), open(t, addr)
			for i, c := range []*client{a, b, other} {
				c.say(call("0", "Join", fmt.Sprintf(`"g%d"`, i/2)))
				c.want(`{"type":3,"invocationId":"0","result":null}`)
			}
			var calls []string
			for i := range 20 {
				calls = append(calls, call("", "Broadcast", fmt.Sprint(i)), call("", "Publish", `"g0"`, fmt.Sprint(i+100)))
			}
			a.say(calls...)
			for _, c := range []*client{a, b, other} {
				sum := map[bool][]string{}
				n := 40
				if c == other {
					n = 20
				}
				for range n {
					_, p := c.next()
					v := strings.TrimSuffix(strings.TrimPrefix(string(p), `{"type":1,"target":"message","arguments":[`), "]}\x1e")
					sum[len(v) == 3] = append(sum[len(v) == 3], v)
				}
				if got := strings.Join(sum[false], " "); got != "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19" {
					t.Errorf("broadcasts came as %s", got)
				}
				if c != other && strings.Join(sum[true], " ") != "100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119" {
					t.Errorf("the group's came as %s", sum[true])
				}
			}
			// One leaves; the others still get everything, and so does one that comes.
			a.nc.Close()
			late := open(t, addr)
			late.say(call("7", "Broadcast", `"x"`))
			for _, c := range []*client{b, other, late} {
				for {
					_, p := c.next()
					if string(p) == `{"type":1,"target":"message","arguments":["x"]}`+"\x1e" {
						break
					}
					if c != late {
						t.Fatalf("got %q", p)
					}
				}
			}
		})
	}
}

// TestRefusals: what is not loadgen's ends the connection, with a reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"no call", text(`{"target":"Echo","type":1}`), "none of loadgen's"},
		{"other method", text(call("1", "Sleep", "1")), "none of loadgen's"},
		{"no arguments", text(`{"type":1,"target":"Echo"}`), "none of loadgen's"},
		{"cut id", text(`{"type":1,"invocationId":"1"`), "none of loadgen's"},
		{"cut arguments", text(`{"type":1,"target":"Echo","arguments":[`), "none of loadgen's"},
		{"no target", text(`{"type":1,`), "none of loadgen's"},
		{"empty record", text(``), "none of loadgen's"},
		{"no such group", text(call("1", "Publish", `"nobody"`, "1")), "none of loadgen's"},
		{"publish without a message", text(call("1", "Publish", `"nobody"`)), "none of loadgen's"},
		{"second group", text(call("1", "Join", `"a"`), call("2", "Join", `"b"`)), "a second Join"},
		{"half a record", masked(0x81, []byte(`{"type":6}`)), "does not end with a record"},
		{"not masked", append([]byte{0x81, 6}, "{}\x1e{}\x1e"...), "masked false"},
		{"too long", []byte{0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, "masked true"},
		{"binary", masked(0x82, []byte("x")), "does not end with a record"},
		{"continuation", masked(0x80, []byte("x")), "begins with 0x80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr, log, stop := start(t, false)
			c := open(t, addr)
			c.write(tt.bytes)
			if _, err := io.Copy(io.Discard, c.r); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatal(err)
			}
			stop()
			if !strings.Contains(log.String(), tt.want) {
				t.Errorf("the log is %q, want %q in it", log, tt.want)
			}
		})
	}
}

func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"other request": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"long head":     "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", maxHead),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, log, stop := start(t, false)
			c := dial(t, addr)
			c.write([]byte(request))
			if _, err := io.Copy(io.Discard, c.r); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatal(err)
			}
			stop()
			if !strings.Contains(log.String(), "HTTP") {
				t.Errorf("the log is %q", log)
			}
		})
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	addr, log, stop := start(t, false)
	c := open(t, addr)
	c.say(`{"type":7}`)
	c.write(masked(0x88, []byte{3, 232}))
	if first, p := c.next(); first != 0x88 || string(p) != "\x03\xe8" {
		t.Errorf("close was answered with %#02x %q", first, p)
	}
	// The last bytes and the end of TCP arrive together, many times: none of the ends is overlooked.
	for range 200 {
		c := open(t, addr)
		c.write(append(text(`{"type":7}`), masked(0x88, []byte{3, 232})...))
		if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c.r); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if log.Len() > 0 {
		t.Errorf("the log is %q", log)
	}
}

// TestSlowReader: a socket that is full ends the connection; nothing is kept for it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	addr, log, stop := start(t, false)
	slow, c := open(t, addr), open(t, addr)
	arg := `"` + strings.Repeat("x", 500_000) + `"`
	for range 40 {
		c.say(call("", "Broadcast", arg))
		c.next()
	}
	stop()
	if !strings.Contains(log.String(), "the socket is full") {
		t.Errorf("the log is %q", log)
	}
	_ = slow
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "localhost:1", "[::1]:0", "127.0.0.1:99999"} {
		if err := run(addr, false, false); err == nil {
			t.Errorf("%q was accepted", addr)
		}
	}
}

// TestAllocations: nothing is allocated for a message. Not parallel: AllocsPerRun counts the whole process.
func TestAllocations(t *testing.T) {
	for _, coalesce := range []bool{false, true} {
		s, err := newServer(netip.MustParseAddrPort("127.0.0.1:0"), coalesce, false, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		near, far := int32(pair[0]), int32(pair[1])
		c := &s.conns[near]
		*c = conn{open: true, framed: true}
		drain := make([]byte, 64<<10)
		feed := func(frame []byte) {
			if n, e := write(far, frame); n != len(frame) || e != 0 {
				t.Fatalf("write: %d, %v", n, e)
			}
			s.receive(near, false)
			s.flush()
			if n, e := read(far, drain); n <= 0 {
				t.Fatalf("no answer: %v", e)
			}
		}
		feed(text(`{"protocol":"json","version":1}`, call("1", "Join", `"g"`)))
		for name, frame := range map[string][]byte{
			"echo":      text(call("1", "Echo", `"0123456789"`)),
			"broadcast": text(call("1", "Broadcast", `"0123456789"`)),
			"publish":   text(call("1", "Publish", `"g"`, `"0123456789"`)),

			"packed echo":      packed(t, packedInvocation("1", "Echo", "0123456789")),
			"packed broadcast": packed(t, packedInvocation("1", "Broadcast", "0123456789")),
		} {
			if n := testing.AllocsPerRun(100, func() { feed(frame) }); n != 0 {
				t.Errorf("%s, coalesce %t: %v allocations", name, coalesce, n)
			}
		}
		_ = unix.Close(pair[0])
		_ = unix.Close(pair[1])
		c.open = false
		s.close()
	}
}
