package method

import (
	"fmt"
	"reflect"
	"strings"
)

// fieldTag is the key of the tag that makes a struct field of a func type a hub method.
const fieldTag = "spoke"

// field is such a field.
type field struct {
	goName string
	fn     reflect.Value
	opt    Options
}

// fieldsOf finds the fields of a hub value, a struct or a pointer to one, that have the tag; those of embedded structs are promoted as Go promotes them. Problems are told to
// refuse. A function is taken from its field once, so what is put there later is not seen.
func fieldsOf(v reflect.Value, refuse func(name, format string, args ...any)) (fields []field) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(v.Type()) {
		tag, ok := f.Tag.Lookup(fieldTag)
		if !ok {
			continue
		}
		opt, problem := parseTag(tag)
		fn, err := v.FieldByIndexErr(f.Index)
		switch {
		case problem != "":
			refuse(f.Name, "%s", problem)
		case !f.IsExported():
			refuse(f.Name, "the field has a %s tag, but is not exported", fieldTag)
		case f.Type.Kind() != reflect.Func:
			refuse(f.Name, "the field has a %s tag, but %v is not a function type", fieldTag, f.Type)
		case err != nil:
			refuse(f.Name, "the field is in an embedded struct whose pointer is nil")
		case fn.IsNil():
			refuse(f.Name, "the field's function, a %v, is nil", f.Type)
		default:
			fields = append(fields, field{f.Name, fn, opt})
		}
	}
	return fields
}

// parseTag reads "name,option,…"; every part may be missing.
func parseTag(tag string) (opt Options, problem string) {
	name, rest, more := strings.Cut(tag, ",")
	opt.Name = name
	for more {
		var word string
		word, rest, more = strings.Cut(rest, ",")
		switch word {
		case "inline":
			opt.Inline = true
		case "user":
			opt.RequireUser = true
		default:
			return Options{}, fmt.Sprintf("its %s tag has the option %q; there are inline and user", fieldTag, word)
		}
	}
	return opt, ""
}

// merge adds options that are given for the field by its Go name; a name among them wins.
func (o Options) merge(given Options) Options {
	if given.Name != "" {
		o.Name = given.Name
	}
	o.Inline = o.Inline || given.Inline
	o.RequireUser = o.RequireUser || given.RequireUser
	return o
}
