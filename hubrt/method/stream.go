package method

import (
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// form is how a stream is written in Go.
type form uint8

const (
	noStream form = iota
	channel       // <-chan T
	sequence      // iter.Seq[T]
	fallible      // iter.Seq2[T, error]
)

const streamForms = "a stream is <-chan T, iter.Seq[T] or iter.Seq2[T, error]"

// streamType says whether a type is a stream, and of what; problem: it looks like one and is none.
func streamType(t reflect.Type) (f form, elem reflect.Type, problem string) {
	switch {
	case t.Kind() == reflect.Chan && t.ChanDir()&reflect.RecvDir != 0:
		if t.ChanDir() != reflect.RecvDir {
			problem = fmt.Sprintf("declare it as <-chan %v, since one side alone sends", t.Elem())
		}
		return channel, t.Elem(), problem
	case t.Kind() != reflect.Func:
		return noStream, nil, ""
	case t.CanSeq():
		if t.In(0).NumIn() != 1 {
			return noStream, nil, ""
		}
		return sequence, t.In(0).In(0), ""
	case t.CanSeq2():
		if e := t.In(0).In(1); e != errorType {
			problem = fmt.Sprintf("the second value of its items is %v and not error; %s", e, streamForms)
		}
		return fallible, t.In(0).In(0), problem
	}
	return noStream, nil, ""
}

// Stream is what a method with Method.Stream has returned. It is used once, on one goroutine.
type Stream struct {
	form  form
	value reflect.Value
	plain any // value, as an unnamed type
}

// Stream is the stream in the result of such a method; ok is false for a nil channel or iterator.
func (r *Result) Stream() (s Stream, ok bool) {
	if r.kind != reflect.Interface || r.any == nil {
		return Stream{}, false
	}
	v := reflect.ValueOf(r.any)
	f, elem, problem := streamType(v.Type())
	if f == noStream || problem != "" || v.IsNil() {
		return Stream{}, false
	}
	s = Stream{form: f, value: v}
	unnamed := v.Type()
	switch f {
	case channel:
		unnamed = reflect.ChanOf(reflect.RecvDir, elem)
	case sequence:
		unnamed = iteratorType(elem)
	case fallible:
		unnamed = iteratorType(elem, errorType)
	}
	if v.CanConvert(unnamed) { // not, when its yield returns a bool type of its own
		s.plain = v.Convert(unnamed).Interface()
	}
	return s, true
}

var boolType = reflect.TypeFor[bool]()

// iteratorType is func(yield func(items...) bool).
func iteratorType(items ...reflect.Type) reflect.Type {
	yield := reflect.FuncOf(items, []reflect.Type{boolType}, false)
	return reflect.FuncOf([]reflect.Type{yield}, nil, false)
}

// Run hands each item to item until the stream ends, item reports false or, for a channel, done is closed. whole says that the stream has ended
// by itself. The error is the stream's own; nothing is taken after it. A panic of an iterator passes through. What item is given is void after it has returned.
//
// Strings, ints, int32, int64, float64, bool, []byte, codec.Raw, json.RawMessage and any, and iterators over pointers, cost no allocation but what the item itself is; other types are taken by
// reflection: that costs a channel nothing more, and an iterator one or two small ones an item.
func (s *Stream) Run(done <-chan struct{}, item func(*Result) bool) (whole bool, err error) {
	t := taker{done: done, item: item}
	s.run(&t)
	return !t.over, t.err
}

func (s *Stream) run(t *taker) {
	for _, typed := range typedStreams {
		if typed(s.plain, t) {
			return
		}
	}
	switch {
	case s.form == channel:
		t.receive(s.value)
	case !t.pointers(s):
		t.reflected(s.value)
	}
}

// Channel says that the stream is a channel, so that its producer is another goroutine.
func (s *Stream) Channel() bool { return s.form == channel }

// Drain takes items of a channel, and throws them away, until it is closed (true), most have come or stop has something: a producer that is blocked in sending must be
// able to see that nobody wants its items any more. Nothing is to be done for iterators: they have returned.
func (s *Stream) Drain(stop <-chan time.Time, most int) (closed bool) {
	if s.form != channel {
		return true
	}
	cases := []reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(stop)},
		{Dir: reflect.SelectRecv, Chan: s.value},
	}
	for range most {
		i, _, ok := reflect.Select(cases)
		if i == 0 {
			return false
		}
		if !ok {
			return true
		}
	}
	return false
}

// taker hands items on.
type taker struct {
	done   <-chan struct{}
	item   func(*Result) bool
	result Result // the present item: one place for all of them
	over   bool   // nothing more is wanted
	err    error
}

func (t *taker) take(r Result) bool {
	if t.over || t.err != nil { // an iterator that goes on all the same
		return false
	}
	t.result = r
	if !t.item(&t.result) {
		t.over = true
	}
	return !t.over
}

func (t *taker) fail(err error) bool {
	if !t.over && t.err == nil {
		t.err = err
	}
	return false
}

// typedStreams take streams of common types without reflection. They report false for others.
var typedStreams = []func(stream any, t *taker) bool{
	typed(ofString), typed(ofInt), typed(ofInt32), typed(ofInt64), typed(ofFloat), typed(ofBool), typed(ofRaw), typed(ofJSON), typed(ofBytes), typed(ofAny),
}

func ofInt32(n int32) Result { return Result{kind: reflect.Int32, num: uint64(n)} }

func typed[T any](of func(T) Result) func(stream any, t *taker) bool {
	return func(stream any, t *taker) bool {
		switch s := stream.(type) {
		case <-chan T:
			for {
				select {
				case <-t.done:
					t.over = true
					return true
				default: // else items that are there could go before the end for long
				}
				select {
				case v, ok := <-s:
					if !ok || !t.take(of(v)) {
						return true
					}
				case <-t.done:
					t.over = true
					return true
				}
			}
		case func(func(T) bool):
			s(func(v T) bool { return t.take(of(v)) })
		case func(func(T, error) bool):
			s(func(v T, err error) bool {
				if err != nil {
					return t.fail(err)
				}
				return t.take(of(v))
			})
		default:
			return false
		}
		return true
	}
}

// receive takes from a channel of any type.
func (t *taker) receive(ch reflect.Value) {
	cases := []reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(t.done)},
		{Dir: reflect.SelectRecv, Chan: ch},
	}
	for {
		select {
		case <-t.done:
			t.over = true
			return
		default:
		}
		i, v, ok := reflect.Select(cases)
		if i == 0 {
			t.over = true
			return
		}
		if !ok || !t.take(ofValue(v)) {
			return
		}
	}
}

// pointers takes an iterator over pointers. To the machine its yield is the same as one that takes an unsafe.Pointer: see receiver.function.
func (t *taker) pointers(s *Stream) bool {
	if s.plain == nil {
		return false
	}
	fn := reflect.ValueOf(s.plain)
	elem := fn.Type().In(0).In(0)
	if elem.Kind() != reflect.Pointer || elem.Name() != "" {
		return false
	}
	as := iteratorType(unsafePointer)
	if s.form == fallible {
		as = iteratorType(unsafePointer, errorType)
	}
	p := reflect.New(fn.Type())
	p.Elem().Set(fn)
	target := elem.Elem()
	value := func(v unsafe.Pointer) Result { return ofAny(reflect.NewAt(target, v).Interface()) }
	switch f := reflect.NewAt(as, p.UnsafePointer()).Elem().Interface().(type) {
	case func(func(unsafe.Pointer) bool):
		f(func(v unsafe.Pointer) bool { return t.take(value(v)) })
	case func(func(unsafe.Pointer, error) bool):
		f(func(v unsafe.Pointer, err error) bool {
			if err != nil {
				return t.fail(err)
			}
			return t.take(value(v))
		})
	}
	return true
}

// reflected takes an iterator of any type.
func (t *taker) reflected(fn reflect.Value) {
	yield := fn.Type().In(0)
	more := []reflect.Value{reflect.ValueOf(true).Convert(yield.Out(0))}
	enough := []reflect.Value{reflect.ValueOf(false).Convert(yield.Out(0))}
	fn.Call([]reflect.Value{reflect.MakeFunc(yield, func(in []reflect.Value) []reflect.Value {
		if len(in) == 2 && !in[1].IsNil() {
			t.fail(in[1].Interface().(error))
			return enough
		}
		if t.take(ofValue(in[0])) {
			return more
		}
		return enough
	})})
}
