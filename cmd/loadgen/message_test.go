package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestReader(t *testing.T) {
	t.Parallel()
	r := newReader("message")
	cases := []struct {
		name, in string
		want     record
		text     string // "-": none
	}{
		{"delivery", `{"type":1,"target":"message","arguments":["abc"]}`, record{kind: 1}, "abc"},
		{"delivery, other order", `{"arguments":["abc"],"target":"Message","type":1}`, record{kind: 1, id: -1}, "abc"},
		{"delivery with an escape", `{"type":1,"target":"message","arguments":["a\u0062c"]}`, record{kind: 1, id: -1}, "abc"},
		{"delivery of two", `{"type":1,"target":"message","arguments":["abc","d"]}`, record{kind: 1, id: -1}, "abc"},
		{"delivery of an object", `{"type":1,"target":"message","arguments":[{}]}`, record{kind: 1, id: -1}, "-"},
		{"delivery of nothing", `{"type":1,"target":"message","arguments":[]}`, record{kind: 1, id: -1}, "-"},
		{"completion", `{"type":3,"invocationId":"17","result":"abc"}`, record{kind: 3, id: 17}, "abc"},
		{"completion, other order", `{"result":"abc","invocationId":"17","type":3}`, record{kind: 3, id: 17}, "abc"},
		{"completion of null", `{"type":3,"invocationId":"17","result":null}`, record{kind: 3, id: 17}, "-"},
		{"completion with another id", `{"type":3,"invocationId":"x","result":"abc"}`, record{kind: 3, id: -1}, "abc"},
		{"error", `{"type":3,"invocationId":"17","error":"no"}`, record{kind: 3, id: 17, failed: true, reason: "no"}, "-"},
		{"ping", `{"type":6}`, record{kind: 6}, "-"},
		{"ping with a space", `{"type": 6}`, record{kind: 6, id: -1}, "-"},
		{"close", `{"type":7,"error":"gone","allowReconnect":true}`, record{kind: 7, id: -1, failed: true, reason: "gone", retry: true}, "-"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := r.read([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			text := string(got.text)
			if got.text == nil {
				text = "-"
			}
			if text != c.text {
				t.Errorf("the text is %q, want %q", text, c.text)
			}
			if got.kind != c.want.kind || got.id != c.want.id || got.failed != c.want.failed || got.reason != c.want.reason || got.retry != c.want.retry {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if c.want.kind == 1 && !strings.EqualFold(string(got.target), "message") {
				t.Errorf("the target is %q", got.target)
			}
		})
	}
	for _, bad := range []string{"", "{", "[]", `{"type":"1"}`, "\xff"} {
		if _, err := r.read([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// The quick way and encoding/json agree on whatever both can read.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{"type":1,"target":"message","arguments":["abc"]}`, `{"type":3,"invocationId":"1","result":"a"}`, `{"type":6}`,
		`{"type":1,"target":"message","arguments":["a","b"]}`, `{"type":3,"invocationId":"1","result":"a\\"}`,
	} {
		f.Add([]byte(s))
	}
	r := newReader("message")
	f.Fuzz(func(t *testing.T, p []byte) {
		quick, err1 := r.read(p)
		slow, err2 := readAny(p)
		if err2 != nil {
			return // the quick way does not look at every byte of what is no string
		}
		if err1 != nil || quick.kind != slow.kind || string(quick.text) != string(slow.text) || quick.failed != slow.failed || quick.kind == 3 && quick.id != slow.id {
			t.Fatalf("%q: %+v, %v; %+v", p, quick, err1, slow)
		}
	})
}

func TestCall(t *testing.T) {
	t.Parallel()
	c := newCall(`Say "hi"`, "group\n1")
	for id, want := range map[int64]string{7: "7", -1: ""} {
		text := append(append(c.begin(nil, id), "abc"...), callEnd...)
		var m struct {
			Type         int
			InvocationID string `json:"invocationId"`
			Target       string
			Arguments    []string
		}
		if text[len(text)-1] != recordEnd {
			t.Errorf("%q does not end as a record", text)
		}
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if m.Type != 1 || m.InvocationID != want || m.Target != `Say "hi"` || len(m.Arguments) != 2 || m.Arguments[0] != "group\n1" || m.Arguments[1] != "abc" {
			t.Errorf("%q", text)
		}
	}
}
