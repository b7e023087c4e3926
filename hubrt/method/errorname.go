package method

import (
	"reflect"
	"strings"
)

// ErrorName is the name that detailed errors show before an error's text (wire contract, section 13: "TypeName: message"). An error with a method
// ErrorName() string names itself. The wrappers of fmt.Errorf and errors.Join say nothing about the kind of error, so
// the (first) error inside them gives the name. Else it is the Go type's name, without package, pointer and type parameters; "error" for a type
// without a name, "" for nil. Safe for concurrent use.
func ErrorName(err error) string {
	for range 100 { // wrappers are ours to follow only so far: Unwrap may go in circles
		if err == nil {
			return ""
		}
		if name := ownName(err); name != "" {
			return name
		}
		inner := inside(err)
		if inner == nil {
			break
		}
		err = inner
	}
	t := reflect.TypeOf(err)
	for t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	name, _, _ := strings.Cut(t.Name(), "[")
	if name == "" {
		return "error"
	}
	return name
}

// ownName asks the error, unless that is a nil pointer, whose method could panic.
func ownName(err error) string {
	named, ok := err.(interface{ ErrorName() string })
	if !ok {
		return ""
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.IsNil() {
		return ""
	}
	return named.ErrorName()
}

// inside opens the wrappers of the standard packages fmt and errors.
func inside(err error) error {
	t := reflect.TypeOf(err)
	if t.Kind() != reflect.Pointer {
		return nil
	}
	if pkg := t.Elem().PkgPath(); pkg != "fmt" && pkg != "errors" {
		return nil
	}
	switch w := err.(type) { //nolint:errorlint // this looks for the wrapper itself
	case interface{ Unwrap() error }:
		return w.Unwrap()
	case interface{ Unwrap() []error }:
		for _, e := range w.Unwrap() {
			if e != nil {
				return e
			}
		}
	}
	return nil
}
