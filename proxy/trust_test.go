package proxy

import (
	"net/netip"
	"strings"
	"testing"
)

// trust reads a list that is known to be good.
func trust(t testing.TB, list string) *Trust {
	t.Helper()
	tr, err := ParseTrust(list)
	if err != nil {
		t.Fatal(err)
	}
	return &tr
}

func TestTrustHas(t *testing.T) {
	t.Parallel()
	tr := trust(t, "10.0.0.0/8, 192.0.2.7,fd00::/8, 2001:db8::7, ::ffff:198.51.100.0/120")
	for addr, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false,
		"192.0.2.7": true, "192.0.2.8": false,
		"::ffff:10.1.2.3": true, "::10.1.2.3": false,
		"fd12::1": true, "fd12::1%eth0": true, "fc00::1": false, "2001:db8::7": true, "2001:db8::8": false,
		"198.51.100.9": true, "198.51.101.9": false,
	} {
		if got := tr.Has(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: trusted %v, want %v", addr, got, want)
		}
	}
	if tr.Has(netip.Addr{}) || tr.Socket(netip.AddrPort{}).Trusted || (*Trust)(nil).Has(netip.MustParseAddr("10.0.0.1")) || (*Trust)(nil).Socket(netip.AddrPort{}).Trusted {
		t.Error("nobody, a unix socket that was not asked for, and anyone without a Trust must not be trusted")
	}
	if !trust(t, "unix").Socket(netip.AddrPort{}).Trusted || trust(t, "unix").Socket(netip.MustParseAddrPort("127.0.0.1:1")).Trusted {
		t.Error("unix must mean unix sockets, and nobody else")
	}
	if !trust(t, "").None() || trust(t, "unix").None() || trust(t, "::1").None() || !(*Trust)(nil).None() {
		t.Error("None")
	}
}

func TestParseTrust(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"":                                  "",
		" , ":                               "",
		"10.0.0.0/8,UNIX , 192.0.2.1":       "10.0.0.0/8,192.0.2.1,unix",
		"::1/128, ::/0":                     "::1,::/0",
		"::ffff:10.0.0.1,::ffff:0.0.0.0/96": "10.0.0.1,0.0.0.0/0",
	} {
		tr, err := ParseTrust(list)
		if got := tr.String(); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", list, got, err, want)
		}
	}
	for list, want := range map[string]string{
		"10.0.0.0/33":   "no prefix",
		"10.0.0.1/8":    "want 10.0.0.0/8, or 10.0.0.1/32",
		"localhost":     "names are not looked up",
		"10.0.0.1:80":   "no address",
		"fe80::1%eth0":  "no address",
		"fe80::%a/10":   "no prefix",
		"*":             "no address",
		"10.0.0.0/8 ::": "no prefix",
	} {
		if tr, err := ParseTrust(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want an error with %q", list, tr.Prefixes, err, want)
		}
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	given := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/8"), {}, netip.MustParsePrefix("10.0.0.0/8")}
	tr := Trust{Prefixes: given, Headers: 0x80}
	err := tr.Normalize()
	for _, want := range []string{"10.1.0.0/8", "number 2", "0x80"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v: want %q in it", err, want)
		}
	}
	if tr.Prefixes[2] = netip.MustParsePrefix("::/0"); given[2].Bits() != 8 {
		t.Error("the caller's slice was kept")
	}
}

func TestParseHeaders(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]Headers{
		"": 0, "forwarded": Forwarded, "X-Forwarded-For, x-forwarded-PROTO,": XForwardedFor | XForwardedProto, allHeaders.String(): allHeaders,
	} {
		if got, err := ParseHeaders(list); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", list, got, err, want)
		}
	}
	if _, err := ParseHeaders("X-Real-IP"); err == nil || !strings.Contains(err.Error(), "X-Forwarded-For,X-Forwarded-Proto,X-Forwarded-Host,Forwarded") {
		t.Errorf("error %v: want the names that there are", err)
	}
}
