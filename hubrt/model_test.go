package hubrt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/codec"
)

// sequencesVariable asks TestStreamModel for another number of sequences than it runs by itself, and seedVariable for those from another seed on: the first is in each failure's text.
const (
	sequencesVariable = "SPOKE_TEST_SEQUENCES"
	seedVariable      = "SPOKE_TEST_SEED"
)

// TestStreamModel: whatever a client does with streams in both directions, questions and calls, in random order and cut at random, each call that it begins is answered exactly once and with
// what the model says, the items of each stream come in order, none twice, and nothing is left afterwards.
func TestStreamModel(t *testing.T) {
	t.Parallel()
	n, seed := 2500, uint64(1)
	if testing.Short() || raceDetector {
		n = 300
	}
	number := func(name string, to func(uint64)) {
		if s := os.Getenv(name); s != "" {
			v, err := strconv.ParseUint(s, 10, 62)
			if err != nil {
				t.Fatalf("%s=%q: %v", name, s, err)
			}
			to(v)
		}
	}
	number(sequencesVariable, func(v uint64) { n = int(v) })
	number(seedVariable, func(v uint64) { seed = v })
	const batch = 100 // sequences on one runtime, by whose place in the row it is chosen
	for from, last := seed, seed+uint64(n); from < last && !t.Failed(); from = (from/batch + 1) * batch {
		rnd := rand.New(rand.NewPCG(from/batch, 77))
		cfg := rigConfig{loops: 1 + rnd.IntN(2), workers: 1 + rnd.IntN(4), queue: 1 + rnd.IntN(8)}
		bubble(t, cfg, func(r *rig) {
			h := newModelHub(r, rnd)
			for s := from; s < min((from/batch+1)*batch, last) && !t.Failed(); s++ {
				runModel(r, h, s)
			}
		})
	}
	t.Logf("%d sequences from %s=%d on", n, seedVariable, seed)
}

// modelHub is the server of the sequences.
type modelHub struct {
	*Hub
	inside atomic.Int64 // methods and iterators that run
	most   int          // Options.MaxStreams
}

func newModelHub(r *rig, rnd *rand.Rand) *modelHub {
	m := &modelHub{most: 3 + rnd.IntN(8)}
	opt := Options{MaxStreams: m.most, StreamBuffer: 1 + rnd.IntN(4), MaxParallelCalls: 1 + rnd.IntN(2)*2, DetailedErrors: true}
	m.Hub = r.hub(nil, opt)
	for name, fn := range map[string]any{
		"Echo": func(n int) int { return n },
		"Wait": func(ctx context.Context) error {
			defer m.enter()()
			<-ctx.Done()
			return errors.New("waited")
		},
		"Ask": func(c *Context) (int, error) {
			defer m.enter()()
			return InvokeClient[int](c, c.Clients().Caller(), "ask")
		},
		"Count": func(n int) iter.Seq[int] { return m.count(n) },
		"Fail": func(n int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := range m.count(n) {
					if !yield(i, nil) {
						return
					}
				}
				yield(0, Errorf("failed"))
			}
		},
		"Forever": func(ctx context.Context) iter.Seq[int] {
			return func(yield func(int) bool) {
				defer m.enter()()
				for i := 0; yield(i); i++ {
					if i%5 < 4 {
						continue
					}
					select {
					case <-time.After(time.Millisecond):
					case <-ctx.Done():
						return
					}
				}
			}
		},
		"Sum":  func(items iter.Seq2[int, error]) (int, error) { return m.sum(items, 0) },
		"Slow": func(items iter.Seq2[int, error]) (int, error) { return m.sum(items, time.Millisecond) },
		"Two": func(a, b iter.Seq2[int, error]) (int, error) {
			n, err := m.sum(a, 0)
			if err != nil {
				return n, err
			}
			k, err := m.sum(b, 0)
			return 1000*n + k, err
		},
		"Early": func(k int, items iter.Seq2[int, error]) int {
			defer m.enter()()
			n := 0
			for range items {
				if n++; n >= k {
					break
				}
			}
			return n
		},
		"Map": func(items iter.Seq2[int, error]) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				defer m.enter()()
				for n, err := range items {
					if !yield(n, err) || err != nil {
						return
					}
				}
			}
		},
	} {
		handle(r.t, m.Hub, name, fn)
	}
	return m
}

// enter counts what runs until the function that it returns is called.
func (m *modelHub) enter() func() {
	m.inside.Add(1)
	return func() { m.inside.Add(-1) }
}

func (m *modelHub) count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		defer m.enter()()
		for i := 0; i < n && yield(i); i++ {
		}
	}
}

// sum counts the items, which must be 0, 1, 2 and so on.
func (m *modelHub) sum(items iter.Seq2[int, error], each time.Duration) (n int, err error) {
	defer m.enter()()
	for v, err := range items {
		if err != nil {
			return n, err
		}
		if v != n {
			return n, Errorf("item %d is %d", n, v)
		}
		n++
		time.Sleep(each)
	}
	return n, nil
}

// modelCall is what the model knows of a call.
type modelCall struct {
	method   string
	n        int // the argument
	canceled bool
	ups      []*modelUpload
	items    int // that have come
	reused   int // times that its id was used again, each of which must be refused
}

type modelUpload struct {
	id     string
	sent   int
	ended  bool
	failed bool
}

// slots is what the call counts for Options.MaxStreams, as far as the client can tell.
func (k *modelCall) slots() int {
	switch k.method {
	case "Count", "Fail", "Forever", "Sum", "Slow", "Early", "Ask":
		return 1
	case "Two", "Map":
		return 2
	}
	return 0
}

// streamModel is a client, and what it may expect.
type streamModel struct {
	*client
	t       *testing.T
	seed    uint64
	rnd     *rand.Rand
	hub     *modelHub
	proto   codec.Protocol
	batch   []byte
	last    int // id
	calls   map[string]*modelCall
	order   []string // ids of the calls under way
	echoes  []string // ids of calls of Echo that are under way, in order
	asks    []string // questions that are open
	full    bool     // MaxStreams may have been reached
	leaving bool     // the client has said Close
	closed  bool     // the server's Close has come
}

func runModel(r *rig, h *modelHub, seed uint64) {
	m := &streamModel{t: r.t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), hub: h, proto: codec.JSON, calls: map[string]*modelCall{}}
	if m.rnd.IntN(2) == 0 {
		m.proto = codec.MessagePack
		m.client = r.connectPacked(h.Hub)
	} else {
		m.client = r.connect(h.Hub)
	}
	for range 5 + m.rnd.IntN(60) {
		m.step()
	}
	switch m.rnd.IntN(4) {
	case 0: // it just goes
		if m.rnd.IntN(2) == 0 {
			m.flush()
		}
		m.leave()
	case 1:
		m.sayClose()
	default:
		m.finish()
	}
	time.Sleep(time.Second) // Slow reads what has come
	synctest.Wait()
	if s := r.rt.Stats(); s.Connections != 0 || s.Streams != 0 || s.Questions != 0 || s.CallsRunning != 0 || s.CallsWaiting != 0 || s.Departed != 0 || r.rt.busy.Load() != 0 || h.inside.Load() != 0 {
		m.errorf("%d methods run; left: %+v", h.inside.Load(), s)
	}
}

func (m *streamModel) errorf(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("%s=%d, %s: %s", seedVariable, m.seed, m.proto.Name(), fmt.Sprintf(format, args...))
}

// step is one thing that the client does.
func (m *streamModel) step() {
	switch m.rnd.IntN(14) {
	case 0, 1, 2:
		m.begin()
	case 3, 4, 5, 6:
		m.upload()
	case 7:
		if id, k := m.pick(func(k *modelCall) bool { return k.slots() > 0 && k.method != "Ask" || k.method == "Wait" }); k != nil {
			k.canceled = true
			m.add(cancelCall(id))
		}
	case 8:
		if len(m.asks) > 0 {
			m.reply(m.rnd.IntN(len(m.asks)))
		}
	case 9:
		if id, k := m.pick(func(k *modelCall) bool { return k.method == "Forever" && k.items > 0 && !k.canceled }); k != nil {
			k.reused++ // it is under way for certain
			m.add(stream4(id, "Count", "2"))
		}
	case 10:
		m.add([]string{`{"type":6}`, item("none", "1"), end("none"), cancelCall("none"), result("s99999999", "1")}[m.rnd.IntN(5)])
	case 11:
		m.flush()
	default:
		m.receive(1 + m.rnd.IntN(10))
	}
	if m.rnd.IntN(3) == 0 {
		m.flush()
	}
}

// pick chooses a call under way.
func (m *streamModel) pick(want func(*modelCall) bool) (string, *modelCall) {
	for _, i := range m.rnd.Perm(len(m.order)) {
		if k := m.calls[m.order[i]]; want(k) {
			return m.order[i], k
		}
	}
	return "", nil
}

// begin begins a call.
func (m *streamModel) begin() {
	methods := []string{"Echo", "Echo", "Wait", "Ask", "Count", "Fail", "Forever", "Sum", "Slow", "Two", "Early", "Map"}
	k := &modelCall{method: methods[m.rnd.IntN(len(methods))], n: m.rnd.IntN(20)}
	m.last++
	id := strconv.Itoa(m.last)
	kind, args, ups := 1, "", 0
	switch k.method {
	case "Echo":
		args = strconv.Itoa(k.n)
		m.echoes = append(m.echoes, id)
	case "Count", "Fail":
		if m.rnd.IntN(20) == 0 {
			k.n = 4000 // more than the way out holds
		}
		kind, args = 4, strconv.Itoa(k.n)
	case "Forever":
		kind = 4
	case "Map":
		kind, ups = 4, 1
	case "Sum", "Slow":
		ups = 1
	case "Two":
		ups = 2
	case "Early":
		k.n++
		args, ups = strconv.Itoa(k.n), 1
	}
	var ids []string
	for i := range ups {
		u := &modelUpload{id: fmt.Sprintf("u%s.%d", id, i)}
		k.ups = append(k.ups, u)
		ids = append(ids, `"`+u.id+`"`)
	}
	m.calls[id] = k
	m.order = append(m.order, id)
	slots := 0
	for _, id := range m.order {
		slots += m.calls[id].slots()
	}
	m.full = m.full || slots > m.hub.most
	m.add(fmt.Sprintf(`{"type":%d,"invocationId":"%s","target":"%s","arguments":[%s],"streamIds":[%s]}`, kind, id, k.method, args, strings.Join(ids, ",")))
}

// upload sends an item or the end of a stream.
func (m *streamModel) upload() {
	_, k := m.pick(func(k *modelCall) bool {
		return slices.ContainsFunc(k.ups, func(u *modelUpload) bool { return !u.ended })
	})
	if k == nil {
		return
	}
	u := k.ups[m.rnd.IntN(len(k.ups))]
	switch p := m.rnd.IntN(12); {
	case u.ended:
	case p == 0:
		u.ended = true
		m.add(end(u.id))
	case p == 1:
		u.ended, u.failed = true, true
		m.add(failure(u.id, "the client's"))
	default:
		for range 1 + m.rnd.IntN(5) {
			m.add(item(u.id, strconv.Itoa(u.sent)))
			u.sent++
		}
	}
}

// reply answers a question.
func (m *streamModel) reply(i int) {
	id := m.asks[i]
	m.asks = slices.Delete(m.asks, i, i+1)
	if m.rnd.IntN(4) == 0 {
		m.add(failure(id, "no answer"))
		return
	}
	m.add(result(id, "42"))
}

// add puts a record behind those that wait to be sent.
func (m *streamModel) add(record string) {
	if m.proto == codec.JSON {
		m.batch = append(append(m.batch, record...), 0x1e)
		return
	}
	m.batch = append(m.batch, packRecord(m.t, record)...)
}

// flush sends all, in pieces.
func (m *streamModel) flush() {
	for len(m.batch) > 0 && !m.closed {
		n := len(m.batch)
		if m.rnd.IntN(2) == 0 {
			n = 1 + m.rnd.IntN(n)
		}
		m.raw(string(m.batch[:n]))
		m.batch = m.batch[n:]
		if m.rnd.IntN(2) == 0 {
			synctest.Wait()
		}
	}
}

// receive reads at most n times what there is.
func (m *streamModel) receive(n int) {
	buf := make([]byte, 4096)
	for range n {
		_ = m.nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		k, err := m.nc.Read(buf)
		m.got = append(m.got, buf[:k]...)
		m.records()
		if err != nil {
			return
		}
	}
}

// records takes the whole records that have come.
func (m *streamModel) records() {
	for {
		rec, n, err := m.proto.Next(m.got, 0)
		var msg codec.Message
		if err == nil && n > 0 {
			err = m.proto.Decode(rec, &msg)
		}
		if err != nil {
			m.errorf("%q: %v", m.got, err)
			m.got = nil
		}
		if err != nil || n == 0 {
			return
		}
		m.take(&msg)
		m.got = m.got[n:]
	}
}

func (m *streamModel) take(msg *codec.Message) {
	id := string(msg.ID)
	k := m.calls[id]
	switch {
	case m.closed:
		m.errorf("a message of kind %v after Close", msg.Kind)
	case msg.Kind == codec.Ping:
	case msg.Kind == codec.Close:
		m.closed = true
	case msg.Kind == codec.Invocation && string(msg.Target) == "ask":
		m.asks = append(m.asks, id)
	case k == nil:
		m.errorf("a message of kind %v for %q, which is not under way", msg.Kind, id)
	case msg.Kind == codec.StreamItem:
		if v := m.value(msg); v != k.items {
			m.errorf("%s %s: item %d is %d", k.method, id, k.items, v)
		}
		k.items++
	case msg.Kind == codec.Completion && msg.HasError && k.reused > 0 && string(msg.Error) == fmt.Sprintf(textRowJ, id):
		k.reused--
	case msg.Kind == codec.Completion:
		if wrong := m.wrong(k, id, msg); wrong != "" {
			m.errorf("%s %s, %+v, is answered with %q, %q: %s", k.method, id, *k, msg.Error, msg.Payload, wrong)
		}
		delete(m.calls, id)
		m.order = slices.DeleteFunc(m.order, func(o string) bool { return o == id })
	default:
		m.errorf("a message of kind %v", msg.Kind)
	}
}

func (m *streamModel) value(msg *codec.Message) (v int) {
	if err := m.proto.Bind(msg.Payload, &v); err != nil {
		m.errorf("%q: %v", msg.Payload, err)
	}
	return v
}

// wrong says what is wrong with an answer; "": nothing.
func (m *streamModel) wrong(k *modelCall, id string, msg *codec.Message) string {
	if k.method == "Echo" {
		first := m.echoes[0] == id
		m.echoes = slices.DeleteFunc(m.echoes, func(o string) bool { return o == id })
		if !first && m.hub.opt.MaxParallelCalls == 1 {
			return "it has overtaken another"
		}
	}
	failed, text := msg.HasError, string(msg.Error)
	if failed && k.slots() > 0 && m.full && k.items == 0 && (strings.Contains(text, "MaxStreams") || text == fmt.Sprintf(textStreams, k.method, m.hub.most)) {
		return ""
	}
	if k.reused > 0 {
		return "its id was used again, which has not been refused"
	}
	sent, ended, broken := 0, true, false
	for i, u := range k.ups {
		ended, broken = ended && u.ended, broken || u.failed
		if sent += u.sent; i == 0 && len(k.ups) > 1 {
			sent *= 1000
		}
	}
	switch k.method {
	case "Echo":
		if failed || m.value(msg) != k.n {
			return "it must be its argument"
		}
	case "Wait":
		if !k.canceled || !strings.Contains(text, "waited") {
			return "it ends when it is cancelled"
		}
	case "Ask":
		if failed && !strings.Contains(text, "no answer") && (!m.leaving || !strings.Contains(text, "disconnected")) || !failed && m.value(msg) != 42 {
			return "it must be the client's answer"
		}
	case "Count":
		if failed || k.items > k.n || k.items < k.n && !k.canceled {
			return "it must have all items and no error"
		}
	case "Fail":
		if k.items > k.n || !k.canceled && (k.items < k.n || !strings.Contains(text, "failed")) {
			return "it must have all items and an error"
		}
	case "Forever":
		if failed || !k.canceled {
			return "it ends when it is cancelled"
		}
	case "Map":
		switch {
		case k.items > sent, !k.canceled && (!ended || k.items != sent), broken && !k.canceled && !strings.Contains(text, "the client's"), failed && !broken && !k.canceled:
			return "it must have all items that were sent, and the error"
		}
	case "Sum", "Slow", "Two":
		switch {
		case k.canceled:
		case broken:
			if !strings.Contains(text, "the client's") {
				return "it must have the client's error"
			}
		case !ended || failed || m.value(msg) != sent:
			return "it must have all items"
		}
	case "Early":
		if failed {
			return "it has no error"
		}
		v := m.value(msg)
		if v > k.n || v < k.n && !k.canceled && (!ended || v < sent) || v > sent+1 {
			return "it must have the items that it wants, or all"
		}
	}
	return ""
}

// finish ends all that is under way, waits for the answers, and goes.
func (m *streamModel) finish() {
	for end, limit := false, time.Now().Add(time.Minute); !end; {
		m.endAll()
		m.flush()
		m.receive(20)
		end = len(m.calls) == 0 || m.t.Failed()
		if time.Now().After(limit) {
			m.errorf("not answered: %v", m.describe())
			end = true
		}
	}
	synctest.Wait()
	m.receive(20) // nothing may come behind
	if !m.t.Failed() {
		m.on(func(c *Conn) {
			if c.box != nil {
				m.errorf("the connection has a mailbox still: %+v", *c.box)
			}
		})
	}
	m.leave()
}

// endAll ends what would not end by itself.
func (m *streamModel) endAll() {
	for _, id := range m.order {
		k := m.calls[id]
		for _, u := range k.ups {
			if !u.ended {
				u.ended = true
				m.add(end(u.id))
			}
		}
		if (k.method == "Forever" || k.method == "Wait") && !k.canceled {
			k.canceled = true
			m.add(cancelCall(id))
		}
	}
	for len(m.asks) > 0 {
		m.reply(0)
	}
}

// sayClose says Close, behind which all that is under way is answered, and waits for the server's.
func (m *streamModel) sayClose() {
	m.endAll()
	m.leaving = true
	for _, k := range m.calls {
		k.canceled = k.canceled || k.method == "Count" || k.method == "Fail" || k.method == "Map" // Close ends the streams to the client
	}
	m.add(`{"type":7}`)
	m.flush()
	for limit := time.Now().Add(time.Minute); !m.closed && !m.t.Failed() && time.Now().Before(limit); {
		m.receive(20)
	}
	if !m.closed {
		m.errorf("no Close has come; not answered: %v", m.describe())
	}
	for id, k := range m.calls {
		m.errorf("%s %s is not answered", k.method, id)
	}
	m.leave()
}

func (m *streamModel) describe() (s []string) {
	for id, k := range m.calls {
		s = append(s, fmt.Sprintf("%s %+v", id, *k))
	}
	return s
}
