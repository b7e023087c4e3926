package replay

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"
)

// defaultWithin is an expect's deadline when it names none.
const defaultWithin = 5 * time.Second

// Target is the server under test.
type Target struct {
	Host string                                      // the Host header
	Dial func(ctx context.Context) (net.Conn, error) // makes a connection
	// Shutdown stops the server gracefully; it may return before the server has stopped. Nil: scenarios that stop the server cannot be played.
	Shutdown func()
}

// TCP is a target reached by TCP at addr (host:port).
func TCP(addr string) Target {
	return Target{Host: addr, Dial: func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}}
}

// Options of a run.
type Options struct {
	Bytes bool // compare hub messages and bodies byte for byte, not by value
}

// Difference is where a server's answer first differs from the recording.
type Difference struct {
	Step     int    // counts from 1; line Step+1 of the file; 0: the scenario could not be begun
	Expected string // the step as recorded, shortened
	Got      string
	Detail   string // what about Got is not as expected
	Early    bool   // Got is as expected, but came before its time: which may be because what began the clock was read late, on a busy machine
}

func (d *Difference) String() string {
	return fmt.Sprintf("step %d: %s\n    expected: %s\n    got:      %s", d.Step, d.Detail, d.Expected, d.Got)
}

// run is one run of a scenario.
type run struct {
	sc     *Scenario
	target Target
	m      matcher
	conns  map[string]*conn
	ctx    context.Context
}

// Run plays the scenario; nil when the server did as recorded. ctx ends it early, between two steps.
func Run(ctx context.Context, sc *Scenario, target Target, opt Options) *Difference {
	r := &run{sc: sc, target: target, m: matcher{vars: vars{}, bytes: opt.Bytes}, conns: map[string]*conn{}, ctx: ctx}
	defer func() {
		for _, c := range r.conns {
			c.close()
		}
	}()
	for i := range sc.Steps {
		if ctx.Err() != nil {
			return &Difference{Step: i + 1, Detail: "the run was stopped", Expected: "time", Got: context.Cause(ctx).Error()}
		}
		if d := r.step(&sc.Steps[i]); d != nil {
			d.Step = i + 1
			if d.Expected == "" {
				d.Expected = sc.Steps[i].describe()
			}
			return d
		}
	}
	return nil
}

func (r *run) step(st *Step) *Difference {
	switch st.Do {
	case "wait":
		return r.wait(time.Duration(st.MS) * time.Millisecond)
	case "server":
		if r.target.Shutdown == nil {
			return &Difference{Detail: "this scenario stops the server, and this replayer did not start it", Got: "nothing"}
		}
		go r.target.Shutdown()
		return nil
	case "send":
		if err := r.send(st); err != nil {
			return &Difference{Detail: "could not send", Got: err.Error()}
		}
		return nil
	}
	return r.expect(st)
}

func (r *run) wait(d time.Duration) *Difference {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return &Difference{Detail: "the run was stopped", Got: context.Cause(r.ctx).Error()}
	}
}

// dial makes a new connection under name; an earlier one of that name is closed.
func (r *run) dial(name string) (*conn, error) {
	if old := r.conns[name]; old != nil {
		old.close()
	}
	ctx, cancel := context.WithTimeout(r.ctx, defaultWithin)
	defer cancel()
	nc, err := r.target.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc}
	r.conns[name] = c
	return c, nil
}

func (r *run) send(st *Step) error {
	switch {
	case st.HTTP != nil:
		return r.sendRequest(st)
	case st.WS == "open":
		return r.sendOpen(st)
	}
	c := r.conns[st.At]
	if c == nil {
		return fmt.Errorf("there is no connection %q", st.At)
	}
	switch st.TCP {
	case "raw":
		p, err := hex.DecodeString(*st.Hex)
		if err != nil {
			return err
		}
		c.send(p)
		return nil
	case "fin":
		return c.finish()
	case "reset":
		c.reset()
		return nil
	}
	return r.sendFrame(c, st)
}

func (r *run) sendRequest(st *Step) error {
	var body []byte
	var err error
	switch {
	case st.HTTP.Body != nil:
		var text string
		text, err = r.m.vars.fill(*st.HTTP.Body, nil)
		body = []byte(text)
	case st.HTTP.Hex != nil:
		body, err = hex.DecodeString(*st.HTTP.Hex)
	}
	if err != nil {
		return err
	}
	withBody := len(body) > 0
	req, err := r.m.vars.appendRequest(nil, st.HTTP.Method, st.HTTP.Path, r.target.Host, nil, st.HTTP.Headers, body, withBody)
	if err != nil {
		return err
	}
	c, err := r.dial(st.At)
	if err != nil {
		return err
	}
	c.method = st.HTTP.Method
	c.send(req)
	return nil
}

func (r *run) sendOpen(st *Step) error {
	base := [][2]string{
		{"Upgrade", "websocket"}, {"Connection", "Upgrade"},
		{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
	}
	req, err := r.m.vars.appendRequest(nil, http.MethodGet, st.Path, r.target.Host, base, st.Headers, nil, false)
	if err != nil {
		return err
	}
	c, err := r.dial(st.At)
	if err != nil {
		return err
	}
	encoding := st.Encoding
	if encoding == "" {
		encoding = r.sc.Encoding
	}
	c.method = http.MethodGet
	c.ws = &wsState{msgpack: encoding == "messagepack", shaken: st.Resumed}
	c.send(req)
	return nil
}

// sendFrame sends one frame.
func (r *run) sendFrame(c *conn, st *Step) error {
	f := frame{fin: st.Fin == nil || *st.Fin, op: opcodes[st.WS]}
	var err error
	switch {
	case st.WS == "close":
		if st.Code != nil {
			f.payload = binary.BigEndian.AppendUint16(nil, uint16(*st.Code))
		}
		if st.Reason != nil {
			f.payload = append(f.payload, *st.Reason...)
		}
	case st.Data != nil:
		var text string
		text, err = r.m.vars.fill(*st.Data, nil)
		f.payload = []byte(text)
	case st.Hex != nil:
		f.payload, err = hex.DecodeString(*st.Hex)
	default:
		var v packValue
		if v, err = packNotation(st.MsgPack); err == nil {
			f.payload, err = r.m.vars.appendRecord(nil, &v)
		}
	}
	if err != nil {
		return err
	}
	c.send(appendFrame(nil, f))
	return nil
}

func (r *run) expect(st *Step) *Difference {
	within := defaultWithin
	if st.Within > 0 {
		within = time.Duration(st.Within) * time.Millisecond
	}
	began := time.Now()
	deadline := began.Add(within)
	if st.Poll != "" {
		return r.poll(st, deadline)
	}
	c := r.conns[st.At]
	if c == nil {
		return &Difference{Detail: fmt.Sprintf("there is no connection %q", st.At), Got: "nothing"}
	}
	if st.Silence > 0 {
		return r.silence(c, st)
	}
	if st.SSE == "raw" {
		return r.raw(c, st, deadline)
	}
	if len(st.AnyOrder) > 0 {
		return r.anyOrder(c, st, deadline)
	}
	ev, err := c.next(deadline, skipFor(st))
	if err != nil {
		if errors.Is(err, errTimeout) {
			if st.Optional {
				return nil
			}
			return &Difference{Detail: fmt.Sprintf("nothing within %v", within), Got: "nothing"}
		}
		return &Difference{Detail: "no server may send this", Got: err.Error()}
	}
	diff := r.one(st, ev)
	if diff != "" && st.Optional {
		c.back(ev)
		return nil
	}
	if diff != "" {
		return &Difference{Detail: diff, Got: ev.String()}
	}
	if early := time.Duration(st.After) * time.Millisecond; st.After > 0 && time.Since(began) < early {
		return &Difference{Detail: fmt.Sprintf("after %v, too early", time.Since(began).Round(time.Millisecond)), Got: ev.String(), Early: true}
	}
	if st.WS == "open" {
		c.ws.open = true
	}
	return nil
}

// one compares ev with a plain expect or with the alternatives of any_of.
func (r *run) one(st *Step, ev *event) string {
	if len(st.AnyOf) == 0 {
		return r.m.match(st, ev)
	}
	diffs := make([]string, 0, len(st.AnyOf))
	for i := range st.AnyOf {
		d := r.m.match(&st.AnyOf[i], ev)
		if d == "" {
			return ""
		}
		diffs = append(diffs, d)
	}
	return "none of the alternatives: " + strings.Join(diffs, "; ")
}

func (r *run) anyOrder(c *conn, st *Step, deadline time.Time) *Difference {
	left := make([]*Step, len(st.AnyOrder))
	for i := range st.AnyOrder {
		left[i] = &st.AnyOrder[i]
	}
	for len(left) > 0 {
		ev, err := c.next(deadline, skipFor(st))
		if err != nil {
			return &Difference{Detail: err.Error(), Got: fmt.Sprintf("%d of %d", len(st.AnyOrder)-len(left), len(st.AnyOrder))}
		}
		found := -1
		for i := range left {
			if r.m.match(left[i], ev) == "" {
				found = i
				break
			}
		}
		if found < 0 {
			return &Difference{Detail: "none of those that are left", Got: ev.String()}
		}
		left = append(left[:found], left[found+1:]...)
	}
	return nil
}

func (r *run) silence(c *conn, st *Step) *Difference {
	ev, err := c.next(time.Now().Add(time.Duration(st.Silence)*time.Millisecond), skip{pings: true, pongs: true})
	switch {
	case errors.Is(err, errTimeout):
		return nil
	case err != nil:
		return &Difference{Detail: "no silence", Got: err.Error()}
	}
	return &Difference{Detail: "no silence", Got: ev.String()}
}

func (r *run) raw(c *conn, st *Step, deadline time.Time) *Difference {
	if c.sse == nil {
		return &Difference{Detail: "there is no event stream", Got: "nothing"}
	}
	got, err := c.rawEvents(len(*st.Data), deadline)
	if err != nil {
		return &Difference{Detail: err.Error(), Got: fmt.Sprintf("%q", got)}
	}
	if got != *st.Data {
		return &Difference{Detail: "other bytes", Got: fmt.Sprintf("%q", got)}
	}
	return nil
}

// poll gets a path until all messages have come.
func (r *run) poll(st *Step, deadline time.Time) *Difference {
	msgpack := r.sc.Encoding == "messagepack"
	handshake := st.Handshake
	ackWanted := r.anyAck(st, msgpack)
	for i := 0; i < len(st.Messages); {
		get := Step{At: st.At, HTTP: &HTTP{Method: http.MethodGet, Path: st.Path}}
		get.HTTP.Path = st.Poll
		if err := r.sendRequest(&get); err != nil {
			return &Difference{Detail: "could not poll", Got: err.Error()}
		}
		ev, err := r.conns[st.At].next(deadline, skip{})
		if err != nil {
			return &Difference{Detail: fmt.Sprintf("message %d: %s", i+1, err), Got: "nothing"}
		}
		if ev.kind != "response" || ev.resp.status != http.StatusOK {
			return &Difference{Detail: fmt.Sprintf("message %d: a poll that is not answered with 200", i+1), Got: ev.String()}
		}
		chunk := ev.resp.body
		var got []string
		if handshake && msgpack {
			if end := strings.IndexByte(chunk, 0x1e); end >= 0 {
				got, chunk = append(got, chunk[:end+1]), chunk[end+1:]
			}
		}
		rest, err := splitHub([]byte(chunk), msgpack)
		if err != nil {
			return &Difference{Detail: err.Error(), Got: ev.String()}
		}
		for _, text := range append(got, rest...) {
			first := handshake
			handshake = false
			isJSON := first || !msgpack
			if !ackWanted && !first && messageType(text, isJSON) == ackType {
				continue
			}
			if i == len(st.Messages) {
				return &Difference{Detail: "a message too many", Got: ev.String()}
			}
			if d := r.pollMessage(st.Messages[i], text, isJSON); d != "" {
				return &Difference{Detail: fmt.Sprintf("message %d: %s", i+1, d), Got: ev.String()}
			}
			i++
		}
	}
	return nil
}

func (r *run) pollMessage(want, got string, isJSON bool) string {
	before := maps.Clone(r.m.vars)
	st := Step{Hex: &want}
	if isJSON {
		st = Step{Data: &want}
	}
	d := r.m.payload(&st, got)
	if d != "" {
		r.m.vars = before
	}
	return d
}

func (r *run) anyAck(st *Step, msgpack bool) bool {
	for i, want := range st.Messages {
		if msgpack && !(st.Handshake && i == 0) {
			p, err := hex.DecodeString(want)
			if err == nil && messageType(string(p), false) == ackType {
				return true
			}
		} else if messageType(want, true) == ackType {
			return true
		}
	}
	return false
}

// skipFor says what an expect passes over.
func skipFor(st *Step) skip {
	sk := skip{pings: true, pongs: true, acks: true}
	var look func(*Step)
	look = func(s *Step) {
		switch {
		case s.WS == "ping":
			sk.pings = false
		case s.WS == "pong":
			sk.pongs = false
		case s.Data != nil:
			sk.acks = sk.acks && messageType(*s.Data, true) != ackType
		case s.Hex != nil:
			p, err := hex.DecodeString(*s.Hex)
			sk.acks = sk.acks && (err != nil || messageType(string(p), false) != ackType)
		case s.MsgPack != nil:
			v, err := packNotation(s.MsgPack)
			sk.acks = sk.acks && (err != nil || len(v.items) == 0 || v.items[0].String() != ackType)
		}
		for i := range s.AnyOf {
			look(&s.AnyOf[i])
		}
		for i := range s.AnyOrder {
			look(&s.AnyOrder[i])
		}
	}
	look(st)
	return sk
}

// describe is a step for a report.
func (s *Step) describe() string {
	if s.Hex != nil && s.WS == "binary" {
		if p, err := hex.DecodeString(*s.Hex); err == nil {
			return fmt.Sprintf("%s: a binary hub message: %s", s.At, describeRecord(string(p)))
		}
	}
	if s.Data != nil && s.WS != "" {
		return fmt.Sprintf("%s: a %s hub message: %s", s.At, s.WS, clip(*s.Data))
	}
	return clip(s.line)
}
