package main

import (
	"fmt"
	"go/types"
	"strconv"
	"strings"
)

// hubContext is the type that spoke.Context is another name of.
const hubContext = "*github.com/spokehub/spoke/hubrt.Context"

// signature reads what a method takes and gives, and says all that is wrong with it.
func (r *registration) signature(sig *types.Signature) (m method, problems []string) {
	refuse := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	in := 0
	next := func(typ string) bool { return in < sig.Params().Len() && fullName(sig.Params().At(in).Type()) == typ }
	if !r.client && next(hubContext) {
		in++
	}
	if next("context.Context") {
		in++
	}
	for ; in < sig.Params().Len(); in++ {
		v := sig.Params().At(in)
		p := param{name: v.Name(), typ: v.Type(), rest: sig.Variadic() && in == sig.Params().Len()-1}
		where := fmt.Sprintf("parameter %d (%s)", in+1, reflectName(p.typ))
		if p.rest {
			p.typ = p.typ.Underlying().(*types.Slice).Elem()
		}
		item, streams, problem := streamOf(p.typ)
		switch full := fullName(p.typ); {
		case p.rest && !r.client:
			refuse("%s is variadic; declare a slice instead: []%s", where, reflectName(p.typ))
		case full == hubContext || full == "context.Context":
			refuse("%s is out of place; contexts come first: *hubrt.Context, then context.Context, both optional", where)
		case streams && r.client:
			refuse("%s is a stream; clients take values only", where)
		case problem != "":
			refuse("%s cannot be a stream from the client: %s", where, problem)
		case streams:
			p.typ, p.stream = item, true
			if why := (&inspection{decode: true}).problem(item); why != "" {
				refuse("%s cannot be a stream from the client: %s", where, why)
			}
		default:
			if why := (&inspection{decode: !r.client}).problem(p.typ); why != "" {
				refuse("%s cannot be an argument: %s", where, why)
			}
		}
		m.params = append(m.params, p)
	}

	out := sig.Results().Len()
	if out > 0 && fullName(sig.Results().At(out-1).Type()) == "error" {
		out--
	}
	if out > 1 {
		streams := ", where T may be a stream"
		if r.client {
			streams = ""
		}
		refuse("it returns %s; allowed are nothing, error, T and (T, error)%s", reflectResults(sig), streams)
		return m, problems
	}
	if out == 0 {
		return m, problems
	}
	m.result = sig.Results().At(0).Type()
	name := reflectName(m.result)
	item, streams, problem := streamOf(m.result)
	switch {
	case isError(m.result):
		refuse("result %s is an error; declare it as error, since a nil %s would not be a nil error", name, name)
	case streams && r.client:
		refuse("result %s is a stream; clients answer with one value", name)
	case problem != "":
		refuse("%s cannot be a stream to the client: %s", name, problem)
	case streams:
		m.result, m.stream = item, true
		if why := (&inspection{}).problem(item); why != "" {
			refuse("%s cannot be a stream to the client: %s", name, why)
		}
	default:
		if why := (&inspection{decode: r.client}).problem(m.result); why != "" {
			refuse("%s cannot be a result: %s", name, why)
		}
	}
	return m, problems
}

const streamForms = "a stream is <-chan T, iter.Seq[T] or iter.Seq2[T, error]"

// streamOf says whether a type is a stream, and of what; problem: it looks like one and is none.
func streamOf(t types.Type) (item types.Type, ok bool, problem string) {
	switch u := t.Underlying().(type) {
	case *types.Chan:
		if u.Dir() == types.SendRecv {
			problem = fmt.Sprintf("declare it as <-chan %s, since one side alone sends", reflectName(u.Elem()))
		}
		return u.Elem(), u.Dir() != types.SendOnly, problem
	case *types.Signature:
		if u.Params().Len() != 1 || u.Results().Len() != 0 || u.Variadic() {
			return nil, false, ""
		}
		yield, ok := u.Params().At(0).Type().Underlying().(*types.Signature)
		if !ok || yield.Variadic() || yield.Results().Len() != 1 || yield.Results().At(0).Type().Underlying() != types.Typ[types.Bool] {
			return nil, false, ""
		}
		switch p := yield.Params(); p.Len() {
		case 1:
			return p.At(0).Type(), true, ""
		case 2:
			if e := p.At(1).Type(); fullName(e) != "error" {
				problem = fmt.Sprintf("the second value of its items is %s and not error; %s", reflectName(e), streamForms)
			}
			return p.At(0).Type(), true, problem
		}
	}
	return nil, false, ""
}

// inspection looks through a type for parts that no encoding can carry, as hubrt/method does at registration.
type inspection struct {
	decode bool // else it is encoded
	seen   []types.Type
}

// problem says why t will not do; "" when it will.
func (x *inspection) problem(t types.Type) string {
	t = types.Unalias(t)
	for _, s := range x.seen {
		if types.Identical(s, t) {
			return ""
		}
	}
	if x.encodesItself(t) {
		return ""
	}
	x.seen = append(x.seen, t)
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return x.problem(u.Elem())
	case *types.Slice:
		return x.problem(u.Elem())
	case *types.Array:
		return x.problem(u.Elem())
	case *types.Map:
		if !x.isKey(u.Key()) {
			return fmt.Sprintf("the keys of %s must be strings or integers", reflectName(t))
		}
		return x.problem(u.Elem())
	case *types.Struct:
		return x.structProblem(t, u)
	case *types.Interface:
		if x.decode && u.NumMethods() > 0 {
			return fmt.Sprintf("nothing says which type to make for the interface %s; any is the only interface allowed", reflectName(t))
		}
	case *types.Chan, *types.Signature:
		return reflectName(t) + " has no encoding"
	case *types.Basic:
		if u.Info()&types.IsComplex != 0 || u.Kind() == types.Uintptr || u.Kind() == types.UnsafePointer {
			return reflectName(t) + " has no encoding"
		}
	}
	return ""
}

func (x *inspection) structProblem(t types.Type, s *types.Struct) string {
	exported := 0
	for i := range s.NumFields() {
		f := s.Field(i)
		if !f.Exported() && !f.Embedded() {
			continue
		}
		exported++
		tags := tagsOf(s.Tag(i))
		if tags.Get("json") == "-" || tags.Get("msgpack") == "-" {
			continue
		}
		if why := x.problem(f.Type()); why != "" {
			return "field " + f.Name() + ": " + why
		}
	}
	if exported == 0 && s.NumFields() > 0 {
		return fmt.Sprintf("no field of %s is exported, so none would be sent or received", reflectName(t))
	}
	return ""
}

func (x *inspection) isKey(t types.Type) bool {
	if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&(types.IsString|types.IsInteger) != 0 && b.Kind() != types.Uintptr {
		return true
	}
	if x.decode {
		return hasMethod(types.NewPointer(t), "UnmarshalText", decodes)
	}
	return hasMethod(t, "MarshalText", encodes)
}

// The signatures of the methods by which types encode themselves.
const (
	encodes = "func() ([]uint8, error)"
	decodes = "func([]uint8) error"
)

// encodesItself reports types with methods of their own for JSON, text or MessagePack.
func (x *inspection) encodesItself(t types.Type) bool {
	if types.IsInterface(t) {
		return false
	}
	p := types.NewPointer(t)
	if x.decode {
		return hasMethod(p, "UnmarshalJSON", decodes) || hasMethod(p, "UnmarshalText", decodes) || hasMethod(p, "DecodeMsgpack", "") || hasMethod(p, "UnmarshalMsgpack", "")
	}
	return hasMethod(p, "MarshalJSON", encodes) || hasMethod(p, "MarshalText", encodes) || hasMethod(p, "EncodeMsgpack", "") || hasMethod(p, "MarshalMsgpack", "")
}

// hasMethod looks for an exported method; sig "" is any.
func hasMethod(t types.Type, name, sig string) bool {
	m := types.NewMethodSet(t).Lookup(nil, name)
	return m != nil && (sig == "" || reflectName(m.Type()) == sig)
}

func isError(t types.Type) bool { return hasMethod(t, "Error", "func() string") }

// fullName is a type with the import paths of its packages.
func fullName(t types.Type) string {
	return typeName(t, func(p *types.Package) string { return p.Path() })
}

// reflectName is a type as package reflect writes it, and so the server's own errors.
func reflectName(t types.Type) string {
	return typeName(t, func(p *types.Package) string { return p.Name() })
}

func typeName(t types.Type, qualify types.Qualifier) string {
	name := func(t types.Type) string { return typeName(t, qualify) }
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		if t.Kind() == types.UnsafePointer {
			return "unsafe.Pointer"
		}
		return types.Typ[t.Kind()].Name() // byte is uint8
	case *types.Pointer:
		return "*" + name(t.Elem())
	case *types.Slice:
		return "[]" + name(t.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), name(t.Elem()))
	case *types.Map:
		return "map[" + name(t.Key()) + "]" + name(t.Elem())
	case *types.Chan:
		switch t.Dir() {
		case types.SendOnly:
			return "chan<- " + name(t.Elem())
		case types.RecvOnly:
			return "<-chan " + name(t.Elem())
		}
		if e, ok := types.Unalias(t.Elem()).(*types.Chan); ok && e.Dir() == types.RecvOnly {
			return "chan (" + name(e) + ")"
		}
		return "chan " + name(t.Elem())
	case *types.Signature:
		var in []string
		for i := range t.Params().Len() {
			p := t.Params().At(i).Type()
			if s, ok := p.(*types.Slice); ok && t.Variadic() && i == t.Params().Len()-1 {
				in = append(in, "..."+name(s.Elem()))
			} else {
				in = append(in, name(p))
			}
		}
		text := "func(" + strings.Join(in, ", ") + ")"
		switch t.Results().Len() {
		case 0:
			return text
		case 1:
			return text + " " + name(t.Results().At(0).Type())
		}
		return text + " " + reflectResults(t)
	case *types.Struct:
		var fields []string
		for i := range t.NumFields() {
			f := t.Field(i).Name() + " " + name(t.Field(i).Type())
			if t.Field(i).Embedded() {
				f = name(t.Field(i).Type())
			}
			if t.Tag(i) != "" {
				f += " " + strconv.Quote(t.Tag(i))
			}
			fields = append(fields, f)
		}
		if len(fields) == 0 {
			return "struct {}"
		}
		return "struct { " + strings.Join(fields, "; ") + " }"
	case *types.Interface:
		if t.Empty() {
			return "interface {}"
		}
	case *types.Named:
		text := t.Obj().Name()
		if t.Obj().Pkg() != nil {
			text = qualify(t.Obj().Pkg()) + "." + text
		}
		if t.TypeArgs().Len() == 0 {
			return text
		}
		var args []string
		for a := range t.TypeArgs().Types() {
			args = append(args, typeName(a, func(p *types.Package) string { return p.Path() })) // as reflect does
		}
		return text + "[" + strings.Join(args, ",") + "]"
	}
	return types.TypeString(t, qualify)
}

func reflectResults(sig *types.Signature) string {
	var out []string
	for v := range sig.Results().Variables() {
		out = append(out, reflectName(v.Type()))
	}
	return "(" + strings.Join(out, ", ") + ")"
}
