package method

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/spokehub/spoke/codec"
)

// source gives raw JSON items, and then err.
type source struct {
	items  []string
	err    error
	done   chan struct{}
	wg     sync.WaitGroup
	broken error
}

func newSource(err error, items ...string) *source {
	return &source{items: items, err: err, done: make(chan struct{})}
}

func (s *source) Receive(dst any) (bool, error) {
	if len(s.items) == 0 {
		return false, s.err
	}
	item := s.items[0]
	s.items = s.items[1:]
	if err := BindItem(codec.JSON, []byte(item), dst); err != nil {
		return false, err
	}
	return true, nil
}
func (s *source) Done() <-chan struct{} { return s.done }
func (s *source) Go(f func())           { s.wg.Go(f) }
func (s *source) Broken(err error)      { s.broken = err }

// listed is what a method has got of a stream: its items, and how it ended.
func listed[T any](ch <-chan T) string {
	var got []string
	for v := range ch {
		got = append(got, fmt.Sprint(v))
	}
	return strings.Join(got, " ")
}

func listedSeq[T any](seq iter.Seq[T]) string {
	var got []string
	for v := range seq {
		got = append(got, fmt.Sprint(v))
	}
	return strings.Join(got, " ")
}

func listedSeq2[T any](seq iter.Seq2[T, error]) string {
	var got []string
	for v, err := range seq {
		if err != nil {
			got = append(got, fmt.Sprintf("%v!", v), err.Error())
			break
		}
		got = append(got, fmt.Sprint(v))
	}
	return strings.Join(got, " ")
}

type uploadCase struct {
	name  string
	fns   []any // one for each form
	items []string
	want  string
	zero  string
}

func uploads[T any](name, want string, items ...string) uploadCase {
	var zero T
	return uploadCase{name, []any{listed[T], listedSeq[T], listedSeq2[T]}, items, want, fmt.Sprint(zero)}
}

func TestUploads(t *testing.T) {
	t.Parallel()
	failure := errors.New("the client says no")
	for _, tt := range []uploadCase{
		uploads[string]("string", "a b", `"a"`, `"b"`),
		uploads[int]("int", "1 2", `1`, `2`),
		uploads[int32]("int32", "-3", `-3`),
		uploads[int64]("int64", "9007199254740993", `9007199254740993`),
		uploads[float64]("float64", "0.5", `0.5`),
		uploads[bool]("bool", "true", `true`),
		uploads[codec.Raw]("raw", `{"a": 1} null "x"`, `{"a": 1}`, `null`, `"x"`),
		uploads[[]byte]("bytes", "[1] []", `"AQ=="`, `null`),
		uploads[any]("any", "1 x <nil>", `1`, `"x"`, `null`),
		uploads[point]("struct", "{1 2} {0 3}", `{"X":1,"Y":2}`, `{"Y":3}`), // nothing of the first is left in the second
		uploads[map[string]int]("map", "map[a:1] map[b:2]", `{"a":1}`, `{"b":2}`),
		uploads[[]int]("slice", "[1 2] [3]", `[1,2]`, `[3]`),
		uploads[uint8]("uint8", "7", `7`),
		uploads[string]("nothing", ""),
	} {
		for i, fn := range tt.fns {
			t.Run(fmt.Sprintf("%s/%T", tt.name, fn), func(t *testing.T) {
				t.Parallel()
				m := register(t, fn)
				if m.Uploads != 1 || m.Stream {
					t.Fatalf("%+v", m)
				}
				for _, end := range []error{nil, failure} {
					s := newSource(end, tt.items...)
					got := callUploads(t, m, "", s)
					close(s.done)
					s.wg.Wait()
					want, broken := tt.want, end
					if i == 2 {
						broken = nil
						if end != nil {
							want = strings.TrimSpace(want + " " + tt.zero + "! " + end.Error())
						}
					}
					if got != want || s.broken != broken {
						t.Errorf("%v: got %q (%v), want %q (%v)", end, got, s.broken, want, broken)
					}
				}
			})
		}
	}
}

// An item may nest a level more than what can be sent. Such a one is no Raw.
func TestRawItemTooDeep(t *testing.T) {
	t.Parallel()
	const most = 62
	for p, item := range map[codec.Protocol]func(depth int) string{
		codec.JSON: func(depth int) string {
			return strings.Repeat("[", depth) + `"` + strings.Repeat("x", 200) + `"` + strings.Repeat("]", depth)
		},
		codec.MessagePack: func(depth int) string { return strings.Repeat("\x91", depth) + "\xd9\xc8" + strings.Repeat("x", 200) },
	} {
		var r codec.Raw
		var to *codec.Raw
		for _, dst := range []any{&r, &to} {
			if err := BindItem(p, []byte(item(most)), dst); err != nil {
				t.Errorf("%s: %T: %v", p.Name(), dst, err)
			}
			if err := BindItem(p, []byte(item(most+1)), dst); err == nil {
				t.Errorf("%s: %T took an item of %d levels", p.Name(), dst, most+1)
			}
		}
	}
}

// callUploads calls m and gives back its result.
func callUploads(tb testing.TB, m *Method[*hubContext], args string, sources ...Source) any {
	tb.Helper()
	var a Args
	n := 0
	if args != "" {
		n = strings.Count(args, "|") + 1
	}
	if err := m.Bind(fake{}, []byte(args), n, &a); err != nil {
		tb.Fatal(err, a.Cause())
	}
	m.Open(&a, sources)
	r, err := m.Call(testHub, testCall, &a)
	if err != nil {
		tb.Fatal(err)
	}
	return r.Any()
}

// Streams may stand among the arguments anywhere; the arguments on the wire and the streams keep their own orders.
func TestUploadsAmongArguments(t *testing.T) {
	t.Parallel()
	m := register(t, func(_ *hubContext, _ context.Context, first <-chan string, a int, second iter.Seq2[int, error], b string, third iter.Seq[point]) string {
		return strings.Join([]string{listed(first), fmt.Sprint(a), listedSeq2(second), b, listedSeq(third)}, ",")
	})
	got := callUploads(t, m, "5|x", newSource(nil, `"s"`), newSource(nil, `1`, `2`), newSource(nil, `{"X":9}`))
	if want := "s,5,1 2,x,{9 0}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A method may leave a stream, and come back to it.
func TestUploadLeft(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"typed": func(seq iter.Seq[int]) string {
			first := 0
			for first = range seq {
				break
			}
			return fmt.Sprint(first, ",", listedSeq(seq))
		},
		"reflected": func(seq iter.Seq2[uint8, error]) string {
			first := uint8(0)
			for first = range seq {
				break
			}
			return fmt.Sprint(first, ",", listedSeq2(seq))
		},
	} {
		if got := callUploads(t, register(t, fn), "", newSource(nil, `1`, `2`, `3`)); got != "1,2 3" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Who fills a channel ends when the call does, though nobody reads.
func TestUploadNotRead(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"typed":     func(<-chan int) {},
		"reflected": func(<-chan uint8) {},
	} {
		s := newSource(nil, `1`, `2`)
		callUploads(t, register(t, fn), "", s)
		close(s.done)
		s.wg.Wait()
		if s.broken != nil {
			t.Errorf("%s: %v", name, s.broken)
		}
	}
}

func TestUploadItemPanics(t *testing.T) {
	t.Parallel()
	s := newSource(nil, `1`)
	got := callUploads(t, register(t, listedSeq2[explosive]), "", s)
	if got != "{}! panic: in UnmarshalJSON: 1" {
		t.Errorf("%v", got)
	}
}

func TestCallWithoutOpen(t *testing.T) {
	t.Parallel()
	m := register(t, func(<-chan int) {})
	var a Args
	if err := m.Bind(fake{}, nil, 0, &a); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if v := recover(); v != "method: Call of M without its streams: Open was not called for it" {
			t.Errorf("%v", v)
		}
	}()
	_, _ = m.Call(testHub, testCall, &a)
	t.Error("no panic")
}
