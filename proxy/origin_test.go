package proxy

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// headers makes a header of lines "Name: value".
func headers(lines ...string) http.Header {
	h := make(http.Header)
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		h.Add(name, strings.TrimSpace(value))
	}
	return h
}

// The peer of these tests is 10.0.0.1; trusted are 10.0.0.0/8 and fd00::/8.
var originTests = []struct {
	name    string
	headers []string
	want    string // "client scheme host", with - for what was not said; "" for nothing said at all
	err     error
}{
	{"nothing", nil, "", nil},
	{"others", []string{"X-Real-Ip: 192.0.2.1", "Via: 1.1 x"}, "", nil},

	{"one", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0 - -", nil},
	{"with a port", []string{"X-Forwarded-For: 192.0.2.1:5123"}, "192.0.2.1:5123 - -", nil},
	{"IPv6", []string{"X-Forwarded-For: 2001:db8::1"}, "[2001:db8::1]:0 - -", nil},
	{"IPv6 in brackets", []string{"X-Forwarded-For: [2001:db8::1]"}, "[2001:db8::1]:0 - -", nil},
	{"IPv6 with a port", []string{"X-Forwarded-For: [2001:db8::1]:65535"}, "[2001:db8::1]:65535 - -", nil},
	{"IPv4 in IPv6", []string{"X-Forwarded-For: ::ffff:192.0.2.1"}, "192.0.2.1:0 - -", nil},
	{"IPv4 in IPv6 in brackets", []string{"X-Forwarded-For: [::ffff:192.0.2.1]:80"}, "192.0.2.1:80 - -", nil},
	{"the rightmost is the client's, the others are its own word", []string{"X-Forwarded-For: 203.0.113.9, 192.0.2.1"}, "192.0.2.1:0 - -", nil},
	{"over trusted hops", []string{"X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.0.0.3,10.0.0.2"}, "192.0.2.1:0 - -", nil},
	{"over trusted hops in IPv6", []string{"X-Forwarded-For: 192.0.2.1, fd00::3, ::ffff:10.0.0.2"}, "192.0.2.1:0 - -", nil},
	{"all are trusted", []string{"X-Forwarded-For: 10.0.0.9, 10.0.0.2"}, "10.0.0.9:0 - -", nil},
	{"several lines are one list", []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 192.0.2.1, 10.0.0.3", "X-Forwarded-For: 10.0.0.2"}, "192.0.2.1:0 - -", nil},
	{"empty entries", []string{"X-Forwarded-For: 203.0.113.9,, 192.0.2.1 ,\t, ", "X-Forwarded-For: ", "X-Forwarded-For: ,"}, "192.0.2.1:0 - -", nil},
	{"empty", []string{"X-Forwarded-For: "}, "10.0.0.1:4711 - -", nil},
	{"garbage in the client's own word", []string{"X-Forwarded-For: <script>, 999.1.1.1, 192.0.2.1"}, "192.0.2.1:0 - -", nil},
	{"unknown", []string{"X-Forwarded-For: 203.0.113.9, unknown"}, "10.0.0.1:4711 - -", nil},
	{"unknown behind a trusted hop", []string{"X-Forwarded-For: 203.0.113.9, Unknown, 10.0.0.2"}, "10.0.0.2:0 - -", nil},
	{"a unix socket is not trusted", []string{"X-Forwarded-For: 203.0.113.9, unix:"}, "@ - -", nil},

	{"garbage", []string{"X-Forwarded-For: 192.0.2.1, garbage"}, "", errFor},
	{"garbage behind a trusted hop", []string{"X-Forwarded-For: 192.0.2.1, 1.2.3, 10.0.0.2"}, "", errFor},
	{"octets with zeros", []string{"X-Forwarded-For: 192.000.002.001"}, "", errFor},
	{"a number", []string{"X-Forwarded-For: 3221225985"}, "", errFor},
	{"no port", []string{"X-Forwarded-For: 192.0.2.1:"}, "", errFor},
	{"a port too large", []string{"X-Forwarded-For: 192.0.2.1:65536"}, "", errFor},
	{"a signed port", []string{"X-Forwarded-For: 192.0.2.1:+80"}, "", errFor},
	{"an open bracket", []string{"X-Forwarded-For: [2001:db8::1"}, "", errFor},
	{"behind the bracket", []string{"X-Forwarded-For: [2001:db8::1]80"}, "", errFor},
	{"IPv4 in brackets", []string{"X-Forwarded-For: [192.0.2.1]:80"}, "", errFor},
	{"empty brackets", []string{"X-Forwarded-For: []"}, "", errFor},
	{"a zone", []string{"X-Forwarded-For: fe80::1%eth0"}, "", errFor},
	{"a zone in brackets", []string{"X-Forwarded-For: [fe80::1%25eth0]"}, "", errFor},
	{"quoted", []string{`X-Forwarded-For: "192.0.2.1"`}, "", errFor},
	{"obfuscated", []string{"X-Forwarded-For: _hidden"}, "", errFor},
	{"white space within", []string{"X-Forwarded-For: 192.0.2. 1"}, "", errFor},

	{"all three", []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: chat.example:8443"}, "192.0.2.1:0 https chat.example:8443", nil},
	{"scheme alone", []string{"X-Forwarded-Proto: HTTPS"}, "10.0.0.1:4711 https -", nil},
	{"a WebSocket's scheme", []string{"X-Forwarded-Proto: wss"}, "10.0.0.1:4711 https -", nil},
	{"another", []string{"X-Forwarded-Proto: ws"}, "10.0.0.1:4711 http -", nil},
	{"host alone", []string{"X-Forwarded-Host: [2001:db8::1]:8080"}, "10.0.0.1:4711 - [2001:db8::1]:8080", nil},
	{"a list, of which the client's is believed", []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https, http", "X-Forwarded-Host: evil.example, chat.example"}, "192.0.2.1:0 http chat.example", nil},
	{"a list for each hop", []string{"X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https, http", "X-Forwarded-Host: a.example, b.example"}, "192.0.2.1:0 https a.example", nil},
	{"shorter than the hops", []string{"X-Forwarded-For: 192.0.2.1, 10.0.0.3, 10.0.0.2", "X-Forwarded-Proto: https"}, "192.0.2.1:0 https -", nil},
	{"longer than the hops", []string{"X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: gopher, https", "X-Forwarded-Proto: http"}, "192.0.2.1:0 https -", nil},
	{"the unknown one's", []string{"X-Forwarded-For: unknown, 10.0.0.2", "X-Forwarded-Proto: https, http"}, "10.0.0.2:0 https -", nil},
	{"no scheme", []string{"X-Forwarded-Proto: gopher"}, "", errProto},
	{"a scheme with white space", []string{"X-Forwarded-Proto: ht tp"}, "", errProto},
	{"no host", []string{"X-Forwarded-Host: a/b"}, "", errHost},
	{"a host with a user", []string{"X-Forwarded-Host: me@a.example"}, "", errHost},
	{"a host with white space", []string{"X-Forwarded-Host: a b"}, "", errHost},

	{"Forwarded", []string{"Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1;host=chat.example"}, "192.0.2.1:0 https chat.example", nil},
	{"its names in any case", []string{`Forwarded: FOR="192.0.2.1:80" ; Proto=HTTP;Host="chat.example:80"`}, "192.0.2.1:80 http chat.example:80", nil},
	{"its IPv6", []string{`Forwarded: for="[2001:db8:cafe::17]:4711"`}, "[2001:db8:cafe::17]:4711 - -", nil},
	{"its escapes", []string{`Forwarded: for="\[2001:db8::1\]:4\711";host="a\.example"`}, "[2001:db8::1]:4711 - a.example", nil},
	{"its port obfuscated", []string{`Forwarded: for="192.0.2.1:_port"`}, "192.0.2.1:0 - -", nil},
	{"its hops", []string{"Forwarded: for=203.0.113.9, for=192.0.2.1;proto=https;host=a.example", `Forwarded: for=10.0.0.3;proto=http, for="[fd00::1]";host=b.example`}, "192.0.2.1:0 https a.example", nil},
	{"all of its hops are trusted", []string{"Forwarded: for=10.0.0.9;proto=https, for=10.0.0.2;proto=http"}, "10.0.0.9:0 https -", nil},
	{"its unknown", []string{"Forwarded: for=203.0.113.9, for=unknown;proto=https"}, "10.0.0.1:4711 https -", nil},
	{"its obfuscated one", []string{"Forwarded: for=203.0.113.9, for=_SEVKISEK, for=10.0.0.2"}, "10.0.0.2:0 - -", nil},
	{"its obfuscated one with a port", []string{`Forwarded: for="_mdn:80"`}, "10.0.0.1:4711 - -", nil},
	{"without for", []string{"Forwarded: for=203.0.113.9, proto=https;host=a.example"}, "10.0.0.1:4711 https a.example", nil},
	{"without anything known", []string{"Forwarded: for=203.0.113.9, secret=x"}, "10.0.0.1:4711 - -", nil},
	{"extensions", []string{`Forwarded: x=", for=1.1.1.1";for=192.0.2.1;y=2;y=3`}, "192.0.2.1:0 - -", nil},
	{"empty elements", []string{"Forwarded: , ,for=192.0.2.1;;, ", "Forwarded:"}, "192.0.2.1:0 - -", nil},
	{"empty Forwarded", []string{"Forwarded:"}, "10.0.0.1:4711 - -", nil},

	{"a quote left open", []string{`Forwarded: for=203.0.113.9;x=", for=192.0.2.1`}, "", errElement},
	{"a quote left open by a line", []string{`Forwarded: for="203.0.113.9`, `Forwarded: for=192.0.2.1`}, "", errElement},
	{"a quote that takes the next one's", []string{`Forwarded: for=203.0.113.9;x=", for="[2001:db8::1]"`}, "", errElement},
	{"an escape at the end", []string{`Forwarded: for="192.0.2.1\`}, "", errElement},
	{"no value", []string{"Forwarded: for="}, "", errElement},
	{"an empty string", []string{`Forwarded: for=""`}, "", errElement},
	{"no name", []string{"Forwarded: =192.0.2.1"}, "", errElement},
	{"no equals sign", []string{"Forwarded: for"}, "", errElement},
	{"white space around it", []string{"Forwarded: for = 192.0.2.1"}, "", errElement},
	{"two words", []string{"Forwarded: for=192.0.2.1 proto=https"}, "", errElement},
	{"an address that needs quotes", []string{"Forwarded: for=192.0.2.1:80"}, "", errElement},
	{"IPv6 that needs quotes", []string{"Forwarded: for=[2001:db8::1]"}, "", errElement},
	{"twice", []string{"Forwarded: for=192.0.2.1;For=203.0.113.9"}, "", errTwice},
	{"by twice", []string{"Forwarded: by=192.0.2.1;by=203.0.113.9"}, "", errTwice},
	{"no node", []string{"Forwarded: for=garbage"}, "", errNode},
	{"IPv6 without brackets", []string{`Forwarded: for="2001:db8::1"`}, "", errNode},
	{"a bare underscore", []string{"Forwarded: for=_"}, "", errNode},
	{"a port that is nothing", []string{`Forwarded: for="192.0.2.1:http"`}, "", errNode},
	{"its scheme", []string{"Forwarded: for=192.0.2.1;proto=gopher"}, "", errFwdProto},
	{"its host", []string{`Forwarded: for=192.0.2.1;host="a,b"`}, "", errFwdHost},
	{"64 elements", []string{"Forwarded: " + strings.Repeat("for=203.0.113.9,", 63) + "for=192.0.2.1"}, "192.0.2.1:0 - -", nil},
	{"65 elements", []string{"Forwarded: " + strings.Repeat("for=203.0.113.9,", 64) + "for=192.0.2.1"}, "", errElements},

	{"X-Forwarded wins", []string{"Forwarded: for=203.0.113.9;proto=https;host=evil.example", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0 - -", nil},
	{"even by its scheme alone", []string{"Forwarded: for=203.0.113.9;proto=https;host=evil.example", "X-Forwarded-Proto: http"}, "10.0.0.1:4711 http -", nil},
}

// said is what an Origin says, as the tables have it.
func said(o *Origin) string {
	if o == nil {
		return ""
	}
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return fmt.Sprintf("%s %s %s", remoteAddr(o.Client), dash(o.Scheme), dash(o.Host))
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	tr := trust(t, "10.0.0.0/8,fd00::/8")
	peer := tr.Socket(netip.MustParseAddrPort("10.0.0.1:4711"))
	stranger := tr.Socket(netip.MustParseAddrPort("192.0.2.200:4711"))
	for _, tt := range originTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := headers(tt.headers...)
			o, err := tr.Origin(peer, h)
			if got := said(o); err != tt.err || got != tt.want {
				t.Errorf("%q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
			if o, err := tr.Origin(stranger, h); o != nil || err != nil {
				t.Errorf("somebody who is not trusted is believed: %q, %v", said(o), err)
			}
		})
	}
	if o, err := (*Trust)(nil).Origin(Peer{Trusted: true}, headers("X-Forwarded-For: 192.0.2.1")); o != nil || err != nil {
		t.Errorf("without a Trust %q, %v", said(o), err)
	}
}

func TestOriginBehindUnixSockets(t *testing.T) {
	t.Parallel()
	tr := trust(t, "unix,10.0.0.0/8")
	for name, tt := range map[string]struct{ header, want string }{
		"an address":           {"X-Forwarded-For: 203.0.113.9, 192.0.2.1", "192.0.2.1:0 - -"},
		"through another one":  {"X-Forwarded-For: 203.0.113.9, 192.0.2.1, unix:, 10.0.0.4", "192.0.2.1:0 - -"},
		"from a client on one": {"X-Forwarded-For: unix:", "@ - -"},
		"unknown":              {"X-Forwarded-For: unknown", "@ - -"},
	} {
		o, err := tr.Origin(tr.Socket(netip.AddrPort{}), headers(tt.header))
		if got := said(o); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

func TestBelievedHeaders(t *testing.T) {
	t.Parallel()
	all := headers("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: x.example", "Forwarded: for=192.0.2.2;proto=http;host=f.example")
	for believed, want := range map[Headers]string{
		XForwardedFor:                   "192.0.2.1:0 - -",
		XForwardedProto:                 "10.0.0.1:1 https -",
		XForwardedHost:                  "10.0.0.1:1 - x.example",
		Forwarded:                       "192.0.2.2:0 http f.example",
		Forwarded | XForwardedProto:     "10.0.0.1:1 https -",
		XForwardedFor | XForwardedProto: "192.0.2.1:0 https -",
	} {
		tr := trust(t, "10.0.0.0/8")
		tr.Headers = believed
		o, err := tr.Origin(tr.Socket(netip.MustParseAddrPort("10.0.0.1:1")), all)
		if got := said(o); err != nil || got != want {
			t.Errorf("%v: %q, %v; want %q", believed, got, err, want)
		}
	}
}
