package method

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func tableOf(tb testing.TB, names ...string) *table {
	tb.Helper()
	var tab table
	for _, name := range names {
		if err := tab.Add(name, func() {}, Options{}); err != nil {
			tb.Fatal(err)
		}
	}
	return &tab
}

func TestLookup(t *testing.T) {
	t.Parallel()
	tab := tableOf(t, "Send", "Send2", "S", "Grüße", "with space", "[", "K")
	for _, tt := range []struct{ target, want string }{
		{"Send", "Send"}, {"send", "Send"}, {"SEND", "Send"}, {"sEnD", "Send"}, {"SEND2", "Send2"}, {"s", "S"},
		{"GRüßE", "Grüße"}, {"WITH SPACE", "with space"}, {"[", "["},
		{"", ""}, {"Sen", ""}, {"Send ", ""}, {"Send\x00", ""}, {"Sent", ""}, {"GRÜSSE", ""}, {"GRÜßE", ""},
		{"{", ""},      // [ and { differ in the bit that tells the cases of a letter
		{"\u212a", ""}, // the Kelvin sign folds to k in Unicode
		{"\u017fend", ""},
		{strings.Repeat("Send", 1000), ""},
	} {
		got := ""
		if m := tab.Lookup([]byte(tt.target)); m != nil {
			got = m.Name
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.target, got, tt.want)
		}
	}
	if tab.Lookup(nil) != nil || new(table).Lookup([]byte("x")) != nil {
		t.Error("found something by no name, or in an empty table")
	}
}

func TestLookupOfMany(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 500 {
		all = append(all, fmt.Sprintf("Method%03d", i))
	}
	tab := tableOf(t, all...)
	for _, name := range all {
		if m := tab.Lookup([]byte(strings.ToUpper(name))); m == nil || m.Name != name {
			t.Fatalf("%s: found %v", name, m)
		}
	}
	slices.Reverse(all)
	if got := names(tableOf(t, all...)); !slices.IsSorted(got) || len(got) != len(all) {
		t.Errorf("All is not in order: %v", got)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	tab := tableOf(t, "Send", "Echo", strings.Repeat("n", MaxName))
	targets := [][]byte{[]byte("SEND"), []byte("absent"), []byte(strings.Repeat("N", MaxName)), []byte(strings.Repeat("N", 4096))}
	if n := testing.AllocsPerRun(100, func() {
		for _, target := range targets {
			tab.Lookup(target)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzLookup compares with strings.EqualFold where both know the alphabet.
func FuzzLookup(f *testing.F) {
	for _, s := range []string{"Send", "sEND", "", "[", "{", "@", "`", "Z", "z", "a\x00", "Grüße", "\xff"} {
		f.Add("Send", s)
		f.Add(s, strings.ToUpper(s))
		f.Add(s, strings.ToLower(s))
	}
	f.Fuzz(func(t *testing.T, name, target string) {
		if name == "" || len(name) > MaxName || !utf8.ValidString(name) {
			return
		}
		tab := tableOf(t, name)
		if tab.Lookup([]byte(name)) == nil {
			t.Fatalf("%q does not find itself", name)
		}
		found := tab.Lookup([]byte(target)) != nil
		want := strings.EqualFold(name, target)
		if !isASCII(name) || !isASCII(target) {
			want = lowerASCII(name) == lowerASCII(target)
		}
		if found != want {
			t.Errorf("name %q, target %q: found %v, want %v", name, target, found, want)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func BenchmarkLookup(b *testing.B) {
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprintf("Broadcast%d", i))
	}
	tab := tableOf(b, append(all, "Broadcast", "Echo")...)
	folded := map[string]*Method[*hubContext]{}
	for _, m := range tab.All() {
		folded[strings.ToLower(m.Name)] = m
	}
	target := []byte("broadcast")
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if tab.Lookup(target) == nil {
				b.Fatal("not found")
			}
		}
	})
	b.Run("map", func(b *testing.B) { // the plain way, to compare
		b.ReportAllocs()
		for b.Loop() {
			var key [MaxName]byte
			for i, c := range target {
				key[i] = fold(c)
			}
			if folded[string(key[:len(target)])] == nil {
				b.Fatal("not found")
			}
		}
	})
}
