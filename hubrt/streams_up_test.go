package hubrt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// up1 is an invocation with upload streams.
func up1(id, target string, streams []string, args ...string) string {
	return strings.TrimSuffix(call1(id, target, args...), "}") + `,"streamIds":["` + strings.Join(streams, `","`) + `"]}`
}

func endWith(id, text string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"%s","error":"%s"}`, id, text)
}

type takers struct {
	probe
	ended chan error
}

// read joins what a stream brings, and how it ends.
func read[T any](items iter.Seq2[T, error]) string {
	var all []string
	for v, err := range items {
		if err != nil {
			return strings.Join(append(all, "! "+err.Error()), " ")
		}
		all = append(all, fmt.Sprint(v))
	}
	return strings.Join(all, " ")
}

func (takers) Seq2(items iter.Seq2[int, error]) string { return read(items) }
func (takers) Seq(ctx context.Context, items iter.Seq[int]) string {
	return takers{}.Channel(ctx, func() <-chan int {
		ch := make(chan int)
		go func() {
			defer close(ch)
			for v := range items {
				ch <- v
			}
		}()
		return ch
	}())
}
func (takers) Channel(ctx context.Context, items <-chan int) string {
	var all []string
	for v := range items {
		all = append(all, fmt.Sprint(v))
	}
	if ctx.Err() != nil {
		all = append(all, "! "+context.Cause(ctx).Error())
	}
	return strings.Join(all, " ")
}
func (takers) Mixed(a <-chan string, n int, b iter.Seq2[int, error], text string) string {
	var all []string
	for v := range a {
		all = append(all, v)
	}
	return fmt.Sprint(all, n, read(b), text)
}
func (takers) One(items <-chan int) int { return <-items }
func (takers) Shout(items iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range items {
			if !yield(item+"!", err) {
				return
			}
		}
	}
}

// Report tells how its stream has ended.
func (k takers) Report(items iter.Seq2[int, error]) {
	for _, err := range items {
		if err != nil {
			k.ended <- err
			return
		}
	}
	k.ended <- nil
}

func TestUploads(t *testing.T) {
	t.Parallel()
	const bound = "Failed to bind Stream message."
	for _, tt := range []struct {
		name   string
		items  []string // records behind the call
		result string
	}{
		{"items", []string{item("s", "1"), item("s", "2"), end("s")}, "1 2"},
		{"no items", []string{end("s")}, ""},
		{"result ignored", []string{item("s", "1"), result("s", "7")}, "1"},
		{"error", []string{item("s", "1"), endWith("s", "the client says no")}, "1 ! the client says no"},
		{"wrong item", []string{item("s", "1"), item("s", `"x"`), item("s", "2"), end("s")}, "1 ! " + bound},
		{"unknown streams", []string{item("x", "9"), end("x"), item("s", "1"), end("s"), item("s", "2"), end("s")}, "1"},
		{"more than the buffer", append(strings.Split(strings.Repeat(item("s", "5")+"\n", 40), "\n")[:40], end("s")), strings.TrimSpace(strings.Repeat("5 ", 40))},
	} {
		for _, target := range []string{"Seq2", "Seq", "Channel"} {
			t.Run(tt.name+"/"+target, func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) {
					c := r.connect(r.hub(takers{}, Options{}))
					c.send(append([]string{up1("1", target, []string{"s"})}, tt.items...)...)
					c.expect(result("1", `"`+tt.result+`"`))
					c.send(call1("2", "Echo", `"after"`))
					c.expect(result("2", `"after"`))
					c.on(func(hc *Conn) {
						if l := hc.lively(); l != nil {
							t.Errorf("left: %+v", l)
						}
					})
					c.leave()
				})
			})
		}
	}
}

func TestUploadShapes(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		k := takers{ended: make(chan error, 10)}
		c := r.connect(r.hub(k, Options{}))
		c.send(up1("1", "Mixed", []string{"x", "y"}, "5", `"t"`), item("y", "1"), item("x", `"a"`), end("y"), item("x", `"b"`), end("x"))
		c.expect(result("1", `"[a b] 51t"`))

		c.send(strings.Replace(up1("2", "Shout", []string{"s"}), `"type":1`, `"type":4`, 1), item("s", `"a"`))
		c.expect(item("2", `"a!"`))
		c.send(item("s", `"b"`), end("s"))
		c.expect(item("2", `"b!"`), end("2"))

		c.send(up1("3", "One", []string{"s"}), item("s", "7"), item("s", "8"))
		c.expect(result("3", "7")) // before the client has ended its stream
		c.send(item("s", "9"), end("s"))

		c.send(up1("", "Report", []string{"s"}), item("s", "1"), end("s")) // fire and forget
		if err := <-k.ended; err != nil {
			t.Error(err)
		}

		c.send(up1("4", "Report", []string{"s"}), up1("5", "Seq2", []string{"s"}), item("s", "1"), end("s")) // the new call takes the id over
		c.expect(result("5", `"1"`))
		c.leave()
		if err := <-k.ended; !errors.Is(err, context.Canceled) || err.Error() != "The underlying connection was closed." {
			t.Errorf("%v", err)
		}
	})
}

// A client may cancel a call that waits for its stream.
func TestUploadCancel(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		c := r.connect(r.hub(takers{}, Options{}))
		c.send(up1("1", "Seq2", []string{"s"}), item("s", "1"))
		synctest.Wait()
		c.send(cancelCall("1"))
		c.expect(result("1", `"1 ! The client has canceled the call."`))
		c.send(strings.Replace(up1("2", "Shout", []string{"s"}), `"type":1`, `"type":4`, 1))
		synctest.Wait()
		c.send(cancelCall("2"))
		c.expect(end("2"))
		c.leave()
	})
}

// Plain calls whose method takes a context can be cancelled, before and while they run, and are answered all the same.
func TestCallCancel(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{DetailedErrors: true})
		handle(t, h, "Wait", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			if context.Cause(ctx) != ErrCallCanceled {
				return "", context.Cause(ctx)
			}
			return "canceled", nil
		})
		handle(t, h, "Stop", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		c := r.connect(h)
		c.send(call1("1", "Wait"), call1("2", "Wait"), call1("3", "Echo", `"x"`), call1("4", "Stop"), cancelCall("2"), cancelCall("3"))
		c.silent(time.Second)
		c.send(cancelCall("1"))
		c.expect(result("1", `"canceled"`), result("2", `"canceled"`), result("3", `"x"`))
		c.send(cancelCall("4"))
		got, _ := c.read()
		if !strings.HasPrefix(got, `{"type":3,"invocationId":"4","error":"An unexpected error occurred invoking 'Stop' on the server. `) {
			t.Errorf("got %s", got)
		}
		if strings.Contains(r.log.String(), "level=WARN") {
			t.Errorf("clients can fill the log: %s", r.log)
		}
		c.on(func(hc *Conn) {
			if l := hc.lively(); l != nil {
				t.Errorf("left: %+v", l)
			}
		})
		c.leave()
	})
}

// A method that does not read its stream holds up the client only once Options.InputBuffer is full: until then everything else flows; then reading pauses, nothing is
// lost, and the client is not timed out for a silence that is ours.
func TestUploadBackPressure(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		open := make(chan struct{})
		h := r.hub(probe{}, Options{ClientTimeout: 5 * time.Second})
		handle(t, h, "Later", func(items iter.Seq[string]) int {
			<-open
			n := 0
			for v := range items {
				if v != fmt.Sprintf("%0100d", n) {
					return -n
				}
				n++
			}
			return n
		})
		c := r.connect(h)
		c.send(`{"type":6}`, up1("1", "Later", []string{"s"}))
		text := func(i int) string { return item("s", fmt.Sprintf(`"%0100d"`, i)) }
		for i := range 100 {
			c.send(text(i))
		}
		c.send(call1("2", "Echo", `"x"`), `{"type":6}`)
		c.expect(result("2", `"x"`))
		const n = 5000
		sent := make(chan struct{})
		go func() {
			for i := 100; i < n; i++ {
				c.send(text(i))
			}
			c.send(end("s"))
			close(sent)
		}()
		synctest.Wait()
		c.on(func(hc *Conn) {
			own := hc.box.live.uploads.intake.own
			if over := hc.box.bytes(); !hc.is(flagPaused) || over > 64<<10+1024 || own > 64<<10 {
				t.Errorf("paused: %v, %d bytes wait beyond %d in the stream's own buffer", hc.is(flagPaused), over, own)
			}
		})
		time.Sleep(time.Minute)
		close(open)
		<-sent
		c.expect(result("1", fmt.Sprint(n)))
		c.leave()
	})
}
