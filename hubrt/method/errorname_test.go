package method

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"github.com/spokehub/spoke/codec"
)

type valueError struct{}

func (valueError) Error() string { return "value" }

type genericError[T any] struct{ v T }

func (*genericError[T]) Error() string { return "generic" }

type namedError struct{ name string }

func (e *namedError) Error() string     { return "named" }
func (e *namedError) ErrorName() string { return e.name }

type stringError string

func (e stringError) Error() string { return string(e) }

type appWrapper struct{ error }

func (w appWrapper) Unwrap() error { return w.error }

type loop struct{}

func (l *loop) Error() string { return "loop" }
func (l *loop) Unwrap() error { return l }

func TestErrorName(t *testing.T) {
	t.Parallel()
	_, syntax := strconv.Atoi("x")
	_, missing := os.Open("/nonexistent/x")
	self := &namedError{"InvalidOperationException"}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"pointer type", &failure{}, "failure"},
		{"value type", valueError{}, "valueError"},
		{"pointer to a value type", &valueError{}, "valueError"},
		{"string type", stringError("x"), "stringError"},
		{"errors.New", errors.New("x"), "errorString"},
		{"generic", &genericError[map[string]codec.Error]{}, "genericError"},
		{"unnamed type", struct{ error }{errMethod}, "error"},
		{"names itself", self, "InvalidOperationException"},
		{"names itself with nothing", &namedError{}, "namedError"},
		{"nil pointer that would name itself", (*namedError)(nil), "namedError"},
		{"codec error", codec.Malformed("x"), "InvalidDataException"},
		{"fmt.Errorf without wrapping", fmt.Errorf("x"), "errorString"},
		{"fmt.Errorf", fmt.Errorf("saving: %w", &failure{}), "failure"},
		{"fmt.Errorf twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", self)), "InvalidOperationException"},
		{"fmt.Errorf of two", fmt.Errorf("%w, %w", &failure{}, self), "failure"},
		{"errors.Join", errors.Join(nil, self, &failure{}), "InvalidOperationException"},
		{"wrapper of the application", appWrapper{self}, "appWrapper"},
		{"number", syntax, "NumError"},
		{"path", missing, "PathError"},
		{"sentinel", fs.ErrNotExist, "errorString"},
		{"unwraps to itself", &loop{}, "loop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ErrorName(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A chain of wrappers is followed only so far.
func TestErrorNameOfDeepChain(t *testing.T) {
	t.Parallel()
	err := error(&failure{})
	for range 10_000 {
		err = fmt.Errorf("%w", err)
	}
	if got := ErrorName(err); got != "wrapError" {
		t.Errorf("got %q", got)
	}
}
