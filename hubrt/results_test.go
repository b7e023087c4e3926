package hubrt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// question is what a client is asked.
func asking(id, target string, args ...string) string {
	return fmt.Sprintf(`{"type":1,"invocationId":"%s","target":"%s","arguments":[%s]}`, id, target, strings.Join(args, ","))
}

// answer is what came of asking.
type answer struct {
	text string
	err  error
}

// ask asks c on a goroutine of its own.
func ask(ctx context.Context, to Target, method string, args ...any) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		text, err := InvokeClient[string](ctx, to, method, args...)
		got <- answer{text, err}
	}()
	return got
}

func TestClientResults(t *testing.T) {
	t.Parallel()
	const noText = "Exception of type 'Microsoft.AspNetCore.SignalR.HubException' was thrown."
	for _, tt := range []struct {
		name, reply string
		text        string
		err         string // of a HubException
	}{
		{"text", `{"type":3,"invocationId":"s1","result":"yes"}`, "yes", ""},
		{"id last", `{"result":"yes","type":3,"invocationId":"s1"}`, "yes", ""},
		{"null", `{"type":3,"invocationId":"s1","result":null}`, "", ""},
		{"error", `{"type":3,"invocationId":"s1","error":"no <é>"}`, "", "no <é>"},
		{"empty error", `{"type":3,"invocationId":"s1","error":""}`, "", ""},
		{"neither", `{"type":3,"invocationId":"s1"}`, "", noText},
		{"another type", `{"type":3,"invocationId":"s1","result":{"a":1}}`, "", "Error trying to deserialize result to String. expected a string, got an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(probe{}, Options{})
				c := r.connect(h)
				got := ask(r.t.Context(), h.Clients().Client(c.id.String()), "Result", 1, "x", nil)
				c.expect(asking("s1", "Result", "1", `"x"`, "null"))
				c.send(tt.reply)
				a := <-got
				var hubError *Error
				switch {
				case tt.err == "" && tt.name != "empty error":
					if a.err != nil || a.text != tt.text {
						t.Errorf("got %q, %v", a.text, a.err)
					}
				case !errors.As(a.err, &hubError) || hubError.Text != tt.err || a.text != "":
					t.Errorf("got %q, %v", a.text, a.err)
				}
				c.send(tt.reply, call1("1", "Echo", `"alive"`)) // a second answer is ignored
				c.expect(result("1", `"alive"`))
				c.on(func(hc *Conn) {
					if hc.box != nil {
						t.Errorf("%+v is left", hc.box)
					}
				})
				c.leave()
			})
		})
	}
}

// TestUnaskedAnswers: answers with ids that no question has, or can have, are ignored.
func TestUnaskedAnswers(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		c := r.connect(h)
		got := ask(r.t.Context(), h.Clients().Client(c.id.String()), "Result")
		c.expect(asking("s1", "Result"))
		for _, id := range []string{"", "1", "s", "s0", "s01", "s2", "S1", "s1 ", "s-1", "s1x", "s18446744073709551617", "s99999999999999999999999999", "é"} {
			c.send(`{"type":3,"invocationId":"` + id + `","result":"stolen"}`)
		}
		c.send(call1("1", "Echo", `"alive"`))
		c.expect(result("1", `"alive"`))
		c.send(`{"type":3,"invocationId":"s1","result":"yes"}`)
		if a := <-got; a.err != nil || a.text != "yes" {
			t.Errorf("got %+v", a)
		}
		c.leave()
	})
}

type failure1 struct {
	name string
	text string
	is   error
}

func (w failure1) check(t *testing.T, err error) {
	t.Helper()
	var named interface{ ErrorName() string }
	if err == nil || err.Error() != w.text || !errors.As(err, &named) || named.ErrorName() != w.name || !errors.Is(err, w.is) {
		t.Errorf("got %v\nwant %s: %s, a kind of %v", err, w.name, w.text, w.is)
	}
}

func TestClientResultFailures(t *testing.T) {
	t.Parallel()
	canceled := failure1{"HubException", "Invocation canceled by the server.", ErrInvocationCanceled}
	t.Run("no connection", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			var kept *Context
			h.OnConnected(func(c *Context) error { kept = c; return nil })
			c := r.connect(h)
			c.leave()
			synctest.Wait()
			for _, to := range []Target{h.Clients().Client("nobody"), h.Clients().Client(c.id.String()), kept.Clients().Caller(), kept.Clients().Client(c.id.String())} {
				id := "nobody"
				if to.name != id {
					id = c.id.String()
				}
				_, err := InvokeClient[int](r.t.Context(), to, "Result")
				failure1{"IOException", "Connection '" + id + "' does not exist.", ErrNotConnected}.check(t, err)
			}
		})
	})
	t.Run("disconnects", func(t *testing.T) {
		t.Parallel()
		for _, how := range []string{"goes", "is aborted", "says Close", "is drained", "is aborted under a context"} {
			bubble(t, rigConfig{loops: 1}, func(r *rig) {
				h := r.hub(probe{}, Options{})
				var kept *Context
				h.OnConnected(func(c *Context) error { kept = c; return nil })
				c := r.connect(h)
				synctest.Wait() // for the connected event
				ctx := r.t.Context()
				if how == "is aborted under a context" {
					ctx = kept
				}
				got := ask(ctx, h.Clients().Client(c.id.String()), "Result")
				c.expect(asking("s1", "Result"))
				switch how {
				case "goes":
					c.leave()
				case "says Close":
					c.send(`{"type":7}`)
				case "is drained":
					c.on((*Conn).drain)
				default:
					kept.Abort()
				}
				a := <-got
				failure1{"IOException", "Connection '" + c.id.String() + "' disconnected.", ErrDisconnected}.check(t, a.err)
				if how != "goes" {
					c.leave()
				}
			})
		}
	})
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			c := r.connect(h)
			to := h.Clients().Client(c.id.String())
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(r.t.Context())
			got := ask(ctx, to, "Result")
			c.expect(asking("s1", "Result"))
			cancel(cause)
			a := <-got
			canceled.check(t, a.err)
			if !errors.Is(a.err, cause) || !errors.Is(a.err, context.Canceled) {
				t.Errorf("%v says nothing of the cause", a.err)
			}
			_, err := InvokeClient[int](ctx, to, "Result") // nothing is asked with a context that has ended
			canceled.check(t, err)

			timeout, stop := context.WithTimeout(r.t.Context(), 3*time.Second)
			defer stop()
			begun := time.Now()
			_, err = InvokeClient[int](timeout, to, "Result")
			canceled.check(t, err)
			if d := time.Since(begun); d != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after %v: %v", d, err)
			}
			c.expect(asking("s2", "Result"))
			// Nothing is said about it to the client, whose late answers are ignored.
			c.send(`{"type":3,"invocationId":"s1","result":"late"}`, `{"type":3,"invocationId":"s2","result":1}`)
			c.silent(5 * time.Second)
			if n := r.rt.Stats().Questions; n != 0 {
				t.Errorf("%d questions are left", n)
			}
			c.leave()
		})
	})
	t.Run("several clients", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			var kept *Context
			h.OnConnected(func(c *Context) error { kept = c; return nil })
			c := r.connect(h)
			synctest.Wait()
			for name, to := range map[string]Target{
				"All": kept.Clients().All(), "AllExcept": kept.Clients().AllExcept("x"), "Clients": kept.Clients().Clients(c.id.String()), "Group": kept.Clients().Group("g"),
				"Groups": kept.Clients().Groups("g"), "GroupExcept": kept.Clients().GroupExcept("g", "x"), "User": kept.Clients().User("u"), "Users": kept.Clients().Users("u"),
				"Others": kept.Clients().Others(), "OthersInGroup": kept.Clients().OthersInGroup("g"),
			} {
				_, err := InvokeClient[int](r.t.Context(), to, "Result")
				t.Log(name)
				failure1{"InvalidOperationException", "InvokeAsync only works with Single clients.", ErrNotSingle}.check(t, err)
			}
			c.leave()
		})
	})
	t.Run("in the connected event", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			other := make(chan string, 1)
			errs := make(chan error, 4)
			h.OnConnected(func(c *Context) error {
				if c.UserID() == "other" {
					return nil
				}
				for _, to := range []Target{c.Clients().Caller(), c.Clients().Client(c.ConnectionID()), c.Clients().Client(<-other)} {
					_, err := InvokeClient[string](c, to, "Result")
					errs <- err
				}
				return nil
			})
			o := r.connect(h, asUser("other"))
			other <- o.id.String()
			c := r.connect(h)
			for range 3 {
				failure1{"InvalidOperationException", "Client results inside OnConnectedAsync Hub methods are not allowed.", ErrInsideConnected}.check(t, <-errs)
			}
			c.silent(time.Second)
			o.silent(time.Second)
			c.leave()
			o.leave()
		})
	})
	t.Run("bad calls", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			c := r.connect(h)
			to := h.Clients().Client(c.id.String())
			for _, tt := range []struct {
				name string
				err  error
				want string
			}{
				{"no target", Target{}.Invoke(r.t.Context(), nil, "Result"), errNoHub.Error()},
				{"no method", to.Invoke(r.t.Context(), nil, ""), errNoMethodName.Error()},
				{"no pointer", to.Invoke(r.t.Context(), 5, "Result"), "hubrt: Invoke puts the result into what a pointer points to, and int is none: pass a pointer that is not nil, or nil"},
				{"a nil pointer", to.Invoke(r.t.Context(), (*int)(nil), "Result"), "hubrt: Invoke puts the result into what a pointer points to, and *int is none: pass a pointer that is not nil, or nil"},
			} {
				if tt.err == nil || tt.err.Error() != tt.want {
					t.Errorf("%s: got  %v\nwant %s", tt.name, tt.err, tt.want)
				}
			}
			if err := to.Invoke(r.t.Context(), nil, "Result", make(chan int)); err == nil {
				t.Error("an argument that cannot be encoded passes")
			}
			c.silent(time.Second)
			c.leave()
		})
	})
	t.Run("in an inline method", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			h := r.hub(nil, Options{})
			errs := make(chan error, 2)
			var deep func(c *Context, n int) error
			deep = func(c *Context, n int) error {
				if n > 0 {
					return deep(c, n-1)
				}
				_, err := InvokeClient[string](c, c.Clients().Caller(), "Result")
				return err
			}
			if err := h.Handle("Ask", func(c *Context) { errs <- deep(c, 0); errs <- deep(c, 300) }, inline); err != nil {
				t.Fatal(err)
			}
			handle(t, h, "AskOnWorker", func(c *Context) (string, error) { return InvokeClient[string](c, c.Clients().Caller(), "Result") })
			c := r.connect(h)
			c.send(call1("1", "Ask"))
			c.expect(result("1", "null"))
			for range 2 {
				failure1{"InvalidOperationException", "Client results inside inline methods are not allowed: register the method without Inline.", ErrInline}.check(t, <-errs)
			}
			c.send(call1("2", "AskOnWorker"))
			c.expect(asking("s1", "Result"))
			c.send(`{"type":3,"invocationId":"s1","result":"x"}`)
			c.expect(result("2", `"x"`))
			c.leave()
		})
	})
}

// TestClientResultTypes: the answer may be of any type that an argument may be of.
func TestClientResultTypes(t *testing.T) {
	t.Parallel()
	type point struct{ X, Y int }
	type named string
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		c := r.connect(h)
		to := h.Clients().Client(c.id.String())
		n := 0
		for _, tt := range []struct {
			result      any
			reply, want string
			err         string
		}{
			{new(int), "5", "5", ""},
			{new(*int), "null", "<nil>", ""},
			{new(point), `{"x":1,"Y":2}`, "{1 2}", ""},
			{new([]string), `["a","b"]`, "[a b]", ""},
			{new(any), `{"a":[1]}`, "map[a:[1]]", ""},
			{new(int), `"x"`, "", "Int64"},
			{new(int32), `4294967296`, "", "Int32"},
			{new(*bool), `1`, "", "Boolean"},
			{new(time.Time), `"soon"`, "", "DateTime"},
			{new([]byte), `"%"`, "", "Byte[]"},
			{new(map[string]int), `[]`, "", "map[string]int"},
			{new(point), `5`, "", "point"},
			{new(named), `5`, "", "named"},
			{new(panics), `5`, "", "panics"},
			{nil, `{"a":1}`, "", ""},
		} {
			n++
			got := make(chan error, 1)
			go func() { got <- to.Invoke(r.t.Context(), tt.result, "Result") }()
			c.expect(asking(fmt.Sprintf("s%d", n), "Result"))
			c.send(fmt.Sprintf(`{"type":3,"invocationId":"s%d","result":%s}`, n, tt.reply))
			err := <-got
			switch {
			case tt.err != "":
				if err == nil || !strings.HasPrefix(err.Error(), "Error trying to deserialize result to "+tt.err+". ") {
					t.Errorf("%T of %s: %v", tt.result, tt.reply, err)
				}
			case err != nil:
				t.Errorf("%T of %s: %v", tt.result, tt.reply, err)
			case tt.want != "":
				if is := fmt.Sprint(deref(tt.result)); is != tt.want {
					t.Errorf("%T of %s: %s", tt.result, tt.reply, is)
				}
			}
		}
		c.leave()
	})
}

func deref(p any) any {
	switch p := p.(type) {
	case *int:
		return *p
	case **int:
		return *p
	case *[]string:
		return *p
	case *any:
		return *p
	}
	return strings.TrimPrefix(fmt.Sprint(p), "&")
}

// panics is a type whose own decoding does.
type panics struct{}

func (*panics) UnmarshalJSON([]byte) error { panic("at the client's answer") }

// TestAnswerFromAnotherConnection: it ends that connection and not the question.
func TestAnswerFromAnotherConnection(t *testing.T) {
	t.Parallel()
	for _, detailed := range []bool{false, true} {
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{DetailedErrors: detailed})
			c, other := r.connect(h), r.connect(h)
			got := ask(r.t.Context(), h.Clients().Client(c.id.String()), "Result")
			c.expect(asking("s1", "Result"))
			other.send(`{"type":3,"invocationId":"s1","result":"stolen"}`)
			text := "Connection closed with an error."
			if detailed {
				text += " InvalidOperationException: Connection ID '" + other.id.String() + "' is not valid for invocation ID 's1'."
			}
			other.expect(`{"type":7,"error":"` + text + `","allowReconnect":true}`)
			other.expectEnd(engine.ProtocolError)
			c.send(`{"type":3,"invocationId":"s1","result":"yes"}`)
			if a := <-got; a.err != nil || a.text != "yes" {
				t.Errorf("got %+v", a)
			}
			c.leave()
		})
	}
}

// TestQuestionsAreBounded: no more questions wait on a connection than MaxStreams says, and each that ends makes room for another.
func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		const most = 3
		h := r.hub(probe{}, Options{MaxStreams: most})
		c := r.connect(h)
		to := h.Clients().Client(c.id.String())
		ctx, cancel := context.WithCancel(r.t.Context())
		var first []<-chan answer
		for i := range most {
			first = append(first, ask(ctx, to, "Result"))
			c.expect(asking(fmt.Sprintf("s%d", i+1), "Result"))
		}
		_, err := InvokeClient[string](r.t.Context(), to, "Result")
		if !errors.Is(err, ErrTooManyStreams) || !strings.Contains(err.Error(), "3") {
			t.Errorf("got %v", err)
		}
		cancel()
		for _, got := range first {
			<-got
		}
		synctest.Wait()
		got := ask(r.t.Context(), to, "Result")
		c.expect(asking("s5", "Result"))
		c.send(`{"type":3,"invocationId":"s5","result":"yes"}`)
		if a := <-got; a.text != "yes" {
			t.Errorf("got %+v", a)
		}
		c.on(func(hc *Conn) {
			if hc.box != nil || len(h.questions.waiting) != 0 {
				t.Errorf("%+v, %d questions are left", hc.box, len(h.questions.waiting))
			}
		})
		c.leave()
	})
}

func TestParseQuestion(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]uint64{
		"s1": 1, "s10": 10, "s9999999999999999999": 9999999999999999999, "s99999999999999999999": 0, "": 0, "s": 0, "s0": 0, "s01": 0, "1": 0, "sx": 0, "s1 ": 0, "S1": 0,
	} {
		if n, ok := parseQuestion([]byte(id)); n != want || ok != (want != 0) {
			t.Errorf("%q: %d, %v", id, n, ok)
		}
	}
}
