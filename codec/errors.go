package codec

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Names of .NET's exceptions that clients see in detailed errors.
const (
	invalidData      = "InvalidDataException"
	formatFault      = "FormatException"
	invalidOperation = "InvalidOperationException"
	jsonReader       = "JsonReaderException"
)

var (
	// ErrTerminated says that the stream ended inside a message (wire contract, section 13).
	ErrTerminated = &Error{invalidData, "Connection terminated while reading a message."}

	// ErrHandshakeTooLarge says that the message cap was reached before the handshake's separator (wire contract, section 9).
	ErrHandshakeTooLarge = &Error{invalidData, "The handshake request is larger than the maximum message size."}

	errReading = &Error{invalidData, "Error reading JSON."}
)

// tooLarge is the fault of a record over the message cap (wire contract, section 13, last paragraph).
func tooLarge(max int) *Error {
	return Malformed("The maximum message size of %dB was exceeded. The message size can be configured in AddHubOptions.", max)
}

func missing(property string) *Error { return Malformed("Missing required property '%s'.", property) }

func expected(property, kind string) *Error {
	return Malformed("Expected '%s' to be of type %s.", property, kind)
}

// notInteger is a number where an integer of so many bits belongs. .NET shows a FormatException of its own there.
func notInteger(property string, bits int) *Error {
	return &Error{formatFault, fmt.Sprintf("Expected '%s' to be an integer of %d bits.", property, bits)}
}

// notText is a string of the envelope that is no Unicode text. .NET shows an InvalidOperationException of its own there.
func notText(property string) *Error {
	return &Error{invalidOperation, fmt.Sprintf("'%s' holds half of a surrogate pair.", property)}
}

// valueError says why a value cannot be written. It names itself as .NET's serializer does, for detailed errors (wire contract, section 12.4).
type valueError struct {
	name string
	err  error
}

func (e *valueError) Error() string     { return e.err.Error() }
func (e *valueError) Unwrap() error     { return e.err }
func (e *valueError) ErrorName() string { return e.name }

var errNotUTF8 error = &valueError{"JsonException", errors.New("the value holds JSON that is not UTF-8")}

var errTooDeep error = &valueError{"JsonException", fmt.Errorf("the value nests deeper than %d levels, or contains itself", maxValueDepth)}

func notFinite(f float64) error {
	return &valueError{"ArgumentException", fmt.Errorf("%v cannot be written as JSON", f)}
}

// marshalError wraps an error of encoding/json.
func marshalError(err error) error {
	name := "JsonException"
	if u, ok := errors.AsType[*json.UnsupportedValueError](err); ok && (u.Str == "NaN" || u.Str == "+Inf" || u.Str == "-Inf") {
		name = "ArgumentException"
	}
	return &valueError{name, err}
}
