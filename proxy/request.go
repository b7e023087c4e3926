package proxy

import (
	"context"
	"net"
	"net/http"
	"net/netip"
)

type (
	originKey struct{}
	peerKey   struct{}
)

// NewContext adds what trusted proxies have said about a request.
func NewContext(ctx context.Context, o *Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// FromContext is what trusted proxies have said about the request; nil: nothing. It must not be changed.
func FromContext(ctx context.Context) *Origin {
	o, _ := ctx.Value(originKey{}).(*Origin)
	return o
}

// Scheme is the scheme by which the client has come, "http" or "https": as a trusted proxy says or, if none does, as the connection has it. Request.URL.Scheme does not
// say it: it is what the client has written.
func Scheme(r *http.Request) string {
	if o := FromContext(r.Context()); o != nil && o.Scheme != "" {
		return o.Scheme
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// WithPeer says who is at the other end of a connection whose address does not say it: for http.Server.ConnContext, behind the PROXY protocol.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// Request is r as its client has sent it: a shallow copy with the client's RemoteAddr and Host, and the scheme in its context, if r is a trusted proxy's that says so; else r
// itself. r.RemoteAddr must be the peer's, as net/http sets it. The error says why the request is to be answered with 400; it has nothing of the request in it.
func (t *Trust) Request(r *http.Request) (*http.Request, error) {
	if t.None() {
		return r, nil
	}
	peer, ok := r.Context().Value(peerKey{}).(Peer)
	if !ok {
		if peer, ok = t.peerOf(r); !ok {
			return r, nil
		}
	}
	return t.Apply(r, peer)
}

// peerOf is the peer of a request of net/http; false: it cannot be told.
func (t *Trust) peerOf(r *http.Request) (p Peer, ok bool) {
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return t.Socket(a), true
	}
	// The peer of a unix socket has no address, or the name of a file. Anything else is not what net/http has set.
	_, unix := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr)
	if unix && (r.RemoteAddr == "" || r.RemoteAddr[0] == '@' || r.RemoteAddr[0] == '/') {
		return t.Socket(netip.AddrPort{}), true
	}
	return p, false
}

// Apply is Request for a known peer.
func (t *Trust) Apply(r *http.Request, peer Peer) (*http.Request, error) {
	o, err := t.Origin(peer, r.Header)
	if err != nil {
		return nil, err
	}
	if peer.TLS {
		if o == nil {
			o = &Origin{Client: peer.Addr}
		}
		if o.Scheme == "" {
			o.Scheme = "https"
		}
	}
	if o == nil {
		return r, nil
	}
	r = r.WithContext(NewContext(r.Context(), o))
	r.RemoteAddr = remoteAddr(o.Client)
	if o.Host != "" {
		r.Host = o.Host
	}
	return r, nil
}
