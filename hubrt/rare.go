package hubrt

import (
	"crypto/tls"
	"net/http"

	"github.com/spokehub/spoke/proxy"
)

// rare is what few connections have, or what they have for a short time. It is constant: who changes it puts another one in its place, so that
// one that says nothing any more can go, whoever else is about to change it.
type rare struct {
	head    []byte               // the raw request, until it is parsed
	request *http.Request        // parsed
	items   *Items               // asked for
	life    *life                // asked for
	ending  *ending              // loop, what it points to as well
	tls     *tls.ConnectionState // of the raw request
	origin  *proxy.Origin        // what proxies have said of the request; or only the client's address, when it does not fit into Conn.remote
}

// dropRequest forgets the request, and keeps the address.
func (r *rare) dropRequest() {
	r.head, r.tls, r.request = nil, nil, nil
	if o := r.origin; o != nil {
		r.origin = nil
		if _, fits := packAddress(o.Client); !fits {
			r.origin = &proxy.Origin{Client: o.Client}
		}
	}
}

// extra is what the connection has. Any goroutine.
func (c *Conn) extra() rare {
	if r := c.rare.Load(); r != nil {
		return *r
	}
	return rare{}
}

// alter lets f change what the connection has, and returns the outcome. f is called again when others change it at the same time. Any goroutine.
func (c *Conn) alter(f func(r *rare)) rare {
	for {
		old := c.rare.Load()
		var r rare
		if old != nil {
			r = *old
		}
		f(&r)
		var next *rare
		if !r.empty() {
			next = &r
		}
		if c.rare.CompareAndSwap(old, next) {
			return r
		}
	}
}

func (r *rare) empty() bool {
	return r.head == nil && r.tls == nil && r.request == nil && r.items == nil && r.life == nil && r.ending == nil && r.origin == nil
}

// ended is how the connection ends; nil: it does not. Loop only, as setEnded.
func (c *Conn) ended() *ending { return c.extra().ending }

func (c *Conn) setEnded(e *ending) { c.alter(func(r *rare) { r.ending = e }) }
