package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer is a small SignalR server with a bench hub that can be told to misbehave. It is written with blocking calls and
// shares no code with the client under test but the answer to the WebSocket key.
type fakeServer struct {
	behaviour
	url      string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[*fakeConn]bool   // under mu
	count int64                // under mu: deliveries and completions so far
	held  []heldMessage        // under mu
	did   planted              // under mu
	made  int64                // under mu: hub connections
	calls map[string]int64     // under mu: by method
	pings int64                // under mu: hub pings of clients
	pongs int64                // under mu
	asked int64                // under mu: negotiates
	users map[string]int       // under mu: requests by method and value of user= in the URL
	known map[string]*fakeConn // under mu: by token, those that make requests
}

// behaviour is how the server differs from an ordinary one. The zero value does not.
type behaviour struct {
	negotiate   func(w io.Writer) (closes bool) // instead of the ordinary answer
	token       func(n int64) string            // of the n-th negotiate, from 1; nil: each has its own
	closes      bool                            // after each answer to negotiate
	upgrade     string                          // instead of the ordinary answer: the whole response
	handshake   string                          // instead of {}
	shaking     time.Duration                   // until the answer to a handshake
	refuse      string                          // the error of every call
	pretty      bool                            // other property order and white space
	fragment    bool                            // messages in two frames, a WebSocket ping between them
	echo        func(string) string             // what Echo returns, as JSON
	fault       func(n int64) fault1            // of the n-th message, from 1; under mu
	after       func(n int64, s *fakeServer)    // after the n-th message, without mu
	closeRecord string                          // sent after the handshake
	split       bool                            // events are cut into chunks, with comments between them
	post        string                          // instead of the ordinary answer to a POST of a connection
	mute        bool                            // a POST of a connection is not answered
	listen      string                          // instead of the ordinary answer to a request for events, or to a poll but the first
}

// fault1 is what is done to one message.
type fault1 int

const (
	faultNone fault1 = iota
	faultDrop
	faultDouble
	faultSwap // send it after the next one of the same sender to the same receiver
)

// planted counts the faults.
type planted struct{ dropped, doubled, swapped int64 }

type heldMessage struct {
	conn   *fakeConn
	sender string
	record string
}

type fakeConn struct {
	server  *fakeServer
	nc      net.Conn
	groups  map[string]bool // under server.mu
	packed  bool            // MessagePack; set in the handshake, before anything else is sent
	shaken  bool            // by POSTs, which come one after the other
	carrier bool            // under server.mu: a TCP connection that requests of several come on
	events  bool            // what is said goes into an event stream
	polls   bool            // what is said waits in w for the next poll

	mu    sync.Mutex
	w     *bufio.Writer // under mu
	ready *sync.Cond    // of mu: there is something for a poll
	said  []byte        // under mu: for a poll
	ended bool          // under mu: the polls are over
}

func newFakeServer(t *testing.T, b behaviour) *fakeServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{behaviour: b, listener: ln, url: "http://" + ln.Addr().String() + "/bench", conns: map[*fakeConn]bool{}, calls: map[string]int64{}, users: map[string]int{}, known: map[string]*fakeConn{}}
	s.running.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.serve(nc) })
		}
	})
	t.Cleanup(func() {
		s.die()
		s.running.Wait()
	})
	return s
}

// die ends the listener and all connections by reset, like a process that is killed.
func (s *fakeServer) die() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.nc.(*net.TCPConn).SetLinger(0)
		c.nc.Close()
	}
	for _, k := range s.known { // a poll that waits does not see the end of its connection
		k.mu.Lock()
		k.ended = true
		k.mu.Unlock()
		k.ready.Broadcast()
	}
}

func (s *fakeServer) serve(nc net.Conn) {
	c := &fakeConn{server: s, nc: nc, w: bufio.NewWriter(nc), groups: map[string]bool{}}
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		nc.Close()
	}()
	r := bufio.NewReader(nc)
	for {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if u := q.URL.Query().Get("user"); u != "" {
			s.mu.Lock()
			s.users[q.Method+" "+u]++
			s.mu.Unlock()
		}
		if id := q.URL.Query().Get("id"); id != "" && q.Header.Get("Upgrade") == "" {
			if !s.request(c, q, id) {
				return
			}
			continue
		}
		if q.Method == http.MethodPost {
			if s.negotiate != nil {
				if s.negotiate(nc) {
					return
				}
				continue
			}
			s.mu.Lock()
			s.asked++
			n := s.asked
			s.mu.Unlock()
			token := fmt.Sprintf("secret+/token-%d", n)
			if s.token != nil {
				token = s.token(n)
			}
			body := fmt.Sprintf(`{"negotiateVersion":1,"connectionId":"public","connectionToken":%q,"availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]}`, token)
			connection := "keep-alive"
			if s.closes {
				connection = "close"
			}
			fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s", connection, len(body), body)
			if s.closes {
				return
			}
			continue
		}
		if s.upgrade != "" {
			io.WriteString(nc, s.upgrade)
			return
		}
		if id := q.URL.Query().Get("id"); id != "" && !strings.HasPrefix(id, "secret+/token") {
			io.WriteString(nc, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
			return
		}
		fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept(q.Header.Get("Sec-WebSocket-Key")))
		c.hub(r)
		return
	}
}

// hub serves the records of an upgraded connection.
func (c *fakeConn) hub(r *bufio.Reader) {
	for {
		op, p, err := readFrame(r)
		if err != nil {
			return
		}
		switch op {
		case 8:
			c.frame(8, p)
			return
		case 9:
			c.frame(10, p)
			continue
		case 10:
			c.server.mu.Lock()
			c.server.pongs++
			c.server.mu.Unlock()
			continue
		}
		if c.shaken && c.packed && op != 2 {
			panic("the client sent MessagePack as text")
		}
		c.take(p)
	}
}

// take handles what a message or a POST has brought.
func (c *fakeConn) take(p []byte) {
	if c.shaken && c.packed {
		for _, rec := range unpackRecords(p) {
			c.record(rec)
		}
		return
	}
	for rec := range strings.SplitSeq(strings.TrimSuffix(string(p), "\x1e"), "\x1e") {
		if !c.shaken {
			c.shaken = true
			c.shake(rec)
			continue
		}
		c.record(rec)
	}
}

func (c *fakeConn) shake(rec string) {
	s := c.server
	switch rec {
	case `{"protocol":"json","version":1}`:
	case `{"protocol":"messagepack","version":1}`:
		c.packed = true // before the answer, which is JSON: others may send to this client as soon as it has that
	default:
		c.text(`{"error":"unexpected handshake"}`)
		return
	}
	s.mu.Lock()
	s.made++
	s.mu.Unlock()
	<-time.After(s.shaking)
	if s.handshake != "" {
		c.textAs(s.handshake, false)
		return
	}
	c.textAs("{}", false)
	if s.closeRecord != "" {
		c.text(s.closeRecord)
	}
}

func (c *fakeConn) record(rec string) {
	s := c.server
	var m struct {
		Type         int
		InvocationID string `json:"invocationId"`
		Target       string
		Arguments    []string
	}
	if err := json.Unmarshal([]byte(rec), &m); err != nil {
		panic(fmt.Sprintf("the client sent %q: %v", rec, err))
	}
	switch m.Type {
	case 6:
		s.mu.Lock()
		s.pings++
		s.mu.Unlock()
		return
	case 7:
		return
	}
	s.mu.Lock()
	s.calls[m.Target]++
	s.mu.Unlock()
	id, _ := json.Marshal(m.InvocationID)
	answer := func(rest string) string { return fmt.Sprintf(`{"type":3,"invocationId":%s,%s}`, id, rest) }
	if s.refuse != "" && (m.Target != "Join" || s.refuse == "no joining") {
		if m.InvocationID != "" {
			c.text(answer(fmt.Sprintf(`"error":%q`, s.refuse)))
		}
		return
	}
	void := func() {
		if m.InvocationID != "" {
			c.text(answer(`"result":null`))
		}
	}
	switch m.Target {
	case "Echo":
		result := fmt.Sprintf("%q", m.Arguments[0])
		if s.echo != nil {
			result = s.echo(m.Arguments[0])
		}
		if s.pretty {
			s.deliver(c, m.Arguments[0], fmt.Sprintf(`{ "result" : %s , "invocationId" : %s , "type" : 3 }`, result, id))
			return
		}
		s.deliver(c, m.Arguments[0], answer(`"result":`+result))
	case "Broadcast":
		s.publish("", m.Arguments[0])
		void()
	case "Join":
		s.mu.Lock()
		c.groups[m.Arguments[0]] = true
		s.mu.Unlock()
		void()
	case "Publish":
		s.publish(m.Arguments[0], m.Arguments[1])
		void()
	default:
		panic("unknown method " + m.Target)
	}
}

// publish sends to all, or to a group. Publishers take turns, so that every receiver sees one order.
func (s *fakeServer) publish(group, text string) {
	record := fmt.Sprintf(`{"type":1,"target":"message","arguments":[%q]}`, text)
	if s.pretty {
		record = fmt.Sprintf("{\n \"target\": \"Message\",\n \"arguments\": [%q],\n \"type\": 1\n}", text)
	}
	s.mu.Lock()
	var to []*fakeConn
	for c := range s.conns {
		if !c.carrier && (group == "" || c.groups[group]) {
			to = append(to, c)
		}
	}
	s.mu.Unlock()
	for _, c := range to {
		s.deliver(c, text, record)
	}
}

// deliver sends a message with the payload text, or does to it what is planned.
func (s *fakeServer) deliver(c *fakeConn, text, record string) {
	sender := text[:6]
	s.mu.Lock()
	s.count++
	n := s.count
	out := []string{record}
	for i, h := range s.held {
		if h.conn == c && h.sender == sender {
			s.held = append(s.held[:i], s.held[i+1:]...)
			out = append(out, h.record)
			s.did.swapped++
			break
		}
	}
	if s.fault != nil {
		switch s.fault(n) {
		case faultDrop:
			out = out[1:]
			s.did.dropped++
		case faultDouble:
			out = append(out, record)
			s.did.doubled++
		case faultSwap:
			s.held = append(s.held, heldMessage{c, sender, record})
			out = out[1:]
		}
	}
	s.mu.Unlock()
	for _, x := range out {
		c.text(x)
	}
	if s.after != nil {
		s.after(n, s)
	}
}

func (c *fakeConn) text(record string) { c.textAs(record, c.packed) }

func (c *fakeConn) textAs(record string, packed bool) {
	op, p := byte(1), []byte(record+"\x1e")
	if packed {
		op, p = 2, packRecord(record, c.server.pretty)
	}
	if c.events || c.polls {
		c.say(p)
		return
	}
	if !c.server.fragment {
		c.frame(op, p)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	half := len(p) / 2
	writeFrame(c.w, op, false, p[:half])
	writeFrame(c.w, 9, true, []byte("are you there"))
	writeFrame(c.w, 0, true, p[half:])
	c.w.Flush()
}

func (c *fakeConn) frame(op byte, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	writeFrame(c.w, op, true, p)
	c.w.Flush()
}

func writeFrame(w *bufio.Writer, op byte, fin bool, p []byte) {
	if fin {
		op |= 0x80
	}
	w.WriteByte(op)
	switch n := len(p); {
	case n < 126:
		w.WriteByte(byte(n))
	case n < 1<<16:
		w.WriteByte(126)
		binary.Write(w, binary.BigEndian, uint16(n))
	default:
		w.WriteByte(127)
		binary.Write(w, binary.BigEndian, uint64(n))
	}
	w.Write(p)
}

// readFrame reads a client's frame, which must be masked and final.
func readFrame(r *bufio.Reader) (op byte, p []byte, err error) {
	var h [2]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	if h[0]&0xf0 != 0x80 || h[1]&0x80 == 0 {
		return 0, nil, errors.New("a client's frame must be final and masked")
	}
	n := uint64(h[1] & 0x7f)
	switch n {
	case 126:
		var v uint16
		err = binary.Read(r, binary.BigEndian, &v)
		n = uint64(v)
	case 127:
		err = binary.Read(r, binary.BigEndian, &n)
	}
	if err != nil {
		return 0, nil, err
	}
	var key [4]byte
	if _, err := io.ReadFull(r, key[:]); err != nil {
		return 0, nil, err
	}
	p = make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		return 0, nil, err
	}
	for i := range p {
		p[i] ^= key[i%4]
	}
	return h[0] & 0x0f, p, nil
}
