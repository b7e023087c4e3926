package codec

import "testing"

// What skipString would have refused must do no harm in unescape and isText.
func TestUnescapeOfNoString(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`\`, `a\`, `\x`, `\u`, `\u12`, `\u12G4`, `\uD83D\`, `\uD83D\u`, `\uD83D\uDE0`, `\uD83D\n`, `\uDE00\uD83D`} {
		if text, ok := unescape(nil, []byte(raw)); ok {
			t.Errorf("unescape(%q) = %q", raw, text)
		}
		if isText([]byte(raw)) {
			t.Errorf("%q passes for text", raw)
		}
	}
	if text, ok := unescape([]byte("x"), []byte(`a\n\uD83D\uDE00`)); !ok || string(text) != "xa\n😀" {
		t.Errorf("unescape = %q, %t", text, ok)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{{"abc", 5, "abc"}, {"abc", 3, "abc"}, {"abc", 2, "ab"}, {"aéb", 2, "a"}, {"a😀", 4, "a"}, {"😀", 1, ""}, {"\x80\x80\x80", 2, ""}} {
		if got := string(clip([]byte(c.s), c.n)); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}
