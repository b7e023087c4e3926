package method

import (
	"fmt"
	"runtime/debug"
)

// PanicError says that a type's own decoding or encoding method panicked, in Bind (Args.Cause) or in Result.Append. Such methods work on what a client
// sent, so their panics end there, as errors; a panic of the hub method itself passes through Call.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // where, as debug.Stack shows it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// catch is for defer: it turns a panic into an error.
func catch(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{v, debug.Stack()}
	}
}
