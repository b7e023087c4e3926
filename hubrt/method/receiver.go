package method

import (
	"reflect"
	"unsafe"
)

// callable is a function as direct plans want it: a value of an unnamed function type. When recv is not nil, it is a method, and fn takes
// recv as an unsafe.Pointer before the other parameters. The zero value has no direct plan.
type callable struct {
	fn   any
	recv unsafe.Pointer
}

// plain makes a callable of a function value; a named function type loses its name.
func plain(fv reflect.Value) callable {
	return callable{fn: fv.Convert(unnamed(fv.Type(), nil)).Interface()}
}

// receiver is the value whose methods are hub methods.
type receiver struct {
	typ reflect.Type // always a pointer
	ptr unsafe.Pointer
}

// receiverOf puts a value that is no pointer into memory of its own.
func receiverOf(v reflect.Value) receiver {
	if v.Kind() != reflect.Pointer {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		v = p
	}
	return receiver{v.Type(), v.UnsafePointer()}
}

// function is the method as a function whose receiver is an unsafe.Pointer instead of a *T. The two are the same to the machine: one pointer word
// that the collector knows as a pointer. It makes a method cost what a function does, where the method value that reflect makes costs 300 ns
// and an allocation more at each call (BenchmarkReceiver).
func (r receiver) function(m reflect.Method) callable {
	m, ok := r.typ.MethodByName(m.Name)
	if !ok { // the linker kept no methods of the pointer type: reflection serves
		return callable{}
	}
	fn := reflect.New(m.Func.Type())
	fn.Elem().Set(m.Func)
	return callable{reflect.NewAt(unnamed(m.Func.Type(), unsafePointer), fn.UnsafePointer()).Elem().Interface(), r.ptr}
}

var unsafePointer = reflect.TypeFor[unsafe.Pointer]()

// unnamed is the function type itself for a named one, with another first parameter when first is not nil.
func unnamed(t, first reflect.Type) reflect.Type {
	in := make([]reflect.Type, t.NumIn())
	for i := range in {
		in[i] = t.In(i)
	}
	if first != nil {
		in[0] = first
	}
	out := make([]reflect.Type, t.NumOut())
	for i := range out {
		out[i] = t.Out(i)
	}
	return reflect.FuncOf(in, out, t.IsVariadic())
}
