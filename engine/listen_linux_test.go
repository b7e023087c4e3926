package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	epollBackend = backend{"epoll", Config{Backend: "epoll", Loops: 2}, overSockets("tcp")}
	gnetBackend  = backend{"gnet", Config{Backend: "gnet", Loops: 2}, overSockets("tcp")}
)

// overBoth runs a test over each backend with sockets.
func overBoth(t *testing.T, run func(t *testing.T, b backend)) {
	t.Parallel()
	for _, b := range []backend{epollBackend, gnetBackend} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			run(t, b)
		})
	}
}

func dialAt(t testing.TB, network, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return nc
}

// TestListenAddresses: each network, with a port chosen by the kernel, on several loops.
func TestListenAddresses(t *testing.T) { overBoth(t, testListenAddresses) }

func testListenAddresses(t *testing.T, b backend) {
	for _, tc := range []struct {
		network, addr string
		reach         []string // hosts that must answer
		refuse        []string
	}{
		{"tcp", "127.0.0.1:0", []string{"127.0.0.1"}, nil},
		{"tcp", "localhost:0", []string{"localhost"}, nil},
		{"tcp", ":0", []string{"127.0.0.1", "::1"}, nil},
		{"tcp", "[::]:0", []string{"127.0.0.1", "::1"}, nil},
		{"tcp4", ":0", []string{"127.0.0.1"}, []string{"::1"}},
		{"tcp6", ":0", []string{"::1"}, []string{"127.0.0.1"}},
		{"tcp6", "[::1]:0", []string{"::1"}, []string{"127.0.0.1"}},
	} {
		t.Run(tc.network+" "+tc.addr, func(t *testing.T) {
			t.Parallel()
			w := start(t, Config{Loops: 3}, b)
			type addrs struct {
				remote netip.AddrPort
				local  net.Addr
			}
			seen := make(chan addrs, 10)
			at, err := w.Listen(tc.network, tc.addr, func(c *Conn) Handler {
				seen <- addrs{c.Remote(), c.Local()}
				return echo()
			})
			if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
				t.Logf("this machine has no such address: %v", err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			port := fmt.Sprint(at.(*net.TCPAddr).Port)
			for _, host := range tc.reach {
				nc := dialAt(t, "tcp", net.JoinHostPort(host, port))
				send(t, nc, []byte("hello"))
				receive(t, nc, "hello")
				a := await(t, seen, "the connection")
				if a.remote.String() != nc.LocalAddr().String() || a.local.String() != nc.RemoteAddr().String() {
					t.Errorf("addresses are %v and %v, the client's %v and %v", a.remote, a.local, nc.LocalAddr(), nc.RemoteAddr())
				}
			}
			for _, host := range tc.refuse {
				if nc, err := net.Dial("tcp", net.JoinHostPort(host, port)); err == nil {
					_ = nc.Close()
					t.Errorf("%s answers", host)
				}
			}
			if _, err := w.Listen(tc.network, net.JoinHostPort(strings.Trim(tc.addr[:strings.LastIndexByte(tc.addr, ':')], "[]"), port), echo().open); !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("a port in use: %v", err)
			}
			w.StopListening()
			if nc, err := net.Dial("tcp", net.JoinHostPort(tc.reach[0], port)); err == nil {
				_ = nc.Close()
				t.Error("after StopListening the kernel still accepts")
			}
		})
	}
}

func TestListenErrors(t *testing.T) { overBoth(t, testListenErrors) }

func testListenErrors(t *testing.T, b backend) {
	w := start(t, Config{}, b)
	for _, tc := range []struct{ network, addr, says string }{
		{"udp", "127.0.0.1:0", `network "udp" is unknown; there are tcp, tcp4, tcp6 and unix`},
		{"tcp", "127.0.0.1", "missing port"},
		{"tcp", "127.0.0.1:http-but-not-quite", "listen tcp 127.0.0.1:http-but-not-quite"},
		{"tcp", "203.0.113.7:0", "assign requested address"},
		{"unix", "", "empty"},
		{"unix", "/no/such/place/s", "no such file"},
	} {
		if _, err := w.Listen(tc.network, tc.addr, echo().open); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s %s: the error is %v, which does not say %q", tc.network, tc.addr, err, tc.says)
		}
	}
	m := start(t, Config{}, memoryBackend)
	if _, err := m.Listen("tcp", "127.0.0.1:0", echo().open); err == nil || !strings.Contains(err.Error(), "Dial") {
		t.Errorf("the memory backend's error is %v", err)
	}
	if _, err := w.Dial(echo().open); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("the %s backend dials: %v", b.name, err)
	}
	if _, err := w.DialSink(echo().open); err == nil {
		t.Errorf("the %s backend dials a sink", b.name)
	}
}

// TestAllLoopsAccept: the connections of one address spread over all loops.
func TestAllLoopsAccept(t *testing.T) { overBoth(t, testAllLoopsAccept) }

func testAllLoopsAccept(t *testing.T, b backend) {
	for _, network := range []string{"tcp", "unix"} {
		w := start(t, Config{Loops: 3}, b)
		on := make(chan int, 1)
		dial := overSockets(network)(t, w.Engine)(func(c *Conn) Handler { on <- c.Loop().Index(); return echo() })
		seen := map[int]bool{}
		for i := 0; len(seen) < 3; i++ {
			if i == 500 {
				t.Fatalf("%s: of %d connections none came to some loop", network, i)
			}
			p := dial()
			seen[await(t, on, "the connection")] = true
			_ = p.Close()
		}
	}
}

func TestUnixSocketFile(t *testing.T) { overBoth(t, testUnixSocketFile) }

func testUnixSocketFile(t *testing.T, b backend) {
	w := start(t, Config{}, b)
	path := filepath.Join(t.TempDir(), "spoke.sock")
	if _, err := w.Listen("unix", path, echo().open); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Listen("unix", path, echo().open); !errors.Is(err, unix.EADDRINUSE) {
		t.Fatalf("a living socket was taken over: %v", err)
	}
	nc := dialAt(t, "unix", path)
	send(t, nc, []byte("hello"))
	receive(t, nc, "hello")
	_ = nc.Close()
	w.StopListening()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the file is still there: %v", err)
	}

	// Left behind by a process that died.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	if _, err := w.Listen("unix", path, echo().open); err != nil {
		t.Fatalf("a socket that nobody listens on was not replaced: %v", err)
	}

	// Somebody else's by now: not ours to remove.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.StopListening()
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Fatalf("a file that is not ours was removed: %v", err)
	}
	if _, err := w.Listen("unix", path, echo().open); !errors.Is(err, os.ErrExist) {
		t.Fatalf("a regular file: %v", err)
	}
	at, err := w.Listen("unix", fmt.Sprintf("@spoke-test-%d-%s", os.Getpid(), filepath.Base(filepath.Dir(filepath.Dir(path)))), echo().open)
	if err != nil {
		t.Fatal(err)
	}
	nc = dialAt(t, "unix", at.String())
	send(t, nc, []byte("hello"))
	receive(t, nc, "hello")
}

// TestOptions: what connections inherit from the listener or are given one by one.
func TestOptions(t *testing.T) { overBoth(t, testOptions) }

func testOptions(t *testing.T, b backend) {
	for _, tc := range []struct {
		network   string
		set, want int
	}{{"tcp", 0, 2 * defaultSendBuffer}, {"tcp", 32 << 10, 64 << 10}, {"unix", 0, 2 * defaultSendBuffer}, {"unix", 32 << 10, 64 << 10}} {
		b.make = overSockets(tc.network)
		w := start(t, Config{SendBuffer: tc.set}, b)
		got := make(chan [2]int, 1)
		w.connect(func(c *Conn) Handler {
			size, _ := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
			nodelay, err := unix.GetsockoptInt(int(c.fd), unix.IPPROTO_TCP, unix.TCP_NODELAY)
			if err != nil {
				nodelay = -1 // no TCP
			}
			got <- [2]int{size, nodelay}
			return echo()
		})
		if o := await(t, got, "the connection"); o[0] != tc.want || o[1] == 0 {
			t.Errorf("%s, SendBuffer %d: SO_SNDBUF is %d, want %d; TCP_NODELAY is %d", tc.network, tc.set, o[0], tc.want, o[1])
		}
	}
}
