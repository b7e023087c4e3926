package main

import (
	"maps"
	"testing"
)

func TestAssign(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		claims []claim
		want   map[string]string
	}{
		{"alone", []claim{{"a", "Message", []string{"x"}}}, map[string]string{"a": "Message"}},
		{"two packages", []claim{{"a", "Message", []string{"x", "chat"}}, {"b", "Message", []string{"x", "news"}}},
			map[string]string{"a": "ChatMessage", "b": "NewsMessage"}},
		{"packages of one name", []claim{{"a", "Message", []string{"x", "chat"}}, {"b", "Message", []string{"y-z", "chat"}}},
			map[string]string{"a": "XChatMessage", "b": "YZChatMessage"}},
		{"one is at its end", []claim{{"a", "Message", []string{"chat"}}, {"b", "Message", []string{"x", "chat"}}},
			map[string]string{"a": "ChatMessage", "b": "XChatMessage"}},
		{"taken", []claim{{"a", "Promise", []string{"x"}}}, map[string]string{"a": "XPromise"}},
		{"one package", []claim{{"a", "Page", []string{"x"}}, {"b", "Page", []string{"x"}}}, map[string]string{"a": "XPage", "b": "XPage2"}},
		{"the longer name is there", []claim{{"a", "Message", []string{"chat"}}, {"b", "Message", []string{"news"}}, {"c", "ChatMessage", []string{"other"}}},
			map[string]string{"a": "ChatMessage", "b": "NewsMessage", "c": "OtherChatMessage"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := assign(tt.claims, map[string]bool{"Promise": true}); !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestJSDoc(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                      "",
		" \n":                   "",
		"One line.":             "  /** One line. */\n",
		"Ends */ here":          "  /** Ends *\\/ here */\n",
		"Two\n\nparts.":         "  /**\n   * Two\n   *\n   * parts.\n   */\n",
		"Deprecated: no.":       "  /** @deprecated no. */\n",
		"Old.\n\nDeprecated: x": "  /**\n   * Old.\n   *\n   * @deprecated x\n   */\n",
	} {
		if got := jsdoc("  ", text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
