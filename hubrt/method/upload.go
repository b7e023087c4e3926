package method

import (
	"encoding/json"
	"reflect"

	"github.com/spokehub/spoke/codec"
)

// Source is where the items of one upload stream come from. It may be used on any goroutine.
type Source interface {
	// Receive waits for the next item and decodes it into dst, a pointer to an empty value. more false: there is none. Then err is nil when the client has ended its
	// stream, and else what has ended it.
	Receive(dst any) (more bool, err error)
	// Done is closed when the call that the stream belongs to has ended.
	Done() <-chan struct{}
	// Go runs f on a goroutine that is waited for when the call has ended.
	Go(f func())
	// Broken is told the error of a stream that has no place to show it, that is, a channel or an iterator without errors, before its end.
	Broken(err error)
}

// upload is one stream parameter.
type upload struct {
	typ  reflect.Type
	elem reflect.Type
	form form
}

// Open makes the streams of a call out of their sources, which are as many as Uploads, in the order of the parameters. It comes between Bind and Call.
func (m *Method[C]) Open(a *Args, sources []Source) {
	for i, u := range m.uploads {
		a.uploads = append(a.uploads, u.open(sources[i]))
	}
}

func (u *upload) open(s Source) reflect.Value {
	for _, typed := range typedUploads {
		if v := typed(u.form, u.elem, s); v != nil {
			return reflect.ValueOf(v).Convert(u.typ)
		}
	}
	if u.form == channel {
		return u.channel(s)
	}
	return u.iterator(s)
}

// typedUploads make streams of common types without reflection. They return nil for others.
var typedUploads = []func(f form, elem reflect.Type, s Source) any{
	typedUpload[string], typedUpload[int], typedUpload[int32], typedUpload[int64], typedUpload[float64], typedUpload[bool],
	typedUpload[codec.Raw], typedUpload[json.RawMessage], typedUpload[[]byte], typedUpload[any],
}

func typedUpload[T any](f form, elem reflect.Type, s Source) any {
	if elem != reflect.TypeFor[T]() {
		return nil
	}
	switch f {
	case channel:
		ch := make(chan T)
		s.Go(func() {
			defer close(ch)
			for {
				var v T
				more, err := s.Receive(&v)
				if !more {
					broken(s, err)
					return
				}
				select {
				case ch <- v:
				case <-s.Done():
					return
				}
			}
		})
		return (<-chan T)(ch)
	case sequence:
		return func(yield func(T) bool) {
			for v := new(T); ; {
				var none T
				*v = none
				more, err := s.Receive(v)
				if !more {
					broken(s, err)
					return
				}
				if !yield(*v) {
					return
				}
			}
		}
	default:
		return func(yield func(T, error) bool) {
			for v := new(T); ; {
				var none T
				*v = none
				more, err := s.Receive(v)
				if err != nil {
					yield(none, err)
					return
				}
				if !more || !yield(*v, nil) {
					return
				}
			}
		}
	}
}

func broken(s Source, err error) {
	if err != nil {
		s.Broken(err)
	}
}

// channel is a stream of any type as a channel.
func (u *upload) channel(s Source) reflect.Value {
	ch := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, u.elem), 0)
	s.Go(func() {
		defer ch.Close()
		p := reflect.New(u.elem)
		cell, v := p.Interface(), p.Elem()
		cases := []reflect.SelectCase{
			{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(s.Done())},
			{Dir: reflect.SelectSend, Chan: ch, Send: v},
		}
		for {
			v.SetZero()
			more, err := s.Receive(cell)
			if !more {
				broken(s, err)
				return
			}
			if i, _, _ := reflect.Select(cases); i == 0 {
				return
			}
		}
	})
	return ch.Convert(u.typ)
}

// iterator is a stream of any type as an iterator.
func (u *upload) iterator(s Source) reflect.Value {
	none := reflect.Zero(errorType)
	return reflect.MakeFunc(u.typ, func(in []reflect.Value) []reflect.Value {
		p := reflect.New(u.elem)
		cell, v := p.Interface(), p.Elem()
		args := []reflect.Value{v}
		if u.form == fallible {
			args = append(args, none)
		}
		for {
			v.SetZero()
			more, err := s.Receive(cell)
			switch {
			case err != nil && u.form == fallible:
				v.SetZero()
				in[0].Call([]reflect.Value{v, reflect.ValueOf(&err).Elem()})
				return nil
			case !more:
				broken(s, err)
				return nil
			case !in[0].Call(args)[0].Bool():
				return nil
			}
		}
	})
}

// BindItem decodes the raw item of a decoded message into dst, a non-nil pointer; a panic of the type's own decoding method is an error (PanicError).
func BindItem(p codec.Protocol, item []byte, dst any) error {
	// An item may nest one level more than an argument: that would be too deep for a Raw, as which it must be checked.
	_, raw := dst.(*codec.Raw)
	if v, ok := p.(codec.ValidBinder); ok && !raw {
		return bindCell(v.BindValid, item, dst) // the message's decoder has checked it
	}
	return bindCell(p.Bind, item, dst)
}
