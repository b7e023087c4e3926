package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// target is the server under load.
type target struct {
	host  string // of the Host header
	addr  string // host:port to dial
	name  string // of the host, for TLS
	path  string // of the hub, escaped
	query string // without "?"; may hold numberMark

	secure bool // TLS
}

// numberMark in the URL's query is replaced by the number of the connection, from 0 to -n - 1 over all processes: each can be another user.
// A connection that takes the place of one that has ended has its number.
const numberMark = "{n}"

// numbered says that connections differ in their URLs.
func (t target) numbered() bool { return strings.Contains(t.query, numberMark) }

// of is the target of one connection.
func (t target) of(number int32) target {
	t.query = strings.ReplaceAll(t.query, numberMark, strconv.Itoa(int(number)))
	return t
}

// parseTarget reads http://host[:port]/hub, https://, ws:// or wss://.
func parseTarget(s string) (target, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return target{}, err
	}
	port, secure := "80", false
	switch u.Scheme {
	case "http", "ws":
	case "https", "wss":
		port, secure = "443", true
	default:
		return target{}, fmt.Errorf("the URL's scheme is %q: http, https, ws or wss is expected, such as http://127.0.0.1:8080/bench", u.Scheme)
	}
	if u.Hostname() == "" {
		return target{}, errors.New("the URL has no host: http://host:port/hub is expected")
	}
	if u.User != nil {
		return target{}, errors.New("the URL has a user name: give credentials with -token or -header")
	}
	if strings.Contains(u.Host+u.Path, numberMark) {
		return target{}, fmt.Errorf("the URL is %s: %s is replaced by the connection's number in the query only, such as ?user=u%s", s, numberMark, numberMark)
	}
	if p := u.Port(); p != "" {
		port = p
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	return target{host: u.Host, addr: net.JoinHostPort(u.Hostname(), port), name: u.Hostname(), path: path, query: u.RawQuery, secure: secure}, nil
}

// resolve turns the host name into an address, once: a thousand look-ups a second would load the name server. IPv4 is preferred.
func (t target) resolve() (netip.AddrPort, error) {
	a, err := net.ResolveTCPAddr("tcp", t.addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// request is the path and query of an HTTP request; extra are further query values.
func (t target) request(suffix string, extra ...string) string {
	q := t.query
	for _, e := range extra {
		if e == "" {
			continue
		}
		if q != "" {
			q += "&"
		}
		q += e
	}
	p := t.path + suffix
	if p == "" {
		p = "/"
	}
	if q != "" {
		p += "?" + q
	}
	return p
}
