package method

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/spokehub/spoke/codec"
)

// Args holds the bound arguments of one call. The zero value is ready. Reuse it, for any method of any table: its memory is kept, so that
// strings, numbers, bools and raw values cost no allocation but their own bytes. Not safe for concurrent use.
type Args struct {
	slots   []slot
	uploads []reflect.Value // the streams, by parameter
	bound   any             // the *Method[C] that they are bound to; nil: none
	bad     int             // position of the argument that did not bind
	cause   error           // why it did not
}

// slot is one argument. Which field holds it follows from the method's plan: the scalars of direct plans have fields of their own,
// so that a codec can decode into them without boxing; everything else is in a cell.
type slot struct {
	str   string
	int   int
	int64 int64
	float float64
	bool  bool
	raw   codec.Raw
	bytes []byte // a json.RawMessage, too
	any   any

	cell any           // *T of the last cell argument in this slot
	elem reflect.Value // *cell
}

// param is one argument on the wire.
type param struct {
	typ  reflect.Type
	kind kind
}

// kind says where a slot holds an argument.
type kind uint8

const (
	inCell kind = iota
	inString
	inInt
	inInt64
	inFloat
	inBool
	inRaw
	inJSON
	inBytes
	inAny
)

func cellParams(args []reflect.Type) []param {
	params := make([]param, len(args))
	for i, t := range args {
		params[i] = param{typ: t}
	}
	return params
}

// scalarParams is for direct plans, whose argument types are all among these.
func scalarParams(args []reflect.Type) []param {
	params := make([]param, len(args))
	for i, t := range args {
		params[i] = param{t, scalarKinds[t]}
	}
	return params
}

var scalarKinds = map[reflect.Type]kind{
	reflect.TypeFor[string]():          inString,
	reflect.TypeFor[int]():             inInt,
	reflect.TypeFor[int64]():           inInt64,
	reflect.TypeFor[float64]():         inFloat,
	reflect.TypeFor[bool]():            inBool,
	reflect.TypeFor[codec.Raw]():       inRaw,
	reflect.TypeFor[json.RawMessage](): inJSON,
	reflect.TypeFor[[]byte]():          inBytes,
	reflect.TypeFor[any]():             inAny,
}

// The texts of the wire contract, section 10.
const countText = "Invocation provides %d argument(s) but target expects %d."

var errBinding = codec.ErrBinding

// Bind binds the raw arguments of a call (codec.Message.Args and NArgs) and leaves them in a, which it resets first. Bound values
// share no memory with raw. Errors are *codec.Error with the texts of the wire contract, section 10; the count is checked
// first, and Args.Cause knows the reason behind a failed argument, a panic of its type's own decoding method (PanicError) included.
func (m *Method[C]) Bind(p codec.Protocol, raw []byte, n int, a *Args) error {
	a.Reset()
	if n != len(m.params) {
		return codec.Malformed(countText, n, len(m.params))
	}
	if cap(a.slots) < n {
		a.slots = append(a.slots[:cap(a.slots)], make([]slot, n-cap(a.slots))...)
	}
	a.slots = a.slots[:n]
	decode := p.Bind
	if v, ok := p.(codec.ValidBinder); ok {
		decode = v.BindValid // the message's decoder has checked them
	}
	for i := range m.params {
		value, rest, ok := p.NextValue(raw)
		if !ok {
			return a.fail(i, fmt.Errorf("the arguments end before it"))
		}
		if err := m.params[i].bind(decode, value, &a.slots[i]); err != nil {
			return a.fail(i, fmt.Errorf("%v: %w", m.params[i].typ, err))
		}
		raw = rest
	}
	a.bound = m
	return nil
}

func (a *Args) fail(i int, cause error) error {
	a.bad, a.cause = i, cause
	return errBinding
}

// Cause says, after a Bind that failed, which argument did not bind and why, for the server's log: clients get only Bind's text. nil when no
// argument is to blame.
func (a *Args) Cause() error {
	if a.cause == nil {
		return nil
	}
	return fmt.Errorf("argument %d: %w", a.bad+1, a.cause)
}

// Reset drops the arguments, so that nothing keeps their memory alive, and keeps the room for the next ones.
func (a *Args) Reset() {
	for i := range a.slots {
		s := &a.slots[i]
		cell, elem := s.cell, s.elem
		if cell != nil {
			// A method got the value, not the cell, so the cell may be used again. It must be empty: encoding/json decodes
			// into the maps and slices that it finds.
			elem.SetZero()
		}
		*s = slot{cell: cell, elem: elem}
	}
	a.slots = a.slots[:0]
	clear(a.uploads)
	a.uploads = a.uploads[:0]
	a.bound, a.bad, a.cause = nil, 0, nil
}

// bind decodes into an empty slot.
func (q *param) bind(decode func(value []byte, dst any) error, value []byte, s *slot) error {
	switch q.kind {
	case inString:
		return decode(value, &s.str)
	case inInt:
		return decode(value, &s.int)
	case inInt64:
		return decode(value, &s.int64)
	case inFloat:
		return decode(value, &s.float)
	case inBool:
		return decode(value, &s.bool)
	case inRaw:
		return decode(value, &s.raw)
	case inJSON:
		return decode(value, (*json.RawMessage)(&s.bytes))
	case inBytes:
		return decode(value, &s.bytes)
	case inAny:
		return decode(value, &s.any)
	}
	if !s.elem.IsValid() || s.elem.Type() != q.typ {
		ptr := reflect.New(q.typ)
		s.cell, s.elem = ptr.Interface(), ptr.Elem()
	}
	return bindCell(decode, value, s.cell)
}

// bindCell decodes a value whose type may have a decoding method of its own.
func bindCell(decode func(value []byte, dst any) error, value []byte, cell any) (err error) {
	defer catch(&err)
	return decode(value, cell)
}
