package method

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Values are the arguments that Bind has left in a, in the order of the wire, each with its parameter's type. Streams are not among them.
func (m *Method[C]) Values(a *Args) []any {
	values := make([]any, len(m.params))
	for i := range m.params {
		values[i] = a.slots[i].place(&m.params[i]).Interface()
	}
	return values
}

// SetValues puts others in their place. The error of one that cannot be assigned to its parameter, or of another number of them, says what is wanted; then a is as it was.
func (m *Method[C]) SetValues(a *Args, values []any) error {
	if len(values) != len(m.params) {
		return fmt.Errorf("method %s takes %d argument(s), not %d", m.Name, len(m.params), len(values))
	}
	for i, v := range values {
		switch want := m.params[i].typ; {
		case v == nil && !nillable(want):
			return fmt.Errorf("argument %d of method %s is nil: want %v", i+1, m.Name, want)
		case v != nil && !reflect.TypeOf(v).AssignableTo(want):
			return fmt.Errorf("argument %d of method %s is %T: want %v", i+1, m.Name, v, want)
		}
	}
	for i, v := range values {
		place := a.slots[i].place(&m.params[i])
		if v == nil {
			place.SetZero()
		} else {
			place.Set(reflect.ValueOf(v))
		}
	}
	return nil
}

// Streams are the upload streams that Open has left in a, in the order of the parameters, each of its parameter's type.
func (m *Method[C]) Streams(a *Args) []any {
	if len(a.uploads) == 0 {
		return nil
	}
	streams := make([]any, len(a.uploads))
	for i, s := range a.uploads {
		streams[i] = s.Interface()
	}
	return streams
}

// SetStreams puts others in their place, as SetValues does.
func (m *Method[C]) SetStreams(a *Args, streams []any) error {
	if len(streams) != len(a.uploads) {
		return fmt.Errorf("method %s takes %d upload stream(s), not %d", m.Name, len(a.uploads), len(streams))
	}
	for i, s := range streams {
		if want := a.uploads[i].Type(); s == nil || !reflect.TypeOf(s).AssignableTo(want) || reflect.ValueOf(s).IsNil() {
			return fmt.Errorf("upload stream %d of method %s is %T: want %v, and not nil", i+1, m.Name, s, want)
		}
	}
	for i, s := range streams {
		a.uploads[i] = reflect.ValueOf(s).Convert(a.uploads[i].Type())
	}
	return nil
}

func nillable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return false
}

// place is where the argument is.
func (s *slot) place(q *param) reflect.Value {
	var p any
	switch q.kind {
	case inString:
		p = &s.str
	case inInt:
		p = &s.int
	case inInt64:
		p = &s.int64
	case inFloat:
		p = &s.float
	case inBool:
		p = &s.bool
	case inRaw:
		p = &s.raw
	case inJSON:
		p = (*json.RawMessage)(&s.bytes)
	case inBytes:
		p = &s.bytes
	case inAny:
		p = &s.any
	default:
		return s.elem
	}
	return reflect.ValueOf(p).Elem()
}

// ResultOf makes a result of any value; nil is that of a method without one.
func ResultOf(v any) Result {
	if v == nil {
		return Result{}
	}
	return ofValue(reflect.ValueOf(v))
}
