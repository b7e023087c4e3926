package main

import (
	"go/types"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is one member of a struct's JSON object.
type field struct {
	name     string
	obj      *types.Var
	optional bool // it may be left out
	quoted   bool // the option "string"

	tagged bool
	path   []int // the way to it through embedded structs
}

func tagsOf(s string) reflect.StructTag { return reflect.StructTag(s) }

// fieldsOf are the members that encoding/json writes, in the order of the struct. Embedded structs give theirs, and of several of a name the least
// deep one stays, then the one with a tag, else none: the rules of encoding/json.
func fieldsOf(t types.Type) []field {
	type level struct {
		typ      types.Type
		path     []int
		optional bool
	}
	var all []field
	seen := map[string]bool{}
	for now := []level{{typ: t}}; len(now) > 0; {
		for _, l := range now {
			seen[fullName(l.typ)] = true
		}
		var next []level
		for _, l := range now {
			s := l.typ.Underlying().(*types.Struct)
			for i := range s.NumFields() {
				v := s.Field(i)
				tag := tagsOf(s.Tag(i)).Get("json")
				embedded, pointer := embeddedStruct(v)
				if tag == "-" || !v.Exported() && embedded == nil {
					continue
				}
				name, opts, _ := strings.Cut(tag, ",")
				if !isTagName(name) {
					name = ""
				}
				path := append(slices.Clone(l.path), i)
				if name == "" && embedded != nil {
					if !seen[fullName(embedded)] {
						next = append(next, level{embedded, path, l.optional || pointer})
					}
					continue
				}
				options := strings.Split(opts, ",")
				f := field{name: name, obj: v, tagged: name != "", path: path}
				f.optional = l.optional || slices.Contains(options, "omitempty") || slices.Contains(options, "omitzero")
				f.quoted = slices.Contains(options, "string")
				if name == "" {
					f.name = v.Name()
				}
				all = append(all, f)
			}
		}
		now = next
	}
	all = slices.DeleteFunc(all, func(f field) bool { return !dominates(f, all) })
	slices.SortFunc(all, func(a, b field) int { return slices.Compare(a.path, b.path) })
	return all
}

// embeddedStruct is the struct that a field embeds, by itself or by a pointer; nil for any other field.
func embeddedStruct(v *types.Var) (t types.Type, pointer bool) {
	if !v.Embedded() {
		return nil, false
	}
	t = types.Unalias(v.Type())
	if p, ok := t.(*types.Pointer); ok {
		t, pointer = p.Elem(), true
	}
	if _, ok := t.Underlying().(*types.Struct); !ok {
		return nil, false
	}
	return t, pointer
}

// dominates says whether f is the one of its name that counts.
func dominates(f field, all []field) bool {
	for _, g := range all {
		if g.name != f.name || slices.Equal(g.path, f.path) {
			continue
		}
		if len(g.path) < len(f.path) || len(g.path) == len(f.path) && (g.tagged || !f.tagged) {
			return false
		}
	}
	return true
}

// isTagName tells the names that encoding/json takes from a tag.
func isTagName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	})
}
