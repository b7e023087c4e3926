package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	unix := &net.UnixAddr{Name: "/run/spoke.sock", Net: "unix"}
	tcp := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	client := Peer{Addr: addr4, TLS: true}
	for _, tt := range []struct {
		name    string
		trusted string
		remote  string
		local   net.Addr
		peer    *Peer // of a PROXY header
		headers []string
		want    string // "RemoteAddr scheme Host"; "": r itself
		err     error
	}{
		{"nobody is trusted", "", "10.0.0.1:1", tcp, nil, []string{"X-Forwarded-For: 192.0.2.1"}, "", nil},
		{"a proxy", "10.0.0.0/8", "10.0.0.1:1", tcp, nil, []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: chat.example"}, "192.0.2.1:0 https chat.example", nil},
		{"without a word", "10.0.0.0/8", "10.0.0.1:1", tcp, nil, nil, "", nil},
		{"a stranger", "10.0.0.0/8", "192.0.2.9:1", tcp, nil, []string{"X-Forwarded-For: 192.0.2.1"}, "", nil},
		{"garbage", "10.0.0.0/8", "10.0.0.1:1", tcp, nil, []string{"X-Forwarded-For: garbage"}, "", errFor},
		{"a unix socket", "unix", "@", unix, nil, []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0 http example.com", nil},
		{"a unix socket with a name", "unix", "/tmp/x", unix, nil, []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0 http example.com", nil},
		{"a unix socket that is not trusted", "10.0.0.0/8", "@", unix, nil, []string{"X-Forwarded-For: 192.0.2.1"}, "", nil},
		{"no unix socket", "unix", "@", tcp, nil, []string{"X-Forwarded-For: 192.0.2.1"}, "", nil},
		{"somebody has changed it", "unix,10.0.0.0/8", "10.0.0.1", unix, nil, []string{"X-Forwarded-For: 192.0.2.1"}, "", nil},
		{"a client of the PROXY protocol", "10.0.0.0/8", "192.0.2.1:51234", tcp, &client, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http"}, "192.0.2.1:51234 https example.com", nil},
		{"a proxy's client whose address is not known", "10.0.0.0/8", "10.0.0.1:1", tcp, &Peer{Addr: addr4}, []string{"X-Forwarded-For: 203.0.113.9"}, "", nil},
		{"a proxy behind the PROXY protocol", "10.0.0.0/8", "10.0.0.2:1", tcp, &Peer{Addr: addr4, Trusted: true, TLS: true}, []string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9:0 https example.com", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := trust(t, tt.trusted)
			r := httptest.NewRequest("GET", "/chat", nil)
			r.RemoteAddr = tt.remote
			r.Header = headers(tt.headers...)
			ctx := context.WithValue(r.Context(), http.LocalAddrContextKey, tt.local)
			if tt.peer != nil {
				ctx = WithPeer(ctx, *tt.peer)
			}
			r = r.WithContext(ctx)
			got, err := tr.Request(r)
			if err != tt.err {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if tt.want == "" {
				if got != r {
					t.Fatalf("it was changed: %s %s %s", got.RemoteAddr, Scheme(got), got.Host)
				}
				return
			}
			if have := got.RemoteAddr + " " + Scheme(got) + " " + got.Host; have != tt.want {
				t.Errorf("%q, want %q", have, tt.want)
			}
			if r.RemoteAddr != tt.remote || r.Host != "example.com" || Scheme(r) != "http" {
				t.Error("the request itself was changed")
			}
			if again, err := tr.Request(got); err != nil || again.RemoteAddr != got.RemoteAddr || Scheme(again) != Scheme(got) || again.Host != got.Host {
				t.Errorf("a second time %q, %v", again.RemoteAddr, err)
			}
		})
	}
}

func TestScheme(t *testing.T) {
	t.Parallel()
	plain := httptest.NewRequest("GET", "https://evil.example/", nil)
	plain.TLS = nil
	if got := Scheme(plain); got != "http" {
		t.Errorf("what the client has written counts: %q", got)
	}
	secure := httptest.NewRequest("GET", "/", nil)
	secure.TLS = &tls.ConnectionState{}
	if got := Scheme(secure); got != "https" {
		t.Errorf("over TLS: %q", got)
	}
	said := secure.WithContext(NewContext(secure.Context(), &Origin{Client: netip.AddrPort{}, Scheme: "http"}))
	if got := Scheme(said); got != "http" {
		t.Errorf("a proxy that came by TLS, its client not: %q", got)
	}
	if FromContext(context.Background()) != nil {
		t.Error("nothing was said")
	}
}
