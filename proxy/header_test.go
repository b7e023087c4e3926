package proxy

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// block makes a header of version 2.
func block(cmd, family byte, body string) string {
	return signature + string([]byte{cmd, family, byte(len(body) >> 8), byte(len(body))}) + body
}

// tlv makes a type-length-value triple.
func tlv(kind byte, value string) string {
	return string([]byte{kind, byte(len(value) >> 8), byte(len(value))}) + value
}

// summed puts the right CRC into the zero one that a header of version 2 has.
func summed(header string) string {
	p := []byte(header)
	i := strings.LastIndex(header, "\x03\x00\x04\x00\x00\x00\x00")
	binary.BigEndian.PutUint32(p[i+3:], crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
	return string(p)
}

const (
	inet   = "\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x01\xbb"                                                                                                           // 192.0.2.1:51234 to 192.0.2.2:443
	inet6  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\xc8\x22\x01\xbb" // 2001:db8::1
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\xc8\x22\x01\xbb" // ::ffff:192.0.2.1
	zeros  = "\x03\x00\x04\x00\x00\x00\x00"                                                                                                                               // a CRC to be filled in
)

var (
	paths     = strings.Repeat("/", 216)
	addr4     = netip.MustParseAddrPort("192.0.2.1:51234")
	addr6     = netip.MustParseAddrPort("[2001:db8::1]:51234")
	tlsClient = tlv(0x20, "\x01\x00\x00\x00\x00"+tlv(0x21, "TLSv1.3"))
)

var headerTests = []struct {
	name string
	in   string
	want Header
	err  error
}{
	{"v1, IPv4", "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n", Header{Kind: Address, Source: addr4}, nil},
	{"v1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 51234 443\r\n", Header{Kind: Address, Source: addr6}, nil},
	{"v1, IPv4 in IPv6", "PROXY TCP6 ::ffff:192.0.2.1 ::1 51234 443\r\n", Header{Kind: Address, Source: addr4}, nil},
	{"v1, the longest IPv4", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Header{Kind: Address, Source: netip.MustParseAddrPort("255.255.255.255:65535")}, nil},
	{"v1, port 0", "PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", Header{Kind: Address, Source: netip.MustParseAddrPort("192.0.2.1:0")}, nil},
	{"v1, unknown", "PROXY UNKNOWN\r\n", Header{Kind: Unknown}, nil},
	{"v1, unknown with something", "PROXY UNKNOWN ffff:f...f:ffff \x00 1 2\r\n", Header{Kind: Unknown}, nil},
	{"v1, 107 bytes", "PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n", Header{Kind: Unknown}, nil},
	{"v1, 108 bytes", "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", Header{}, errLong},
	{"v1, no end", "PROXY TCP4 " + strings.Repeat("1", 200), Header{}, errLong},
	{"v1, LF alone", "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\n", Header{}, errLine},
	{"v1, unknown family", "PROXY TCP5 192.0.2.1 192.0.2.2 51234 443\r\n", Header{}, errLine},
	{"v1, UNKNOWN and more letters", "PROXY UNKNOWNX\r\n", Header{}, errLine},
	{"v1, lower case", "PROXY tcp4 192.0.2.1 192.0.2.2 51234 443\r\n", Header{}, errLine},
	{"v1, nothing", "PROXY \r\n", Header{}, errLine},
	{"v1, a word too few", "PROXY TCP4 192.0.2.1 192.0.2.2 51234\r\n", Header{}, errLine},
	{"v1, a word too many", "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443 1\r\n", Header{}, errLine},
	{"v1, two spaces", "PROXY TCP4 192.0.2.1  192.0.2.2 51234 443\r\n", Header{}, errLine},
	{"v1, a space at the end", "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443 \r\n", Header{}, errLine},
	{"v1, IPv6 as TCP4", "PROXY TCP4 2001:db8::1 2001:db8::2 51234 443\r\n", Header{}, errLine},
	{"v1, IPv4 as TCP6", "PROXY TCP6 192.0.2.1 192.0.2.2 51234 443\r\n", Header{}, errLine},
	{"v1, a zone", "PROXY TCP6 fe80::1%1 2001:db8::2 51234 443\r\n", Header{}, errLine},
	{"v1, no address", "PROXY TCP4 192.0.2.256 192.0.2.2 51234 443\r\n", Header{}, errLine},
	{"v1, no destination", "PROXY TCP4 192.0.2.1 here 51234 443\r\n", Header{}, errLine},
	{"v1, a port with a zero", "PROXY TCP4 192.0.2.1 192.0.2.2 051234 443\r\n", Header{}, errLine},
	{"v1, a port too large", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n", Header{}, errLine},
	{"v1, a signed port", "PROXY TCP4 192.0.2.1 192.0.2.2 51234 +443\r\n", Header{}, errLine},
	{"v1, CR within", "PROXY TCP4 192.0.2.1\r192.0.2.2 51234 443\r\n", Header{}, errLine},

	{"v2, IPv4", block(0x21, 0x11, inet), Header{Kind: Address, Source: addr4}, nil},
	{"v2, IPv6", block(0x21, 0x21, inet6), Header{Kind: Address, Source: addr6}, nil},
	{"v2, IPv4 in IPv6", block(0x21, 0x21, mapped), Header{Kind: Address, Source: addr4}, nil},
	{"v2, unix", block(0x21, 0x31, paths), Header{Kind: Unix}, nil},
	{"v2, local", block(0x20, 0x00, ""), Header{Kind: Local}, nil},
	{"v2, local, the rest is ignored", block(0x20, 0xff, "whatever"), Header{Kind: Local}, nil},
	{"v2, unspecified", block(0x21, 0x00, ""), Header{Kind: Unknown}, nil},
	{"v2, unspecified, the rest is ignored", block(0x21, 0x00, "\x03\x00"), Header{Kind: Unknown}, nil},
	{"v2, datagrams", block(0x21, 0x12, inet), Header{Kind: Unknown}, nil},
	{"v2, IPv4 without a transport", block(0x21, 0x10, inet), Header{Kind: Unknown}, nil},
	{"v2, TLVs", block(0x21, 0x11, inet+tlv(0x01, "h2")+tlv(0x02, "chat.example")+tlv(0x04, "")+tlv(0xee, "\x00\xff")), Header{Kind: Address, Source: addr4}, nil},
	{"v2, the largest", block(0x21, 0x11, inet+tlv(0x04, strings.Repeat("\x00", maxBlock-fixed-12-3))), Header{Kind: Address, Source: addr4}, nil},
	{"v2, TLS", block(0x21, 0x11, inet+tlsClient), Header{Kind: Address, Source: addr4, TLS: true}, nil},
	{"v2, no TLS", block(0x21, 0x11, inet+tlv(0x20, "\x00\x00\x00\x00\x00")), Header{Kind: Address, Source: addr4}, nil},
	{"v2, unix by TLS", block(0x21, 0x31, paths+tlsClient), Header{Kind: Unix, TLS: true}, nil},
	{"v2, CRC", summed(block(0x21, 0x11, inet+zeros)), Header{Kind: Address, Source: addr4}, nil},
	{"v2, CRC in the middle", summed(block(0x21, 0x21, inet6+tlv(0x02, "a")+zeros+tlsClient)), Header{Kind: Address, Source: addr6, TLS: true}, nil},
	{"v2, a wrong CRC", block(0x21, 0x11, inet+tlv(0x03, "\x01\x02\x03\x04")), Header{}, errCRC},
	{"v2, two CRCs", summed(block(0x21, 0x11, inet+tlv(0x03, "\x01\x02\x03\x04")+zeros)), Header{}, errCRC},
	{"v2, a CRC of another length", block(0x21, 0x11, inet+tlv(0x03, "\x01\x02\x03")), Header{}, errTLV},
	{"v2, TLS cut off", block(0x21, 0x11, inet+tlv(0x20, "\x01\x00\x00\x00")), Header{}, errTLV},
	{"v2, half a TLV", block(0x21, 0x11, inet+"\x04\x00"), Header{}, errTLV},
	{"v2, a TLV that is too long", block(0x21, 0x11, inet+"\x04\x00\x02x"), Header{}, errTLV},
	{"v2, too short for IPv4", block(0x21, 0x11, inet[1:]), Header{}, errShort},
	{"v2, too short for IPv6", block(0x21, 0x21, inet6[1:]), Header{}, errShort},
	{"v2, too short for paths", block(0x21, 0x31, paths[1:]), Header{}, errShort},
	{"v2, an unknown command", block(0x22, 0x11, inet), Header{}, errVersion},
	{"v2, version 1", block(0x11, 0x11, inet), Header{}, errVersion},
	{"v2, version 3", block(0x31, 0x11, inet), Header{}, errVersion},
	{"v2, an unknown family", block(0x21, 0x41, inet), Header{}, errFamily},
	{"v2, an unknown transport", block(0x21, 0x13, inet), Header{}, errFamily},
	{"v2, too large", block(0x21, 0x11, inet+strings.Repeat("x", maxBlock-fixed-12+1)), Header{}, errBlock},
	{"v2, 64 KiB", block(0x21, 0x11, strings.Repeat("x", 65535)), Header{}, errBlock},

	{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", Header{}, errNoHeader},
	{"POST", "POST / HTTP/1.1\r\n", Header{}, errNoHeader},
	{"TLS", "\x16\x03\x01\x02\x00\x01", Header{}, errNoHeader},
	{"another case", "Proxy TCP4 192.0.2.1 192.0.2.2 51234 443\r\n", Header{}, errNoHeader},
	{"no space", "PROXYTCP4 192.0.2.1 192.0.2.2 51234 443\r\n", Header{}, errNoHeader},
	{"half a signature", "\r\n\r\n\x00\r\nQUIT\r", Header{}, errNoHeader},
	{"an empty line", "\r\nGET / HTTP/1.1\r\n", Header{}, errNoHeader},
}

func TestReadHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range headerTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, behind := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x00\r\n"} {
				in := tt.in + behind
				h, n, err := ReadHeader([]byte(in))
				if h != tt.want || err != tt.err {
					t.Fatalf("with %q behind: %+v, %v; want %+v, %v", behind, h, err, tt.want, tt.err)
				}
				if err == nil && n != len(tt.in) || err != nil && n != 0 {
					t.Fatalf("with %q behind: %d bytes of %d", behind, n, len(tt.in))
				}
			}
			// At every beginning of it: more must come, or it is wrong already, and then it stays so.
			for cut := range len(tt.in) {
				h, n, err := ReadHeader([]byte(tt.in[:cut]))
				if n != 0 || h != (Header{}) {
					t.Fatalf("%d bytes of it are taken for a header: %+v, %d", cut, h, n)
				}
				if err != nil && err != tt.err {
					t.Fatalf("after %d bytes: %v; want %v or to wait", cut, err, tt.err)
				}
			}
		})
	}
}

// TestReadHeaderIsEarly checks that what is no header is refused at its first wrong byte, not at a deadline.
func TestReadHeaderIsEarly(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{
		"G": errNoHeader, "PO": errNoHeader, "\x16": errNoHeader, "\r\n\r\n\x00\r\nQUIX": errNoHeader,
		signature + "\x23": errVersion, signature + "\x21\x11\xff\xff": errBlock, signature + "\x21\x51\x00\x0c": errFamily,
	} {
		if _, n, err := ReadHeader([]byte(in)); err != want || n != 0 {
			t.Errorf("%q: %d, %v; want %v", in, n, err, want)
		}
	}
	if _, n, err := ReadHeader(nil); n != 0 || err != nil {
		t.Errorf("nothing yet: %d, %v", n, err)
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	tr := trust(t, "10.0.0.0/8")
	socket := tr.Socket(netip.MustParseAddrPort("10.0.0.1:1"))
	for _, tt := range []struct {
		name string
		h    Header
		want Peer
	}{
		{"a client", Header{Kind: Address, Source: addr4, TLS: true}, Peer{Addr: addr4, TLS: true}},
		{"another proxy", Header{Kind: Address, Source: netip.MustParseAddrPort("10.0.0.2:2")}, Peer{Addr: netip.MustParseAddrPort("10.0.0.2:2"), Trusted: true}},
		{"the proxy itself", Header{Kind: Local}, socket},
		{"somebody", Header{Kind: Unknown}, Peer{Addr: socket.Addr}},
		{"a unix socket", Header{Kind: Unix}, Peer{}},
	} {
		if got := tr.Behind(tt.h, socket); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
