package hubrt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// failures are the texts of wire contract, section 13.
var failures = []struct {
	name, target, args, want, detailed string
}{
	{"unknown method", "Missing", "", "Failed to invoke 'Missing' due to an error on the server. HubException: Method does not exist.", ""},
	{"empty target", "", "", "Failed to invoke '' due to an error on the server. HubException: Method does not exist.", ""},
	{"a hook", "OnConnected", "", "Failed to invoke 'OnConnected' due to an error on the server. HubException: Method does not exist.", ""},
	{"argument count", "add", "1", "Failed to invoke 'Add' due to an error on the server.",
		"Failed to invoke 'Add' due to an error on the server. InvalidDataException: Invocation provides 1 argument(s) but target expects 2."},
	{"argument type", "Add", `1,"x"`, "Failed to invoke 'Add' due to an error on the server.",
		"Failed to invoke 'Add' due to an error on the server. InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."},
	{"throws", "FAIL", `"m"`, "An unexpected error occurred invoking 'Fail' on the server.",
		"An unexpected error occurred invoking 'Fail' on the server. InvalidOperationException: m"},
	{"plain error", "Plain", `"m"`, "An unexpected error occurred invoking 'Plain' on the server.",
		"An unexpected error occurred invoking 'Plain' on the server. errorString: m"},
	{"hub error", "FailHub", `"for you"`, "An unexpected error occurred invoking 'FailHub' on the server. HubException: for you", ""},
	{"kind of hub error", "FailMyHub", `"for you too"`, "An unexpected error occurred invoking 'FailMyHub' on the server. MyHubException: for you too", ""},
	{"wrapped hub error", "Wrapped", `"inside"`, "An unexpected error occurred invoking 'Wrapped' on the server. HubException: inside", ""},
	{"no user", "Secret", "", "Failed to invoke 'Secret' because user is unauthorized", ""},
	{"panic", "Panic", "", "An unexpected error occurred invoking 'Panic' on the server.",
		"An unexpected error occurred invoking 'Panic' on the server. panic: the server's log has the details"},
	{"goexit", "Goexit", "", "An unexpected error occurred invoking 'Goexit' on the server.",
		"An unexpected error occurred invoking 'Goexit' on the server. exit: the method called runtime.Goexit"},
}

func TestFailedCalls(t *testing.T) {
	t.Parallel()
	for _, inline := range []bool{false, true} {
		for _, detailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("inline=%v/detailed=%v", inline, detailed), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) {
					opt := Options{DetailedErrors: detailed, Methods: map[string]method.Options{"Secret": {RequireUser: true, Inline: inline}}}
					for _, name := range []string{"Echo", "Add", "Fail", "Plain", "FailHub", "FailMyHub", "Wrapped", "Panic"} {
						opt.Methods[name] = method.Options{Inline: inline}
					}
					c := r.connect(r.hub(probe{}, opt))
					for i, tt := range failures {
						want := tt.want
						if detailed && tt.detailed != "" {
							want = tt.detailed
						}
						id := fmt.Sprint(i)
						c.send(call1(id, tt.target, tt.args))
						c.expect(failure(id, want))
						c.send(call1("", tt.target, tt.args), call1("alive", "Echo", `"yes"`)) // without an id it is only logged
						c.expect(result("alive", `"yes"`))
					}
					c.leave()
					synctest.Wait()
					s := r.rt.Stats()
					if want := int64(2 * len(failures)); s.CallsFailed != want || s.Panics != 2 {
						t.Errorf("%d failed and %d panicked, want %d and 2", s.CallsFailed, s.Panics, want)
					}
					log := r.log.String()
					for _, want := range []string{"secret words", "hubrt.probe.Panic", "method=Fail", "connection=" + c.id.String(), "hub=test"} {
						if !strings.Contains(log, want) {
							t.Errorf("the log lacks %q:\n%s", want, log)
						}
					}
				})
			})
		}
	}
}

func TestStreamInvocations(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		c := r.connect(r.hub(probe{}, Options{Methods: map[string]method.Options{"Secret": {RequireUser: true}}}))
		for _, tt := range []struct{ name, send, want string }{
			{"plain method", `{"type":4,"invocationId":"1","target":"eCHO","arguments":["x"]}`,
				"The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation."},
			{"unknown method", `{"type":4,"invocationId":"1","target":"Missing","arguments":[]}`,
				"Failed to invoke 'Missing' due to an error on the server. HubException: Method does not exist."},
			{"arguments come first", `{"type":4,"invocationId":"1","target":"Echo","arguments":[]}`,
				"Failed to invoke 'Echo' due to an error on the server."},
			{"then the user", `{"type":4,"invocationId":"1","target":"Secret","arguments":[]}`,
				"Failed to invoke 'Secret' because user is unauthorized"},
			{"stream ids", `{"type":1,"invocationId":"1","target":"Echo","arguments":["x"],"streamIds":["c"]}`,
				"An unexpected error occurred invoking 'Echo' on the server. HubException: Client sent 1 stream(s), Hub method expects 0."},
		} {
			c.send(tt.send)
			c.expect(failure("1", tt.want))
		}
		// What belongs to streams and client results that do not exist is ignored.
		c.send(`{"type":2,"invocationId":"9","item":1}`, `{"type":3,"invocationId":"s1","result":1}`, `{"type":3,"invocationId":"s1"}`,
			`{"type":5,"invocationId":"9"}`, `{"type":8,"sequenceId":1}`, `{"type":9,"sequenceId":1}`, `{"type":42}`, `{"type":6}`,
			call1("2", "Echo", `"alive"`))
		c.expect(result("2", `"alive"`))
		c.leave()
	})
}

func TestResults(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		c := r.connect(r.hub(probe{}, Options{}))
		c.send(call1("1", "Nothing"), call1("", "Nothing"), call1("3", "ECHO", `"é<&>"`))
		c.expect(result("1", "null"), result("3", `"é<&>"`))
		c.send(call1("1", "CallMe", `"m"`))
		c.expect(message("message", `"m"`, "1", "true", "null"), result("1", "null"))
		c.send(call1("2", "CallMany", "200"))
		for i := range 200 {
			c.expect(message("message", fmt.Sprint(i+1)))
		}
		c.expect(result("2", "null"))
		c.leave()
	})
}

func TestResultThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	for _, inline := range []bool{false, true} {
		for _, detailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("inline=%v/detailed=%v", inline, detailed), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) {
					var cause error
					h := r.hub(probe{}, Options{DetailedErrors: detailed, Methods: map[string]method.Options{"NotANumber": {Inline: inline}}})
					h.OnDisconnected(func(_ *Context, err error) error { cause = err; return nil })
					c := r.connect(h)
					c.send(call1("1", "NotANumber"), call1("2", "Echo", `"never"`))
					got, _ := c.read()
					want := `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`
					if detailed {
						want = `{"type":7,"error":"Connection closed with an error. ArgumentException: `
					}
					if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, `","allowReconnect":true}`) {
						t.Errorf("got  %s\nwant %s", got, want)
					}
					c.expectEnd(engine.ResultFailed)
					synctest.Wait()
					if cause == nil {
						t.Error("the disconnected event got no cause")
					}
				})
			})
		}
	}
}

// started counts methods that run at the same time.
type gate struct {
	mu    sync.Mutex
	began []string
	open  chan struct{}
}

func (g *gate) Wait(name string) string {
	g.mu.Lock()
	g.began = append(g.began, name)
	g.mu.Unlock()
	<-g.open
	return name
}

func (g *gate) Echo(s string) string { return s }

func (g *gate) names() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.began, " ")
}

func TestParallelCalls(t *testing.T) {
	t.Parallel()
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{}))
			begun := time.Now()
			c.send(call1("1", "Sleep", "400"), call1("2", "Echo", `"x"`), `{"type":6}`)
			c.expect(result("1", "400"), result("2", `"x"`))
			if d := time.Since(begun); d != 400*time.Millisecond {
				t.Errorf("took %v", d)
			}
			c.leave()
		})
	})
	t.Run("three", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{MaxParallelCalls: 3}))
			c.send(call1("1", "Sleep", "900"), call1("2", "Sleep", "500"), call1("3", "Echo", `"x"`))
			c.expect(result("3", `"x"`), result("2", "500"), result("1", "900"))
			c.send(call1("4", "Sleep", "600"), call1("5", "Sleep", "900"), call1("6", "Sleep", "1200"), call1("7", "Echo", `"y"`))
			c.expect(result("4", "600"), result("7", `"y"`), result("5", "900"), result("6", "1200"))
			c.leave()
		})
	})
	t.Run("other records flow", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			g := &gate{open: make(chan struct{})}
			c := r.connect(r.hub(g, Options{}))
			c.send(call1("1", "Wait", `"a"`), call1("2", "Wait", `"b"`))
			synctest.Wait()
			before := r.rt.Stats().MessagesIn
			c.send(`{"type":6}`, `{"type":5,"invocationId":"1"}`, call1("3", "Missing"))
			c.expect(failure("3", "Failed to invoke 'Missing' due to an error on the server. HubException: Method does not exist."))
			if n := r.rt.Stats().MessagesIn - before; n != 3 {
				t.Errorf("%d messages were read, want 3", n)
			}
			if s := r.rt.Stats(); s.CallsRunning != 1 || s.CallsWaiting != 1 {
				t.Errorf("running %d, waiting %d, want 1 and 1", s.CallsRunning, s.CallsWaiting)
			}
			close(g.open)
			c.expect(result("1", `"a"`), result("2", `"b"`))
			c.leave()
		})
	})
}

func TestInlineKeepsOrder(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		if err := h.Handle("Inline", func(s string) string { return s }, method.Options{Inline: true}); err != nil {
			t.Fatal(err)
		}
		if err := h.Handle("InlineAll", func(c *Context, s string) error {
			return c.Clients().All().Send("message", s)
		}, method.Options{Inline: true}); err != nil {
			t.Fatal(err)
		}
		c := r.connect(h)
		// Behind a call that runs on a worker it waits as others do.
		c.send(call1("1", "Sleep", "100"), call1("2", "Inline", `"x"`), call1("3", "Inline", `"y"`))
		c.expect(result("1", "100"), result("2", `"x"`), result("3", `"y"`))
		// Its reply comes behind what it has sent, and later replies behind that.
		for range 50 {
			c.send(call1("1", "Inline", `"a"`), call1("2", "InlineAll", `"b"`), call1("3", "Inline", `"c"`))
			c.expect(result("1", `"a"`), message("message", `"b"`), result("2", "null"), result("3", `"c"`))
		}
		c.leave()
	})
}

func TestCallContext(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		var kept context.Context
		handle(t, h, "Keep", func(ctx context.Context) { kept = ctx })
		ended := make(chan error, 1)
		handle(t, h, "Block", func(c *Context, ctx context.Context) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return c.Clients().Caller().Send("message", "too late")
		})
		c := r.connect(h)
		c.send(call1("1", "Keep"))
		c.expect(result("1", "null"))
		if kept.Err() == nil {
			t.Error("a call's context outlives the call")
		}
		c.send(call1("2", "Block"))
		synctest.Wait()
		c.leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMessageSize(t *testing.T) {
	t.Parallel()
	fixed := len(call1("1", "Echo", `""`)) + 1
	for _, tt := range []struct {
		name string
		send string
		ok   bool
	}{
		{"32768 bytes", call1("1", "Echo", `"`+strings.Repeat("a", 32768-fixed)+`"`) + "\x1e", true},
		{"32769 bytes", call1("1", "Echo", `"`+strings.Repeat("a", 32769-fixed)+`"`) + "\x1e", false},
		{"32769 bytes unfinished", call1("1", "Echo", `"`+strings.Repeat("a", 32770-fixed)+`"`), false},
	} {
		for _, piece := range []int{40_000, 32_768, 4096, 7} {
			t.Run(fmt.Sprintf("%s in pieces of %d", tt.name, piece), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) {
					c := r.connect(r.hub(probe{}, Options{DetailedErrors: true}))
					for rest := tt.send; rest != ""; {
						n := min(piece, len(rest))
						if _, err := c.nc.Write([]byte(rest[:n])); err != nil {
							break // it has been refused already
						}
						rest = rest[n:]
					}
					if tt.ok {
						c.expect(result("1", `"`+strings.Repeat("a", 32768-fixed)+`"`))
						c.leave()
						return
					}
					c.expect(`{"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}`)
					c.expectEnd(engine.MessageTooLarge)
				})
			})
		}
	}
}

// TestCuts sends one stream cut in all ways; the answers must not depend on it.
func TestCuts(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := r.hub(probe{}, Options{MaxMessage: 4096})
		records := []string{
			call1("1", "Echo", `"a"`), `{"type":6}`, call1("2", "Add", "1", "2"), call1("3", "Echo", `"`+strings.Repeat("b", 600)+`"`),
			call1("4", "Missing"), call1("5", "Nothing"),
		}
		want := []string{
			result("1", `"a"`), result("2", "3"), result("3", `"`+strings.Repeat("b", 600)+`"`), result("5", "null"),
		}
		all := strings.Join(records, "\x1e") + "\x1e"
		for cut := 1; cut < len(all); cut += 3 {
			c := r.connect(h)
			for rest := all; rest != ""; {
				n := min(cut, len(rest))
				c.raw(rest[:n])
				rest = rest[n:]
				if cut > 20 {
					synctest.Wait() // pieces stay pieces
				}
			}
			var got []string
			for range len(want) + 1 {
				rec, ok := c.read()
				if !ok {
					t.Fatalf("cut %d: %s", cut, rec)
				}
				if !strings.Contains(rec, "Missing") { // its answer may overtake those of calls that run
					got = append(got, rec)
				}
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("cut %d: got %s", cut, got)
			}
			c.on(func(hc *Conn) {
				if hc.box != nil {
					t.Errorf("an idle connection holds %+v", hc.box)
				}
			})
			c.leave()
		}
	})
}

func TestProtocolError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, send, detail string }{
		{"second handshake", shake, "InvalidDataException: Missing required property 'type'."},
		{"no target", `{"type":1,"invocationId":"1","arguments":[]}`, "InvalidDataException: Missing required property 'target'."},
		{"stream without id", `{"type":4,"target":"Echo","arguments":[]}`, "InvalidDataException: Missing required property 'invocationId'."},
		{"no JSON", `{`, "InvalidDataException: Error reading JSON."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				for _, detailed := range []bool{false, true} {
					var cause error
					h := r.hub(probe{}, Options{DetailedErrors: detailed})
					h.OnDisconnected(func(_ *Context, err error) error { cause = err; return nil })
					c := r.connect(h)
					c.send(tt.send, call1("1", "Echo", `"never"`))
					text := "Connection closed with an error."
					if detailed {
						text += " " + tt.detail
					}
					c.expect(`{"type":7,"error":"` + text + `","allowReconnect":true}`)
					c.expectEnd(engine.ProtocolError)
					synctest.Wait()
					if cause == nil || !strings.HasSuffix(tt.detail, cause.Error()) {
						t.Errorf("the disconnected event got %v, want %s", cause, tt.detail)
					}
				}
			})
		})
	}
}
