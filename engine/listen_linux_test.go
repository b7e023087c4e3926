package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var epollBackend = backend{"epoll", Config{Backend: "epoll", Loops: 2}, overSockets("tcp")}

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
func TestListenAddresses(t *testing.T) {
	t.Parallel()
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
			w := start(t, Config{Loops: 3}, epollBackend)
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

func TestListenErrors(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, epollBackend)
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
		t.Errorf("the epoll backend dials: %v", err)
	}
	if _, err := w.DialSink(echo().open); err == nil {
		t.Error("the epoll backend dials a sink")
	}
}

// TestAllLoopsAccept: the connections of one address spread over all loops.
func TestAllLoopsAccept(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		w := start(t, Config{Loops: 3}, epollBackend)
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

func TestUnixSocketFile(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, epollBackend)
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
	at, err := w.Listen("unix", "@spoke-test-"+filepath.Base(filepath.Dir(path))+fmt.Sprint(os.Getpid()), echo().open)
	if err != nil {
		t.Fatal(err)
	}
	nc = dialAt(t, "unix", at.String())
	send(t, nc, []byte("hello"))
	receive(t, nc, "hello")
}

// TestAttachTCP moves connections of the standard library in and out, as the hand-over with net/http does.
func TestAttachTCP(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, epollBackend)
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

// TestOptions: what connections inherit from the listener or are given by Attach.
func TestOptions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ set, want int }{{0, 2 * defaultSendBuffer}, {32 << 10, 64 << 10}} {
		w := start(t, Config{SendBuffer: tc.set}, epollBackend)
		got := make(chan [2]int, 1)
		w.connect(func(c *Conn) Handler {
			size, _ := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
			nodelay, _ := unix.GetsockoptInt(int(c.fd), unix.IPPROTO_TCP, unix.TCP_NODELAY)
			got <- [2]int{size, nodelay}
			return echo()
		})
		if o := await(t, got, "the connection"); o[0] != tc.want || o[1] == 0 {
			t.Errorf("SendBuffer %d: SO_SNDBUF is %d, want %d; TCP_NODELAY is %d", tc.set, o[0], tc.want, o[1])
		}
	}
}

// TestDescriptorReuse: two connections become ready in one batch; the first one's handler resets the second, and a new connection
// gets its descriptor at once. The event of the second, which is still in the batch, must not reach the new one.
func TestDescriptorReuse(t *testing.T) {
	// Not parallel: another test could take the descriptor.
	w := start(t, Config{Loops: 1}, epollBackend)
	l := w.Loops()[0]
	var conns []*Conn // loop
	opened := make(chan struct{}, 2)
	fresh := &probe{data: func(_ *Conn, p []byte) int {
		t.Errorf("a new connection was shown %q, which was for the one before", p)
		return len(p)
	}, eof: func(*Conn) { t.Error("a new connection was told of the end of the one before") }}
	tested := make(chan string, 1)
	var theirs int // the peer's end of the new connection
	h := &probe{data: func(c *Conn, p []byte) int {
		other := conns[0]
		if other == c {
			other = conns[1]
		}
		if other.Closed() {
			return len(p)
		}
		fd, slot, gen := other.fd, other.slot, other.gen
		other.Reset(Aborted, nil)
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			tested <- err.Error()
			return len(p)
		}
		mine := pair[0]
		theirs = pair[1]
		if pair[0] != int(fd) && pair[1] != int(fd) {
			tested <- fmt.Sprintf("the kernel gave %v, not descriptor %d again", pair, fd)
			return len(p)
		}
		if pair[1] == int(fd) {
			mine, theirs = theirs, mine
		}
		l.adopt(socket{fd: int32(mine)}, nil, func(n *Conn) Handler {
			if n.fd != fd {
				t.Errorf("the new connection has descriptor %d, want %d", n.fd, fd)
			}
			if n.slot == slot || n.gen == gen {
				t.Errorf("slot %d and generation %d are in use again, within the iteration", slot, gen)
			}
			return fresh
		})
		tested <- ""
		return len(p)
	}}
	dial := w.serve(func(c *Conn) Handler { conns = append(conns, c); opened <- struct{}{}; return h })
	a, b := dial(), dial()
	defer a.Close()
	defer b.Close()
	await(t, opened, "a connection")
	await(t, opened, "a connection")
	held, release := make(chan struct{}), make(chan struct{})
	l.Post(TaskFunc(func(*Loop) { close(held); <-release }))
	await(t, held, "the loop")
	send(t, a, []byte("a")) // both are ready when the loop looks again: one batch
	send(t, b, []byte("b"))
	close(release)
	if s := await(t, tested, "the reuse"); s != "" {
		t.Fatal(s)
	}
	on(t, l, func() {})
	on(t, l, func() { l.slab.each(func(c *Conn) { c.Reset(Aborted, nil) }) })
	_ = unix.Close(theirs)
}

// TestSlotReuse: the slot of a closed connection is used again, in a later iteration and with another generation; an event that comes
// late for its old owner reaches nobody.
func TestSlotReuse(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Loops: 1}, memoryBackend)
	l := w.Loops()[0]
	on(t, l, func() {
		var old event
		l.adopt(socket{fd: -1, peer: sinkPeer{&Sink{}}}, nil, func(c *Conn) Handler {
			old = event{slot: c.slot, gen: c.gen, bits: readyIn | readyOut | readyEnd | readyErr}
			c.Write([]byte("x")) // on the dirty list when it dies
			c.PauseRead()
			c.ResumeRead() // and on the list of those to be shown again
			c.Reset(Aborted, nil)
			return &probe{}
		})
		l.Post(TaskFunc(func(l *Loop) {
			l.adopt(socket{fd: -1, peer: sinkPeer{&Sink{}}}, nil, func(c *Conn) Handler {
				if c.slot != old.slot {
					t.Errorf("slot %d is not used again but %d", old.slot, c.slot)
				}
				return &probe{close: func(_ *Conn, r CloseReason, _ error) {
					if r != Shutdown {
						t.Errorf("closed with %v by an event for the one before", r)
					}
				}}
			})
			l.event(&old)
		}))
	})
	on(t, l, func() {})
}

// TestDescriptorsExhausted lets a child process with few descriptors run out of them: it must go on serving those it has, not
// spin, count, and accept the rest when some become free.
func TestDescriptorsExhausted(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SPOKE_ENGINE_TEST_CHILD=descriptors")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		t.Fatal(err)
	}
	const n = 100 // the child has 64 descriptors
	var conns []net.Conn
	for range n {
		conns = append(conns, dialAt(t, "tcp", addr))
	}
	answered := 0
	for _, nc := range conns {
		send(t, nc, []byte("ping"))
	}
	for _, nc := range conns { // in the order of the backlog: first those that have descriptors
		if answered == 20 {
			break
		}
		receive(t, nc, "ping")
		answered++
	}
	for range 3 { // the ones that are served stay so
		send(t, conns[0], []byte("more"))
		receive(t, conns[0], "more")
	}
	for i, nc := range conns { // each that leaves makes room for one that waits
		if i >= answered {
			receive(t, nc, "ping")
		}
		_ = nc.Close()
	}
	_ = stdin.Close()
	report, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v, %s", err, report)
	}
	var accepted, exhausted, iterations int64
	if _, err := fmt.Sscan(string(report), &accepted, &exhausted, &iterations); err != nil {
		t.Fatalf("%v in %q", err, report)
	}
	if accepted != n || exhausted == 0 {
		t.Errorf("the child accepted %d connections of %d and was out of descriptors %d times", accepted, n, exhausted)
	}
	if iterations > 100_000 {
		t.Errorf("the child's loop went round %d times: it spins", iterations)
	}
}

func init() {
	children["descriptors"] = func() error {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
			return err
		}
		e, err := New(Config{Backend: "epoll", Loops: 1})
		if err != nil {
			return err
		}
		at, err := e.Listen("tcp", "127.0.0.1:0", echo().open)
		if err != nil {
			return err
		}
		fmt.Println(at)
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil { // until the parent is done
			return err
		}
		l := e.Loops()[0]
		iterations := make(chan uint32, 1)
		l.Post(TaskFunc(func(l *Loop) { iterations <- l.iter }))
		n := <-iterations
		s := e.Stats()
		e.StopListening()
		fmt.Println(s.Accepted, s.FDExhausted, n)
		return nil
	}
}
