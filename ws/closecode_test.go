package ws

import (
	"testing"

	"github.com/gobwas/ws"
)

// TestCloseCodes goes through all codes. gobwas does not know those that IANA registered after RFC 6455.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	registered := map[ws.StatusCode]bool{1012: true, 1013: true, 1014: true}
	for n := range 1 << 16 {
		code := ws.StatusCode(n)
		want := registered[code] || code.IsApplicationSpec() || code.IsPrivateSpec() ||
			code.IsProtocolDefined() && !code.IsProtocolReserved() && code != ws.StatusNoMeaningYet
		if got := closeCodeLegal(uint16(n)); got != want {
			t.Errorf("code %d: legal %v, want %v", n, got, want)
		}
	}
}

func TestFaultTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for f := range faultCount {
		s := f.Error()
		if s == "" || seen[s] {
			t.Errorf("fault %d says %q", f, s)
		}
		seen[s] = true
	}
	if faultCount.Error() != "ws: unknown fault" {
		t.Errorf("a fault that does not exist says %q", faultCount.Error())
	}
}
