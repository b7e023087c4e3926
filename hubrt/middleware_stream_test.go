package hubrt

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
)

func streamItem(id, item string) string {
	return fmt.Sprintf(`{"type":2,"invocationId":"%s","item":%s}`, id, item)
}

func ended(id string) string { return fmt.Sprintf(`{"type":3,"invocationId":"%s"}`, id) }

// TestMiddlewareOfStreams: middleware gets what a streaming method returns before anything is taken of it, and may put another stream in its place; and so with uploads.
func TestMiddlewareOfStreams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		mw      func(inv *Invocation, next Invoker) (any, error)
		send    []string
		want    []string
		failure string // in detailed mode, behind row C
	}{
		{"down, as it is", func(inv *Invocation, next Invoker) (any, error) { return next(inv) },
			[]string{`{"type":4,"invocationId":"1","target":"Count","arguments":[2]}`}, []string{streamItem("1", "0"), streamItem("1", "1"), ended("1")}, ""},
		{"down, wrapped", func(inv *Invocation, next Invoker) (any, error) {
			v, err := next(inv)
			if err != nil {
				return nil, err
			}
			return iter.Seq[string](func(yield func(string) bool) {
				for n := range v.(iter.Seq[int]) {
					if !yield(fmt.Sprintf("%d!", n)) {
						return
					}
				}
			}), nil
		}, []string{`{"type":4,"invocationId":"1","target":"Count","arguments":[2]}`}, []string{streamItem("1", `"0!"`), streamItem("1", `"1!"`), ended("1")}, ""},
		{"down, no stream any longer", func(*Invocation, Invoker) (any, error) { return 5, nil },
			[]string{`{"type":4,"invocationId":"1","target":"Count","arguments":[2]}`},
			[]string{failure("1", "The value returned by the streaming method 'Count' is not a ChannelReader<> or IAsyncEnumerable<>.")}, ""},
		{"up, wrapped", func(inv *Invocation, next Invoker) (any, error) {
			if len(inv.Args) != 1 || inv.Args[0] != "-" || len(inv.Uploads) != 1 {
				return nil, Errorf("got %v and %d streams", inv.Args, len(inv.Uploads))
			}
			in := inv.Uploads[0].(iter.Seq2[string, error])
			inv.Uploads[0] = iter.Seq2[string, error](func(yield func(string, error) bool) {
				for s, err := range in {
					if !yield(strings.ToUpper(s), err) {
						return
					}
				}
			})
			return next(inv)
		}, []string{`{"type":1,"invocationId":"1","target":"Join","arguments":["-"],"streamIds":["u"]}`, streamItem("u", `"a"`), streamItem("u", `"b"`), ended("u")},
			[]string{result("1", `"A-B"`)}, ""},
		{"up, of another type", func(inv *Invocation, next Invoker) (any, error) {
			inv.Uploads[0] = make(<-chan int)
			return next(inv)
		}, []string{`{"type":1,"invocationId":"1","target":"Join","arguments":["-"],"streamIds":["u"]}`}, nil,
			"errorString: hubrt: what a middleware has left as upload streams does not fit: upload stream 1 of method Join is <-chan int: want iter.Seq2[string,error], and not nil"},
		{"up, nil", func(inv *Invocation, next Invoker) (any, error) {
			inv.Uploads[0] = nil
			return next(inv)
		}, []string{`{"type":1,"invocationId":"1","target":"Join","arguments":["-"],"streamIds":["u"]}`}, nil,
			"errorString: hubrt: what a middleware has left as upload streams does not fit: upload stream 1 of method Join is <nil>: want iter.Seq2[string,error], and not nil"},
		{"up, none", func(inv *Invocation, next Invoker) (any, error) {
			inv.Uploads = nil
			return next(inv)
		}, []string{`{"type":1,"invocationId":"1","target":"Join","arguments":["-"],"streamIds":["u"]}`}, nil,
			"errorString: hubrt: what a middleware has left as upload streams does not fit: method Join takes 1 upload stream(s), not 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(nil, Options{DetailedErrors: true})
				handle(t, h, "Count", func(_ context.Context, n int) iter.Seq[int] {
					return func(yield func(int) bool) {
						for i := range n {
							if !yield(i) {
								return
							}
						}
					}
				})
				handle(t, h, "Join", func(sep string, in iter.Seq2[string, error]) (string, error) {
					var all []string
					for s, err := range in {
						if err != nil {
							return "", err
						}
						all = append(all, s)
					}
					return strings.Join(all, sep), nil
				})
				h.Use(func(next Invoker) Invoker {
					return func(inv *Invocation) (any, error) { return tt.mw(inv, next) }
				})
				c := r.connect(h)
				c.send(tt.send...)
				if tt.failure != "" {
					c.expect(failure("1", "An unexpected error occurred invoking 'Join' on the server. "+tt.failure))
				}
				c.expect(tt.want...)
				c.leave()
			})
		})
	}
}
