package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// FuzzReadHeader checks that a header does not depend on how it is cut, stays within its bounds, and is refused once and for all.
func FuzzReadHeader(f *testing.F) {
	for _, tt := range headerTests {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, n, err := ReadHeader(p)
		if n < 0 || n > len(p) || n > maxBlock || err != nil && (n != 0 || h != (Header{})) || n == 0 && err == nil && len(p) > maxBlock {
			t.Fatalf("%+v, %d of %d bytes, %v", h, n, len(p), err)
		}
		if n > 0 && (h.Kind == Address) != h.Source.IsValid() {
			t.Fatalf("%+v", h)
		}
		for cut := range min(len(p), 300) {
			h2, n2, err2 := ReadHeader(p[:cut])
			switch {
			case n2 > 0 && (n2 != n || h2 != h): // a beginning that is whole already
				t.Fatalf("%d bytes say %+v, %d; all of them %+v, %d", cut, h2, n2, h, n)
			case err2 != nil && err != err2:
				t.Fatalf("%d bytes say %v; all of them %v", cut, err2, err)
			}
		}
	})
}

// FuzzOrigin checks that nothing of a header can make a client of somebody who is trusted's making up: what an honest proxy adds decides.
func FuzzOrigin(f *testing.F) {
	for _, tt := range originTests {
		for _, h := range tt.headers {
			name, value, _ := strings.Cut(h, ":")
			f.Add(name == "Forwarded", strings.TrimSpace(value))
		}
	}
	tr := trust(f, "10.0.0.0/8")
	peer := tr.Socket(netip.MustParseAddrPort("10.0.0.1:1"))
	f.Fuzz(func(t *testing.T, forwarded bool, value string) {
		name, adds, others := "X-Forwarded-For", "192.0.2.1", []string{"X-Forwarded-Proto", "X-Forwarded-Host"}
		if forwarded {
			name, adds, others = "Forwarded", `for="192.0.2.1";proto=http;host=good.example`, nil
		}
		h := http.Header{name: {value}}
		if o, err := tr.Origin(peer, h); err == nil && o == nil || err != nil && o != nil {
			t.Fatalf("%q: %v, %v", value, o, err)
		} else if o != nil && (o.Client.Addr().Zone() != "" || o.Client.Addr().Is4In6() || o.Host != "" && !validHost(o.Host)) {
			t.Fatalf("%q: %+v", value, o)
		}
		for _, lines := range [][]string{{value + ", " + adds}, {value, adds}} {
			o, err := tr.Origin(peer, http.Header{name: lines})
			if err == nil && (o.Client.String() != "192.0.2.1:0" || forwarded && (o.Scheme != "http" || o.Host != "good.example")) {
				t.Fatalf("%q: the client is %+v", lines, o)
			}
			if err != nil && !forwarded {
				t.Fatalf("%q: %v", lines, err)
			}
		}
		for _, other := range others {
			if o, err := tr.Origin(peer, http.Header{other: {value}}); err == nil && (o.Client != peer.Addr || o.Host != "" && !validHost(o.Host)) {
				t.Fatalf("%s %q: %+v", other, value, o)
			}
		}
	})
}
