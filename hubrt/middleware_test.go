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

// trace is what has happened, in order.
type trace struct {
	mu   sync.Mutex
	said []string
}

func (t *trace) say(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, s)
}

func (t *trace) all() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := strings.Join(t.said, " ")
	t.said = nil
	return all
}

// around says when a call passes it.
func (t *trace) around(name string) Middleware {
	return func(next Invoker) Invoker {
		return func(inv *Invocation) (any, error) {
			t.say(name + "(" + inv.Method())
			defer t.say(name + ")")
			return next(inv)
		}
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	wrap := func(f func(inv *Invocation, next Invoker) (any, error)) Middleware {
		return func(next Invoker) Invoker {
			return func(inv *Invocation) (any, error) { return f(inv, next) }
		}
	}
	type key struct{}
	var kept *Invocation
	var keptNext Invoker
	for _, tt := range []struct {
		name   string
		mw     Middleware
		target string
		args   []string
		want   string // result
		err    string // what the client is told with detailed errors
	}{
		{"passes", wrap(func(inv *Invocation, next Invoker) (any, error) { return next(inv) }), "echo", []string{`"x"`}, `"x"`, ""},
		{"reads", wrap(func(inv *Invocation, next Invoker) (any, error) {
			return fmt.Sprintf("%s %v %v %v", inv.Method(), inv.Args, inv.Caller().ConnectionID() != "", inv.Context.Err()), nil
		}), "aDD", []string{"1", "2"}, `"Add [1 2] true <nil>"`, ""},
		{"changes an argument", wrap(func(inv *Invocation, next Invoker) (any, error) {
			inv.Args[0] = "<" + inv.Args[0].(string) + ">"
			return next(inv)
		}), "Echo", []string{`"x"`}, `"<x>"`, ""},
		{"changes a reflected argument", wrap(func(inv *Invocation, next Invoker) (any, error) {
			inv.Args = []any{inv.Args[1], int32(40)}
			return next(inv)
		}), "Add", []string{"1", "2"}, "42", ""},
		{"wrong type", wrap(func(inv *Invocation, next Invoker) (any, error) {
			inv.Args[0] = 5
			return next(inv)
		}), "Echo", []string{`"x"`}, "", "errorString: hubrt: what a middleware has left as arguments does not fit: argument 1 of method Echo is int: want string"},
		{"wrong number", wrap(func(inv *Invocation, next Invoker) (any, error) {
			inv.Args = nil
			return next(inv)
		}), "Echo", []string{`"x"`}, "", "errorString: hubrt: what a middleware has left as arguments does not fit: method Echo takes 1 argument(s), not 0"},
		{"no context", wrap(func(inv *Invocation, next Invoker) (any, error) {
			inv.Context = nil
			return next(inv)
		}), "Echo", []string{`"x"`}, "", "errorString: hubrt: a middleware has set Invocation.Context to nil"},
		{"changes the result", wrap(func(inv *Invocation, next Invoker) (any, error) {
			v, err := next(inv)
			return map[string]any{"was": v}, err
		}), "Echo", []string{`"x"`}, `{"was":"x"}`, ""},
		{"short circuit", wrap(func(*Invocation, Invoker) (any, error) { return 7, nil }), "Panic", nil, "7", ""},
		{"no result", wrap(func(*Invocation, Invoker) (any, error) { return nil, nil }), "Echo", []string{`"x"`}, "null", ""},
		{"a method without result", wrap(func(inv *Invocation, next Invoker) (any, error) {
			v, err := next(inv)
			return fmt.Sprint(v), err
		}), "Nothing", nil, `"<nil>"`, ""},
		{"error", wrap(func(*Invocation, Invoker) (any, error) { return 5, invalidOperation("refused") }), "Echo", []string{`"x"`}, "", "InvalidOperationException: refused"},
		{"hub error", wrap(func(*Invocation, Invoker) (any, error) { return nil, Errorf("refused") }), "Echo", []string{`"x"`}, "", "HubException: refused"},
		{"sees an error", wrap(func(inv *Invocation, next Invoker) (any, error) {
			v, err := next(inv)
			return nil, Errorf("%v and %v", v, err)
		}), "Fail", []string{`"m"`}, "", "HubException: <nil> and m"},
		{"recovers an error", wrap(func(inv *Invocation, next Invoker) (any, error) {
			_, err := next(inv)
			return err.Error(), nil
		}), "Fail", []string{`"m"`}, `"m"`, ""},
		{"panic", wrap(func(*Invocation, Invoker) (any, error) { panic("in the middle") }), "Echo", []string{`"x"`}, "", "panic: the server's log has the details"},
		{"the method's panic", wrap(func(inv *Invocation, next Invoker) (any, error) { return next(inv) }), "Panic", nil, "", "panic: the server's log has the details"},
		{"calls twice", wrap(func(inv *Invocation, next Invoker) (any, error) {
			one, err := next(inv)
			if err != nil {
				return nil, err
			}
			inv.Args[0] = "y"
			two, err := next(inv)
			return []any{one, two}, err
		}), "Echo", []string{`"x"`}, `["x","y"]`, ""},
		{"a context of its own", wrap(func(inv *Invocation, next Invoker) (any, error) {
			inv.Context = context.WithValue(inv.Context, key{}, "told")
			return next(inv)
		}), "Told", nil, `"told"`, ""},
		{"keeps it", wrap(func(inv *Invocation, next Invoker) (any, error) {
			if kept != nil {
				if kept.Context.Err() == nil {
					return nil, errors.New("the context outlives the call")
				}
				return keptNext(kept)
			}
			kept, keptNext = inv, next
			return next(inv)
		}), "Echo", []string{`"x"`}, "", "errorString: hubrt: a middleware has called next after the call was over"},
	} {
		for _, inline := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/inline=%v", tt.name, inline), func(t *testing.T) {
				bubble(t, rigConfig{}, func(r *rig) {
					kept, keptNext = nil, nil
					opt := Options{DetailedErrors: true, Methods: map[string]method.Options{}}
					for _, name := range []string{"Echo", "Add", "Nothing", "Panic", "Fail"} {
						opt.Methods[name] = method.Options{Inline: inline}
					}
					h := r.hub(probe{}, opt)
					if err := h.Handle("Told", func(ctx context.Context) string { return fmt.Sprint(ctx.Value(key{})) }, method.Options{Inline: inline}); err != nil {
						t.Fatal(err)
					}
					var log trace
					h.Use(log.around("outer"), tt.mw)
					h.Use(log.around("inner"))
					c := r.connect(h)
					if tt.name == "keeps it" {
						c.send(call1("0", tt.target, tt.args...))
						c.expect(result("0", `"x"`))
					}
					c.send(call1("1", tt.target, tt.args...))
					if tt.err == "" {
						c.expect(result("1", tt.want))
					} else {
						name := h.methods.Lookup([]byte(tt.target)).Name
						c.expect(failure("1", "An unexpected error occurred invoking '"+name+"' on the server. "+tt.err))
					}
					if got := log.all(); !strings.HasPrefix(got, "outer("+h.methods.Lookup([]byte(tt.target)).Name) || !strings.HasSuffix(got, "outer)") {
						t.Errorf("the outermost saw %s", got)
					}
					c.leave()
				})
			})
		}
	}
}

// TestMiddlewareOrder: the options' come first, then those of Use, in the order of registration, and only calls that are bound and allowed are seen.
func TestMiddlewareOrder(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		var log trace
		opt := Options{Middleware: []Middleware{log.around("a"), log.around("b")}, Methods: map[string]method.Options{"Secret": {RequireUser: true}}}
		h, other := r.hub(probe{}, opt), r.hub(probe{}, opt)
		h.Use(log.around("c"))
		h.Use(log.around("d"))
		opt.Middleware[0] = nil // the hubs have copies
		c, o := r.connect(h), r.connect(other)
		c.send(call1("1", "Echo", `"x"`))
		c.expect(result("1", `"x"`))
		if got := log.all(); got != "a(Echo b(Echo c(Echo d(Echo d) c) b) a)" {
			t.Errorf("got %s", got)
		}
		o.send(call1("1", "Echo", `"x"`))
		o.expect(result("1", `"x"`))
		if got := log.all(); got != "a(Echo b(Echo b) a)" {
			t.Errorf("another hub: %s", got)
		}
		c.send(call1("1", "Echo"), call1("2", "Secret"), call1("3", "Missing"), call1("4", "Nothing"))
		for range 4 {
			c.read()
		}
		if got := log.all(); got != "a(Nothing b(Nothing c(Nothing d(Nothing d) c) b) a)" {
			t.Errorf("got %s", got)
		}
		c.leave()
		o.leave()
	})
}

func TestHookMiddleware(t *testing.T) {
	t.Parallel()
	for _, hooks := range []string{"none", "before", "after"} {
		t.Run(hooks, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				var log trace
				connected := func(name string) ConnectedMiddleware {
					return func(next func(c *Context) error) func(c *Context) error {
						return func(c *Context) error { log.say(name + "("); defer log.say(name + ")"); return next(c) }
					}
				}
				disconnected := func(name string) DisconnectedMiddleware {
					return func(next func(c *Context, cause error) error) func(c *Context, cause error) error {
						return func(c *Context, cause error) error {
							log.say(name + "(" + fmt.Sprint(cause))
							defer log.say(name + ")")
							return next(c, Errorf("changed"))
						}
					}
				}
				h := r.hub(probe{}, Options{ConnectedMiddleware: []ConnectedMiddleware{connected("a")}, DisconnectedMiddleware: []DisconnectedMiddleware{disconnected("x")}})
				set := func() {
					h.OnConnected(func(*Context) error { log.say("connected"); return nil })
					h.OnDisconnected(func(_ *Context, cause error) error { log.say("disconnected:" + cause.Error()); return nil })
				}
				if hooks == "before" {
					set()
				}
				h.UseConnected(connected("b"))
				h.UseDisconnected(disconnected("y"))
				if hooks == "after" {
					set()
				}
				for range 2 {
					c := r.connect(h)
					c.leave()
					synctest.Wait()
					want := "a( b( b) a) x(<nil> y(changed y) x)"
					if hooks != "none" {
						want = "a( b( connected b) a) x(<nil> y(changed disconnected:changed y) x)"
					}
					if got := log.all(); got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
				}
			})
		})
	}
	t.Run("refuses", func(t *testing.T) {
		t.Parallel()
		for _, panics := range []bool{false, true} {
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(probe{}, Options{})
				h.UseConnected(func(func(*Context) error) func(*Context) error {
					return func(*Context) error {
						if panics {
							panic("no")
						}
						return Errorf("no entry")
					}
				})
				c := r.connect(h)
				text := "Connection closed with an error."
				if !panics {
					text += " HubException: no entry"
				}
				c.expect(`{"type":7,"error":"` + text + `"}`)
				c.expectEnd(engine.ConnectFailed)
			})
		}
	})
}

func TestBadMiddleware(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		pass := func(next Invoker) Invoker { return next }
		panicked := func(f func()) (err error) {
			defer func() { err, _ = recover().(error) }()
			f()
			return nil
		}
		for name, f := range map[string]func(){
			"nil":               func() { h.Use(pass, nil) },
			"returns nil":       func() { h.Use(func(Invoker) Invoker { return nil }) },
			"connected":         func() { h.UseConnected(nil) },
			"disconnected":      func() { h.UseDisconnected(nil) },
			"connected returns": func() { h.UseConnected(func(func(*Context) error) func(*Context) error { return nil }) },
			"disconnected returns": func() {
				h.UseDisconnected(func(func(*Context, error) error) func(*Context, error) error { return nil })
			},
		} {
			if err := panicked(f); !errors.Is(err, errNilMiddleware) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := r.rt.NewHub("bad", probe{}, Options{Middleware: []Middleware{nil}, MaxGroups: -1})
		if !errors.Is(err, errNilMiddleware) || !strings.Contains(err.Error(), "MaxGroups") {
			t.Errorf("in the options: %v", err)
		}
		c := r.connect(h)
		for name, f := range map[string]func(){
			"Use": func() { h.Use(pass) }, "UseConnected": func() {
				h.UseConnected(func(n func(*Context) error) func(*Context) error { return n })
			},
			"UseDisconnected": func() {
				h.UseDisconnected(func(n func(*Context, error) error) func(*Context, error) error { return n })
			},
		} {
			if err := panicked(f); !errors.Is(err, ErrSealed) {
				t.Errorf("%s after the first connection: %v", name, err)
			}
		}
		c.send(call1("1", "Echo", `"x"`))
		c.expect(result("1", `"x"`))
		c.leave()
	})
}

// TestMiddlewareAsks: a middleware may ask the client, with a deadline of its own.
func TestMiddlewareAsks(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		h.Use(func(next Invoker) Invoker {
			return func(inv *Invocation) (any, error) {
				ctx, cancel := context.WithTimeout(inv.Context, time.Second)
				defer cancel()
				sure, err := InvokeClient[bool](ctx, inv.Caller().Clients().Caller(), "Confirm", inv.Method())
				if err != nil || !sure {
					return nil, errors.Join(err, Errorf("not confirmed"))
				}
				return next(inv)
			}
		})
		c := r.connect(h)
		c.send(call1("1", "Echo", `"x"`))
		c.expect(asking("s1", "Confirm", `"Echo"`))
		c.send(`{"type":3,"invocationId":"s1","result":true}`)
		c.expect(result("1", `"x"`))
		c.send(call1("2", "Echo", `"x"`))
		c.expect(asking("s2", "Confirm", `"Echo"`), failure("2", "An unexpected error occurred invoking 'Echo' on the server. HubException: Invocation canceled by the server."))
		c.leave()
	})
}

// TestMiddlewareDoesNotWait: a middleware that gives up a method which it has called on another goroutine leaves that one its arguments, whatever the worker does next: the race detector
// sees to that. A call that begins too late fails.
func TestMiddlewareDoesNotWait(t *testing.T) {
	t.Parallel()
	type pair struct{ A, B string }
	for method, tt := range map[string]struct{ args, want string }{
		"Text":    {`"x"`, "xx"},
		"Struct":  {`{"A":"x","B":"y"}`, "{xy y}"},
		"Context": {`["x"],5`, "[x 5]"},
		"Upload":  {`"x"`, "x"},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1, workers: 1}, func(r *rig) {
				h := r.hub(probe{}, Options{DetailedErrors: true})
				wait := make(chan struct{})
				handle(t, h, "Text", func(s string) string { <-wait; return s + s })
				handle(t, h, "Struct", func(p pair) pair { <-wait; p.A += p.B; return p })
				handle(t, h, "Context", func(_ context.Context, s []string, n int32) []string { <-wait; return append(s, fmt.Sprint(n)) })
				handle(t, h, "Upload", func(s string, _ <-chan int) string { <-wait; return s })
				results := make(chan string, 2)
				late := make(chan error, 1)
				h.Use(func(next Invoker) Invoker {
					return func(inv *Invocation) (any, error) {
						if inv.Method() == "Echo" {
							return next(inv)
						}
						go func() {
							v, err := next(inv)
							results <- fmt.Sprint(v, err)
							_, err = next(inv)
							late <- err
						}()
						<-time.After(time.Second)
						return nil, Errorf("too late")
					}
				})
				c := r.connect(h)
				ids := ""
				if method == "Upload" {
					ids = `,"streamIds":["s"]`
				}
				c.send(fmt.Sprintf(`{"type":1,"invocationId":"1","target":%q,"arguments":[%s]%s}`, method, tt.args, ids), call1("2", "Echo", `"zzzz"`))
				want := []string{failure("1", "An unexpected error occurred invoking '"+method+"' on the server. HubException: too late"), result("2", `"zzzz"`)}
				if method == "Upload" { // a call with streams has no worker
					want[0], want[1] = want[1], want[0]
				}
				c.expect(want...)
				close(wait)
				if got := <-results; got != tt.want+" <nil>" && got != tt.want+"<nil>" {
					t.Errorf("the method returned %s, want %s", got, tt.want)
				}
				if err := <-late; !errors.Is(err, errInvocationOver) {
					t.Errorf("next after the end: %v", err)
				}
				c.leave()
			})
		})
	}
}
