package http1

import (
	"net/http"
	"strings"
	"testing"
)

// judge passes raw through the three steps, showing it in pieces that end at the cuts.
func judge(raw string, cuts ...int) (*http.Request, *fault) {
	raw = strings.TrimPrefix(raw, "\r\n")
	var s headScan
	for _, cut := range append(cuts, len(raw)) {
		end, f := s.look([]byte(raw[:min(cut, len(raw))]), defaultMaxHead, defaultMaxHeaders)
		if f != nil {
			return nil, f
		}
		if end > 0 {
			if _, f := check([]byte(raw[:end])); f != nil {
				return nil, f
			}
			return parse([]byte(raw[:end]))
		}
	}
	return nil, nil
}

func TestHeadVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range headVerdicts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			step := 1 + len(tt.raw)/200
			for cut := 0; cut <= len(tt.raw); cut += step {
				req, f := judge(tt.raw, cut)
				switch {
				case tt.status == 200 && f != nil:
					t.Fatalf("cut at %d: %v", cut, f)
				case tt.status == 200 && req == nil:
					t.Fatalf("cut at %d: no end of the head found", cut)
				case tt.status == 200:
				case f == nil:
					t.Fatalf("cut at %d: passes", cut)
				case f.status != tt.status || f.reason != tt.reason || !strings.Contains(f.text, tt.text):
					t.Fatalf("cut at %d: %d %v %q: want %d %v %q", cut, f.status, f.reason, f.text, tt.status, tt.reason, tt.text)
				}
			}
		})
	}
}

// A head that comes byte by byte is looked at once: the work is counted in scanned bytes.
func TestHeadScanIsLinear(t *testing.T) {
	t.Parallel()
	raw := []byte(fill(16 << 10))
	var s headScan
	for i := range raw {
		before := s.next
		end, f := s.look(raw[:i+1], defaultMaxHead, defaultMaxHeaders)
		if f != nil {
			t.Fatal(f)
		}
		if s.next != before+1 {
			t.Fatalf("byte %d: looked from %d to %d: want one byte", i, before, s.next)
		}
		if (end > 0) != (i == len(raw)-1) {
			t.Fatalf("byte %d of %d: end %d", i, len(raw), end)
		}
	}
}

func TestHeadScanAllocations(t *testing.T) {
	raw := []byte(head("GET /chat?id=x HTTP/1.1", "Host: a", "Upgrade: websocket", "Content-Length: 5"))
	if n := testing.AllocsPerRun(100, func() {
		var s headScan
		if _, f := s.look(raw, defaultMaxHead, defaultMaxHeaders); f != nil {
			t.Fatal(f)
		}
		if _, f := check(raw); f != nil {
			t.Fatal(f)
		}
	}); n != 0 {
		t.Errorf("%v allocations for scan and check", n)
	}
}

func FuzzHead(f *testing.F) {
	for _, v := range headVerdicts {
		f.Add([]byte(v.raw), 5)
	}
	f.Fuzz(func(t *testing.T, raw []byte, cut int) {
		r1, f1 := judge(string(raw))
		r2, f2 := judge(string(raw), max(cut, 0))
		if (f1 == nil) != (f2 == nil) || f1 != nil && *f1 != *f2 {
			t.Fatalf("whole: %v, cut at %d: %v", f1, cut, f2)
		}
		if (r1 == nil) != (r2 == nil) {
			t.Fatalf("whole: %v, cut at %d: %v", r1, cut, r2)
		}
	})
}
