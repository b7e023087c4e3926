package bench

import (
	"strings"
	"testing"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	write := func(c string, text []byte) { got[c] = append(got[c], strings.TrimSuffix(string(text), "\x1e")) }
	calls := Calls[string]{Write: write, Fan: func(members []string, text []byte) {
		for _, c := range members {
			write(c, text)
		}
	}}
	states := map[string]*State{"a": {}, "b": {}, "c": {}}
	say := func(c string, records ...string) bool {
		return calls.Receive(c, states[c], []byte(strings.Join(records, "\x1e")+"\x1e"))
	}
	for c := range states {
		if !say(c, `{"protocol":"json","version":1}`, `{"type":6}`) {
			t.Fatal("the handshake was refused")
		}
	}
	for _, step := range []struct {
		from    string
		records []string
		refused bool
		want    map[string]string // what each gets
	}{
		{"a", []string{`{"type":1,"invocationId":"7","target":"Echo","arguments":["x,y"]}`}, false, map[string]string{"a": `{"type":3,"invocationId":"7","result":"x,y"}`}},
		{"a", []string{`{"type":1,"target":"Broadcast","arguments":["x"]}`}, false, map[string]string{"a": sendBegin + `"x"]}`, "b": sendBegin + `"x"]}`, "c": sendBegin + `"x"]}`}},
		{"a", []string{`{"type":1,"target":"Join","arguments":["g"]}`}, false, nil},
		{"b", []string{`{"type":1,"invocationId":"1","target":"Join","arguments":["g"]}`}, false, map[string]string{"b": `{"type":3,"invocationId":"1","result":null}`}},
		{"c", []string{`{"type":1,"target":"Publish","arguments":["g","x"]}`}, false, map[string]string{"a": sendBegin + `"x"]}`, "b": sendBegin + `"x"]}`}},
		{"a", []string{`{"type":1,"target":"Join","arguments":["h"]}`}, true, nil},
		{"a", []string{`{"type":1,"target":"Sleep","arguments":[1]}`}, true, nil},
		{"a", []string{`{"type":1,"target":"Echo","arguments":[1`}, true, nil},
		{"a", []string{`{"type":9}`}, true, nil},
	} {
		clear(got)
		if ok := say(step.from, step.records...); ok == step.refused {
			t.Errorf("%s: accepted %t", step.records, ok)
		}
		for c := range states {
			if have := strings.Join(got[c], " "); have != step.want[c] {
				t.Errorf("%s: %s got %q, want %q", step.records, c, have, step.want[c])
			}
		}
	}
	calls.Leave("b", states["b"])
	clear(got)
	say("a", `{"type":1,"target":"Broadcast","arguments":[1]}`, `{"type":1,"target":"Publish","arguments":["g",2]}`)
	if len(got["a"]) != 2 || len(got["b"]) != 0 || len(got["c"]) != 1 {
		t.Errorf("after b has left: %v", got)
	}
	if calls.Receive("a", states["a"], []byte(`{"type":6}`)) {
		t.Error("half a record was accepted")
	}
}
