package hubrt

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

func TestConnectedEvent(t *testing.T) {
	t.Parallel()
	t.Run("messages wait", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			h.OnConnected(func(c *Context) error {
				if err := c.Clients().Caller().Send("message", "welcome"); err != nil {
					return err
				}
				time.Sleep(300 * time.Millisecond)
				return c.Clients().All().Send("message", "ready")
			})
			c := r.dial(h)
			c.send(shake, call1("1", "Echo", `"x"`))
			c.expect(`{}`, message("message", `"welcome"`), message("message", `"ready"`), result("1", `"x"`))
			c.leave()
		})
	})
	for _, tt := range []struct {
		name, want string
		detailed   bool
		hook       func(*Context) error
	}{
		{"fails", "Connection closed with an error.", false, func(*Context) error { return invalidOperation("no entry") }},
		{"fails, detailed", "Connection closed with an error. InvalidOperationException: no entry", true,
			func(*Context) error { return invalidOperation("no entry") }},
		{"fails with a hub error", "Connection closed with an error. HubException: full", false, func(*Context) error { return Errorf("full") }},
		{"panics", "Connection closed with an error.", false, func(*Context) error { panic("ouch") }},
		{"panics, detailed", "Connection closed with an error. panic: the server's log has the details", true, func(*Context) error { panic("ouch") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(probe{}, Options{DetailedErrors: tt.detailed})
				h.OnConnected(tt.hook)
				h.OnDisconnected(func(*Context, error) error { t.Error("disconnected event after a failed connected one"); return nil })
				c := r.dial(h)
				c.send(shake, call1("1", "Echo", `"never"`))
				c.expect(`{}`, fmt.Sprintf(`{"type":7,"error":"%s"}`, tt.want))
				c.expectEnd(engine.ConnectFailed)
			})
		})
	}
	t.Run("client leaves meanwhile", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			var order []string
			h.OnConnected(func(c *Context) error {
				order = append(order, "connected")
				<-c.Done()
				order = append(order, "over")
				return nil
			})
			h.OnDisconnected(func(*Context, error) error { order = append(order, "disconnected"); return nil })
			c := r.connect(h)
			c.leave()
			synctest.Wait()
			if got := fmt.Sprint(order); got != "[connected over disconnected]" {
				t.Error(got)
			}
			if n := r.rt.Stats().Connections; n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	})
}

// hooked has its hooks as methods.
type hooked struct {
	probe
	log chan string
}

func (h hooked) OnConnected(*Context) error { h.log <- "connected"; return nil }

func (h hooked) OnDisconnected(_ *Context, err error) error {
	h.log <- fmt.Sprint("disconnected ", err)
	return nil
}

func TestHooksOfAValue(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := hooked{log: make(chan string, 2)}
		c := r.connect(r.hub(h, Options{}))
		c.send(call1("1", "OnConnected"), call1("2", "Echo", `"promoted"`))
		c.expect(failure("1", "Failed to invoke 'OnConnected' due to an error on the server. HubException: Method does not exist."),
			result("2", `"promoted"`))
		c.leave()
		for _, want := range []string{"connected", "disconnected <nil>"} {
			if got := <-h.log; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// TestEnds has all rows of wire contract, section 16.
func TestEnds(t *testing.T) {
	t.Parallel()
	transport := errors.New("frame of an unknown kind")
	for _, tt := range []struct {
		name   string
		act    func(c *client)
		want   []string
		reason engine.CloseReason
		cause  string
	}{
		{"abort", func(c *client) { c.send(call1("1", "AbortMe")) }, []string{`{"type":7}`}, engine.Aborted, "<nil>"},
		{"client's close", func(c *client) { c.send(`{"type":7}`) }, []string{`{"type":7}`}, engine.ClientClosed, "<nil>"},
		{"client's close with an error", func(c *client) { c.send(`{"type":7,"error":"bye","allowReconnect":true}`) },
			[]string{`{"type":7}`}, engine.ClientClosed, "bye"},
		{"close behind a call", func(c *client) {
			c.send(call1("1", "Echo", `"x"`), call1("2", "Sleep", "3000"), `{"type":7}`, call1("3", "Echo", `"never"`))
		}, []string{result("1", `"x"`), result("2", "3000"), `{"type":7}`}, engine.ClientClosed, "<nil>"},
		{"close behind a long call", func(c *client) { c.send(call1("2", "Sleep", "30000"), `{"type":7}`) },
			[]string{`{"type":7}`}, engine.ClientClosed, "<nil>"},
		{"protocol error", func(c *client) { c.send(`{}`) },
			[]string{`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`}, engine.ProtocolError, "Missing required property 'type'."},
		{"end of TCP", func(c *client) { c.leave() }, nil, engine.ReasonNone, "<nil>"},
		{"fault of the transport", func(c *client) {
			c.on(func(hc *Conn) { c.link.conn.Reset(engine.WebSocketProtocol, transport) })
		}, nil, engine.ReasonNone, transport.Error()},
		{"rows after the end", func(c *client) {
			c.on(func(hc *Conn) {
				hc.fail(engine.ProtocolError, errors.New("first"))
				hc.fail(engine.ProtocolError, errors.New("second"))
				hc.Receive([]byte("{}\x1e"))
				hc.Deadline(1 << 30)
			})
		}, []string{`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`}, engine.ProtocolError, "first"},
	} {
		for _, hook := range []string{"none", "succeeds", "fails", "panics"} {
			t.Run(tt.name+"/hook "+hook, func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) {
					h := r.hub(probe{}, Options{})
					causes := make(chan string, 2)
					if hook != "none" {
						h.OnDisconnected(func(c *Context, err error) error {
							if c.Err() == nil {
								t.Error("the context lives in the disconnected event")
							}
							causes <- fmt.Sprint(err)
							switch hook {
							case "fails":
								return errors.New("no exit")
							case "panics":
								panic("no exit")
							}
							return nil
						})
					}
					c := r.connect(h)
					begun := time.Now()
					tt.act(c)
					if tt.want != nil {
						c.expect(tt.want...)
						if d := time.Since(begun); d > 6*time.Second {
							t.Errorf("the end took %v", d)
						}
						reason := tt.reason
						if hook == "fails" || hook == "panics" {
							reason = engine.InternalError
						}
						c.expectEnd(reason)
						if c.link.failed != (reason == engine.InternalError) {
							t.Errorf("the link was ended by Fail: %v", c.link.failed)
						}
					}
					synctest.Wait()
					if hook != "none" {
						if got := <-causes; got != tt.cause {
							t.Errorf("cause %q, want %q", got, tt.cause)
						}
					}
					if len(causes) > 0 {
						t.Error("two disconnected events")
					}
					time.Sleep(time.Minute) // until the long call has ended
					if s := r.rt.Stats(); s.Connections != 0 || s.CallsRunning != 0 {
						t.Errorf("left: %+v", s)
					}
				})
			})
		}
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	t.Run("keeps what was sent and drops the result", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			handle(t, h, "Bye", func(c *Context) (string, error) {
				err := c.Clients().Caller().Send("message", "bye")
				c.Abort()
				c.Abort()
				if c.Err() == nil {
					t.Error("the context has not ended")
				}
				return "dropped", err
			})
			if err := h.Handle("ByeInline", func(c *Context) string { c.Abort(); return "dropped" }, inline); err != nil {
				t.Fatal(err)
			}
			c := r.connect(h)
			c.send(call1("1", "Bye"))
			c.expect(message("message", `"bye"`), `{"type":7}`)
			c.expectEnd(engine.Aborted)
			c = r.connect(h)
			c.send(call1("1", "ByeInline"))
			c.expect(`{"type":7}`)
			c.expectEnd(engine.Aborted)
		})
	})
	t.Run("in the connected event", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			h.OnConnected(func(c *Context) error { c.Abort(); time.Sleep(time.Second); return nil })
			gone := make(chan error, 1)
			h.OnDisconnected(func(_ *Context, err error) error { gone <- err; return nil })
			c := r.connect(h)
			c.expect(`{"type":7}`)
			c.expectEnd(engine.Aborted)
			if err := <-gone; err != nil {
				t.Errorf("cause %v", err)
			}
		})
	})
	t.Run("after the end", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			var kept *Context
			h.OnConnected(func(c *Context) error { kept = c; return nil })
			c := r.connect(h)
			c.send(call1("1", "Echo", `"x"`))
			c.expect(result("1", `"x"`))
			c.leave()
			kept.Abort()
			if err := kept.Clients().Caller().Send("message"); err != nil {
				t.Error(err)
			}
			if err := kept.Join("g"); err != nil {
				t.Error(err)
			}
			if n := kept.subs.asked(); n != 0 {
				t.Errorf("joined %d groups after the end", n)
			}
			<-kept.Done()
			kept.Items().Set("k", 1)
			if v, ok := kept.Items().Get("k"); !ok || v != 1 {
				t.Error("items are gone")
			}
		})
	})
}
