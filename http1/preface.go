package http1

import (
	"io"
	"net/http"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// preface is the handler of a trusted proxy's connection until its PROXY protocol header is there. // loop
type preface struct {
	cfg  *Config
	some bool // bytes have come
}

// OnData implements engine.Handler.
func (h *preface) OnData(c *engine.Conn, p []byte) int {
	h.some = true
	header, n, err := proxy.ReadHeader(p)
	switch {
	case err != nil:
		h.fail(c, badRequest(err.Error()))
	case n > 0:
		cfg := h.cfg
		peer := cfg.Trust.Behind(header, cfg.Trust.Socket(c.Remote()))
		if cfg.TLS != nil {
			c.SetDeadline(0) // the handshake has its own
			c.Secure(cfg.TLS, func(c *engine.Conn) engine.Handler { return cfg.begin(c, &peer) })
		} else {
			c.SetHandler(cfg.begin(c, &peer))
		}
	}
	return n
}

// fail answers in HTTP, which a proxy that was not told to speak the PROXY protocol shows in its log.
func (h *preface) fail(c *engine.Conn, f *fault) {
	c.Write(appendFault(nil, f, false, c.Loop().Time()))
	c.SetDeadline(0)
	c.Close(f.reason, f)
}

// OnEOF implements engine.Handler: load balancers look whether a server is there, and say nothing.
func (h *preface) OnEOF(c *engine.Conn) {
	var err error
	if h.some {
		err = io.ErrUnexpectedEOF
	}
	c.Close(engine.PeerClosed, err)
}

// OnDeadline implements engine.Handler.
func (h *preface) OnDeadline(c *engine.Conn, _ uint32) { h.fail(c, headerTooSlow(h.cfg)) }

// OnDrain implements engine.Handler.
func (h *preface) OnDrain(*engine.Conn) {}

// OnClose implements engine.Handler.
func (h *preface) OnClose(*engine.Conn, engine.CloseReason, error) {}

// origin gives a request the address, host and scheme of its client.
func (h *conn) origin(c *engine.Conn, r *http.Request) (*http.Request, *fault) {
	var peer proxy.Peer
	if h.peer != nil {
		peer = *h.peer
	} else {
		peer = h.cfg.Trust.Socket(c.Remote())
	}
	r.RemoteAddr = peer.String()
	if h.cfg.Trust == nil {
		return r, nil
	}
	r, err := h.cfg.Trust.Apply(r, peer)
	if err != nil {
		return nil, badRequest(err.Error())
	}
	return r, nil
}
