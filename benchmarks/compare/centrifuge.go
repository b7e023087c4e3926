package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/internal/procfs"
)

// centrifugeCommand is the name under which this program is the load client for centrifuge's own JSON protocol, which loadgen does
// not speak. It is a closed loop like loadgen's: Echo with so many calls under way per connection, or broadcasts of which so many
// are outstanding until all receivers have them. Its result has the fields of loadgen's that this program reads. One goroutine for
// each connection: simple, and fast enough to keep a server busy that costs more per message than it does.
const centrifugeCommand = "centrifuge-load"

// centrifugeOptions are those of loadgen that the figures use.
type centrifugeOptions struct {
	scenario           string
	n                  int
	depth, outstanding int
	ramp               float64
	warmUp, duration   time.Duration
	connectTime        time.Duration
	serverPID          int
	file               string
	addr, path         string
}

func parseCentrifuge(args []string) (*centrifugeOptions, error) {
	if len(args) == 0 || args[0] != "echo" && args[0] != "broadcast" {
		return nil, errors.New(centrifugeCommand + " knows echo and broadcast")
	}
	o := &centrifugeOptions{scenario: args[0]}
	fs := flag.NewFlagSet(centrifugeCommand, flag.ContinueOnError)
	fs.IntVar(&o.n, "n", 100, "connections")
	fs.IntVar(&o.depth, "depth", 1, "calls under way per connection")
	fs.IntVar(&o.outstanding, "outstanding", 1, "broadcasts that not all receivers have yet")
	fs.Float64Var(&o.ramp, "ramp", rampRate, "connections a second")
	fs.DurationVar(&o.warmUp, "warmup", time.Second, "time before the measurement")
	fs.DurationVar(&o.duration, "duration", 5*time.Second, "length of the measurement")
	fs.DurationVar(&o.connectTime, "connect-timeout", connectTimeout, "time to connect")
	fs.IntVar(&o.serverPID, "server-pid", 0, "process of the server")
	fs.StringVar(&o.file, "json", "", "where the result goes")
	if err := fs.Parse(args[1:]); err != nil {
		return nil, err
	}
	u, err := url.Parse(fs.Arg(0))
	if err != nil || fs.NArg() != 1 || u.Host == "" {
		return nil, fmt.Errorf("a URL is expected, not %q", fs.Args())
	}
	o.addr, o.path = u.Host, u.Path
	if o.n < 1 || o.depth < 1 || o.outstanding < 1 || o.ramp <= 0 || o.duration <= 0 || o.connectTime <= 0 || o.serverPID <= 0 {
		return nil, errors.New("-n, -depth, -outstanding, -ramp, -duration, -connect-timeout and -server-pid must be more than 0")
	}
	return o, nil
}

// centrifugeRun is a load under way.
type centrifugeRun struct {
	opts      *centrifugeOptions
	conns     []*centrifugeConn
	publisher *centrifugeConn // the first; set before anybody reads

	order    sync.Mutex // of the broadcasts
	counting atomic.Bool
	over     atomic.Bool
	units    atomic.Int64 // answers or deliveries while counting
	mu       sync.Mutex
	times    []time.Duration // under mu: latencies while counting
	got      map[int64]int   // under mu: receivers that have a broadcast
	next     int64           // under mu: of the broadcasts
	failure  error           // under mu: the first
}

// maxTimes is how many latencies are kept.
const maxTimes = 1 << 20

// centrifugeConn is a connection. Its goroutine reads and writes; of the publisher's any may write.
type centrifugeConn struct {
	nc   net.Conn
	r    *bufio.Reader
	wmu  sync.Mutex
	want int64 // broadcast that is next
}

func centrifugeLoad(args []string) error {
	o, err := parseCentrifuge(args)
	if err != nil {
		return err
	}
	res := &loadResult{Ended: loadComplete, Wanted: int64(o.n)}
	run := &centrifugeRun{opts: o, got: map[int64]int{}}
	if err := run.load(res); err != nil {
		res.Ended = err.Error()
	}
	text, err := json.Marshal(res)
	if err != nil {
		return err
	}
	return os.WriteFile(o.file, text, 0o644)
}

func (r *centrifugeRun) load(res *loadResult) error {
	o := r.opts
	var readers sync.WaitGroup
	defer readers.Wait()
	defer func() {
		r.over.Store(true)
		for _, c := range r.conns {
			_ = c.nc.Close()
		}
	}()
	gap := time.NewTicker(max(time.Duration(float64(time.Second)/o.ramp), time.Microsecond))
	defer gap.Stop()
	for range o.n {
		<-gap.C
		c, err := r.connect()
		if err != nil {
			return fmt.Errorf("connection %d: %w", len(r.conns)+1, err)
		}
		if r.publisher == nil {
			r.publisher = c
		}
		number := int64(len(r.conns))
		r.conns = append(r.conns, c)
		readers.Go(func() { r.fail(r.read(c, number)) }) // at once: the server's pings want an answer
	}
	res.Ready = int64(len(r.conns))
	if o.scenario == "echo" {
		for i, c := range r.conns {
			for range o.depth {
				r.fail(c.call("echo", int64(i)))
			}
		}
	} else {
		for range o.outstanding {
			r.fail(r.broadcast())
		}
	}
	time.Sleep(o.warmUp)
	before, err := procfs.Read(o.serverPID)
	if err != nil {
		return err
	}
	began := time.Now()
	r.counting.Store(true)
	time.Sleep(o.duration)
	r.counting.Store(false)
	after, err := procfs.Read(o.serverPID)
	if err != nil {
		return err
	}
	res.Seconds = time.Since(began).Seconds()
	res.PerSecond = float64(r.units.Load()) / res.Seconds
	res.Server = &struct {
		CPUSeconds float64 `json:"cpuSeconds"`
	}{(after.CPU - before.CPU).Seconds()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.times); n > 0 {
		slices.Sort(r.times)
		res.Latency = append(res.Latency, struct {
			Percentile float64 `json:"percentile"`
			Nanos      int64   `json:"ns"`
		}{99, int64(r.times[n*99/100])})
	}
	return r.failure
}

// fail keeps the first failure.
func (r *centrifugeRun) fail(err error) {
	if err == nil || r.over.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		r.failure = err
	}
}

// connect opens a connection, and sends centrifuge's connect command.
func (r *centrifugeRun) connect() (*centrifugeConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.opts.connectTime)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", r.opts.addr)
	if err != nil {
		return nil, err
	}
	c := &centrifugeConn{nc: nc, r: bufio.NewReader(nc)}
	deadline, _ := ctx.Deadline()
	if err := errors.Join(nc.SetDeadline(deadline), c.shake(r.opts)); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nc.SetDeadline(time.Time{})
}

func (c *centrifugeConn) shake(o *centrifugeOptions) error {
	if _, err := fmt.Fprintf(c.nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", o.path, o.addr); err != nil {
		return err
	}
	status := ""
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if status == "" {
			status = line
		}
		if line == "\r\n" {
			break
		}
	}
	if !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		return fmt.Errorf("the upgrade was answered with %q", status)
	}
	if err := c.write(`{"id":1,"connect":{}}`); err != nil {
		return err
	}
	p, err := c.message()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(p), `{"id":1,"connect":{`) {
		return fmt.Errorf("connect was answered with %q", p)
	}
	return nil
}

// write sends a text frame. The mask is 0: unmasking costs the server the same.
func (c *centrifugeConn) write(text string) error {
	b := make([]byte, 0, len(text)+8)
	if len(text) < 126 {
		b = append(b, 0x81, 0x80|byte(len(text)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 0x80|126), uint16(len(text)))
	}
	b = append(b, 0, 0, 0, 0)
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_, err := c.nc.Write(append(b, text...))
	return err
}

// message reads a frame of the server.
func (c *centrifugeConn) message() ([]byte, error) {
	var h [8]byte
	if _, err := io.ReadFull(c.r, h[:2]); err != nil {
		return nil, err
	}
	first, length := h[0], int(h[1])
	switch length {
	case 126:
		if _, err := io.ReadFull(c.r, h[:2]); err != nil {
			return nil, err
		}
		length = int(binary.BigEndian.Uint16(h[:]))
	case 127:
		return nil, errors.New("a frame of more than 65,535 bytes")
	}
	p := make([]byte, length)
	if _, err := io.ReadFull(c.r, p); err != nil {
		return nil, err
	}
	switch first {
	case 0x81:
		return p, nil
	case 0x89, 0x8a: // a WebSocket ping or pong; the server does not wait for an answer
		return nil, nil
	}
	return nil, fmt.Errorf("a frame that begins with %#02x: %q", first, p)
}

// call makes an RPC whose data tells when it was made: 32 bytes, as loadgen's payloads.
func (c *centrifugeConn) call(method string, seq int64) error {
	return c.write(fmt.Sprintf(`{"id":2,"rpc":{"method":%q,"data":"%015d%017x"}}`, method, seq, time.Now().UnixNano()))
}

// broadcast sends the next message.
func (r *centrifugeRun) broadcast() error {
	r.order.Lock() // they are sent in the order of their numbers
	defer r.order.Unlock()
	r.mu.Lock()
	seq := r.next
	r.next++
	r.got[seq] = 0
	r.mu.Unlock()
	return r.publisher.call("broadcast", seq)
}

// read handles what a connection gets until it ends. A message of the server holds one or more replies, a line each.
func (r *centrifugeRun) read(c *centrifugeConn, number int64) error {
	for {
		p, err := c.message()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(p)) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case line == "{}": // a ping of the server
				err = c.write("{}")
			case strings.HasPrefix(line, `{"id":2,"rpc":{"data":"`) && r.opts.scenario == "echo":
				err = r.answered(c, number, line)
			case strings.HasPrefix(line, `{"push":`):
				err = r.delivered(c, line)
			case strings.HasPrefix(line, `{"id":2,"rpc":`): // of the publisher
			default:
				err = fmt.Errorf("the server sent %q", line)
			}
			if err != nil {
				return err
			}
		}
	}
}

// payload finds the number and the time in a message.
func payload(line string) (seq int64, at time.Time, err error) {
	_, rest, ok := strings.Cut(line, `"data":"`)
	if !ok || len(rest) < 32 {
		return 0, at, fmt.Errorf("no payload in %q", line)
	}
	seq, err1 := strconv.ParseInt(rest[:15], 10, 64)
	nanos, err2 := strconv.ParseInt(rest[15:32], 16, 64)
	return seq, time.Unix(0, nanos), errors.Join(err1, err2)
}

func (r *centrifugeRun) answered(c *centrifugeConn, number int64, line string) error {
	seq, at, err := payload(line)
	if err != nil || seq != number {
		return fmt.Errorf("connection %d got the answer of %d: %w", number, seq, err)
	}
	if r.counting.Load() {
		r.units.Add(1)
		took := time.Since(at)
		r.mu.Lock()
		if len(r.times) < maxTimes {
			r.times = append(r.times, took)
		}
		r.mu.Unlock()
	}
	return c.call("echo", number)
}

func (r *centrifugeRun) delivered(c *centrifugeConn, line string) error {
	seq, at, err := payload(line)
	if err != nil {
		return err
	}
	if seq != c.want {
		return fmt.Errorf("broadcast %d came when %d was due", seq, c.want)
	}
	c.want++
	counting := r.counting.Load()
	if counting {
		r.units.Add(1)
	}
	r.mu.Lock()
	if counting && seq%16 == 0 && len(r.times) < maxTimes { // enough of them
		r.times = append(r.times, time.Since(at))
	}
	r.got[seq]++
	full := r.got[seq] == r.opts.n
	if full {
		delete(r.got, seq)
	}
	r.mu.Unlock()
	if full {
		return r.broadcast()
	}
	return nil
}
