package method

import (
	"context"
	"reflect"
	"sync"
)

// Call runs the method. hub is the connection's context; call is the context for a context.Context parameter, and is not looked at unless TakesCall.
// When the method returns an error, there is no result. A panic of the method passes through. Safe for concurrent use, with different Args.
//
// a must hold what Bind of this method left there, and Open when it takes streams; anything else is a fault in the caller, and panics.
func (m *Method[C]) Call(hub C, call context.Context, a *Args) (Result, error) {
	if a.bound != any(m) {
		panic("method: Call of " + m.Name + " without its arguments: Bind was not called for it, or failed")
	}
	if len(a.uploads) != m.Uploads {
		panic("method: Call of " + m.Name + " without its streams: Open was not called for it")
	}
	return m.run(hub, call, a)
}

// reflected is the plan for signatures that have no direct one: a few hundred nanoseconds and 2 to 3 allocations more (BenchmarkCall). Every
// argument is in a cell, and reflect copies it from there.
func reflected[C context.Context](fv reflect.Value, sig *signature) invoke[C] {
	takesHub, takesCall, fails := sig.hub, sig.call, sig.fail
	returns := sig.out != nil
	places := sig.at
	pool := sync.Pool{New: func() any { return newScratch[C](takesHub, takesCall, len(places)) }}
	return func(hub C, call context.Context, a *Args) (res Result, err error) {
		s := pool.Get().(*scratch[C])
		s.hub, s.call = hub, call
		for i, at := range places {
			if at >= 0 {
				s.args[i] = a.slots[at].elem
			} else {
				s.args[i] = a.uploads[^at]
			}
		}
		out := fv.Call(s.in)
		s.release() // not after a panic: that one is left to the collector
		pool.Put(s)

		if fails {
			if last := out[len(out)-1]; !last.IsNil() {
				return Result{}, last.Interface().(error)
			}
		}
		if returns {
			res = ofValue(out[0])
		}
		return res, nil
	}
}

// scratch is the room for the parameters of one call by reflection. The contexts have the types of their parameters already, which spares
// reflect a conversion and its allocation.
type scratch[C context.Context] struct {
	hub  C
	call context.Context
	in   []reflect.Value // all parameters; the first ones are hub and call
	args []reflect.Value // the rest of in
}

func newScratch[C context.Context](takesHub, takesCall bool, n int) *scratch[C] {
	s := &scratch[C]{}
	if takesHub {
		s.in = append(s.in, reflect.ValueOf(&s.hub).Elem())
	}
	if takesCall {
		s.in = append(s.in, reflect.ValueOf(&s.call).Elem())
	}
	contexts := len(s.in)
	s.in = append(s.in, make([]reflect.Value, n)...)
	s.args = s.in[contexts:]
	return s
}

// release forgets the call.
func (s *scratch[C]) release() {
	var none C
	s.hub, s.call = none, nil
	clear(s.args)
}
