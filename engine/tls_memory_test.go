package engine

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// idleTLS is idleLoop with a client that speaks TLS, after the handshake.
func idleTLS(t testing.TB, h Handler, version uint16) (*Loop, *Conn, *tls.Conn) {
	t.Helper()
	l, _, _ := idleLoop(t, &probe{})
	conn, client, _ := secureOn(t, l, handshaker(t, TLS{}), h, version)
	return l, conn, client
}

// tap is the client's end of a connection, whose records can be caught.
type tap struct {
	*MemoryConn
	into *bytes.Buffer // nil: they go on to the server
}

// Write implements net.Conn.
func (t *tap) Write(p []byte) (int, error) {
	if t.into != nil {
		return t.into.Write(p)
	}
	return t.MemoryConn.Write(p)
}

// records is what the client makes of p, without sending it.
func records(t testing.TB, client *tls.Conn, p []byte) []byte {
	t.Helper()
	over := client.NetConn().(*tap)
	over.into = &bytes.Buffer{}
	defer func() { over.into = nil }()
	if _, err := client.Write(p); err != nil {
		t.Fatal(err)
	}
	return over.into.Bytes()
}

// secureOn makes a connection on a loop that nobody runs.
func secureOn(t testing.TB, l *Loop, by *Handshaker, h Handler, version uint16) (conn *Conn, client *tls.Conn, raw *MemoryConn) {
	t.Helper()
	raw, server := Pipe()
	over := &tap{MemoryConn: raw}
	l.adopt(socket{fd: -1, peer: server}, nil, by.Open(func(c *Conn) Handler { conn = c; return h }))
	cfg := clientTLS()
	cfg.MinVersion, cfg.MaxVersion = version, version
	client = tls.Client(over, cfg)
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	for ended := false; !ended || conn == nil; {
		l.turn()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended = true
		default:
			runtime.Gosched()
		}
	}
	l.turn()
	return conn, client, raw
}

// TestAllocationsTLS: nothing is allocated for what is sent, and for each record that is received the one object that crypto/tls makes (its atLeastReader).
func TestAllocationsTLS(t *testing.T) {
	// Not parallel: AllocsPerRun counts the whole process.
	noAllocs := noAllocs
	if raceDetector { // crypto/tls takes its buffers from a sync.Pool, of which the race detector drops some at random: it runs, uncounted
		noAllocs = func(_ *testing.T, f func()) { f() }
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, size := range []int{60, 700, 1500} {
			t.Run(fmt.Sprintf("%s, %d bytes", tls.VersionName(version), size), func(t *testing.T) {
				l, c, client := idleTLS(t, &probe{}, version)
				raw := client.NetConn().(*tap).MemoryConn
				message, got := make([]byte, size), make([]byte, pipeBuffer)
				send := func() {
					c.Write(message)
					l.turn()
					if _, err := raw.Read(got); err != nil {
						t.Fatal(err)
					}
				}
				for range 400 { // until a record has its full size; see crypto/tls's DynamicRecordSizingDisabled
					send()
				}
				noAllocs(t, send)
				frame := NewFrame(message, 2)
				noAllocs(t, func() {
					c.Send(frame)
					c.Write(message[:30])
					c.Send(frame)
					l.turn()
					if _, err := raw.Read(got); err != nil {
						t.Fatal(err)
					}
				})
			})
			t.Run(fmt.Sprintf("%s, %d bytes received", tls.VersionName(version), size), func(t *testing.T) {
				shown := 0
				l, _, client := idleTLS(t, &probe{data: func(_ *Conn, p []byte) int { shown += len(p); return len(p) }}, version)
				raw := client.NetConn().(*tap).MemoryConn
				message := make([]byte, size)
				var made [][]byte
				for range 120 {
					made = append(made, bytes.Clone(records(t, client, message)))
				}
				i, perMessage := 0, float64(countRecords(made[len(made)-1]))
				got := testing.AllocsPerRun(len(made)-2, func() {
					if _, err := raw.Write(made[i]); err != nil {
						t.Fatal(err)
					}
					i++
					l.turn()
				})
				if shown != i*size {
					t.Fatalf("%d bytes were shown, want %d", shown, i*size)
				}
				if got > perMessage+1 && !raceDetector { // the first messages are of more records
					t.Errorf("%v allocations for a message of %v records", got, perMessage)
				}
			})
		}
	}
}

// countRecords is the number of records in p.
func countRecords(p []byte) (n int) {
	for ; len(p) >= recordHeader; n++ {
		p = p[recordHeader+recordLen(p):]
	}
	return n
}

// TestIdleTLS holds what an idle connection costs with TLS, everything included, against 5,000 bytes; BenchmarkIdleTLS prints it for ten thousand.
func TestIdleTLS(t *testing.T) {
	// Not parallel: it measures the heap.
	const goal = 5000
	plain := idleBytes(t, 1000, 0)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		each := idleBytes(t, 200, version)
		t.Logf("an idle connection of %s: %.0f bytes, %.0f more than a plain one", tls.VersionName(version), each-plain+plainBytes, each-plain)
		if each-plain+plainBytes > goal {
			t.Errorf("an idle connection of %s costs %.0f bytes, want at most %d", tls.VersionName(version), each-plain+plainBytes, goal)
		}
	}
}

// BenchmarkIdleTLS is the memory of an idle connection with TLS: run it with -benchtime 1x.
func BenchmarkIdleTLS(b *testing.B) {
	unpoisoned(b)
	for b.Loop() {
		plain := idleBytes(b, 10_000, 0)
		b.ReportMetric(idleBytes(b, 10_000, tls.VersionTLS12)-plain+plainBytes, "B/TLS1.2-conn")
		b.ReportMetric(idleBytes(b, 10_000, tls.VersionTLS13)-plain+plainBytes, "B/TLS1.3-conn")
	}
}

// plainBytes is what a plain connection costs: a slot, a deadline, and an entry in the memory driver that stands for one in the kernel.
const plainBytes = 88 + 4 + 8

// idleBytes is the memory of each of n connections of a TLS version (0: plain) that have exchanged a large message and wait. It includes that of the pipe, which is
// the same for all; the clients' TLS side is thrown away.
func idleBytes(t testing.TB, n int, version uint16) float64 {
	t.Helper()
	const large = 16_000
	by, h, got := handshaker(t, TLS{}), echo(), make([]byte, large)
	l, _, _ := idleLoop(t, &probe{})
	add := func() *MemoryConn {
		if version == 0 {
			client, server := Pipe()
			l.adopt(socket{fd: -1, peer: server}, nil, h.open)
			return client
		}
		_, client, raw := secureOn(t, l, by, h, version)
		if _, err := client.Write(got); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < large; {
			l.turn()
			k, err := client.Read(got[n:])
			if n += k; err != nil {
				t.Fatal(err)
			}
		}
		return raw
	}
	clients := make([]*MemoryConn, 0, n+1)
	clients = append(clients, add()) // with all that a loop has once
	before := heapAndStacks()
	for range n {
		clients = append(clients, add())
	}
	l.turn()
	used := heapAndStacks() - before
	runtime.KeepAlive(clients)
	runtime.KeepAlive(l)
	return float64(used) / float64(n)
}

// TestLentBuffer: crypto/tls has the fields that are replaced. If not, idle connections cost twice as much, and sealed_memory.go has to follow.
func TestLentBuffer(t *testing.T) {
	t.Parallel()
	if tlsBuffers.rawInput == 0 || tlsBuffers.hand == 0 {
		t.Fatalf("crypto/tls.Conn has no rawInput or no hand that is a bytes.Buffer (%s)", runtime.Version())
	}
	l, c, client := idleTLS(t, &probe{}, tls.VersionTLS13)
	s := l.sealedConn(c)
	if n := s.buffer(tlsBuffers.rawInput).Cap() + s.buffer(tlsBuffers.hand).Cap(); n != 0 {
		t.Errorf("after the handshake the buffers have %d bytes, want none", n)
	}
	// A record in pieces: what there is of it is kept, and no more.
	record := records(t, client, bytes.Repeat([]byte("x"), 1000))
	for i := range record {
		send(t, client.NetConn().(*tap).MemoryConn, record[i:i+1])
		l.turn()
		if n := s.buffer(tlsBuffers.rawInput); n.Len() != (i+1)%len(record) || n.Cap() > n.Len()+n.Len()/4+64 {
			t.Fatalf("with %d bytes of a record the buffer has %d bytes and room for %d", i+1, n.Len(), n.Cap())
		}
	}
}

// BenchmarkEchoTLS is an echo of 60 bytes with TLS 1.3, over a pipe, with the client's part of the work, which is about half.
func BenchmarkEchoTLS(b *testing.B) {
	unpoisoned(b)
	l, _, client := idleTLS(b, echo(), tls.VersionTLS13)
	message, got := make([]byte, 60), make([]byte, 60)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(message); err != nil {
			b.Fatal(err)
		}
		l.turn()
		if _, err := client.Read(got); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanOutTLS is BenchmarkFanOut to a hundred connections with TLS 1.3.
func BenchmarkFanOutTLS(b *testing.B) {
	unpoisoned(b)
	l, _, _ := idleLoop(b, &probe{})
	by := handshaker(b, TLS{})
	var conns []*Conn
	for range 100 {
		c, _, _ := secureOn(b, l, by, &probe{}, tls.VersionTLS13)
		conns = append(conns, c)
	}
	benchmarkFanOut(b, l, conns)
}

// heapAndStacks is what is in use, after a garbage collection.
func heapAndStacks() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) + int64(m.StackInuse)
}

// BenchmarkStalledTLS is the memory of a handshake under way whose client has sent its ClientHello, of the usual size, and nothing after it: run it with -benchtime 1x.
func BenchmarkStalledTLS(b *testing.B) {
	unpoisoned(b)
	for b.Loop() {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			b.ReportMetric(stalledBytes(b, 1000, version), "B/"+strings.ReplaceAll(tls.VersionName(version), " ", "")+"-handshake")
		}
	}
}

// stalledBytes is the memory of each of n handshakes that wait for their clients, whose sockets are in it.
func stalledBytes(b *testing.B, n int, version uint16) float64 {
	b.Helper()
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := e.Shutdown(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	at, err := e.ListenTLS("tcp", "127.0.0.1:0", TLS{Config: serverTLS(), HandshakeTimeout: time.Hour}, echo().open)
	if err != nil {
		b.Fatal(err)
	}
	hello := clientHello(b, version)
	add := func() net.Conn {
		nc, err := net.Dial("tcp", at.String())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := nc.Write(hello); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, make([]byte, recordHeader)); err != nil { // its answer
			b.Fatal(err)
		}
		return nc
	}
	clients := []net.Conn{add()} // with all that an engine has once
	before := heapAndStacks()
	for range n {
		clients = append(clients, add())
	}
	used := heapAndStacks() - before
	for _, nc := range clients {
		_ = nc.Close()
	}
	return float64(used) / float64(n)
}

// clientHello is what a client of a TLS version begins with.
func clientHello(b testing.TB, version uint16) []byte {
	b.Helper()
	ours, theirs := net.Pipe()
	cfg := clientTLS()
	cfg.MinVersion, cfg.MaxVersion = version, version
	ended := make(chan error, 1)
	go func() { ended <- tls.Client(theirs, cfg).Handshake() }()
	p := make([]byte, helloMax)
	n, err := ours.Read(p) // crypto/tls writes it at once
	_ = ours.Close()
	<-ended
	if err != nil {
		b.Fatal(err)
	}
	return p[:n]
}
