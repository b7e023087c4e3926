package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/proxy"
)

// where is a hub that tells clients what the server knows of where they come from.
type where struct{}

// Where returns the client's address twice, as the hub and as its request have it, and the scheme and host by which it came.
func (where) Where(c *spoke.Context) [4]string {
	r := c.Request()
	return [4]string{c.Remote().String(), r.RemoteAddr, proxy.Scheme(r), r.Host}
}

// mapWhere maps the hub /where and the same for plain requests, GET /from, and what load balancers ask, GET /readyz.
func mapWhere(srv *spoke.Server) error {
	srv.Handle("GET /from", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.RemoteAddr, proxy.Scheme(r), r.Host)
	}))
	srv.Handle("GET /readyz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ready") }))
	_, err := srv.MapHub("/where", where{})
	return err
}
