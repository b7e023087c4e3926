package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// fake plays the server's side of a scenario: what a step sends it reads (and checks), what a step expects it sends.
type fake struct {
	sc       *Scenario
	accepted chan net.Conn
	done     chan struct{} // closed when the client has ended
	conns    map[string]*fakeConn
	all      []*fakeConn
	vars     vars

	optional bool     // send what may be missing, too
	choice   int      // which alternative of any_of
	chunk    int      // bytes per write; 0: all at once
	mutate   mutation // the one fault
}

// mutation is one fault in what the fake sends: at Step (from 0), of a kind.
type mutation struct {
	step int
	kind string // "": none
}

// fakeConn is the server's end: a goroutine reads all the time, so that the client's writes never block.
type fakeConn struct {
	nc   net.Conn
	mu   sync.Mutex
	in   []byte        // under mu
	end  bool          // under mu
	more chan struct{} // of capacity 1: something changed

	out    [][]byte      // under mu; written by a goroutine of its own, so that the fake never waits for the client to read
	outEnd bool          // under mu: end the direction behind out
	wake   chan struct{} // of capacity 1
}

// duplex is a connection in memory each direction of which can end alone.
type duplex struct {
	net.Conn          // what is read
	out      net.Conn // what is written
}

func newDuplex() (client, server *duplex) {
	a1, a2 := net.Pipe()
	b1, b2 := net.Pipe()
	return &duplex{a1, b1}, &duplex{b2, a2}
}

func (d *duplex) Write(p []byte) (int, error)        { return d.out.Write(p) }
func (d *duplex) SetWriteDeadline(t time.Time) error { return d.out.SetWriteDeadline(t) }
func (d *duplex) CloseWrite() error                  { return d.out.Close() }
func (d *duplex) Close() error                       { return errors.Join(d.Conn.Close(), d.out.Close()) }

func newFake(sc *Scenario) *fake {
	return &fake{sc: sc, accepted: make(chan net.Conn), done: make(chan struct{}), conns: map[string]*fakeConn{}, vars: vars{"any": "whatever"}}
}

// target is the fake as a server.
func (f *fake) target() Target {
	return Target{Host: "fake.example", Shutdown: func() {}, Dial: func(ctx context.Context) (net.Conn, error) {
		client, server := newDuplex()
		select {
		case f.accepted <- server:
			return client, nil
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), client.Close(), server.Close())
		}
	}}
}

// run plays the scenario against the fake. The error is the fake's own: that the client did not send as recorded.
func (f *fake) run(opt Options) (*Difference, error) {
	var diff *Difference
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(f.done)
		diff = Run(context.Background(), f.sc, f.target(), opt)
	})
	err := f.play()
	if err != nil {
		f.close() // the client sees the end
	}
	wg.Wait()
	f.close()
	return diff, err
}

func (f *fake) close() {
	for _, c := range f.all {
		_ = c.nc.Close()
		c.queue(nil, true)
	}
}

// errClientEnded: the client saw a difference and left.
var errClientEnded = errors.New("the client has ended")

func (f *fake) play() error {
	for i := range f.sc.Steps {
		st := &f.sc.Steps[i]
		var err error
		switch st.Do {
		case "wait":
			time.Sleep(time.Duration(st.MS) * time.Millisecond)
		case "send":
			err = f.read(st)
		case "expect":
			kind := ""
			if f.mutate.step == i {
				kind = f.mutate.kind
			}
			err = f.answer(st, kind)
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (f *fake) accept(name string) (*fakeConn, error) {
	select {
	case nc := <-f.accepted:
		c := &fakeConn{nc: nc, more: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
		f.conns[name] = c
		f.all = append(f.all, c)
		go c.pump()
		go c.drain()
		return c, nil
	case <-f.done:
		return nil, errClientEnded
	}
}

func (c *fakeConn) pump() {
	var buf [4096]byte
	for {
		n, err := c.nc.Read(buf[:])
		c.mu.Lock()
		c.in = append(c.in, buf[:n]...)
		c.end = c.end || err != nil
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// drain writes what has been queued.
func (c *fakeConn) drain() {
	for range c.wake {
		for {
			c.mu.Lock()
			out, end := c.out, c.outEnd
			c.out = nil
			c.mu.Unlock()
			for _, p := range out {
				if _, err := c.nc.Write(p); err != nil {
					return
				}
			}
			if len(out) > 0 {
				continue
			}
			if end {
				_ = c.nc.(*duplex).CloseWrite()
				return
			}
			break
		}
	}
}

// queue hands p, or the end of the direction, to drain.
func (c *fakeConn) queue(p []byte, end bool) {
	c.mu.Lock()
	if p != nil {
		c.out = append(c.out, p)
	}
	c.outEnd = c.outEnd || end
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// until reads until take is satisfied with a prefix of what has come, and drops that prefix.
func (c *fakeConn) until(take func(p []byte) int) ([]byte, error) {
	for {
		c.mu.Lock()
		n := take(c.in)
		if n >= 0 {
			p := c.in[:n:n]
			c.in = c.in[n:]
			c.mu.Unlock()
			return p, nil
		}
		end := c.end
		c.mu.Unlock()
		if end {
			return nil, errClientEnded
		}
		<-c.more
	}
}

func (c *fakeConn) exactly(n int) ([]byte, error) {
	return c.until(func(p []byte) int {
		if len(p) < n {
			return -1
		}
		return n
	})
}

// read takes what a send step sends and checks it.
func (f *fake) read(st *Step) error {
	switch {
	case st.HTTP != nil:
		return f.readRequest(st.At, st.HTTP)
	case st.WS == "open":
		return f.readRequest(st.At, &HTTP{Method: "GET", Path: st.Path, Headers: st.Headers})
	}
	c := f.conns[st.At]
	if st.TCP == "fin" || st.TCP == "reset" {
		_, err := c.until(func([]byte) int {
			if c.end {
				return 0
			}
			return -1
		})
		return err
	}
	if st.TCP == "raw" {
		want, _ := hex.DecodeString(*st.Hex)
		got, err := c.exactly(len(want))
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("the client sent %x", got)
		}
		return err
	}
	return f.readFrame(c, st)
}

func (f *fake) readRequest(name string, want *HTTP) error {
	c, err := f.accept(name)
	if err != nil {
		return err
	}
	head, err := c.until(func(p []byte) int {
		if at := bytes.Index(p, []byte("\r\n\r\n")); at >= 0 {
			return at + 4
		}
		return -1
	})
	if err != nil {
		return err
	}
	path, err := f.vars.fill(want.Path, nil)
	if err != nil {
		return err
	}
	if line := want.Method + " " + path + " HTTP/1.1\r\n"; !bytes.HasPrefix(head, []byte(line)) {
		return fmt.Errorf("the client asked %q, want %q", head, line)
	}
	for name, value := range want.Headers {
		line := "\r\n" + name + ":"
		if value != nil {
			line += " " + *value + "\r\n"
		}
		if bytes.Contains(head, []byte(line)) != (value != nil) {
			return fmt.Errorf("the client's header %s in %q", name, head)
		}
	}
	body := ""
	if want.Body != nil {
		if body, err = f.vars.fill(*want.Body, nil); err != nil {
			return err
		}
	}
	if want.Hex != nil {
		p, _ := hex.DecodeString(*want.Hex)
		body = string(p)
	}
	got, err := c.exactly(len(body))
	if err == nil && string(got) != body {
		err = fmt.Errorf("the client's body %q, want %q", got, body)
	}
	return err
}

func (f *fake) readFrame(c *fakeConn, st *Step) error {
	var payload []byte
	var b0 byte
	_, err := c.until(func(p []byte) int {
		if len(p) < 2 {
			return -1
		}
		head, n := 2, int(p[1]&0x7f)
		switch {
		case n == 126 && len(p) >= 4:
			head, n = 4, int(binary.BigEndian.Uint16(p[2:]))
		case n == 127 && len(p) >= 10:
			head, n = 10, int(binary.BigEndian.Uint64(p[2:]))
		case n >= 126:
			return -1
		}
		if len(p) < head+4+n {
			return -1
		}
		b0 = p[0]
		mask := p[head : head+4]
		payload = make([]byte, n)
		for i := range payload {
			payload[i] = p[head+4+i] ^ mask[i&3]
		}
		if p[1]&0x80 == 0 {
			b0 = 0xff // not masked: no opcode that is wanted
		}
		return head + 4 + n
	})
	if err != nil {
		return err
	}
	want := opcodes[st.WS]
	if st.Fin == nil || *st.Fin {
		want |= 0x80
	}
	wantPayload, err := f.payload(st)
	if st.WS == "close" && st.Code != nil {
		wantPayload = binary.BigEndian.AppendUint16(nil, uint16(*st.Code))
		if st.Reason != nil {
			wantPayload = append(wantPayload, *st.Reason...)
		}
	}
	if err == nil && (b0 != want || !bytes.Equal(payload, wantPayload)) {
		err = fmt.Errorf("the client sent a frame 0x%02x with %q, want 0x%02x with %q", b0, payload, want, wantPayload)
	}
	return err
}

// payload is a step's data; placeholders that are not yet known get a value.
func (f *fake) payload(st *Step) ([]byte, error) {
	switch {
	case st.Data != nil:
		return []byte(f.invent(*st.Data)), nil
	case st.Hex != nil:
		return hex.DecodeString(*st.Hex)
	case st.MsgPack != nil:
		f.invent(string(st.MsgPack))
		v, err := packNotation(st.MsgPack)
		if err != nil {
			return nil, err
		}
		return f.vars.appendRecord(nil, &v)
	}
	return nil, nil
}

func (f *fake) invent(s string) string {
	for _, m := range placeholder.FindAllStringSubmatch(s, -1) {
		if _, ok := f.vars[m[1]]; !ok {
			f.vars[m[1]] = "id-of_" + m[1]
		}
	}
	out, _ := f.vars.fill(s, nil)
	return out
}

// answer sends what a step expects, with one fault if kind is not empty.
func (f *fake) answer(st *Step, kind string) error {
	switch {
	case st.Silence > 0:
		if kind == "break" {
			return f.extra(f.conns[st.At])
		}
		time.Sleep(time.Duration(st.Silence+1) * time.Millisecond)
		return nil
	case kind == "drop", st.Optional && !f.optional && kind == "":
		return nil
	case kind == "extra":
		if err := f.extra(f.conns[st.At]); err != nil {
			return err
		}
	case kind == "late":
		within := int(defaultWithin / time.Millisecond)
		if st.Within > 0 {
			within = st.Within
		}
		time.Sleep(time.Duration(within+1) * time.Millisecond)
	}
	if st.After > 0 && kind != "early" {
		time.Sleep(time.Duration(st.After+1) * time.Millisecond)
	}
	if st.Poll != "" {
		return f.answerPolls(st, kind)
	}
	c := f.conns[st.At]
	switch {
	case len(st.AnyOf) > 0:
		return f.one(c, &st.AnyOf[min(f.choice, len(st.AnyOf)-1)], kind)
	case len(st.AnyOrder) > 0:
		for i := range st.AnyOrder {
			if err := f.one(c, &st.AnyOrder[len(st.AnyOrder)-1-i], kind); err != nil {
				return err
			}
		}
		return nil
	}
	return f.one(c, st, kind)
}

// extra sends something that nothing expects.
func (f *fake) extra(c *fakeConn) error {
	return f.write(c, serverFrame(true, opcodes["text"], []byte("{\"type\":6}\x1e")))
}

func (f *fake) one(c *fakeConn, st *Step, kind string) error {
	switch {
	case st.HTTP != nil:
		return f.respond(c, st.HTTP, kind)
	case st.WS == "open":
		head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		if kind == "change" {
			head = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
		}
		return f.write(c, []byte(head+headerLines(st.Headers, kind)+"\r\n"))
	case st.EOF:
		c.queue(nil, true)
		return nil
	case st.SSE == "end":
		if kind == "change" {
			c.queue(nil, true) // without the last chunk
			return nil
		}
		return f.write(c, []byte("0\r\n\r\n"))
	case st.SSE != "":
		text := f.invent(*st.Data)
		if kind == "change" {
			text = mutated(text)
		}
		if st.SSE == "message" {
			text = "data: " + text + "\r\n\r\n"
			if kind == "cut" {
				text = strings.Replace(text, "\x1e", "", 1)
			}
		}
		return f.write(c, fmt.Appendf(nil, "%x\r\n%s\r\n", len(text), text))
	case st.WS == "close":
		code := *st.Code
		if kind == "change" {
			code = 3999
		}
		p := binary.BigEndian.AppendUint16(nil, uint16(code))
		if st.Reason != nil {
			p = append(p, *st.Reason...)
		}
		return f.write(c, serverFrame(true, opcodes["close"], p))
	}
	payload, err := f.payload(st)
	if err != nil {
		return err
	}
	if kind == "change" {
		payload = []byte(mutated(string(payload)))
	}
	op := opcodes[st.WS]
	if kind == "kind" {
		op ^= 3 // text for binary and the reverse
	}
	if kind == "cut" {
		half := len(payload) / 2
		if err := f.write(c, serverFrame(true, op, payload[:half])); err != nil {
			return err
		}
		payload = payload[half:]
	}
	return f.write(c, serverFrame(true, op, payload))
}

func serverFrame(fin bool, op byte, p []byte) []byte {
	if fin {
		op |= 0x80
	}
	switch {
	case len(p) < 126:
		return append([]byte{op, byte(len(p))}, p...)
	case len(p) < 1<<16:
		return append(binary.BigEndian.AppendUint16([]byte{op, 126}, uint16(len(p))), p...)
	}
	return append(binary.BigEndian.AppendUint64([]byte{op, 127}, uint64(len(p))), p...)
}

// mutated is a payload of the same kind that has another value.
func mutated(s string) string {
	if strings.HasSuffix(s, "}\x1e") || strings.HasSuffix(s, "}") {
		comma := ","
		if strings.HasPrefix(s, "{}") {
			comma = ""
		}
		at := strings.LastIndexByte(s, '}')
		return s[:at] + comma + `"mutated":1` + s[at:]
	}
	if v, err := parseRecord(s); err == nil && v.kind == '[' {
		v.items = append(v.items, packValue{kind: 't'})
		out, _ := vars{}.appendRecord(nil, &v)
		return string(out)
	}
	return "x" + s
}

func headerLines(headers map[string]*string, kind string) string {
	var b strings.Builder
	for name, value := range headers {
		switch {
		case value != nil && kind != "header":
			fmt.Fprintf(&b, "%s: %s\r\n", strings.ToUpper(name), *value)
		case value == nil && kind == "header":
			fmt.Fprintf(&b, "%s: unasked\r\n", name)
		}
	}
	return b.String()
}

func (f *fake) respond(c *fakeConn, want *HTTP, kind string) error {
	status := want.Status
	if kind == "status" {
		status++
	}
	head := fmt.Sprintf("HTTP/1.1 %d Whatever\r\n", status) + headerLines(want.Headers, kind)
	if want.Stream {
		return f.write(c, []byte(head+"Transfer-Encoding: chunked\r\n\r\n"))
	}
	body := ""
	if want.Body != nil {
		body = f.invent(*want.Body)
	}
	if kind == "change" {
		body = mutated(body)
	}
	if status == 204 {
		return f.write(c, []byte(head+"\r\n"+strings.TrimPrefix(body, "")))
	}
	return f.write(c, fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body))
}

// answerPolls serves one message a poll.
func (f *fake) answerPolls(st *Step, kind string) error {
	for i, m := range st.Messages {
		if err := f.readRequest(st.At, &HTTP{Method: "GET", Path: st.Poll}); err != nil {
			return err
		}
		body := f.invent(m)
		if f.sc.Encoding == "messagepack" && !(st.Handshake && i == 0) {
			p, err := hex.DecodeString(m)
			if err != nil {
				return err
			}
			body = string(p)
		}
		switch kind {
		case "change":
			body = mutated(body)
		case "cut":
			body = body[:len(body)-1]
		}
		ok := HTTP{Status: 200, Body: &body}
		if kind == "status" {
			ok.Status = 204
		}
		if err := f.respond(f.conns[st.At], &ok, ""); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) write(c *fakeConn, p []byte) error {
	size := f.chunk
	if size == 0 {
		size = len(p)
	}
	size = max(size, len(p)/100) // what is large need not take all day
	for len(p) > 0 {
		n := min(size, len(p))
		c.queue(p[:n:n], false)
		p = p[n:]
	}
	return nil
}
