package main

import (
	"encoding/json"
	"fmt"
	"go/constant"
	"go/types"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// script is a type in TypeScript.
type script struct {
	text  string
	union bool // in brackets where it is part of another type
}

func (s script) part() string {
	if s.union {
		return "(" + s.text + ")"
	}
	return s.text
}

func (s script) orNull() script {
	if s.text == "unknown" || s.text == "null" || strings.HasSuffix(s.text, " | null") {
		return s // null is among it
	}
	return script{s.text + " | null", true}
}

// known are types of the standard library whose encoding is not to be seen from their definition.
var known = map[string]string{
	"time.Time":                "string",
	"time.Duration":            "number", // its constants are units, not all that it can be
	"encoding/json.Number":     "number",
	"encoding/json.RawMessage": "unknown",
	"math/big.Int":             "number",
}

// of writes a type as JSON carries it.
func (w *writer) of(t types.Type) script {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return w.named(t)
	case *types.Pointer:
		if w.depth++; w.depth > 100 { // a pointer that points to its own type and nothing else
			return script{text: "unknown"}
		}
		defer func() { w.depth-- }()
		return w.of(t.Elem()).orNull()
	case *types.Struct:
		return w.literal(t)
	default:
		return w.composite(t)
	}
}

// composite writes a type by what it is made of, without its name.
func (w *writer) composite(t types.Type) script {
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return script{text: basic(t)}
	case *types.Slice:
		if isBytes(t) {
			return script{text: "string"}
		}
		return w.nilable(script{text: w.of(t.Elem()).part() + "[]"})
	case *types.Array:
		return script{text: w.of(t.Elem()).part() + "[]"}
	case *types.Map:
		return w.nilable(w.dictionary(t))
	case *types.Pointer:
		return w.of(t)
	}
	return script{text: "unknown"}
}

// nilable is for types whose zero value is sent as null.
func (w *writer) nilable(s script) script {
	if w.opt.nilSlices {
		return s.orNull()
	}
	return s
}

func basic(t *types.Basic) string {
	switch info := t.Info(); {
	case info&types.IsBoolean != 0:
		return "boolean"
	case info&types.IsString != 0:
		return "string"
	case info&types.IsNumeric != 0:
		return "number"
	}
	return "unknown"
}

// isBytes tells the slices that are base64 in JSON.
func isBytes(t *types.Slice) bool {
	b, ok := t.Elem().Underlying().(*types.Basic)
	p := types.NewPointer(t.Elem())
	return ok && b.Kind() == types.Uint8 && !hasMethod(p, "MarshalJSON", encodes) && !hasMethod(p, "MarshalText", encodes)
}

// dictionary writes a map; as an index signature, which may refer to the type that it defines.
func (w *writer) dictionary(t *types.Map) script {
	value := w.of(t.Elem()).text
	key := types.Unalias(t.Key())
	if n, ok := key.(*types.Named); ok && len(w.constants(n)) > 0 && !w.encodesItself(n) {
		return script{text: fmt.Sprintf("{ [key in %s]?: %s }", w.of(key).text, value)}
	}
	name := "string"
	if b, ok := key.Underlying().(*types.Basic); ok && b.Info()&types.IsInteger != 0 && !w.encodesItself(key) {
		name = "number"
	}
	return script{text: fmt.Sprintf("{ [key: %s]: %s }", name, value)}
}

// encodesItself reports types with an encoding of their own for JSON, in either direction.
func (w *writer) encodesItself(t types.Type) bool {
	_, itself := w.itself(t)
	return itself
}

func (w *writer) itself(t types.Type) (script, bool) {
	if types.IsInterface(t) {
		return script{}, false
	}
	p := types.NewPointer(t)
	switch {
	case hasMethod(p, "MarshalJSON", encodes), hasMethod(p, "UnmarshalJSON", decodes):
		return script{text: "unknown"}, true
	case hasMethod(p, "MarshalText", encodes), hasMethod(p, "UnmarshalText", decodes):
		return script{text: "string"}, true
	}
	return script{}, false
}

// named writes a type that has a name, and remembers to declare it when the name says more than its definition.
func (w *writer) named(t *types.Named) script {
	if t.Obj().Pkg() == nil { // error
		return script{text: "unknown"}
	}
	name := t.Obj().Pkg().Path() + "." + t.Obj().Name()
	if text, ok := w.opt.types[name]; ok {
		return script{text, strings.ContainsAny(text, " |&")}
	}
	if text, ok := known[name]; ok {
		return script{text: text}
	}
	if s, ok := w.itself(t); ok {
		return s
	}
	switch t.Underlying().(type) {
	case *types.Interface, *types.Pointer, *types.Signature, *types.Chan:
		return w.composite(t)
	}
	return script{text: w.declare(t)}
}

// literal writes a struct without a name.
func (w *writer) literal(t types.Type) script {
	var members []string
	for _, f := range fieldsOf(t) {
		members = append(members, w.member(f))
	}
	if len(members) == 0 {
		return script{text: "{}"}
	}
	return script{text: "{ " + strings.Join(members, "; ") + " }"}
}

// member is a field's line, without an end.
func (w *writer) member(f field) string {
	name := property(f.name)
	if f.optional {
		name += "?"
	}
	s := w.of(f.obj.Type())
	if f.quoted {
		s = quoted(f.obj.Type(), s)
	}
	return name + ": " + s.text
}

// quoted is what the option "string" makes of strings, numbers and bools.
func quoted(t types.Type, s script) script {
	p, pointer := t.Underlying().(*types.Pointer)
	if pointer {
		t = p.Elem()
	}
	if _, ok := t.Underlying().(*types.Basic); !ok {
		return s
	}
	if pointer {
		return script{text: "string"}.orNull()
	}
	return script{text: "string"}
}

// declaration is the text that declares a named type.
func (w *writer) declaration(name string, t *types.Named) string {
	var b strings.Builder
	doc := w.doc(t.Obj())
	if _, ok := t.Underlying().(*types.Struct); ok {
		b.WriteString(jsdoc("", doc))
		fields := fieldsOf(t)
		if len(fields) == 0 {
			return b.String() + fmt.Sprintf("export interface %s {}\n", name)
		}
		fmt.Fprintf(&b, "export interface %s {\n", name)
		for _, f := range fields {
			b.WriteString(jsdoc("  ", w.doc(f.obj)))
			fmt.Fprintf(&b, "  %s;\n", w.member(f))
		}
		b.WriteString("}\n")
		return b.String()
	}
	text := w.composite(t).text
	if constants := w.constants(t); len(constants) > 0 {
		var values, lines []string
		for _, c := range constants {
			v := value(c.Val())
			if slices.Contains(values, v) {
				continue // another name for it
			}
			values = append(values, v)
			lines = append(lines, fmt.Sprintf("- `%s` %s", v, c.Name()))
		}
		text = strings.Join(values, " | ")
		if c := constants[0].Val(); c.Kind() == constant.Int { // a string says itself what it means
			doc = strings.TrimSpace(doc + "\n\n" + strings.Join(lines, "\n"))
		}
	}
	return jsdoc("", doc) + fmt.Sprintf("export type %s = %s;\n", name, text)
}

// constants are the values that an enumeration names: the constants of a string or integer type in its own package, in the order of the source. Of an
// exported type only exported ones count: the others are limits and markers.
func (w *writer) constants(t *types.Named) []*types.Const {
	b, ok := t.Underlying().(*types.Basic)
	if !ok || b.Info()&(types.IsString|types.IsInteger) == 0 || t.Obj().Pkg() == nil {
		return nil
	}
	pkg, err := w.load(t.Obj().Pkg().Path()) // whole, where what the hub's package refers to may be a part
	if err != nil {
		return nil
	}
	var all []*types.Const
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if ok && name != "_" && fullName(c.Type()) == fullName(t) && (c.Exported() || !t.Obj().Exported()) {
			all = append(all, c)
		}
	}
	if areBits(all) {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *types.Const) int {
		x, y := w.fset.Position(a.Pos()), w.fset.Position(b.Pos())
		if c := strings.Compare(x.Filename, y.Filename); c != 0 {
			return c
		}
		if x.Line != y.Line {
			return x.Line - y.Line
		}
		return x.Column - y.Column
	})
	return all
}

// areBits tells the constants that are made to be added up: each is one bit, or none, and they go on after 2 with 4.
func areBits(all []*types.Const) bool {
	most := int64(0)
	for _, c := range all {
		n, ok := constant.Int64Val(constant.ToInt(c.Val()))
		if !ok || n < 0 || n&(n-1) != 0 {
			return false
		}
		most = max(most, n)
	}
	return most >= 4
}

// value is a constant as TypeScript writes it.
func value(v constant.Value) string {
	if v.Kind() == constant.String {
		return quote(constant.StringVal(v))
	}
	return v.ExactString()
}

// quote is a string literal.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return strconv.QuoteToASCII(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

var plainName = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// property is the name of a member.
func property(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return quote(name)
}
