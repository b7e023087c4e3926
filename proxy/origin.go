package proxy

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
)

// Origin is where a request comes from, by the word of trusted proxies.
type Origin struct {
	Client netip.AddrPort // the port is 0 when it was not said; invalid: a client without an address
	Scheme string         // "http" or "https", as the client has it; "": not said
	Host   string         // as the client has it, with the port if it has one; "": not said
}

// What errors.Is finds in the refusals of requests of trusted proxies. None has anything of the request in it.
var (
	errFor      = errors.New("X-Forwarded-For from a trusted proxy has an entry that is no address")
	errProto    = errors.New("X-Forwarded-Proto from a trusted proxy is neither http nor https")
	errHost     = errors.New("X-Forwarded-Host from a trusted proxy has a character that no host has")
	errElement  = errors.New("Forwarded from a trusted proxy is not a list of name=value pairs as RFC 7239, section 4, wants it")
	errElements = errors.New("Forwarded from a trusted proxy has more than 64 elements")
	errTwice    = errors.New("Forwarded from a trusted proxy has an element with a parameter twice")
	errNode     = errors.New("Forwarded from a trusted proxy has a for that is no address, unknown or _name")
	errFwdProto = errors.New("Forwarded from a trusted proxy has a proto that is neither http nor https")
	errFwdHost  = errors.New("Forwarded from a trusted proxy has a host with a character that no host has")
)

// Origin reads the headers of a request that peer has sent; nil: nothing is to be believed of what it says, or it says nothing.
//
// The addresses are walked from the right, where the nearest proxy has written, as long as the hop is a trusted proxy: the first one that is not is the client, and what
// is to the left of it is its own word, which nobody looks at. If all are trusted the leftmost is the client. A hop that is "unknown", or has an obfuscated name, ends
// the walk at the proxy that said so. An entry on the way that is none of this is an error, to be answered with 400: a proxy that is trusted does not write it.
//
// If there is any of the X-Forwarded-* headers, Forwarded is not looked at: a proxy that writes X-Forwarded-* seldom knows Forwarded and lets a client's pass.
// X-Forwarded-Proto and -Host may be lists, of which the entry as far from the right as the client's address is taken, or the leftmost if the list is shorter.
func (t *Trust) Origin(peer Peer, h http.Header) (*Origin, error) {
	if t == nil || !peer.Trusted {
		return nil, nil
	}
	believed := t.Headers
	if believed == 0 {
		believed = allHeaders
	}
	if believed&xForwardedAs != 0 {
		fors := believe(h, believed&XForwardedFor, "X-Forwarded-For")
		protos := believe(h, believed&XForwardedProto, "X-Forwarded-Proto")
		hosts := believe(h, believed&XForwardedHost, "X-Forwarded-Host")
		if len(fors)+len(protos)+len(hosts) > 0 {
			return t.xForwarded(peer, fors, protos, hosts)
		}
	}
	if lines := believe(h, believed&Forwarded, "Forwarded"); len(lines) > 0 {
		return t.forwarded(peer, lines)
	}
	return nil, nil
}

func believe(h http.Header, believed Headers, name string) []string {
	if believed == 0 {
		return nil
	}
	return h[name]
}

func (t *Trust) xForwarded(peer Peer, fors, protos, hosts []string) (*Origin, error) {
	o := &Origin{Client: peer.Addr}
	hop := 0 // how far from the right the client's entry is
	walk := backwards{lines: fors}
	for n := 0; ; n++ {
		entry, ok := walk.next()
		if !ok {
			break
		}
		a, kind := parseNode(entry, false)
		if kind == nodeBad {
			return nil, errFor
		}
		hop = n
		if kind == nodeUnknown {
			break
		}
		o.Client = a
		if kind == nodeUnix && !t.Unix || kind == nodeAddress && !t.Has(a.Addr()) {
			break
		}
	}
	if proto := entryAt(protos, hop); proto != "" {
		if o.Scheme = scheme(proto); o.Scheme == "" {
			return nil, errProto
		}
	}
	if o.Host = entryAt(hosts, hop); o.Host != "" && !validHost(o.Host) {
		return nil, errHost
	}
	return o, nil
}

// backwards gives the entries of a comma-separated list from the last to the first, over all its lines (RFC 9110, section 5.3), but for empty ones (5.6.1.2).
type backwards struct {
	lines []string
	rest  string
	open  bool // rest is what is left of a line
}

func (b *backwards) next() (entry string, ok bool) {
	for {
		if !b.open {
			if len(b.lines) == 0 {
				return "", false
			}
			last := len(b.lines) - 1
			b.rest, b.open = b.lines[last], true
			b.lines = b.lines[:last]
		}
		i := strings.LastIndexByte(b.rest, ',')
		entry = strings.Trim(b.rest[i+1:], " \t")
		if i < 0 {
			b.open = false
		} else {
			b.rest = b.rest[:i]
		}
		if entry != "" {
			return entry, true
		}
	}
}

// entryAt is the nth entry from the right, or the leftmost of a shorter list; "" if it is empty.
func entryAt(lines []string, n int) (entry string) {
	walk := backwards{lines: lines}
	for ; n >= 0; n-- {
		e, ok := walk.next()
		if !ok {
			break
		}
		entry = e
	}
	return entry
}

// scheme is "http", "https" or, for anything else, "". Some proxies name a WebSocket's scheme.
func scheme(proto string) string {
	switch {
	case strings.EqualFold(proto, "https"), strings.EqualFold(proto, "wss"):
		return "https"
	case strings.EqualFold(proto, "http"), strings.EqualFold(proto, "ws"):
		return "http"
	}
	return ""
}

// validHost allows the characters of a host and port (RFC 3986, section 3.2) but the comma, as package http1 does for Host itself.
func validHost(s string) bool {
	for i := range len(s) {
		b := s[i]
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9') && strings.IndexByte("!$&'()*+;=%-._~:[]", b) < 0 {
			return false
		}
	}
	return s != ""
}

type nodeKind uint8

const (
	nodeBad nodeKind = iota
	nodeAddress
	nodeUnix    // "unix:", as nginx writes for a client of a unix socket
	nodeUnknown // "unknown", or obfuscated
)

// parseNode reads an entry of X-Forwarded-For, or the node of RFC 7239, section 6, where IPv6 is in brackets always, a port may be a name and a node, too. No zones:
// they mean nothing on another machine.
func parseNode(s string, forwarded bool) (a netip.AddrPort, kind nodeKind) {
	if !forwarded {
		if s == "unix:" {
			return a, nodeUnix
		}
		if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
			return netip.AddrPortFrom(ip.Unmap(), 0), nodeAddress
		}
	}
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return a, nodeBad
		}
		if host, port = s[1:end], s[end+1:]; port != "" && port[0] != ':' || !strings.Contains(host, ":") {
			return a, nodeBad
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	var number uint16
	if port != "" {
		n, ok := parsePort(port[1:])
		if !ok && !(forwarded && obfuscated(port[1:])) {
			return a, nodeBad
		}
		number = n
	}
	if s[0] != '[' && (strings.EqualFold(host, "unknown") || forwarded && obfuscated(host)) {
		return a, nodeUnknown
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return a, nodeBad
	}
	return netip.AddrPortFrom(ip.Unmap(), number), nodeAddress
}

// parsePort reads 1 to 5 digits.
func parsePort(s string) (uint16, bool) {
	if len(s) == 0 || len(s) > 5 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return uint16(n), n <= 65535
}

// obfuscated reports whether s is an identifier of RFC 7239, section 6.3.
func obfuscated(s string) bool {
	if len(s) < 2 || s[0] != '_' {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '.' || b == '_' || b == '-') {
			return false
		}
	}
	return true
}
