package http1

import (
	"net"
	"strings"
)

// StrictHost says whether a Strict-Transport-Security header for host, that of a request, makes sense: not for localhost and names below it, where developers use plain HTTP on
// other ports, which the header is for, too. (For addresses clients do not obey it: RFC 6797, section 8.1.1.)
func StrictHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host != "localhost" && !strings.HasSuffix(host, ".localhost")
}
