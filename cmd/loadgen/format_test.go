package main

import "testing"

func TestFormat(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0":             formatInt(0),
		"999":           formatInt(999),
		"1,000":         formatInt(1000),
		"-1,234,567":    formatInt(-1234567),
		"12,346":        formatNumber(12345.6),
		"123":           formatNumber(123.4),
		"12.3":          formatNumber(12.34),
		"1.2":           formatNumber(1.2),
		"0.25":          formatNumber(0.25),
		"0.0071":        formatNumber(0.0071),
		"7":             formatNumber(7),
		"0 ns? no, 0":   "0 ns? no, " + formatDuration(0),
		"999 ns":        formatDuration(999),
		"1 µs":          formatDuration(999.9),
		"1.5 µs":        formatDuration(1500),
		"12.3 ms":       formatDuration(12.34e6),
		"999 ms":        formatDuration(999.4e6),
		"1 s":           formatDuration(999.9e6),
		"75 s":          formatDuration(75e9),
		"3600 s":        formatDuration(3600e9),
		"1023 B":        formatBytes(1023),
		"1 KiB":         formatBytes(1024),
		"1.5 MiB":       formatBytes(1.5 * (1 << 20)),
		"2 GiB":         formatBytes(2 << 30),
		"4 M":           formatTick(4e6),
		"1.5 G":         formatTick(1.5e9),
		"20,000":        formatTick(2e4),
		"0 %":           nines(0),
		"90 %":          nines(1),
		"99 %":          nines(2),
		"99.9 %":        nines(3),
		"99.99 %":       nines(4),
		"99.9999 %":     nines(6),
		"'it'\\''s so'": shellQuoted("it's so"),
		"plain-1.5":     shellQuoted("plain-1.5"),
		"delivery":      singular("deliveries"),
		"message":       singular("messages"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
