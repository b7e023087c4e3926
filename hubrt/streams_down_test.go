package hubrt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// stream4 is the JSON of a stream invocation, item and end what it brings.
func stream4(id, target string, args ...string) string {
	return strings.Replace(call1(id, target, args...), `{"type":1`, `{"type":4`, 1)
}

func item(id, value string) string {
	return fmt.Sprintf(`{"type":2,"invocationId":"%s","item":%s}`, id, value)
}

func end(id string) string { return fmt.Sprintf(`{"type":3,"invocationId":"%s"}`, id) }

func cancelCall(id string) string { return fmt.Sprintf(`{"type":5,"invocationId":"%s"}`, id) }

// filled is a channel with these items, closed behind them.
func filled[T any](items ...T) <-chan T {
	ch := make(chan T, len(items))
	for _, v := range items {
		ch <- v
	}
	close(ch)
	return ch
}

// thenFails yields 0 to n-1, and then the error, if there is one.
func thenFails(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

type streams struct{ probe }

func (streams) Channel(n int) <-chan int {
	ch := make(chan int, n)
	for i := range n {
		ch <- i
	}
	close(ch)
	return ch
}
func (streams) Seq(n int) iter.Seq[int] { return slices.Values(slices.Collect(streams{}.seq(n))) }
func (streams) seq(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}
func (streams) Seq2(n int) (iter.Seq2[int, error], error) { return thenFails(n, nil), nil }
func (streams) Words(c *Context, ctx context.Context) (<-chan string, error) {
	return filled("a", "<b>", ""), nil
}
func (streams) FailBefore() (iter.Seq[int], error)      { return nil, invalidOperation("early") }
func (streams) FailLate(n int) iter.Seq2[int, error]    { return thenFails(n, invalidOperation("late")) }
func (streams) FailHubLate(n int) iter.Seq2[int, error] { return thenFails(n, Errorf("late")) }
func (streams) FailMyHubLate(n int) iter.Seq2[int, error] {
	return thenFails(n, &myHubError{Errorf("late")})
}
func (streams) PanicLate() iter.Seq[int] {
	return func(yield func(int) bool) { yield(1); panic("secret words") }
}
func (streams) PanicBefore() iter.Seq[int] { panic("secret words") }
func (streams) ExitLate() iter.Seq[int] {
	return func(yield func(int) bool) { yield(1); runtime.Goexit() }
}
func (streams) NilChannel() <-chan int         { return nil }
func (streams) NilSeq() (iter.Seq[int], error) { return nil, nil }
func (streams) SecretStream() iter.Seq[int]    { return streams{}.seq(1) }
func (streams) Badly() iter.Seq[float64]       { return slices.Values([]float64{0.5, math.NaN(), 1}) }

func TestStreamsToClients(t *testing.T) {
	t.Parallel()
	const (
		hidden = "An error occurred on the server while streaming results."
		before = "An unexpected error occurred invoking '%s' on the server."
	)
	for _, tt := range []struct {
		name, target, args string
		items              string
		text, detailed     string // of the error; detailed "": the same
	}{
		{"channel", "channel", "3", "0 1 2", "", ""},
		{"iterator", "Seq", "3", "0 1 2", "", ""},
		{"iterator with errors", "Seq2", "2", "0 1", "", ""},
		{"texts", "Words", "", `"a" "<b>" ""`, "", ""},
		{"no items", "Channel", "0", "", "", ""},
		{"many", "Seq", "500", strings.TrimSpace(strings.Trim(fmt.Sprint(slices.Collect(streams{}.seq(500))), "[]")), "", ""},
		{"fails before", "failbefore", "", "", fmt.Sprintf(before, "FailBefore"), "InvalidOperationException: early"},
		{"fails late", "FailLate", "2", "0 1", hidden, "InvalidOperationException: late"},
		{"fails at once", "FailLate", "0", "", hidden, "InvalidOperationException: late"},
		{"HubException", "FailHubLate", "1", "0", hidden + " HubException: late", ""},
		{"kind of HubException", "FailMyHubLate", "1", "0", hidden + " MyHubException: late", ""},
		{"panics late", "PanicLate", "", "1", hidden, "panic: the server's log has the details"},
		{"panics before", "PanicBefore", "", "", fmt.Sprintf(before, "PanicBefore"), "panic: the server's log has the details"},
		{"exits late", "ExitLate", "", "1", hidden, "exit: the method called runtime.Goexit"},
		{"nil channel", "NILCHANNEL", "", "", "The value returned by the streaming method 'NilChannel' is not a ChannelReader<> or IAsyncEnumerable<>.", ""},
		{"nil iterator", "NilSeq", "", "", "The value returned by the streaming method 'NilSeq' is not a ChannelReader<> or IAsyncEnumerable<>.", ""},
		{"unknown", "Missing", "", "", "Failed to invoke 'Missing' due to an error on the server. HubException: Method does not exist.", ""},
		{"arguments", "SEQ", `"x"`, "", "Failed to invoke 'Seq' due to an error on the server.", "InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."},
		{"no user", "SecretStream", "", "", "Failed to invoke 'SecretStream' because user is unauthorized", ""},
		{"plain method", "echo", `"x"`, "", "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.", ""},
	} {
		for _, detailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/detailed=%v", tt.name, detailed), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) {
					h := r.hub(streams{}, Options{DetailedErrors: detailed, Methods: map[string]method.Options{"SecretStream": {RequireUser: true}}})
					c := r.connect(h)
					c.send(stream4("7", tt.target, strings.Fields(tt.args)...))
					for _, v := range strings.Fields(tt.items) {
						c.expect(item("7", v))
					}
					text := tt.text
					if detailed && tt.detailed != "" {
						text += " " + tt.detailed
					}
					if text == "" {
						c.expect(end("7"))
					} else {
						c.expect(failure("7", text))
					}
					c.send(call1("8", "Echo", `"after"`))
					c.expect(result("8", `"after"`))
					c.on(func(hc *Conn) {
						if hc.lively() != nil {
							t.Errorf("left: %+v", hc.box.live)
						}
					})
					if strings.Contains(r.log.String(), "secret words") != strings.HasPrefix(tt.name, "panics") {
						t.Errorf("the log: %s", r.log)
					}
					c.leave()
				})
			})
		}
	}
}

// A stream is called as one: row E; and with as many uploads as it has: row G.
func TestStreamsCalledBadly(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		c := r.connect(r.hub(streams{}, Options{}))
		c.send(call1("1", "seq", "3"))
		c.expect(failure("1", `The client attempted to invoke the streaming 'Seq' method with a non-streaming invocation.`))
		c.send(`{"type":4,"invocationId":"1","target":"Seq","arguments":[1],"streamIds":["u"]}`)
		c.expect(failure("1", `An unexpected error occurred invoking 'Seq' on the server. HubException: Client sent 1 stream(s), Hub method expects 0.`))
		c.send(call1("", "Seq", "3"), call1("2", "Echo", `"x"`)) // nobody is told
		c.expect(result("2", `"x"`))
		c.leave()
	})
}

// An item that cannot be encoded ends the connection, as a result does (wire contract, section 12.4).
func TestStreamItemWithoutEncoding(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		c := r.connect(r.hub(streams{}, Options{}))
		c.send(stream4("1", "Badly"))
		c.expect(item("1", "0.5"), `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
		c.expectEnd(engine.ResultFailed)
	})
}

// An id that is in use is refused, and the stream goes on; a plain call under that id is its own thing.
func TestStreamIDInUse(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		k := newTicker()
		c := r.connect(r.hub(k, Options{}))
		c.send(stream4("1", "Ticks"))
		c.expect(item("1", "0"))
		c.send(stream4("1", "Iterate"))
		c.expect(failure("1", `Invocation ID '1' is already in use.`))
		c.send(stream4("1", "Iterate", "5"))
		c.expect(failure("1", `Failed to invoke 'Iterate' due to an error on the server.`)) // rows B and D come first
		c.send(call1("1", "Echo", `"x"`))
		c.expect(result("1", `"x"`), item("1", "1"), item("1", "2"))
		c.send(cancelCall("1"))
		c.expect(end("1"))
		c.send(stream4("1", "Iterate"))
		c.expect(item("1", "0"))
		c.leave()
		if a, b := <-k.ended, <-k.ended; (a == ErrCallCanceled) == (b == ErrCallCanceled) || !errors.Is(a, context.Canceled) || !errors.Is(b, context.Canceled) {
			t.Errorf("%v, %v", a, b)
		}
	})
}

// Items, sends of the method, and the end keep their order.
func TestStreamOrder(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := r.hub(nil, Options{})
		handle(t, h, "Both", func(c *Context, n int) (iter.Seq[int], error) {
			me := c.Clients().Caller()
			if err := me.Send("begin"); err != nil {
				return nil, err
			}
			return func(yield func(int) bool) {
				for i := range n {
					if !yield(i) || me.Send("between", i) != nil {
						return
					}
				}
				_ = me.Send("last")
			}, nil
		})
		c := r.connect(h)
		c.send(stream4("1", "Both", "500"))
		c.expect(message("begin"))
		for i := range 500 {
			c.expect(item("1", fmt.Sprint(i)), message("between", fmt.Sprint(i)))
		}
		c.expect(message("last"), end("1"))
		c.leave()
	})
}

// As many streams as Options.MaxStreams at once, and one more when one has ended.
func TestMaxStreams(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		k := newTicker()
		h := r.hub(k, Options{})
		handle(t, h, "Up", func(a, b <-chan int) iter.Seq[int] { return streams{}.seq(1) })
		c := r.connect(h)
		for i := range 100 {
			c.send(stream4(fmt.Sprint(i), "Iterate"))
			c.expect(item(fmt.Sprint(i), "0"))
		}
		const refused = `Failed to invoke '%s' because more than 100 streams of the connection would be under way.`
		c.send(stream4("x", "ITERATE"))
		c.expect(failure("x", fmt.Sprintf(refused, "Iterate")))
		c.send(cancelCall("17"), cancelCall("18"))
		for n := 0; n < 2; {
			got, ok := c.read()
			if !ok {
				t.Fatal(got)
			}
			if got == end("17") || got == end("18") {
				n++
			}
		}
		c.send(`{"type":4,"invocationId":"x","target":"Up","arguments":[],"streamIds":["a","b"]}`) // counts for three
		c.expect(failure("x", fmt.Sprintf(refused, "Up")))
		c.send(stream4("x", "Iterate"))
		c.expect(item("x", "0"))
		if s := r.rt.Stats(); s.Streams != 99 || s.StreamsRefused != 2 {
			t.Errorf("%d streams, %d refused", s.Streams, s.StreamsRefused)
		}
		c.leave()
		for range 101 {
			<-k.ended
		}
	})
}

// expectAmong reads until all of these have come; others are read over.
func (c *client) expectAmong(records ...string) {
	c.t.Helper()
	for len(records) > 0 {
		got, ok := c.read()
		if !ok {
			c.t.Fatalf("%s; still wanted: %v", got, records)
		}
		records = slices.DeleteFunc(records, func(want string) bool { return want == got })
	}
}

// expectLast reads until this record, which comes behind so many completions, without an error, of streams.
func (c *client) expectLast(want string, ends int) {
	c.t.Helper()
	for n := 0; ; {
		got, ok := c.read()
		switch {
		case !ok:
			c.t.Fatal(got)
		case got == want:
			if n != ends {
				c.t.Errorf("%d completions before %s, want %d", n, want, ends)
			}
			return
		case strings.HasPrefix(got, `{"type":3`):
			n++
			if strings.Contains(got, "error") {
				c.t.Errorf("got %s", got)
			}
		}
	}
}

// Streams do not use the place of a client's plain calls, and start while such a call runs.
func TestStreamsBesideCalls(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{workers: 1}, func(r *rig) {
		g := &gate{open: make(chan struct{})}
		h := r.hub(g, Options{})
		handle(t, h, "Seq", streams{}.Seq)
		c := r.connect(h)
		c.send(call1("1", "Wait", `"a"`), call1("2", "Wait", `"b"`), stream4("3", "Seq", "2"))
		c.expect(item("3", "0"), item("3", "1"), end("3"))
		close(g.open)
		c.expect(result("1", `"a"`), result("2", `"b"`))
		c.leave()
	})
}

func TestStreamItemsAllocateNothing(t *testing.T) {
	r := newRig(t, rigConfig{loops: 1})
	h := r.hub(nil, Options{})
	const n = 5000
	handle(t, h, "Ints", func() iter.Seq[int] { return streams{}.seq(n) })
	handle(t, h, "Texts", func() <-chan string {
		ch := make(chan string, n)
		for range n {
			ch <- "text"
		}
		close(ch)
		return ch
	})
	links, conns, loop := r.openNull(h, 1)
	for _, target := range []string{"Ints", "Texts"} {
		var done atomic.Bool
		links[0].written = func(p []byte) {
			if strings.Contains(string(p), `"type":3`) {
				done.Store(true)
			}
		}
		record := []byte(stream4("1", target) + "\x1e")
		receive := newLoopTask(loop, func() { conns[0].Receive(record) })
		run := func() {
			done.Store(false)
			receive.run()
			for !done.Load() {
				runtime.Gosched()
			}
		}
		run() // fills the pools
		got := testing.AllocsPerRun(10, run) / n
		t.Logf("%s: %.3f allocations an item", target, got)
		if got > 0.05 && !raceDetector {
			t.Errorf("%s: %.3f allocations an item", target, got)
		}
	}
	r.closeNull(conns)
	r.close()
}
