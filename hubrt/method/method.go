// Package method turns Go functions and the methods of Go values into hub methods: signatures are checked and a plan is made
// once, at registration; a call binds raw arguments to the plan and runs it.
//
// # Signatures
//
// The parameters are, in this order: the hub context (optional), a context.Context (optional; it ends with the call), and any
// number of arguments. An argument is any type that can be decoded: strings, bools, integers, floats, structs with exported
// fields, slices, arrays, maps with string or integer keys, pointers to those, any, and types that decode themselves. An
// unexported struct type will do; what must be exported are its fields.
//
// Among the arguments, in any place, there may be streams from the client: <-chan T, iter.Seq[T] or iter.Seq2[T, error]. The client sends them beside
// the arguments (wire contract, section 14).
//
// The results are nothing, error, T, or (T, error). A T that is <-chan T, iter.Seq[T] or iter.Seq2[T, error] is a stream to the client.
//
// Refused: variadic functions; contexts in any other place; func, unsafe.Pointer, uintptr and complex types, channels, and interfaces
// other than any, as arguments or inside them. Go has no generic methods, and an instantiated generic function is an ordinary function.
package method

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"unicode/utf8"
)

// MaxName is the longest name of a method, in bytes.
const MaxName = 255

// Options of one method. Zero value: defaults.
type Options struct {
	Name        string // the name on the wire, of at most MaxName bytes; default: what Table.MethodName makes of the Go name
	Inline      bool   // runs on the event loop: must never block
	RequireUser bool   // only for authenticated users
}

// Table holds a hub's methods; C is the hub context's type. The zero value is empty and ready. Registration is not safe for
// concurrent use, Lookup and All are, once registration is over.
type Table[C context.Context] struct {
	// MethodName makes names on the wire of the Go names of AddValue's methods and fields, unless options or a tag name them. nil: they are the same.
	MethodName func(goName string) string

	index index[C]
}

// Method is one hub method. Immutable.
type Method[C context.Context] struct {
	Name        string // registered spelling
	Inline      bool
	RequireUser bool
	TakesCall   bool // has a context.Context parameter: each call gets one of its own
	Stream      bool // its result is a stream: see Result.Stream
	Uploads     int  // number of stream parameters: see Open

	params  []param   // the arguments on the wire
	uploads []upload  // the stream parameters
	run     invoke[C] // the plan
}

// invoke is the plan of one method: it takes the arguments that Bind left in a.
type invoke[C context.Context] func(hub C, call context.Context, a *Args) (Result, error)

// AddValue registers the exported methods of v (a value or a pointer), promoted methods of embedded fields included, except
// those whose Go name is in skip; and the functions in v's exported fields that have a tag "spoke", as in
//
//	Roll func(sides int) int `spoke:"rollDice,inline"`
//
// where both the name and the options, inline and user (Options.Inline, Options.RequireUser), may be missing. A method is called with v itself (a copy of it, when v is no pointer); v must be safe for
// concurrent use.
//
// opts is by Go name; one that names no method and no such field is an error, as are methods that v would only have as a pointer. All
// problems are reported at once (errors.Join), each names the method and says what is allowed. After an error nothing
// of v is registered.
func (t *Table[C]) AddValue(v any, opts map[string]Options, skip ...string) error {
	rv := reflect.ValueOf(v)
	switch {
	case !rv.IsValid():
		return errors.New("hub value is nil; pass a value or a pointer whose exported methods are the hub's methods")
	case rv.Kind() == reflect.Pointer && rv.IsNil():
		return fmt.Errorf("hub value is a nil %v; pass a pointer to a value", rv.Type())
	}
	rt := rv.Type()
	b := batch[C]{table: t}
	skipped := func(name string) bool { return slices.Contains(skip, name) }

	if _, ok := v.(sync.Locker); ok && !skipped("Lock") && !skipped("Unlock") {
		// An embedded sync.Mutex would hand its Lock to every client.
		b.refuse(rt.String(), "it has Lock and Unlock, which every client could call; make the embedded mutex a named field")
		return b.err()
	}
	fields := fieldsOf(rv, b.refuse)
	isField := func(name string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.goName == name })
	}
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		if _, ok := rt.MethodByName(name); (!ok || skipped(name)) && !isField(name) {
			b.refuse(name, "options are given for it, but %v has no hub method of that Go name", rt)
		}
	}
	recv := receiverOf(rv)
	for i := range rt.NumMethod() {
		m := rt.Method(i)
		if skipped(m.Name) {
			continue
		}
		opt := opts[m.Name]
		b.add(t.name(m.Name, opt), rv.Method(i), recv.function(m), opt)
	}
	for _, f := range fields {
		opt := f.opt.merge(opts[f.goName])
		b.add(t.name(f.goName, opt), f.fn, plain(f.fn), opt)
	}
	if rt.Kind() != reflect.Pointer {
		pt := reflect.PointerTo(rt)
		for i := range pt.NumMethod() {
			if name := pt.Method(i).Name; !hasMethod(rt, name) {
				b.refuse(name, "it has a pointer receiver; pass a *%v instead of a %v", rt, rt)
			}
		}
	}
	if rt.NumMethod() == 0 && len(fields) == 0 && len(b.problems) == 0 {
		b.refuse(rt.String(), "it has no exported methods; pass nil for a hub of functions only")
	}
	return b.commit()
}

// name is a method's name on the wire.
func (t *Table[C]) name(goName string, opt Options) string {
	switch {
	case opt.Name != "":
		return opt.Name
	case t.MethodName != nil:
		return t.MethodName(goName)
	}
	return goName
}

// Add registers one function under name. opt.Name must be empty or the same.
func (t *Table[C]) Add(name string, fn any, opt Options) error {
	b := batch[C]{table: t}
	fv := reflect.ValueOf(fn)
	switch {
	case opt.Name != "" && opt.Name != name:
		b.refuse(name, "its options give it another name, %q; leave Options.Name empty", opt.Name)
	case !fv.IsValid():
		b.refuse(name, "the function is nil")
	case fv.Kind() != reflect.Func:
		b.refuse(name, "%v is not a function type", fv.Type())
	case fv.IsNil():
		b.refuse(name, "the function, a %v, is nil", fv.Type())
	default:
		b.add(name, fv, plain(fv), opt)
	}
	return b.commit()
}

// All lists the methods by name.
func (t *Table[C]) All() []*Method[C] {
	all := slices.Clone(t.index.all)
	slices.SortFunc(all, func(a, b *Method[C]) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// batch is a registration: all of it succeeds, or none.
type batch[C context.Context] struct {
	table    *Table[C]
	added    []*Method[C]
	problems []error
}

func (b *batch[C]) refuse(name, format string, args ...any) {
	b.problems = append(b.problems, fmt.Errorf("hub method %q: %s", name, fmt.Sprintf(format, args...)))
}

func (b *batch[C]) add(name string, fv reflect.Value, fast callable, opt Options) {
	switch {
	case name == "":
		b.refuse(name, "the name is empty")
		return
	case len(name) > MaxName:
		b.refuse(name[:32]+"…", "the name has %d bytes; the limit is %d", len(name), MaxName)
		return
	case !utf8.ValidString(name):
		b.refuse(name, "the name is not UTF-8")
		return
	}
	if other := b.find(name); other != nil {
		b.refuse(name, "Duplicate definitions of '%s'. Overloading is not supported. (%q is registered, and names ignore ASCII case.)", name, other.Name)
		return
	}
	sig, problems := signatureOf(fv.Type(), reflect.TypeFor[C]())
	for _, p := range problems {
		b.refuse(name, "%s", p)
	}
	if opt.Inline && (sig.down || len(sig.ups) > 0) {
		b.refuse(name, "it streams, which takes time, so that it cannot run on the event loop; leave Options.Inline out")
	}
	m := &Method[C]{
		Name: name, Inline: opt.Inline, RequireUser: opt.RequireUser, TakesCall: sig.call,
		Stream: sig.down, Uploads: len(sig.ups), uploads: sig.ups,
	}
	// A method with problems stays in the batch, so that a second one of its name is reported too; the batch fails anyway.
	b.added = append(b.added, m)
	if len(problems) > 0 {
		return
	}
	if len(sig.ups) == 0 && !sig.down {
		m.run = direct[C](fast, &sig)
	}
	if m.run != nil {
		m.params = scalarParams(sig.args)
	} else {
		m.params = cellParams(sig.args)
		m.run = reflected[C](fv, &sig)
	}
}

func (b *batch[C]) find(name string) *Method[C] {
	if m := b.table.Lookup([]byte(name)); m != nil {
		return m
	}
	for _, m := range b.added {
		if equalFold([]byte(name), m.Name) {
			return m
		}
	}
	return nil
}

func (b *batch[C]) err() error { return errors.Join(b.problems...) }

func (b *batch[C]) commit() error {
	if err := b.err(); err != nil {
		return err
	}
	for _, m := range b.added {
		b.table.index.insert(m)
	}
	return nil
}

func hasMethod(t reflect.Type, name string) bool {
	for i := range t.NumMethod() {
		if t.Method(i).Name == name {
			return true
		}
	}
	return false
}
