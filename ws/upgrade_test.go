package ws

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const goodUpgrade = "GET /hub HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// request reads a head as the server does.
func request(t *testing.T, head string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestValid(t *testing.T) {
	t.Parallel()
	swap := func(old, new string) string {
		if !strings.Contains(goodUpgrade, old) {
			t.Fatalf("%q is not there", old)
		}
		return strings.Replace(goodUpgrade, old, new, 1)
	}
	for _, c := range []struct {
		name, head string
		want       bool
	}{
		{"as the RFC has it", goodUpgrade, true},
		{"other case", swap("Upgrade: websocket\r\nConnection: Upgrade", "UPGRADE: WebSocket\r\nconnection: upgrade"), true},
		{"Connection is a list", swap("Connection: Upgrade", "Connection: keep-alive, Upgrade"), true},
		{"Connection in two lines", swap("Connection: Upgrade", "Connection: keep-alive\r\nConnection: ,Upgrade ,"), true},
		{"Upgrade is a list", swap("Upgrade: websocket", "Upgrade: h2c, websocket"), true},
		{"white space", swap("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version:\t13 "), true},
		{"offered extensions", goodUpgrade + "Sec-WebSocket-Extensions: permessage-deflate\r\n", true},
		{"empty body", goodUpgrade + "Content-Length: 0\r\n", true},
		{"POST", swap("GET", "POST"), false},
		{"HEAD", swap("GET", "HEAD"), false},
		{"lower case method", swap("GET", "get"), false},
		{"HTTP/1.0", swap("HTTP/1.1", "HTTP/1.0"), false},
		{"no Upgrade", swap("Upgrade: websocket\r\n", ""), false},
		{"another Upgrade", swap("websocket", "h2c"), false},
		{"part of a token", swap("Upgrade: websocket", "Upgrade: websockets"), false},
		{"token with a version", swap("Upgrade: websocket", "Upgrade: websocket/13"), false},
		{"no Connection", swap("Connection: Upgrade\r\n", ""), false},
		{"Connection without Upgrade", swap("Connection: Upgrade", "Connection: keep-alive"), false},
		{"no version", swap("Sec-WebSocket-Version: 13\r\n", ""), false},
		{"version 12", swap("13", "12"), false},
		{"version 8 and 13", swap("13", "8, 13"), false},
		{"version twice", goodUpgrade + "Sec-WebSocket-Version: 13\r\n", false},
		{"no key", swap("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), false},
		{"empty key", swap("dGhlIHNhbXBsZSBub25jZQ==", ""), false},
		{"key of 5 bytes", swap("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), false},
		{"key of 15 bytes", swap("dGhlIHNhbXBsZSBub25jZQ==", "YWFhYWFhYWFhYWFhYWFh"), false},
		{"key of 17 bytes", swap("dGhlIHNhbXBsZSBub25jZQ==", "YWFhYWFhYWFhYWFhYWFhYWE="), false},
		{"key not base64", swap("dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!=="), false},
		{"key without padding", swap("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"), false},
		{"key twice", goodUpgrade + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", false},
		{"a body", goodUpgrade + "Content-Length: 2\r\n", false},
		{"a chunked body", goodUpgrade + "Transfer-Encoding: chunked\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := Valid(request(t, c.head)); got != c.want {
				t.Errorf("Valid is %v, want %v", got, c.want)
			}
		})
	}
}

func TestAppendUpgrade(t *testing.T) {
	t.Parallel()
	const plain = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	var offered []string
	pick := func(name string) *Config {
		return &Config{SubProtocol: func(o []string) string { offered = slices.Clone(o); o[0] = "spoiled"; return name }}
	}
	for _, c := range []struct {
		name, extra string
		cfg         *Config
		offered     []string
		want        string
	}{
		{"nothing asked", "", &Config{}, nil, ""},
		{"no configuration", "Sec-WebSocket-Protocol: one\r\n", nil, nil, ""},
		{"no selector", "Sec-WebSocket-Protocol: one, two\r\n", &Config{}, nil, ""},
		{"selected", "Sec-WebSocket-Protocol: one, two\r\n", pick("two"), []string{"one", "two"}, "Sec-WebSocket-Protocol: two\r\n"},
		{"in two lines", "Sec-WebSocket-Protocol: one,\r\nSec-WebSocket-Protocol: two ,three\r\n", pick("three"), []string{"one", "two", "three"}, "Sec-WebSocket-Protocol: three\r\n"},
		{"none of them", "Sec-WebSocket-Protocol: one\r\n", pick(""), []string{"one"}, ""},
		{"not offered", "Sec-WebSocket-Protocol: one\r\n", pick("two"), []string{"one"}, ""},
		{"other case is not offered", "Sec-WebSocket-Protocol: one\r\n", pick("ONE"), []string{"one"}, ""},
		{"what the selector does to the list", "Sec-WebSocket-Protocol: one\r\n", pick("spoiled"), []string{"one"}, ""},
		{"a header smuggled in", "Sec-WebSocket-Protocol: one\r\n", pick("one\r\nX: y"), []string{"one"}, ""},
		{"nothing offered", "", pick("one"), nil, ""},
		{"extensions are not taken up", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", &Config{}, nil, ""},
	} {
		offered = nil
		got := string(AppendUpgrade([]byte("before "), request(t, goodUpgrade+c.extra), c.cfg))
		if want := "before " + plain + c.want + "\r\n"; got != want {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
		if !slices.Equal(offered, c.offered) {
			t.Errorf("%s: the selector saw %q, want %q", c.name, offered, c.offered)
		}
	}
}
