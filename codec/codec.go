// Package codec turns hub messages into bytes and back. Sources: wire contract, sections 9 to 11.
//
// Encoders append to a slice and return it; decoders leave arguments, items and results as raw bytes that point into the input.
package codec

import "fmt"

// Kind is the type number of a hub message (wire contract, section 10).
type Kind uint8

// The message kinds.
const (
	Invocation       Kind = 1
	StreamItem       Kind = 2
	Completion       Kind = 3
	StreamInvocation Kind = 4
	CancelInvocation Kind = 5
	Ping             Kind = 6
	Close            Kind = 7
	Ack              Kind = 8
	Sequence         Kind = 9
)

// Message is a decoded envelope. Its slices point into the record or into the message's own scratch space: they are void after the next
// Decode into it, or once the record's memory is used again. Reuse a Message to decode without allocation.
type Message struct {
	Kind           Kind   // any number the peer wrote; unknown ones are to be skipped (0: a number outside 1 to 255)
	ID             []byte // invocationId, unescaped; empty: none
	Target         []byte // unescaped
	Headers        []byte // raw, nil when absent
	Args           []byte // raw arguments for NextValue (JSON: with the brackets; MessagePack: without the array's header, which NArgs stands for)
	NArgs          int
	ArgsErr        error    // what is wrong with the arguments alone: a binding failure of this call, not of the connection
	StreamIDs      [][]byte // unescaped
	Payload        []byte   // raw item (StreamItem) or result (Completion)
	HasResult      bool
	HasError       bool
	Error          []byte // unescaped
	AllowReconnect bool
	SequenceID     int64

	scratch []byte
}

// Error is a fault in what a peer sent. Name is the .NET exception name that clients know, Text what was wrong.
type Error struct{ Name, Text string }

func (e *Error) Error() string { return e.Text }

// ErrorName is the name shown in detailed errors.
func (e *Error) ErrorName() string { return e.Name }

// Malformed makes an InvalidDataException.
func Malformed(format string, a ...any) *Error {
	return &Error{"InvalidDataException", fmt.Sprintf(format, a...)}
}

// Protocol is one hub protocol. Implementations are stateless and safe for concurrent use.
type Protocol interface {
	Name() string // as in the handshake: "json", "messagepack"
	Binary() bool // the transfer format

	// Next finds the first whole record in src. rec is the record without separator or length prefix, n the number of bytes to drop from
	// src, framing included. n == 0 and err == nil: more bytes are needed. max is the message cap in bytes, framing included (0: none): a record
	// over it, or more than max bytes without a whole record, is a *Error with the text of section 13.
	Next(src []byte, max int) (rec []byte, n int, err error)
	// NextFrom is Next for bytes that trickle in: an earlier call has seen the first from bytes of src, and asked for more. So a record that comes byte by byte
	// costs no more than one that comes at once. A protocol with length prefixes has no use for from.
	NextFrom(src []byte, from, max int) (rec []byte, n int, err error)
	// Decode reads a record's envelope into m, which it resets first. Errors are *Error.
	Decode(rec []byte, m *Message) error

	// NextValue cuts the first value off a raw argument list (Message.Args, without its bracket or array header on the second call and
	// later: pass rest). ok false: there is none left.
	NextValue(args []byte) (value, rest []byte, ok bool)
	// Bind decodes one raw value into dst, a non-nil pointer. Unlike encoding/json, null fails for types that cannot hold it (numbers, bool, time) and strings do not become
	// numbers or the reverse. null into string gives "".
	Bind(value []byte, dst any) error

	// One message is begun, filled and ended: start := len(dst); dst = p.BeginX(dst, …); the values; dst = p.End(dst, start).
	BeginInvocation(dst []byte, id, target string, nargs int) []byte // id "": no reply wanted
	BeginStreamItem(dst []byte, id string) []byte
	BeginResult(dst []byte, id string) []byte
	// Sep separates two arguments.
	Sep(dst []byte) []byte
	// EndArgs ends the arguments of an invocation.
	EndArgs(dst []byte) []byte
	// End ends the record that began at start (adds the separator, or the length prefix).
	End(dst []byte, start int) []byte

	// The values. AppendValue takes anything; an error leaves dst as it was.
	AppendValue(dst []byte, v any) ([]byte, error)
	AppendString(dst []byte, s string) []byte
	AppendInt(dst []byte, n int64) []byte
	AppendUint(dst []byte, n uint64) []byte
	AppendFloat(dst []byte, f float64, bits int) ([]byte, error) // NaN and infinities are an error in JSON
	AppendBool(dst []byte, b bool) []byte
	AppendNil(dst []byte) []byte
	AppendRaw(dst, raw []byte) []byte // a raw value of this protocol

	// Whole records.
	AppendInvocation(dst []byte, id, target string, args []any) ([]byte, error)
	AppendStreamInvocation(dst []byte, id, target string, args []any, streamIDs []string) ([]byte, error)
	AppendStreamItem(dst []byte, id string, item any) ([]byte, error)
	AppendResult(dst []byte, id string, result any) ([]byte, error)
	AppendError(dst []byte, id, text string) []byte
	AppendCompletion(dst []byte, id string) []byte // neither result nor error: the end of a stream
	AppendCancel(dst []byte, id string) []byte
	AppendPing(dst []byte) []byte
	AppendClose(dst []byte, text string, allowReconnect bool) []byte // text "": no error
	AppendAck(dst []byte, n int64) []byte
	AppendSequence(dst []byte, n int64) []byte
}
