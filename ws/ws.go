// Package ws is the server side of RFC 6455 as a state machine over partial bytes.
package ws

import (
	"net/http"
	"time"

	"github.com/spokehub/spoke/engine"
)

// Config is shared by the connections of an endpoint. Zero value: defaults.
type Config struct {
	CloseTimeout     time.Duration                 // wait for the peer's close frame; default 5 s
	KeepAlive        time.Duration                 // unsolicited empty pong, or with KeepAliveTimeout a ping, this often; default 2 min; negative: off
	KeepAliveTimeout time.Duration                 // a ping's pong must come within it; default 0: not asked for
	SubProtocol      func(offered []string) string // "" selects none; nil: none
}

// Receiver gets what comes in. All methods run on the connection's loop.
type Receiver interface {
	// OnPayload gets a piece of the payload of data messages, unmasked, in order; piece and message boundaries mean nothing.
	// p is void after the call. Not called any more after a Close or End.
	OnPayload(c *Conn, p []byte)
	OnDrain(c *Conn)
	// OnDeadline: the second set by Conn.SetDeadline has come.
	OnDeadline(c *Conn, now uint32)
	// OnClosed is the last call. graceful: a close frame came from the peer (code is its code, 1005 if it had none).
	OnClosed(c *Conn, r engine.CloseReason, graceful bool, code uint16, err error)
}

// Valid reports whether r is a complete and valid upgrade request: GET, HTTP/1.1, Upgrade: websocket, Connection: Upgrade, version 13, a key of
// 16 bytes in base64. (A faulty one is answered as a poll: wire contract, section 3.)
func Valid(r *http.Request) bool { panic("contract") }

// AppendUpgrade appends the 101 response to r, for which Valid must hold.
func AppendUpgrade(dst []byte, r *http.Request, cfg *Config) []byte { panic("contract") }

// Conn is the WebSocket on an engine connection; it is the connection's engine.Handler. Loop only.
type Conn struct{}

// NewConn makes the state machine; the caller has queued the 101 response and makes it the engine connection's handler.
func NewConn(ec *engine.Conn, cfg *Config, recv Receiver) *Conn { panic("contract") }

func (c *Conn) Engine() *engine.Conn { panic("contract") }

// Send sends a shared frame, whose header must be one made by AppendHeader. After Close it does nothing.
func (c *Conn) Send(f *engine.Frame) { panic("contract") }

// Write sends payload, copied, as one message. After Close it does nothing.
func (c *Conn) Write(binary bool, payload []byte) { panic("contract") }

// SetDeadline is the receiver's own deadline, beside those of the close handshake and the keep-alive.
func (c *Conn) SetDeadline(at uint32) { panic("contract") }

func (c *Conn) PauseRead()  { panic("contract") }
func (c *Conn) ResumeRead() { panic("contract") }

// Close sends a close frame behind what is queued, waits up to CloseTimeout for the peer's, then ends TCP with reason r.
func (c *Conn) Close(code uint16, r engine.CloseReason, err error) { panic("contract") }

// MaxHeader is the longest header of a server's frame.
const MaxHeader = 10

// AppendHeader appends the header of a final, unmasked text or binary frame of n payload bytes.
func AppendHeader(dst []byte, binary bool, n int) []byte { panic("contract") }
