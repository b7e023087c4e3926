package replay

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

func TestEqualJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want, got string
		equal           bool
	}{
		{"order of members", `{"a":1,"b":[true,null]}`, ` { "b" : [ true , null ], "a" : 1 } `, true},
		{"escapes", `"é<\n"`, `"\u00e9\u003C\u000a"`, true},
		{"pair", `"😀"`, `"\uD83D\ude00"`, true},
		{"lone surrogate", `"\ud800"`, `"\ufffd"`, false},
		{"lone surrogates", `"\ud800"`, `"\uD800"`, true},
		{"reversed pair", `"\udc00\ud800"`, `"\ud800\udc00"`, false},
		{"numbers as written", `1.0`, `1`, false},
		{"exponents as written", `1e2`, `1E2`, false},
		{"many digits", `12345678901234567890123`, `12345678901234567890124`, false},
		{"minus zero", `-0`, `0`, false},
		{"string and number", `"1"`, `1`, false},
		{"null and false", `null`, `false`, false},
		{"true and false", `true`, `false`, false},
		{"null and missing", `{"a":null}`, `{}`, false},
		{"too much", `{}`, `{"a":null}`, false},
		{"member twice", `{"b":1,"b":3}`, `{"b":1,"b":3}`, true},
		{"member twice, other order", `{"b":1,"b":3}`, `{"b":3,"b":1}`, false},
		{"member twice, once", `{"b":3,"b":3}`, `{"b":3}`, false},
		{"names have regard to case", `{"a":1}`, `{"A":1}`, false},
		{"array order", `[1,2]`, `[2,1]`, false},
		{"array length", `[1]`, `[1,1]`, false},
		{"deep", `{"a":[{"b":[1,{"c":"x"}]}]}`, `{"a":[{"b":[1,{"c":"y"}]}]}`, false},
		{"placeholder in a value", `{"a":"${id}"}`, `{"a":"x"}`, true},
		{"placeholder is no number", `{"a":"${id}"}`, `{"a":1}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := matcher{vars: vars{}}
			if d := m.json(tt.want, tt.got); (d == "") != tt.equal {
				t.Errorf("%q, want equal: %v", d, tt.equal)
			}
		})
	}
}

func TestParseJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		``, ` `, `{`, `{}}`, `{} {}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `[1,]`, `[1 2]`, `[`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`, `NaN`, `nul`, `truE`,
		`"`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\xff\"", "\ufeff{}", `'a'`, `//`, strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
	} {
		if _, err := parseJSON(bad); err == nil {
			t.Errorf("%q passes", clip(bad))
		}
	}
}

// TestFailedMatchCapturesNothing: what did not match as a whole leaves no captures behind.
func TestFailedMatchCapturesNothing(t *testing.T) {
	t.Parallel()
	m := matcher{vars: vars{}}
	want := `{"type":1,"invocationId":"${asked}","target":"Result","arguments":[]}` + "\x1e"
	ev := &event{kind: "text", text: `{"type":1,"invocationId":"s1","target":"Other","arguments":[]}` + "\x1e", json: true}
	if d := m.match(&Step{WS: "text", Data: &want}, ev); d == "" || len(m.vars) > 0 {
		t.Errorf("%q, captured %v", d, m.vars)
	}
	ev.text = strings.Replace(ev.text, "Other", "Result", 1)
	if d := m.match(&Step{WS: "text", Data: &want}, ev); d != "" || !maps.Equal(m.vars, vars{"asked": "s1"}) {
		t.Errorf("%q, captured %v", d, m.vars)
	}
}

// FuzzParseJSON compares with encoding/json, which replaces what is not UTF-8 instead of refusing it.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,"\ud83d\ude00\ud800"],"b":null}`, `[true,false,{}]`, `"x"`, "\"\xff\"", `1e`, `[,]`, `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parseJSON(s)
		if err == nil != (json.Valid([]byte(s)) && strings.ToValidUTF8(s, "") == s) && !strings.Contains(s, strings.Repeat("[", 100)) {
			t.Errorf("%q: %v", s, err)
		}
		if err == nil && (vars{}).equalJSON("", &v, &v) != "" && !strings.Contains(s, "$") {
			t.Errorf("%q is not equal to itself", s)
		}
	})
}
