package spoke

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spokehub/spoke/proxy"
)

// plainHTTP serves what is for no hub with net/http, on connections that the loops give away.
type plainHTTP struct {
	mux    *http.ServeMux // nil: no handlers
	server http.Server
	conns  chan net.Conn
	send   time.Duration // a client that takes nothing for so long is cut off
	done   chan struct{}
	once   sync.Once
	served sync.WaitGroup
}

func (p *plainHTTP) init(s *Server) {
	p.send = orTime(s.cfg.Engine.SendTimeout, 10*time.Second)
	p.conns, p.done = make(chan net.Conn), make(chan struct{})
	p.server = http.Server{
		Handler:           http.HandlerFunc(s.front), // a later request on the same connection may be for a hub
		ReadHeaderTimeout: orTime(s.cfg.HTTP.HeadTimeout, 10*time.Second),
		IdleTimeout:       orTime(s.cfg.HTTP.KeepAlive, time.Minute),
		MaxHeaderBytes:    s.cfg.HTTP.MaxHead,
		ConnContext:       connContext,
	}
}

func orTime(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

func (p *plainHTTP) handle(pattern string, h http.Handler) {
	if p.mux == nil {
		p.mux = http.NewServeMux()
	}
	p.mux.Handle(pattern, h)
}

func (p *plainHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.mux == nil {
		w.Header()["Content-Type"] = nil
		w.WriteHeader(http.StatusNotFound)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// start serves, if there is a handler to serve. Under Server.mu, before the loops can give anything away.
func (p *plainHTTP) start() {
	if p.mux != nil {
		p.served.Go(func() { _ = p.server.Serve(p) }) // ends with ErrServerClosed, always
	}
}

// take gets a connection from a loop, on a goroutine of its own.
func (p *plainHTTP) take(nc net.Conn, peer *proxy.Peer) {
	select {
	case p.conns <- &plainConn{nc, p.send, peer}:
	case <-p.done:
		_ = nc.Close()
	}
}

func (p *plainHTTP) shutdown(ctx context.Context) error {
	err := p.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, p.server.Close())
	}
	_ = p.Close()
	p.served.Wait()
	return err
}

// Accept, Close and Addr make it the http.Server's listener.
func (p *plainHTTP) Accept() (net.Conn, error) {
	select {
	case nc := <-p.conns:
		return nc, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *plainHTTP) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *plainHTTP) Addr() net.Addr { return &net.TCPAddr{} }

// plainConn cuts a client off that takes nothing for a while: net/http's own write timeout is one for a whole answer, which a stream may outlive.
type plainConn struct {
	net.Conn
	timeout time.Duration
	peer    *proxy.Peer // by a PROXY header; nil: the socket's
}

// connContext tells front and ServeHTTP of what net/http does not see.
func connContext(ctx context.Context, nc net.Conn) context.Context {
	c, ok := nc.(*plainConn)
	if !ok {
		return ctx
	}
	if c.peer != nil {
		ctx = proxy.WithPeer(ctx, *c.peer)
	}
	return tlsContext(ctx, c.Conn)
}

// RemoteAddr is the peer's, which net/http puts into its requests.
func (c *plainConn) RemoteAddr() net.Addr {
	if c.peer == nil {
		return c.Conn.RemoteAddr()
	}
	return peerAddr(*c.peer)
}

// peerAddr is a peer as a net.Addr.
type peerAddr proxy.Peer

func (a peerAddr) Network() string { return "tcp" }
func (a peerAddr) String() string  { return proxy.Peer(a).String() }

// plainPiece is how much of a large write has a timeout of its own.
const plainPiece = 64 << 10

// Write implements net.Conn.
func (c *plainConn) Write(p []byte) (n int, err error) {
	for {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return n, err
		}
		k, err := c.Conn.Write(p[n:min(len(p), n+plainPiece)])
		if n += k; err != nil || n == len(p) {
			return n, err
		}
	}
}

// CloseWrite ends the direction to the client; net/http does that before it closes a connection of which it has not read all.
func (c *plainConn) CloseWrite() error {
	w, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return w.CloseWrite()
}

// Underlying is the connection that may move back into the loops.
func (c *plainConn) Underlying() net.Conn { return c.Conn }
