package method

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// signature is what a function takes and gives.
type signature struct {
	hub  bool           // the first parameter is the hub context
	call bool           // the next one is a context.Context
	args []reflect.Type // the arguments on the wire
	ups  []upload       // the streams from the client
	at   []int          // for each parameter behind the contexts: its place in args; ^i: in ups
	out  reflect.Type   // nil: no result
	down bool           // the result is a stream
	fail bool           // the last result is an error
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// signatureOf reads the type of a function, and says all that is wrong with it. hub is the hub context's type; when that is context.Context itself, a
// first parameter of that type is the hub context.
func signatureOf(t, hub reflect.Type) (sig signature, problems []string) {
	refuse := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	in := 0
	if in < t.NumIn() && t.In(in) == hub {
		sig.hub = true
		in++
	}
	if in < t.NumIn() && t.In(in) == contextType {
		sig.call = true
		in++
	}
	for ; in < t.NumIn(); in++ {
		p := t.In(in)
		where := fmt.Sprintf("parameter %d (%v)", in+1, p)
		form, elem, problem := streamType(p)
		if form != noStream {
			sig.at = append(sig.at, ^len(sig.ups))
			sig.ups = append(sig.ups, upload{typ: p, elem: elem, form: form})
		} else {
			sig.at = append(sig.at, len(sig.args))
			sig.args = append(sig.args, p)
		}
		switch {
		case t.IsVariadic() && in == t.NumIn()-1:
			refuse("%s is variadic; declare a slice instead: []%v", where, p.Elem())
		case p == hub || p == contextType:
			refuse("%s is out of place; contexts come first: %v, then context.Context, both optional", where, hub)
		case problem != "":
			refuse("%s cannot be a stream from the client: %s", where, problem)
		case form != noStream:
			if why := (&inspection{decode: true}).problem(elem); why != "" {
				refuse("%s cannot be a stream from the client: %s", where, why)
			}
		default:
			if why := (&inspection{decode: true}).problem(p); why != "" {
				refuse("%s cannot be an argument: %s", where, why)
			}
		}
	}

	out := t.NumOut()
	if out > 0 && t.Out(out-1) == errorType {
		sig.fail = true
		out--
	}
	if out > 1 {
		refuse("it returns %s; allowed are nothing, error, T and (T, error), where T may be a stream", results(t))
		return sig, problems
	}
	if out == 0 {
		return sig, problems
	}
	sig.out = t.Out(0)
	form, elem, problem := streamType(sig.out)
	sig.down = form != noStream
	switch {
	case sig.out.Implements(errorType):
		refuse("result %v is an error; declare it as error, since a nil %v would not be a nil error", sig.out, sig.out)
	case problem != "":
		refuse("%v cannot be a stream to the client: %s", sig.out, problem)
	case sig.down:
		if why := (&inspection{}).problem(elem); why != "" {
			refuse("%v cannot be a stream to the client: %s", sig.out, why)
		}
	default:
		if why := (&inspection{}).problem(sig.out); why != "" {
			refuse("%v cannot be a result: %s", sig.out, why)
		}
	}
	return sig, problems
}

func results(t reflect.Type) string {
	names := make([]string, t.NumOut())
	for i := range names {
		names[i] = t.Out(i).String()
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// inspection looks through a type for parts that no encoding can carry, so that the mistake shows at start-up instead of in a client's call.
type inspection struct {
	decode bool // an argument; else a result
	seen   []reflect.Type
}

// problem says why t will not do; "" when it will.
func (x *inspection) problem(t reflect.Type) string {
	for _, s := range x.seen {
		if s == t {
			return ""
		}
	}
	if x.encodesItself(t) {
		return ""
	}
	x.seen = append(x.seen, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return x.problem(t.Elem())
	case reflect.Map:
		if !x.isKey(t.Key()) {
			return fmt.Sprintf("the keys of %v must be strings or integers", t)
		}
		return x.problem(t.Elem())
	case reflect.Struct:
		return x.structProblem(t)
	case reflect.Interface:
		if x.decode && t.NumMethod() > 0 {
			return fmt.Sprintf("nothing says which type to make for the interface %v; any is the only interface allowed", t)
		}
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return fmt.Sprintf("%v has no encoding", t)
	}
	return ""
}

func (x *inspection) structProblem(t reflect.Type) string {
	exported := 0
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		exported++
		if f.Tag.Get("json") == "-" || f.Tag.Get("msgpack") == "-" {
			continue
		}
		if why := x.problem(f.Type); why != "" {
			return "field " + f.Name + ": " + why
		}
	}
	if exported == 0 && t.NumField() > 0 {
		return fmt.Sprintf("no field of %v is exported, so none would be sent or received", t)
	}
	return ""
}

func (x *inspection) isKey(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	if x.decode {
		return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	}
	return t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// encodesItself reports types with methods of their own for JSON, text or MessagePack.
func (x *inspection) encodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	if x.decode {
		return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) ||
			hasMethod(p, "DecodeMsgpack") || hasMethod(p, "UnmarshalMsgpack")
	}
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) ||
		hasMethod(p, "EncodeMsgpack") || hasMethod(p, "MarshalMsgpack")
}
