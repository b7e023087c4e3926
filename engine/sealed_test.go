package engine

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestTemporaryError pins what sealed relies on: a tls.Conn that is told that there are no bytes for now, by an error that is temporary, keeps what it has of a record, and
// goes on as if nothing had been. A release of Go that changes this must not go unnoticed.
func TestTemporaryError(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client, server := Pipe()
		cfg := clientTLS()
		cfg.MinVersion, cfg.MaxVersion = version, version
		over := &tap{MemoryConn: client}
		tc := tls.Client(over, cfg)
		source := &script{Conn: server}
		ts := tls.Server(source, serverTLS())
		go func() { _ = tc.Handshake() }()
		if err := ts.Handshake(); err != nil {
			t.Fatal(err)
		}
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		source.on = true
		for range 2 {
			record, got := records(t, tc, []byte("hello")), make([]byte, 10)
			for i := range record {
				if n, err := ts.Read(got); n != 0 || err != errAgain {
					t.Fatalf("%s: with %d of %d bytes of a record Read gives %d, %v", tls.VersionName(version), i, len(record), n, err)
				}
				source.next = record[i : i+1]
			}
			if n, err := ts.Read(got); err != nil || string(got[:n]) != "hello" {
				t.Fatalf("%s: got %q, %v", tls.VersionName(version), got[:n], err)
			}
		}
		_ = client.Close()
		_ = server.Close()
	}
}

// script is a net.Conn that, once it is on, has bytes now and then.
type script struct {
	net.Conn
	on   bool
	next []byte
}

// Read implements net.Conn.
func (s *script) Read(p []byte) (int, error) {
	if !s.on {
		return s.Conn.Read(p)
	}
	if len(s.next) == 0 {
		return 0, errAgain
	}
	n := copy(p, s.next)
	s.next = s.next[n:]
	return n, nil
}

// TestRecordsCut: records cut between any two bytes, and several in one piece, are the same to the handler.
func TestRecordsCut(t *testing.T) {
	t.Parallel()
	var got []byte
	l, _, client := idleTLS(t, &probe{data: func(_ *Conn, p []byte) int { got = append(got, p...); return len(p) }}, tls.VersionTLS13)
	raw, want := client.NetConn().(*tap).MemoryConn, []byte(nil)
	piece := func(text string) []byte {
		want = append(want, text...)
		return bytes.Clone(records(t, client, []byte(text)))
	}
	check := func(where string, at int) {
		t.Helper()
		if l.turn(); !bytes.Equal(got, want) {
			t.Fatalf("%s %d: shown %q, want %q", where, at, got, want)
		}
		got, want = nil, nil
	}
	for i, size := 0, 1; i < size; i++ {
		both := append(piece("one"), piece("two")...)
		size = len(both) + 1
		send(t, raw, both[:i])
		l.turn()
		send(t, raw, both[i:])
		check("cut at", i)
	}
	var many []byte
	for range 500 {
		many = append(many, piece("a record among many")...)
	}
	send(t, raw, many)
	check("records at once:", 500)
}

// TestRandomCuts sends both ways at once, cut at random by both sides, and compares checksums.
func TestRandomCuts(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			var cfg Config
			shortWrites(&cfg)
			w := start(t, cfg, memoryBackend)
			by := handshaker(t, TLS{})
			there, back := numbers(1<<20), numbers(2<<20)
			seen := make(chan [32]byte, 1)
			sum := sha256.New()
			p := w.connect(by.Open(func(c *Conn) Handler {
				taken := 0
				rnd := rand.New(rand.NewPCG(3, 4))
				rest := back
				var feed func()
				feed = func() {
					for range 20 {
						n := min(len(rest), rnd.IntN(1<<rnd.IntN(16)))
						c.Write(rest[:n])
						rest = rest[n:]
					}
					if len(rest) > 0 && !c.Closed() {
						c.Loop().AfterFunc(0, feed)
					}
				}
				feed()
				return &probe{
					data: func(_ *Conn, p []byte) int {
						n := len(p)
						if taken+n < len(there) {
							n = 1 + rnd.IntN(n) // what is left is shown again with the next
						}
						taken += n
						sum.Write(p[:n])
						return n
					},
					eof:   func(c *Conn) { c.Close(PeerClosed, nil) },
					close: func(*Conn, CloseReason, error) { seen <- [32]byte(sum.Sum(nil)) },
				}
			}))
			ccfg := clientTLS()
			ccfg.MinVersion, ccfg.MaxVersion = version, version
			client := tls.Client(&chopper{Conn: p, rnd: rand.New(rand.NewPCG(1, 2))}, ccfg)
			written := make(chan struct{})
			go func() {
				defer close(written)
				for rest, rnd := there, rand.New(rand.NewPCG(5, 6)); len(rest) > 0; {
					n := min(len(rest), 1+rnd.IntN(1<<rnd.IntN(16)))
					send(t, client, rest[:n])
					rest = rest[n:]
				}
			}()
			got := make([]byte, len(back))
			if n, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, back) {
				t.Fatalf("read %d bytes of %d, or others: %v", n, len(back), err)
			}
			await(t, written, "the client")
			_ = client.Close()
			if got := await(t, seen, "the end"); got != sha256.Sum256(there) {
				t.Error("the server has seen other bytes than were sent")
			}
		})
	}
}

// chopper writes in pieces.
type chopper struct {
	net.Conn
	rnd *rand.Rand
}

// Write implements net.Conn.
func (c *chopper) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n, err := c.Conn.Write(rest[:1+c.rnd.IntN(min(len(rest), 3000))])
		if rest = rest[n:]; err != nil {
			return len(p) - len(rest), err
		}
	}
	return len(p), nil
}

// TestEndings: how the two directions of TLS and of TCP end, and what the other side sees of it.
func TestEndings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		client func(t *testing.T, tc *tls.Conn, raw *MemoryConn)
		reason CloseReason
		err    error // "anything" if not nil
		shown  string
	}{
		{"close_notify", func(_ *testing.T, tc *tls.Conn, _ *MemoryConn) { _ = tc.CloseWrite() }, PeerClosed, nil, "hello"},
		{"close_notify and FIN", func(_ *testing.T, tc *tls.Conn, raw *MemoryConn) { _ = tc.CloseWrite(); _ = raw.CloseWrite() }, PeerClosed, nil, "hello"},
		{"FIN between records", func(_ *testing.T, _ *tls.Conn, raw *MemoryConn) { _ = raw.CloseWrite() }, PeerClosed, nil, "hello"},
		{"FIN within a record", func(t *testing.T, tc *tls.Conn, raw *MemoryConn) {
			send(t, raw, records(t, tc, []byte("cut off"))[:10])
			_ = raw.CloseWrite()
		}, TLSError, io.ErrUnexpectedEOF, "hello"},
		{"reset", func(_ *testing.T, _ *tls.Conn, raw *MemoryConn) { _ = raw.Reset() }, PeerReset, nil, "*"},
		{"a record that was changed", func(t *testing.T, tc *tls.Conn, raw *MemoryConn) {
			r := records(t, tc, []byte("changed"))
			r[len(r)-1]++
			send(t, raw, r)
		}, TLSError, io.EOF, "hello"},
		{"records, then one that was changed", func(t *testing.T, tc *tls.Conn, raw *MemoryConn) {
			all := bytes.Clone(records(t, tc, []byte(", world")))
			r := records(t, tc, []byte("changed"))
			r[len(r)-1]++
			send(t, raw, append(all, r...))
		}, TLSError, io.EOF, "hello, world"},
		{"plain bytes", func(t *testing.T, _ *tls.Conn, raw *MemoryConn) { send(t, raw, []byte("GET / HTTP/1.1\r\n\r\n")) }, TLSError, io.EOF, "hello"},
		{"a record that is too large", func(t *testing.T, _ *tls.Conn, raw *MemoryConn) { send(t, raw, []byte{23, 3, 3, 0xff, 0xff}) }, TLSError, io.EOF, "hello"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, Config{}, memoryBackend)
			by := handshaker(t, TLS{})
			closed, ends := endings()
			var shown []byte
			p := w.connect(by.Open(func(*Conn) Handler {
				return &probe{data: func(c *Conn, p []byte) int {
					if shown = append(shown, p...); len(shown) == 5 {
						c.Write([]byte("seen"))
					}
					return len(p)
				}, close: closed}
			}))
			raw := p.(*MemoryConn)
			client := tls.Client(&tap{MemoryConn: raw}, clientTLS())
			send(t, client, []byte("hello"))
			receive(t, client, "seen")
			tc.client(t, client, raw)
			if tc.reason == PeerClosed { // the server ends in the same way
				if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("the client reads %d bytes, %v; want close_notify", n, err)
				}
				if n, err := raw.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("behind close_notify there are %d bytes, %v; want FIN", n, err)
				}
				_ = raw.Close()
			}
			e := await(t, ends, "the end")
			if e.reason != tc.reason || tc.err != nil && e.err == nil || errors.Is(tc.err, io.ErrUnexpectedEOF) && !errors.Is(e.err, tc.err) {
				t.Errorf("ended with %v, %v; want %v", e.reason, e.err, tc.reason)
			}
			if tc.shown != "*" && string(shown) != tc.shown {
				t.Errorf("shown %q, want %q", shown, tc.shown)
			}
		})
	}
}

// TestCloseNotifyWaits: a Close whose close_notify the kernel does not take at first sends it, whole, when there is room, and the FIN behind it.
func TestCloseNotifyWaits(t *testing.T) {
	t.Parallel()
	for missing := range 3 {
		l, c, client := idleTLS(t, &probe{}, tls.VersionTLS13)
		raw := client.NetConn().(*tap).MemoryConn
		f := &narrow{driver: l.drv}
		l.drv = f
		message := bytes.Repeat([]byte("x"), 3000)
		c.Write(message)
		f.room = []int{1000, 0, 2000, 5000, missing, 0, 20, 0, 1000}
		c.Close(ResponseEnd, nil)
		for range 20 {
			l.event(&event{slot: c.slot, gen: c.gen, bits: readyOut})
			l.turn()
		}
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("%d: got %d bytes, %v", missing, len(got), err)
		}
		if n, err := raw.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%d: behind close_notify there are %d bytes, %v", missing, n, err)
		}
	}
}

// narrow takes so many bytes at each write; 0 is EAGAIN.
type narrow struct {
	driver
	room []int
}

func (d *narrow) write(c *Conn, p []byte) (int, syscall.Errno) {
	if len(d.room) == 0 {
		return d.driver.write(c, p)
	}
	n := min(d.room[0], len(p))
	if d.room = d.room[1:]; n == 0 {
		return 0, syscall.EAGAIN
	}
	return d.driver.write(c, p[:n])
}

// TestUnsentBounded: a slow peer has one record waiting, whatever is queued for it; answers of crypto/tls to a peer that does not read are bounded.
func TestUnsentBounded(t *testing.T) {
	t.Parallel()
	closed, ends := endings()
	l, c, _ := idleTLS(t, &probe{close: closed}, tls.VersionTLS13)
	s := l.sealedConn(c)
	f := NewFrame(make([]byte, 1000), 0)
	for range 500 {
		c.Send(f)
		l.turn()
	}
	if n := c.Buffered(); s.unsent == nil || len(s.unsent.b)-s.off > recordPlain+1000 || n < 400_000 {
		t.Fatalf("%d bytes are queued, %+v of them are in records", n, s.unsent)
	}
	if c.LastMessage() != nil {
		t.Error("a message could be changed that is in a record")
	}
	for i := 0; c.flags&flagDead == 0; i++ {
		if i > unsentMax {
			t.Fatal("answers without a bound")
		}
		l.sealedOut = append(l.sealedOut, make([]byte, 27)...) // as for a key update
		s.answer(c)
	}
	l.turn()
	if e := await(t, ends, "the end"); e.reason != OutboundOverflow {
		t.Errorf("ended with %v, %v", e.reason, e.err)
	}
}

// TestDetachTLS: what Detach returns can be asked for its TLS state, whether bytes are under way or not.
func TestDetachTLS(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "prefix"} {
		w := start(t, Config{}, memoryBackend)
		by := handshaker(t, TLS{})
		out := make(chan net.Conn, 1)
		p := w.connect(by.Open(func(*Conn) Handler {
			return &probe{data: func(c *Conn, _ []byte) int {
				nc, err := c.Detach([]byte(prefix))
				if err != nil {
					t.Error(err)
				}
				if _, ok := c.TLS(); ok {
					t.Error("a connection that has gone has a TLS state")
				}
				out <- nc
				return 0
			}}
		}))
		client := tls.Client(p, clientTLS())
		send(t, client, []byte("x"))
		nc := await(t, out, "the connection")
		s, ok := nc.(interface{ ConnectionState() tls.ConnectionState })
		if !ok || s.ConnectionState().NegotiatedProtocol != "http/1.1" {
			t.Fatalf("%T has no TLS state, or another", nc)
		}
		if _, ok := nc.(*tls.Conn); ok != (prefix == "") {
			t.Errorf("with prefix %q it is a %T", prefix, nc)
		}
		_ = nc.SetDeadline(time.Now().Add(patience))
		receive(t, nc, prefix)
		send(t, nc, []byte("from a goroutine"))
		receive(t, client, "from a goroutine")
		send(t, client, []byte("and back"))
		receive(t, nc, "and back")
		_ = nc.Close()
		if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the client reads %d bytes, %v", n, err)
		}
	}
}

// TestDetachTLSUnsent: what the kernel had not taken of a record goes out before what a new owner writes, at a write of nothing at the latest, and a loop that has the
// connection then goes on behind it.
func TestDetachTLSUnsent(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "prefix"} {
		l, c, client := idleTLS(t, &probe{}, tls.VersionTLS13)
		plain := l.drv
		l.drv = &narrow{driver: plain, room: []int{500, 0, 100, 0, 0}}
		message := bytes.Repeat([]byte("x"), 1000) // one record
		c.Write(message)
		l.turn()
		s := l.sealedConn(c)
		if s.owed != len(message) {
			t.Fatalf("%d bytes are in a record that waits, want %d", s.owed, len(message))
		}
		out, err := c.Detach([]byte(prefix))
		if err != nil {
			t.Fatal(err)
		}
		l.drv = plain
		l.turn()
		e := memoryEngine(t, Config{})
		open := func(c *Conn) Handler { c.Write([]byte("from the loop")); return echo() }
		if err := e.Attach(out, nil, open); err == nil {
			t.Fatal("it was taken with bytes that wait to go out")
		}
		_ = out.SetDeadline(time.Now().Add(patience))
		if n, err := out.Write(nil); n != 0 || err != nil {
			t.Fatalf("a write of nothing: %d, %v", n, err)
		}
		receive(t, client, string(message))
		if err := e.Attach(out, nil, open); err != nil {
			t.Fatal(err)
		}
		receive(t, client, "from the loop"+prefix)
		send(t, client, []byte("and back"))
		receive(t, client, "and back")
	}
}

// TestKeyUpdateFlood: a peer that has the server answer and does not read is reset; nothing is read from the connection after that.
func TestKeyUpdateFlood(t *testing.T) {
	t.Parallel()
	closed, ends := endings()
	l, c, client := idleTLS(t, &probe{close: closed}, tls.VersionTLS13)
	s := l.sealedConn(c)
	l.drv = &narrow{driver: l.drv, room: make([]int, 8)}
	s.keep(make([]byte, unsentMax))
	c.flags |= flagBlocked
	l.sealedOut = append(l.sealedOut, make([]byte, 27)...) // as for a key update, behind which there is only half a record
	send(t, client.NetConn().(*tap).MemoryConn, records(t, client, []byte("half"))[:10])
	l.turn()
	if e := await(t, ends, "the end"); e.reason != OutboundOverflow {
		t.Errorf("ended with %v, %v", e.reason, e.err)
	}
}

// idleProbe is a probe that may be ended at once.
type idleProbe struct{ *probe }

// Idle implements Idler.
func (idleProbe) Idle() bool { return true }

// TestShutdownWhileRecordWaits: close_notify of an idle connection does not overtake a record.
func TestShutdownWhileRecordWaits(t *testing.T) {
	t.Parallel()
	l, c, client := idleTLS(t, idleProbe{&probe{}}, tls.VersionTLS13)
	s := l.sealedConn(c)
	if _, err := s.tc.Write([]byte("the last of a handshake, as it were")); err != nil {
		t.Fatal(err)
	}
	f := &narrow{driver: l.drv, room: []int{10, 0}}
	l.drv = f
	if e := s.push(c, 0); e != syscall.EAGAIN {
		t.Fatal(e)
	}
	l.closeAll()
	for range 3 {
		l.turn()
	}
	got, err := io.ReadAll(client)
	if err != nil || string(got) != "the last of a handshake, as it were" {
		t.Errorf("the client reads %q, %v", got, err)
	}
}

// TestAttachForeignTLS: a tls.Conn that is not ours cannot be driven by a loop.
func TestAttachForeignTLS(t *testing.T) {
	t.Parallel()
	e := memoryEngine(t, Config{})
	a, b := Pipe()
	defer a.Close()
	defer b.Close()
	if err := e.Attach(tls.Server(a, serverTLS()), nil, echo().open); err == nil {
		t.Error("it was taken")
	}
}

// FuzzRecords: no bytes behind a handshake do more than end the connection.
func FuzzRecords(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 20, 1, 2, 3}, uint16(3), true)
	f.Add([]byte{21, 3, 3, 0, 2, 1, 0}, uint16(0), false)
	f.Add([]byte{22, 3, 3, 0, 1, 1}, uint16(5), true)
	by := handshaker(f, TLS{})
	f.Fuzz(func(t *testing.T, sent []byte, cut uint16, modern bool) {
		version := uint16(tls.VersionTLS12)
		if modern {
			version = tls.VersionTLS13
		}
		l, _, _ := idleLoop(t, &probe{})
		var got []byte
		ends := 0
		c, client, raw := secureOn(t, l, by, &probe{
			data:  func(_ *Conn, p []byte) int { got = append(got, p...); return len(p) },
			close: func(*Conn, CloseReason, error) { ends++ },
		}, version)
		good := bytes.Clone(records(t, client, []byte("good")))
		ref := c.Ref()
		for _, p := range [][]byte{good, sent[:min(int(cut), len(sent))], sent[min(int(cut), len(sent)):]} {
			_, _ = raw.Write(p) // refused when the connection has ended
			l.turn()
		}
		_ = raw.CloseWrite()
		for range 3 {
			l.turn()
		}
		if ref.Conn() != nil { // an ordinary end, which the client has to answer
			_ = raw.Close()
			l.turn()
		}
		if string(got) != "good" || ends != 1 {
			t.Errorf("shown %q, ended %d times", got, ends)
		}
	})
}
