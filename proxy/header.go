package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a PROXY protocol header says.
type Header struct {
	Kind   Kind
	Source netip.AddrPort // of kind Address: who has come to the proxy
	TLS    bool           // it came by TLS (version 2, PP2_TYPE_SSL)
}

// Kind is whom a connection is for.
type Kind uint8

// The kinds.
const (
	Unknown Kind = iota // for somebody of whom the proxy does not say the address
	Address             // for Header.Source
	Unix                // for a client of a unix socket, who has no address
	Local               // for the proxy itself: health checks
)

// Bounds of a header.
const (
	maxLine  = 107     // of version 1, with its CR LF
	maxBlock = 4 << 10 // of version 2: far more than the addresses and the TLVs that there are
)

// The refusals of connections. None has anything of the peer in it.
var (
	errNoHeader = errors.New("the connection does not begin with a PROXY protocol header, as those of trusted proxies must here")
	errLine     = errors.New("the PROXY protocol header (version 1) is no line such as PROXY TCP4 192.0.2.1 192.0.2.2 51234 443")
	errLong     = errors.New("the PROXY protocol header (version 1) has no CR LF in its first 107 bytes")
	errVersion  = errors.New("the PROXY protocol header has the signature of version 2, but another version or an unknown command")
	errFamily   = errors.New("the PROXY protocol header (version 2) has an unknown address family or transport")
	errBlock    = errors.New("the PROXY protocol header (version 2) is over the limit of 4096 bytes")
	errShort    = errors.New("the PROXY protocol header (version 2) is too short for its addresses")
	errTLV      = errors.New("the PROXY protocol header (version 2) has a TLV that is cut off or malformed")
	errCRC      = errors.New("the PROXY protocol header (version 2) does not have the CRC that it says")
)

const (
	lineStart = "PROXY "
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	fixed     = len(signature) + 4
)

// ReadHeader reads a header of version 1 or 2 at the start of p, which may be cut anywhere, and returns its length. n is 0 without an error as long as more must come. What cannot
// become a header any more is an error at once. Source: proxy-protocol.txt of HAProxy, sections 2.1 and 2.2.
func ReadHeader(p []byte) (h Header, n int, err error) {
	switch {
	case startsAs(p, lineStart):
		return readLine(p)
	case startsAs(p, signature):
		return readBlock(p)
	}
	return h, 0, errNoHeader
}

// startsAs reports whether p begins with text, or is the beginning of it.
func startsAs(p []byte, text string) bool {
	n := min(len(p), len(text))
	return string(p[:n]) == text[:n]
}

// readLine reads version 1.
func readLine(p []byte) (h Header, n int, err error) {
	head := p[:min(len(p), maxLine)]
	end := bytes.IndexByte(head, '\n')
	if end < 0 {
		if len(head) == maxLine {
			return h, 0, errLong
		}
		return h, 0, nil
	}
	if head[end-1] != '\r' {
		return h, 0, errLine
	}
	line := string(head[:end-1])
	n = end + 1
	if line == "PROXY UNKNOWN" || strings.HasPrefix(line, "PROXY UNKNOWN ") { // what follows is to be ignored
		return h, n, nil
	}
	words := strings.Split(line, " ")
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return h, 0, errLine
	}
	from, ok1 := lineAddr(words[2], words[4], words[1] == "TCP4")
	_, ok2 := lineAddr(words[3], words[5], words[1] == "TCP4")
	if !ok1 || !ok2 {
		return h, 0, errLine
	}
	return Header{Kind: Address, Source: from}, n, nil
}

// lineAddr reads an address and port as version 1 writes them: no zone, no leading zeros.
func lineAddr(addr, port string, four bool) (a netip.AddrPort, ok bool) {
	ip, err := netip.ParseAddr(addr)
	if err != nil || ip.Is4() != four || ip.Zone() != "" {
		return a, false
	}
	number, ok := parsePort(port)
	if !ok || strconv.Itoa(int(number)) != port {
		return a, false
	}
	return netip.AddrPortFrom(ip.Unmap(), number), true
}

// The bytes of version 2.
const (
	cmdLocal = 0x20
	cmdProxy = 0x21

	familyNone  = 0x0
	familyInet  = 0x1
	familyInet6 = 0x2
	familyUnix  = 0x3
	stream      = 0x1
	datagram    = 0x2

	tlvCRC = 0x03
	tlvSSL = 0x20
)

// readBlock reads version 2.
func readBlock(p []byte) (h Header, n int, err error) {
	if len(p) <= len(signature) {
		return h, 0, nil
	}
	cmd := p[len(signature)]
	if cmd != cmdLocal && cmd != cmdProxy {
		return h, 0, errVersion
	}
	if len(p) < fixed {
		return h, 0, nil
	}
	n = fixed + int(binary.BigEndian.Uint16(p[fixed-2:]))
	if n > maxBlock {
		return h, 0, errBlock
	}
	family, transport := p[len(signature)+1]>>4, p[len(signature)+1]&0xf
	if cmd == cmdProxy && (family > familyUnix || transport > datagram) {
		return h, 0, errFamily
	}
	if len(p) < n {
		return h, 0, nil
	}
	if cmd == cmdLocal { // the block is to be ignored, its family included
		return Header{Kind: Local}, n, nil
	}
	body := p[fixed:n]
	var size int
	switch {
	case family == familyNone || transport != stream: // valid, but nobody whom this server can have as a client
		return h, n, nil
	case family == familyInet:
		size = 12
	case family == familyInet6:
		size = 36
	default:
		size = 216
	}
	if len(body) < size {
		return h, 0, errShort
	}
	if h.TLS, err = readTLVs(p[:n], fixed+size); err != nil {
		return Header{}, 0, err
	}
	switch family {
	case familyInet:
		h.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:]))
	case familyInet6:
		h.Source = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[32:]))
	default:
		h.Kind = Unix
		return h, n, nil
	}
	h.Kind = Address
	return h, n, nil
}

// readTLVs walks the type-length-value triples from at to the end of the header p. The CRC is checked if there is one; of the others only whether the client came by TLS is looked at.
func readTLVs(p []byte, at int) (tls bool, err error) {
	for at < len(p) {
		if len(p)-at < 3 {
			return false, errTLV
		}
		kind, size := p[at], int(binary.BigEndian.Uint16(p[at+1:]))
		at += 3
		if len(p)-at < size {
			return false, errTLV
		}
		value := p[at : at+size]
		switch kind {
		case tlvCRC:
			if size != 4 {
				return false, errTLV
			}
			sum := crc32.Checksum(p[:at], castagnoli)
			sum = crc32.Update(sum, castagnoli, []byte{0, 0, 0, 0}) // computed as if the field were zero
			sum = crc32.Update(sum, castagnoli, p[at+4:])
			if sum != binary.BigEndian.Uint32(value) {
				return false, errCRC
			}
		case tlvSSL:
			if size < 5 {
				return false, errTLV
			}
			tls = value[0]&1 != 0 // PP2_CLIENT_SSL
		}
		at += size
	}
	return tls, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Behind is the peer that h makes of the trusted proxy at the socket. Only what a proxy says of itself (Local) has the trust that it has: the client of a proxy is trusted if
// its own address is.
func (t *Trust) Behind(h Header, socket Peer) Peer {
	switch h.Kind {
	case Local:
		return socket
	case Address:
		return Peer{Addr: h.Source, Trusted: t.Has(h.Source.Addr()), TLS: h.TLS}
	case Unix:
		return Peer{TLS: h.TLS}
	}
	return Peer{Addr: socket.Addr}
}
