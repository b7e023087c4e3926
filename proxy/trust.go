// Package proxy reads what proxies say about whom they speak for: the headers X-Forwarded-For, -Proto and -Host, Forwarded (RFC 7239), and the PROXY protocol
// in both versions (proxy-protocol.txt of HAProxy). It knows no network and no connection: who may be believed is asked of a Trust.
package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Trust says which peers are proxies whose word is taken. The zero value believes nobody. It is constant once in use; any goroutine.
type Trust struct {
	// Prefixes are the addresses of proxies. A single address is a prefix of its full length.
	Prefixes []netip.Prefix
	// Unix trusts whoever comes by a unix socket, who has no address: the file's permissions say who can.
	Unix bool
	// Headers are those that are believed. 0 is all of them.
	Headers Headers
}

// None reports that nobody is trusted.
func (t *Trust) None() bool { return t == nil || len(t.Prefixes) == 0 && !t.Unix }

// Has reports whether the address is a trusted proxy's. An IPv4 address in IPv6 clothes (::ffff:a.b.c.d) counts as what it is; the zone of a link-local one does not count.
func (t *Trust) Has(a netip.Addr) bool {
	if t == nil || !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, p := range t.Prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Peer is who is at the other end of a connection, before the headers of a request are looked at: the socket's address, or what a PROXY header has said instead.
type Peer struct {
	Addr    netip.AddrPort // invalid: it has none
	Trusted bool           // its headers are believed
	TLS     bool           // the PROXY header says that it came to the proxy by TLS
}

// Socket is the peer of a socket with that address; an invalid one is that of a unix socket.
func (t *Trust) Socket(a netip.AddrPort) Peer {
	if !a.IsValid() {
		return Peer{Trusted: t != nil && t.Unix}
	}
	return Peer{Addr: a, Trusted: t.Has(a.Addr())}
}

// String is what net/http has as Request.RemoteAddr: "@" for a peer without an address.
func (p Peer) String() string { return remoteAddr(p.Addr) }

func remoteAddr(a netip.AddrPort) string {
	if !a.IsValid() {
		return "@"
	}
	return a.String()
}

// Headers is a set of headers.
type Headers uint8

// The headers that can be believed.
const (
	XForwardedFor Headers = 1 << iota
	XForwardedProto
	XForwardedHost
	Forwarded

	allHeaders   = XForwardedFor | XForwardedProto | XForwardedHost | Forwarded
	xForwardedAs = XForwardedFor | XForwardedProto | XForwardedHost
)

var headerNames = []struct {
	bit  Headers
	name string // as net/http has it
}{{XForwardedFor, "X-Forwarded-For"}, {XForwardedProto, "X-Forwarded-Proto"}, {XForwardedHost, "X-Forwarded-Host"}, {Forwarded, "Forwarded"}}

// String names them, separated by commas.
func (h Headers) String() string {
	var names []string
	for _, n := range headerNames {
		if h&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}

// ParseHeaders reads names in any case, separated by commas; none at all are 0.
func ParseHeaders(list string) (h Headers, err error) {
next:
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		for _, n := range headerNames {
			if strings.EqualFold(name, n.name) {
				h |= n.bit
				continue next
			}
		}
		return 0, fmt.Errorf("%q is no header of a proxy: want some of %v, separated by commas", name, allHeaders)
	}
	return h, nil
}

// ParseTrust reads prefixes (10.0.0.0/8) and addresses, separated by commas; the word unix is for unix sockets.
func ParseTrust(list string) (t Trust, err error) {
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "":
		case strings.EqualFold(word, "unix"):
			t.Unix = true
		case strings.Contains(word, "/"):
			p, err := netip.ParsePrefix(word)
			if err != nil {
				return Trust{}, fmt.Errorf("%q is no prefix: want an address and its length in bits, such as 10.0.0.0/8 or fd00::/8", word)
			}
			t.Prefixes = append(t.Prefixes, p)
		default:
			a, err := netip.ParseAddr(word)
			if err != nil || a.Zone() != "" {
				return Trust{}, fmt.Errorf("%q is no address: want one such as 10.0.0.7 or fd00::7 (names are not looked up), a prefix such as 10.0.0.0/8, or the word unix", word)
			}
			t.Prefixes = append(t.Prefixes, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	err = t.Normalize()
	return t, err
}

// Normalize checks the prefixes and replaces them by copies in their plain form. All that is wrong is reported at once.
func (t *Trust) Normalize() error {
	t.Prefixes = slices.Clone(t.Prefixes)
	var errs []error
	for i, p := range t.Prefixes {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		switch {
		case !p.IsValid():
			errs = append(errs, fmt.Errorf("the trusted proxy number %d is no prefix: want one such as netip.MustParsePrefix(\"10.0.0.0/8\")", i+1))
		case p != p.Masked():
			errs = append(errs, fmt.Errorf("the trusted proxies %v: the address has bits beyond the prefix's length: want %v, or %v for the one address", p, p.Masked(),
				netip.PrefixFrom(p.Addr(), p.Addr().BitLen())))
		}
		t.Prefixes[i] = p
	}
	if t.Headers&^allHeaders != 0 {
		errs = append(errs, fmt.Errorf("the headers %#x to believe have unknown bits: want some of %v", uint8(t.Headers), allHeaders))
	}
	return errors.Join(errs...)
}

// String is the list that ParseTrust reads.
func (t *Trust) String() string {
	if t == nil {
		return ""
	}
	var words []string
	for _, p := range t.Prefixes {
		if p.IsSingleIP() {
			words = append(words, p.Addr().String())
		} else {
			words = append(words, p.String())
		}
	}
	if t.Unix {
		words = append(words, "unix")
	}
	return strings.Join(words, ",")
}
