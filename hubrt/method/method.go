// Package method turns Go functions and the methods of Go values into hub methods: signatures are checked and a plan is made
// once, at registration; a call binds raw arguments to the plan and runs it.
package method

import (
	"context"

	"github.com/spokehub/spoke/codec"
)

// Options of one method. Zero value: defaults.
type Options struct {
	Name        string // the name on the wire; default: the Go name
	Inline      bool   // runs on the event loop: must never block
	RequireUser bool   // only for authenticated users
}

// Table holds a hub's methods; C is the hub context's type. Registration is not safe for concurrent use, Lookup is, once registration is over.
type Table[C context.Context] struct{}

// AddValue registers the exported methods of v (a value or a pointer), except those named in skip. opts is by Go method name; one that names no method is an error. All
// problems are reported at once (errors.Join), each names the method and says what is allowed.
func (t *Table[C]) AddValue(v any, opts map[string]Options, skip ...string) error { panic("contract") }

// Add registers one function under name.
func (t *Table[C]) Add(name string, fn any, opt Options) error { panic("contract") }

// Lookup finds a method, ignoring ASCII case; nil: there is none. No allocation.
func (t *Table[C]) Lookup(target []byte) *Method[C] { panic("contract") }

// All lists the methods by name.
func (t *Table[C]) All() []*Method[C] { panic("contract") }

// Method is one hub method. Immutable.
type Method[C context.Context] struct {
	Name        string // registered spelling
	Inline      bool
	RequireUser bool
	TakesCall   bool // has a context.Context parameter: each call gets one of its own
	Stream      bool // its result is a stream (a later issue; registration refuses it until then)
	Uploads     int  // number of stream parameters (a later issue; registration refuses it until then)
}

// Args holds bound arguments. Reuse it: scalars cost no allocation.
type Args struct{}

// Bind binds the raw arguments of a call. Errors are *codec.Error with the texts of section 10.
func (m *Method[C]) Bind(p codec.Protocol, raw []byte, n int, a *Args) error { panic("contract") }

// Call runs the method. call is the context for a context.Context parameter. A panic of the method passes through.
func (m *Method[C]) Call(hub C, call context.Context, a *Args) (Result, error) { panic("contract") }

// Result is what a method returned; scalars cost no allocation.
type Result struct{}

// Append appends the result as one value.
func (r *Result) Append(dst []byte, p codec.Protocol) ([]byte, error) { panic("contract") }

// Any is the result as the Go value it was; nil for none.
func (r *Result) Any() any { panic("contract") }
