package http1

import (
	"fmt"
	"strconv"

	"github.com/spokehub/spoke/engine"
)

// fault is what a peer did wrong: it is answered with status and text, and the connection closes with reason. The text holds nothing that the peer sent.
type fault struct {
	status int
	reason engine.CloseReason
	text   string
}

// Error is the text, for the log of closed connections.
func (f *fault) Error() string { return "http1: " + strconv.Itoa(f.status) + ": " + f.text }

func badRequest(text string) *fault { return &fault{400, engine.BadRequest, text} }

func badVersion() *fault {
	return &fault{505, engine.BadRequest, "this server speaks HTTP/1.1 and HTTP/1.0"}
}

func badExpectation() *fault {
	return &fault{417, engine.BadRequest, "the only expectation served is 100-continue"}
}

func headTooLarge(limit int) *fault {
	return &fault{431, engine.HeadTooLarge, fmt.Sprintf("the request line and headers are over the limit of %d bytes", limit)}
}

func tooManyHeaders(limit int) *fault {
	return &fault{431, engine.HeadTooLarge, fmt.Sprintf("there are more than %d header lines", limit)}
}

func headTooSlow(cfg *Config) *fault {
	return &fault{408, engine.HeadTimeout, fmt.Sprintf("no complete request head came within %v", cfg.headTimeout())}
}

func headerTooSlow(cfg *Config) *fault {
	return &fault{408, engine.HeadTimeout, fmt.Sprintf("no PROXY protocol header came within %v", cfg.headTimeout())}
}

func bodyTooSlow(cfg *Config) *fault {
	return &fault{408, engine.BodyTimeout, fmt.Sprintf("the body was not complete within %v", cfg.bodyTimeout())}
}

func bodyTooLarge(limit int64) *fault {
	return &fault{413, engine.BodyTooLarge, fmt.Sprintf("the body is over the limit of %d bytes", limit)}
}

// internalError is not the peer's fault.
func internalError() *fault { return &fault{500, engine.InternalError, "internal server error"} }
