package codec

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// packForm is how values of a type are written or read that is not just that of its kind.
type packForm uint8

const (
	formKind    packForm = iota
	formLibrary          // methods of the msgpack library
	formJSON             // MarshalJSON, UnmarshalJSON
	formText             // MarshalText, UnmarshalText
	formTime
	formRaw     // Raw
	formRawJSON // json.RawMessage
	formNumber  // json.Number
	formExt
)

// packType is what is to know about a type; constant.
type packType struct {
	write, read packForm
	fields      []packField    // of a struct
	byName      map[string]int // into fields
	asArray     bool
}

// packField is one member of a struct.
type packField struct {
	name      string
	index     []int // the way to it through embedded structs
	omitEmpty bool
	omitZero  bool

	tagged bool
}

var (
	customEncoder   = reflect.TypeFor[msgpack.CustomEncoder]()
	customDecoder   = reflect.TypeFor[msgpack.CustomDecoder]()
	packMarshaler   = reflect.TypeFor[msgpack.Marshaler]()
	packUnmarshaler = reflect.TypeFor[msgpack.Unmarshaler]()
	numberType      = reflect.TypeFor[json.Number]()
	extType         = reflect.TypeFor[Ext]()
)

var packTypes sync.Map // reflect.Type to *packType

func packTypeOf(t reflect.Type) *packType {
	if p, ok := packTypes.Load(t); ok {
		return p.(*packType)
	}
	p := newPackType(t)
	packTypes.Store(t, p)
	return p
}

func newPackType(t reflect.Type) *packType {
	p := &packType{write: writeForm(t), read: readForm(t)}
	if t.Kind() != reflect.Struct {
		return p
	}
	p.fields, p.asArray = packFields(t)
	p.byName = make(map[string]int, len(p.fields))
	for i, f := range p.fields {
		p.byName[f.name] = i
	}
	return p
}

// fixedForm is that of the types that the codec itself knows.
func fixedForm(t reflect.Type) packForm {
	switch t {
	case timeType:
		return formTime
	case rawType:
		return formRaw
	case jsonRawType:
		return formRawJSON
	case numberType:
		return formNumber
	case extType:
		return formExt
	}
	return formKind
}

func writeForm(t reflect.Type) packForm {
	if form := fixedForm(t); form != formKind {
		return form
	}
	switch {
	case t.Kind() == reflect.Interface:
		return formKind // what it holds decides
	case t.Kind() == reflect.Pointer && fixedForm(t.Elem()) != formKind:
		return formKind // that of what it points to
	case t.Implements(customEncoder), t.Implements(packMarshaler):
		return formLibrary
	case t.Implements(jsonMarshaler):
		return formJSON
	case t.Implements(textMarshaler):
		return formText
	}
	return formKind
}

// readForm is that of a value that has an address.
func readForm(t reflect.Type) packForm {
	if form := fixedForm(t); form != formKind {
		return form
	}
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return formKind
	}
	p := reflect.PointerTo(t)
	switch {
	case p.Implements(customDecoder), p.Implements(packUnmarshaler):
		return formLibrary
	case p.Implements(jsonUnmarshaler):
		return formJSON
	case p.Implements(textUnmarshaler):
		return formText
	}
	return formKind
}

// packFields lists the members of a struct, in the order of its fields, those of embedded structs among them. As for encoding/json a name that comes twice means the field that is less deep,
// then the one with a tag, then none.
func packFields(t reflect.Type) (fields []packField, asArray bool) {
	w := fieldWalk{seen: map[reflect.Type]bool{}}
	w.walk(t, nil)
	best := map[string]int{} // into w.fields; -1: ambiguous
	for i, f := range w.fields {
		j, ok := best[f.name]
		if !ok {
			best[f.name] = i
			continue
		}
		if j < 0 {
			continue
		}
		g := w.fields[j]
		switch {
		case len(f.index) < len(g.index), len(f.index) == len(g.index) && f.tagged && !g.tagged:
			best[f.name] = i
		case len(f.index) == len(g.index) && f.tagged == g.tagged:
			best[f.name] = -1
		}
	}
	for i, f := range w.fields {
		if best[f.name] == i {
			fields = append(fields, f)
		}
	}
	return fields, w.asArray
}

type fieldWalk struct {
	fields  []packField
	asArray bool
	seen    map[reflect.Type]bool // on the way here
}

func (w *fieldWalk) walk(t reflect.Type, index []int) {
	w.seen[t] = true
	defer delete(w.seen, t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options := packTag(f)
		if f.Name == "_msgpack" {
			w.asArray = w.asArray || len(index) == 0 && (options["as_array"] || options["asArray"])
			continue
		}
		if name == "-" {
			continue
		}
		way := append(index[:len(index):len(index)], i)
		if f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer && f.IsExported() {
				inner = inner.Elem()
			}
			// A type that writes itself is no part of the outer one.
			if inner.Kind() == reflect.Struct && writeForm(inner) == formKind && readForm(inner) == formKind {
				if !w.seen[inner] {
					w.walk(inner, way)
				}
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		field := packField{name: name, index: way, omitEmpty: options["omitempty"], omitZero: options["omitzero"], tagged: name != ""}
		if name == "" {
			field.name = f.Name
		}
		w.fields = append(w.fields, field)
	}
}

// packTag is the name and the options in a field's msgpack tag, or else in its json tag.
func packTag(f reflect.StructField) (name string, options map[string]bool) {
	tag := f.Tag.Get("msgpack")
	if tag == "" {
		tag = f.Tag.Get("json")
	}
	name, rest, _ := strings.Cut(tag, ",")
	if rest == "" {
		return name, nil
	}
	options = map[string]bool{}
	for option := range strings.SplitSeq(rest, ",") {
		options[option] = true
	}
	return name, options
}
