// Package http1 speaks HTTP/1.1 on an event loop: one request after the other per connection.
package http1

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spokehub/spoke/engine"
)

// Config: zero value = defaults.
type Config struct {
	MaxHead     int               // bytes of request line and headers; default 16 KiB; over it: 431
	MaxHeaders  int               // header lines; default 100; over it: 431
	HeadTimeout time.Duration     // to complete a head, from its first byte (or the accept); default 10 s; 408
	BodyTimeout time.Duration     // to complete a body; default 30 s; 408
	KeepAlive   time.Duration     // idle between two requests; default 60 s
	Serve       func(x *Exchange) // on the loop, once a head is complete; must answer, sooner or later, exactly once
	HandOver    func(nc net.Conn) // gets connections given away by Exchange.HandOver, on a goroutine of its own
	Logger      *slog.Logger
}

// Open returns the handler of a fresh connection: the open function of an engine's listener.
func (cfg *Config) Open(c *engine.Conn) engine.Handler { panic("contract") }

// Exchange is one request and its answer. Loop only, except for Ref.
type Exchange struct{}

// Request is the head, read by net/http's own reader; Body is http.NoBody, RemoteAddr is set, the context is never cancelled.
func (x *Exchange) Request() *http.Request { panic("contract") }

// Head is the raw head, including the empty line. Void after the exchange.
func (x *Exchange) Head() []byte { panic("contract") }

func (x *Exchange) Conn() *engine.Conn { panic("contract") }

// ReadBody collects the body (Content-Length or chunked; sends 100 Continue when expected) and calls done once, on the loop: with the body (void
// after done returns), or with a nil body and ok false when the client broke off, was too slow or the body is over max bytes; in the last two cases the
// exchange has been answered (408, 413) already.
func (x *Exchange) ReadBody(max int64, done func(body []byte, ok bool)) { panic("contract") }

// Reply answers. header may be nil; Content-Length, Date and Connection are added. A body that was not asked for is read and dropped up to
// 64 KiB, else the connection closes. HEAD answers carry no body. Reply after the client has gone does nothing.
func (x *Exchange) Reply(status int, header http.Header, body []byte) { panic("contract") }

// Upgrade writes response (a whole head) and makes h the connection's handler; bytes behind the head go to it.
func (x *Exchange) Upgrade(response []byte, h engine.Handler) { panic("contract") }

// HandOver gives the connection, with this request's bytes in front, to Config.HandOver.
func (x *Exchange) HandOver() { panic("contract") }

// Later lets another goroutine answer: it pauses the exchange (nothing is read past it) and returns a function that posts f to the loop; f does not run when the
// connection is gone by then.
func (x *Exchange) Later() (post func(f func())) { panic("contract") }
