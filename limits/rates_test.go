package limits_test

import (
	"flag"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/spokehub/spoke/limits"
)

func TestNewLimiterOff(t *testing.T) {
	t.Parallel()
	l, err := limits.NewLimiter(limits.Rates{Mode: limits.Close}, 32768)
	if l != nil || err != nil {
		t.Errorf("NewLimiter = %v, %v: want nil, nil", l, err)
	}
}

func TestRatesErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		rates      limits.Rates
		maxMessage int
		want       []string // parts of the error, in order
	}{
		{"messages negative", limits.Rates{Messages: -1}, 0, []string{"Rates.Messages is -1", "0 (off) or 0.001 to 1000000 records a second"}},
		{"messages too low", limits.Rates{Messages: 0.0001}, 0, []string{"Rates.Messages is 0.0001", "0.001 to 1000000"}},
		{"messages too high", limits.Rates{Messages: 1_000_001}, 0, []string{"Rates.Messages is"}},
		{"messages no number", limits.Rates{Messages: math.NaN()}, 0, []string{"Rates.Messages is NaN"}},
		{"messages infinite", limits.Rates{Messages: math.Inf(1)}, 0, []string{"Rates.Messages is +Inf"}},
		{"messages burst negative", limits.Rates{Messages: 1, MessagesBurst: -1}, 0, []string{"Rates.MessagesBurst is -1", "1 to 1000000 records"}},
		{"messages burst too high", limits.Rates{Messages: 1, MessagesBurst: 1_000_001}, 0, []string{"Rates.MessagesBurst is 1000001"}},
		{"messages burst without rate", limits.Rates{MessagesBurst: 5}, 0, []string{"Rates.MessagesBurst is 5 but Rates.Messages is 0"}},
		{"bytes too low", limits.Rates{Bytes: 0.5}, 0, []string{"Rates.Bytes is 0.5", "1 to 8589934592 bytes a second"}},
		{"bytes too high", limits.Rates{Bytes: 1 << 34}, 0, []string{"Rates.Bytes is"}},
		{"bytes no number", limits.Rates{Bytes: math.NaN()}, 0, []string{"Rates.Bytes is NaN"}},
		{"bytes burst below the message cap", limits.Rates{Bytes: 1, BytesBurst: 99}, 100, []string{"Rates.BytesBurst is 99", "100 (the message cap) to 1073741824 bytes"}},
		{"bytes burst negative", limits.Rates{Bytes: 1, BytesBurst: -1}, 0, []string{"Rates.BytesBurst is -1"}},
		{"bytes burst too high", limits.Rates{Bytes: 1, BytesBurst: 1<<30 + 1}, 0, []string{"Rates.BytesBurst is 1073741825"}},
		{"bytes burst without rate", limits.Rates{BytesBurst: 500}, 100, []string{"Rates.BytesBurst is 500 but Rates.Bytes is 0"}},
		{"message cap negative", limits.Rates{Bytes: 1}, -1, []string{"message cap is -1"}},
		{"message cap over the largest burst", limits.Rates{Bytes: 1}, 1<<30 + 1, []string{"message cap is 1073741825"}},
		{"mode", limits.Rates{Mode: 7}, 0, []string{"Rates.Mode is Mode(7)", "Wait, Reject or Close"}},
		{"all at once", limits.Rates{Messages: -1, MessagesBurst: -2, Bytes: -3, BytesBurst: -4, Mode: 9}, -5, []string{"cap is -5", "Messages is -1", "MessagesBurst is -2", "Bytes is -3", "BytesBurst is -4", "Mode(9)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := limits.NewLimiter(tt.rates, tt.maxMessage)
			if err == nil || l != nil {
				t.Fatalf("NewLimiter = %v, %v: want an error", l, err)
			}
			rest := err.Error()
			for _, part := range tt.want {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Fatalf("error %q lacks %q", err, part)
				}
				rest = after
			}
		})
	}
}

func TestDefaultBursts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		rates      limits.Rates
		maxMessage int
		size       int
		want       int // records that pass at once
	}{
		{"a second's worth of messages", limits.Rates{Messages: 50}, 100, 1, 50},
		{"rounded up", limits.Rates{Messages: 2.5}, 100, 1, 3},
		{"at least one", limits.Rates{Messages: 0.01}, 100, 1, 1},
		{"a second's worth of bytes", limits.Rates{Bytes: 5000}, 100, 100, 50},
		{"at least the message cap", limits.Rates{Bytes: 5}, 100, 50, 2},
		{"at least a byte without a message cap", limits.Rates{Bytes: 1}, 0, 1, 1},
		{"not more than the largest burst", limits.Rates{Bytes: limits.MaxBytes}, 100, 1 << 29, 2},
		{"set", limits.Rates{Messages: 50, MessagesBurst: 7}, 100, 1, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := limiter(t, tt.rates, tt.maxMessage)
			var b limits.Buckets
			got := 0
			for ; got < 1000; got++ {
				if _, ok := l.Take(&b, 0, tt.size); !ok {
					break
				}
			}
			if got != tt.want {
				t.Errorf("%d records pass at once: want %d", got, tt.want)
			}
		})
	}
}

func TestMode(t *testing.T) {
	t.Parallel()
	for _, m := range []limits.Mode{limits.Wait, limits.Reject, limits.Close} {
		text, err := m.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := limits.ParseMode(string(text)); err != nil || got != m || m.String() != string(text) {
			t.Errorf("%v: ParseMode(%q) = %v, %v", m, text, got, err)
		}
		l := limiter(t, limits.Rates{Messages: 1, Mode: m}, 0)
		if l.Mode() != m {
			t.Errorf("Mode = %v: want %v", l.Mode(), m)
		}
	}
	for _, s := range []string{"", "Wait", "drop", "close ", strings.Repeat("x", 1000)} {
		m := limits.Reject
		if err := m.UnmarshalText([]byte(s)); err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), "want wait, reject or close") {
			t.Errorf("UnmarshalText(%.10q): %v", s, err)
		}
		if m != limits.Reject {
			t.Errorf("UnmarshalText(%.10q) changed the mode", s)
		}
	}
	if _, err := limits.Mode(9).MarshalText(); err == nil {
		t.Error("mode 9 has a text")
	}
}

func TestModeAsFlag(t *testing.T) {
	t.Parallel()
	var m limits.Mode
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.TextVar(&m, "rate-mode", limits.Reject, "")
	if m != limits.Reject {
		t.Errorf("default %v: want reject", m)
	}
	if err := fs.Parse([]string{"-rate-mode", "close"}); err != nil || m != limits.Close {
		t.Errorf("%v, %v: want close", m, err)
	}
	if err := fs.Parse([]string{"-rate-mode", "never"}); err == nil {
		t.Error("a wrong mode was taken")
	}
}
