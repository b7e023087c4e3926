package codec

import (
	"encoding/json"
	"strings"
	"testing"
)

// endOf must find the ends that the checking scanner finds, in a list that this accepts; in others it must do no harm.
func checkEnds(t *testing.T, args []byte) {
	t.Helper()
	valid := len(args) > 0 && args[0] == '[' && skipValue(args, 0, 1) == len(args)
	for rest := args; len(rest) > 0 && (rest[0] == '[' || rest[0] == ','); {
		i := skipSpace(rest, 1)
		got := endOf(rest, i)
		if valid && i < len(rest) && rest[i] != ']' {
			if want := skipValue(rest, i, 2); got != want {
				t.Fatalf("the value at %d of %q ends at %d, not %d", i, rest, want, got)
			}
		}
		if got < 0 {
			return
		}
		rest = rest[skipSpace(rest, max(got, 1)):]
	}
}

var argumentLists = []string{
	`[]`, `[1]`, `[1 , 2.5e-3,"x",true,false,null]`, `[ "a\"b" , "\\" , "\\\"" , "\\\\" , "" ]`, `[{"a":[1,{"b":"}]"}]},[[],[[]],{}],"]"]`,
	"[\n1\t,\r\"é😀\"]", `["` + strings.Repeat(`\\`, 100) + `",1]`, `[{"a\"]":"\\"}]`, `["`, `["\`, `[{`, `[[`, `[`, `[1`, `[tru`, ``,
}

func TestEndOf(t *testing.T) {
	t.Parallel()
	for _, s := range argumentLists {
		for i := range len(s) + 1 {
			checkEnds(t, []byte(s[:i]))
		}
	}
}

func FuzzEndOf(f *testing.F) {
	for _, s := range argumentLists {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkEnds(t, b) })
}

func TestAppendJSON(t *testing.T) {
	p := JSON.(RawAppender)
	for _, raw := range []json.RawMessage{nil, json.RawMessage(` {"a":[1]} `), json.RawMessage(`x`), json.RawMessage(``), json.RawMessage(strings.Repeat("[", 63) + strings.Repeat("]", 63)), json.RawMessage("\"\xff\"")} {
		want, wantErr := JSON.AppendValue([]byte("-"), raw)
		got, err := p.AppendJSON([]byte("-"), raw)
		if string(got) != string(want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%.20q: %q, %v: AppendValue gives %q, %v", raw, got, err, want, wantErr)
		}
	}
	raw, buf := json.RawMessage(`{"a":[1,2,3]}`), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf, _ = p.AppendJSON(buf[:0], raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
