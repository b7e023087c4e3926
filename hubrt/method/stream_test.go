package method

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/codec"
)

// boolean makes iterators whose yield cannot be a plain func(T) bool.
type boolean bool

func of[T any](items ...T) <-chan T {
	ch := make(chan T, len(items))
	for _, v := range items {
		ch <- v
	}
	close(ch)
	return ch
}

// pairs yields the items, and then err if there is one.
func pairs[T any](err error, items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range items {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// streamCase is one type in all its forms.
type streamCase struct {
	name  string
	fns   []any
	items string
}

func cases[T any](name, items string, values ...T) streamCase {
	return streamCase{name, []any{
		func() <-chan T { return of(values...) },
		func() iter.Seq[T] { return slices.Values(values) },
		func() iter.Seq2[T, error] { return pairs(nil, values...) },
		func() (iter.Seq2[T, error], error) { return pairs(nil, values...), nil },
		func() func(func(T) bool) { return slices.Values(values) },
		func() func(func(T) boolean) {
			return func(yield func(T) boolean) {
				for _, v := range values {
					if !yield(v) {
						return
					}
				}
			}
		},
	}, items}
}

// streamOf calls a method that streams.
func streamOf(tb testing.TB, fn any) (s Stream, ok bool) {
	tb.Helper()
	m := register(tb, fn)
	if !m.Stream {
		tb.Fatalf("%T: no stream", fn)
	}
	var a Args
	if err := m.Bind(fake{}, nil, 0, &a); err != nil {
		tb.Fatal(err)
	}
	r, err := m.Call(testHub, testCall, &a)
	if err != nil {
		tb.Fatal(err)
	}
	return r.Stream()
}

func TestStreamItems(t *testing.T) {
	t.Parallel()
	for _, tt := range []streamCase{
		cases("string", `"a" "b"`, "a", "b"),
		cases("int", "1 2 3", 1, 2, 3),
		cases[int32]("int32", "-1 2", -1, 2),
		cases[int64]("int64", "1 9007199254740993", 1, 9007199254740993),
		cases("float64", "0.5", 0.5),
		cases("bool", "true false", true, false),
		cases("raw", "null null", codec.Raw{}, codec.Raw{}),
		cases("bytes", `"AQ==" null`, []byte{1}, nil),
		cases("any", `1 "x" null`, any(1), any("x"), nil),
		cases("struct", `{"X":1,"Y":2} {"X":3,"Y":0}`, point{1, 2}, point{X: 3}),
		cases("pointer", `{"X":1,"Y":2} null`, &point{1, 2}, nil),
		cases("uint8", "7", uint8(7)),
		cases("slice", "[1] []", []int{1}, []int{}),
		cases("map", `{"a":1}`, map[string]int{"a": 1}),
		cases[room]("named", `"room-1"`, "1"),
		cases[string]("nothing", ""),
	} {
		for _, fn := range tt.fns {
			t.Run(fmt.Sprintf("%s/%T", tt.name, fn), func(t *testing.T) {
				t.Parallel()
				s, ok := streamOf(t, fn)
				if !ok {
					t.Fatal("no stream")
				}
				var got []string
				whole, err := s.Run(t.Context().Done(), func(r *Result) bool {
					b, err := r.Append(nil, codec.JSON)
					if err != nil {
						t.Error(err)
					}
					got = append(got, string(b))
					return true
				})
				if !whole || err != nil {
					t.Errorf("%v, %v", whole, err)
				}
				if g := strings.Join(got, " "); g != tt.items {
					t.Errorf("got  %s\nwant %s", g, tt.items)
				}
			})
		}
	}
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()
	failure := errors.New("late")
	over := make(chan struct{})
	close(over)
	stubborn := func(yield func(int) bool) {
		for i := range 5 {
			yield(i) // it does not listen
		}
	}
	for _, tt := range []struct {
		name  string
		fn    any
		done  <-chan struct{}
		most  int // items wanted
		items int
		whole bool
		err   error
	}{
		{"enough of a channel", func() <-chan int { return of(1, 2, 3) }, nil, 2, 2, false, nil},
		{"enough of a channel of structs", func() <-chan point { return of(point{}, point{}) }, nil, 1, 1, false, nil},
		{"enough of an iterator", func() iter.Seq[int] { return slices.Values([]int{1, 2, 3}) }, nil, 2, 2, false, nil},
		{"enough of an iterator that does not listen", func() iter.Seq[int] { return stubborn }, nil, 2, 2, false, nil},
		{"done before a channel", func() <-chan int { return of(1, 2, 3) }, over, 9, 0, false, nil},
		{"done before a channel of structs", func() <-chan point { return of(point{}) }, over, 9, 0, false, nil},
		{"done before an empty channel", func() <-chan int { return make(chan int) }, over, 9, 0, false, nil},
		{"error", func() iter.Seq2[int, error] { return pairs(failure, 1, 2) }, nil, 9, 2, true, failure},
		{"error at once", func() iter.Seq2[point, error] { return pairs[point](failure) }, nil, 9, 0, true, failure},
		{"error among pointers", func() iter.Seq2[*point, error] { return pairs(failure, &point{}) }, nil, 9, 1, true, failure},
		{"first of two errors", func() iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				yield(1, failure)
				yield(2, nil)
				yield(3, errors.New("another"))
			}
		}, nil, 9, 0, true, failure},
		{"error after enough", func() iter.Seq2[string, error] { return pairs(failure, "a") }, nil, 1, 1, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, ok := streamOf(t, tt.fn)
			if !ok {
				t.Fatal("no stream")
			}
			n := 0
			whole, err := s.Run(tt.done, func(*Result) bool { n++; return n < tt.most })
			if n != tt.items || whole != tt.whole || err != tt.err {
				t.Errorf("%d items, %v, %v; want %d, %v, %v", n, whole, err, tt.items, tt.whole, tt.err)
			}
		})
	}
}

// A stream that waits ends when the call does.
func TestStreamDoneWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"ints":    func() <-chan int { return make(chan int) },
		"structs": func() <-chan point { return make(chan point) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := streamOf(t, fn)
			done := make(chan struct{})
			go close(done)
			if whole, err := s.Run(done, func(*Result) bool { return true }); whole || err != nil {
				t.Errorf("%v, %v", whole, err)
			}
		})
	}
}

func TestNoStream(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"nil channel":       func() <-chan int { return nil },
		"nil iterator":      func() iter.Seq[point] { return nil },
		"nil with no error": func() (iter.Seq2[int, error], error) { return nil, nil },
	} {
		if _, ok := streamOf(t, fn); ok {
			t.Errorf("%s: a stream", name)
		}
	}
	for _, r := range []Result{{}, ofInt(1), ofAny(nil), ofAny("x"), ofAny(make(chan int)), ofAny(func() {})} {
		if _, ok := r.Stream(); ok {
			t.Errorf("%+v: a stream", r)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	never := make(chan time.Time)
	now := make(chan time.Time)
	close(now)
	for _, tt := range []struct {
		name   string
		fn     any
		stop   <-chan time.Time
		most   int
		closed bool
	}{
		{"closed", func() <-chan int { return of(1, 2, 3) }, never, 10, true},
		{"too many", func() <-chan int { return of(1, 2, 3) }, never, 3, false},
		{"too long", func() <-chan point { return make(chan point) }, now, 10, false},
		{"iterator", func() iter.Seq[int] { return slices.Values([]int{1}) }, never, 0, true},
	} {
		s, _ := streamOf(t, tt.fn)
		if closed := s.Drain(tt.stop, tt.most); closed != tt.closed {
			t.Errorf("%s: %v", tt.name, closed)
		}
	}
}

// A panic is the method's, not the taker's.
func TestStreamPanics(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"typed":     func() iter.Seq[int] { return func(func(int) bool) { panic("inside") } },
		"reflected": func() iter.Seq[point] { return func(func(point) bool) { panic("inside") } },
	} {
		s, _ := streamOf(t, fn)
		func() {
			defer func() {
				if v := recover(); v != "inside" {
					t.Errorf("%s: %v", name, v)
				}
			}()
			_, _ = s.Run(nil, func(*Result) bool { return true })
			t.Errorf("%s: no panic", name)
		}()
	}
}

// endless yields n zero values.
func endless[T any](n int) iter.Seq[T] {
	return func(yield func(T) bool) {
		var v T
		for range n {
			if !yield(v) {
				return
			}
		}
	}
}

func TestStreamAllocations(t *testing.T) {
	const n = 1000
	p := &point{1, 2}
	for _, tt := range []struct {
		name string
		fn   any
		most float64 // per item
	}{
		{"strings", func() iter.Seq[string] { return endless[string](n) }, 0},
		{"ints", func() iter.Seq[int] { return endless[int](n) }, 0},
		{"int32s", func() iter.Seq[int32] { return endless[int32](n) }, 0},
		{"floats", func() iter.Seq[float64] { return endless[float64](n) }, 0},
		{"pointers", func() iter.Seq[*point] {
			return func(yield func(*point) bool) {
				for range n {
					if !yield(p) {
						return
					}
				}
			}
		}, 0},
		{"channel of ints", func() <-chan int { return of(make([]int, n)...) }, 0},
		{"channel of structs", func() <-chan point { return of(make([]point, n)...) }, 1},
		{"structs", func() iter.Seq[point] { return endless[point](n) }, 3}, // the item, and reflect's list of arguments
	} {
		got := testing.AllocsPerRun(5, func() {
			s, _ := streamOf(t, tt.fn)
			if whole, err := s.Run(nil, func(*Result) bool { return true }); !whole || err != nil {
				t.Error(whole, err)
			}
		}) / n
		t.Logf("%s: %.2f allocations an item", tt.name, got)
		if got > tt.most+0.1 && !raceDetector { // what the stream itself costs is spread over its items
			t.Errorf("%s: %.2f allocations an item, want %v", tt.name, got, tt.most)
		}
	}
}

func TestStreamsAndInline(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"down": func() iter.Seq[int] { return nil },
		"up":   func(context.Context, <-chan int) {},
	} {
		var tab table
		const want = `hub method "M": it streams, which takes time, so that it cannot run on the event loop; leave Options.Inline out`
		if got := text(tab.Add("M", fn, Options{Inline: true})); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}
