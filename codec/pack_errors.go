package codec

import "fmt"

// neverUsed is the one byte that begins no MessagePack value.
const neverUsed = 0xC1

var (
	errOver2GB = &Error{formatFault, "Messages over 2GB in size are not supported."}

	errPackEnd = &Error{"EndOfStreamException", "Attempted to read past the end of the stream."}

	errPackArguments = Malformed("Reading array length for 'arguments' failed.")

	// ErrBinding is the text that clients get when an argument cannot be bound (wire contract, section 10).
	ErrBinding = Malformed("Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked.")
)

func packReading(field, kind string) *Error {
	return Malformed("Reading '%s' as %s failed.", field, kind)
}

// unexpectedCode is the fault of a record that is no array. Its text is .NET's library's, about.
func unexpectedCode(c byte) *Error {
	return &Error{"MessagePackSerializationException", fmt.Sprintf("Unexpected msgpack code %d encountered.", c)}
}
