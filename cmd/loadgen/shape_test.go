package main

import (
	"encoding/json"
	"testing"
)

func TestShape(t *testing.T) {
	t.Parallel()
	const spoke = `{"negotiateVersion":1,"connectionId":"id1","connectionToken":"token1","availableTransports":[]}`
	for _, c := range []struct {
		name, first, body, token string
		matches                  bool
	}{
		{"the same", spoke, spoke, "token1", true},
		{"another", spoke, `{"negotiateVersion":1,"connectionId":"x","connectionToken":"longer-one","availableTransports":[]}`, "longer-one", true},
		{"an empty id", spoke, `{"negotiateVersion":1,"connectionId":"","connectionToken":"t","availableTransports":[]}`, "t", true},
		{"an empty token", spoke, `{"negotiateVersion":1,"connectionId":"x","connectionToken":"","availableTransports":[]}`, "", false},
		{"an escape", spoke, `{"negotiateVersion":1,"connectionId":"x","connectionToken":"a\u0062","availableTransports":[]}`, "ab", false},
		{"a control character", spoke, "{\"negotiateVersion\":1,\"connectionId\":\"x\",\"connectionToken\":\"a\nb\",\"availableTransports\":[]}", "", false},
		{"more behind", spoke, spoke + "x", "", false},
		{"a part", spoke, spoke[:len(spoke)-1], "", false},
		{"other text between", spoke, `{"negotiateVersion":1,"connectionId":"x", "connectionToken":"t","availableTransports":[]}`, "t", false},
		{"an error between", spoke, `{"negotiateVersion":1,"connectionId":"x","error":"e","connectionToken":"t","availableTransports":[]}`, "", false},
		{"the token first", `{"connectionToken":"t","connectionId":"i"}`, `{"connectionToken":"u","connectionId":"i"}`, "u", false},
		{"no id", `{"connectionToken":"t"}`, `{"connectionToken":"u"}`, "u", false},
		{"a name twice", `{"connectionToken":"s","connectionId":"i","connectionToken":"t"}`, `{"connectionToken":"s","connectionId":"i","connectionToken":"t"}`, "t", false},
		{"a name twice, spelled otherwise", `{"connectionId":"i","connectionToken":"t","ConnectionTOKEN":"t"}`, `{"connectionId":"i","connectionToken":"u","ConnectionTOKEN":"t"}`, "t", false},
		{"a name twice, with an escape", `{"connectionId":"i","connectionToken":"t","connection\u0054oken":"t"}`, `{"connectionId":"i","connectionToken":"u","connection\u0054oken":"t"}`, "t", false},
		{"an escape in the first", `{"connectionId":"\u0061","connectionToken":"t"}`, `{"connectionId":"a","connectionToken":"t"}`, "t", false},
		{"an equal id and token", `{"connectionId":"a","connectionToken":"a"}`, `{"connectionId":"b","connectionToken":"c"}`, "c", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var k shape
			if _, _, err := k.token([]byte(c.first)); err != nil {
				t.Fatal(err)
			}
			if got := k.match([]byte(c.body)) != nil; got != c.matches {
				t.Errorf("matches: %t", got)
			}
			token, kind, err := k.token([]byte(c.body))
			if string(token) != c.token || (err != nil) != (c.token == "") || (kind != "") != (err != nil) {
				t.Errorf("token %q, %q, %v; want %q", token, kind, err, c.token)
			}
		})
	}
}

// What is read by its shape is what encoding/json reads.
func FuzzShape(f *testing.F) {
	const spoke = `{"negotiateVersion":1,"connectionId":"id1","connectionToken":"token1","availableTransports":[]}`
	f.Add([]byte(spoke), []byte(spoke))
	f.Add([]byte(spoke), []byte(`{"negotiateVersion":1,"connectionId":"","connectionToken":"\\","availableTransports":[]}`))
	f.Add([]byte(`{"connectionId":"a","connectionToken":"a"}`), []byte(`{"connectionId":"a","connectionToken":"b"}`))
	f.Fuzz(func(t *testing.T, first, body []byte) {
		var k shape
		if _, _, err := k.token(first); err != nil {
			return
		}
		token := k.match(body)
		if token == nil {
			return
		}
		var m struct {
			Token string `json:"connectionToken"`
		}
		if err := json.Unmarshal(body, &m); err != nil || m.Token != string(token) {
			t.Fatalf("after %q: %q has the token %q, %v; the shape says %q", first, body, m.Token, err, token)
		}
	})
}
