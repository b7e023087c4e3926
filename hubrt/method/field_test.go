package method

import (
	"strings"
	"testing"
)

type rolls struct {
	Last func() int `spoke:"lastRoll,user"`
}

type dice struct {
	*rolls
	Roll   func(sides int) int `spoke:"rollDice,inline"`
	Shake  func(*hubContext)   `spoke:""`
	Hidden func()              // without a tag it is the application's own
	Name   string
}

func (dice) Count() int { return 2 }

func TestFields(t *testing.T) {
	t.Parallel()
	last := &rolls{func() int { return 6 }}
	whole := dice{rolls: last, Roll: func(n int) int { return n }, Shake: func(*hubContext) {}}
	for _, tt := range []struct {
		name   string
		value  any
		opts   map[string]Options
		naming func(string) string
		names  string
		want   string
	}{
		{name: "value", value: whole, names: "Count Shake lastRoll rollDice"},
		{name: "pointer", value: &whole, names: "Count Shake lastRoll rollDice"},
		{name: "named by a function", value: &whole, naming: LowerCamel, names: "count lastRoll rollDice shake"},
		{name: "explicit names win", value: &whole, naming: LowerCamel, opts: map[string]Options{"Count": {Name: "COUNT"}, "Roll": {Name: "Throw"}, "Shake": {Inline: true}}, names: "COUNT Throw lastRoll shake"},
		{name: "fields alone", value: struct {
			F func() `spoke:"f"`
		}{func() {}}, names: "f"},
		{name: "no struct", value: byValueFunc(nil), names: "Call"},
		{name: "the function gives no name", value: &whole, naming: func(string) string { return "" }, want: "hub method \"\": the name is empty\nhub method \"\": the name is empty"},
		{name: "the function gives one name", value: &whole, naming: func(string) string { return "x" },
			want: `hub method "x": Duplicate definitions of 'x'. Overloading is not supported. ("x" is registered, and names ignore ASCII case.)`},
		{name: "a name twice", value: struct {
			A func() `spoke:"same"`
			B func() `spoke:"Same"`
		}{func() {}, func() {}}, want: `hub method "Same": Duplicate definitions of 'Same'. Overloading is not supported. ("same" is registered, and names ignore ASCII case.)`},
		{name: "nil", value: dice{rolls: last, Shake: func(*hubContext) {}}, want: `hub method "Roll": the field's function, a func(int) int, is nil`},
		{name: "nil embedded struct", value: dice{Roll: whole.Roll, Shake: whole.Shake}, want: `hub method "Last": the field is in an embedded struct whose pointer is nil`},
		{name: "no function", value: struct {
			N int `spoke:"n"`
		}{}, want: `hub method "N": the field has a spoke tag, but int is not a function type`},
		{name: "not exported", value: struct {
			f func() `spoke:"f"`
		}{func() {}}, want: `hub method "f": the field has a spoke tag, but is not exported`},
		{name: "option", value: struct {
			F func() `spoke:"f,inlined"`
		}{func() {}}, want: `hub method "F": its spoke tag has the option "inlined"; there are inline and user`},
		{name: "signature", value: struct {
			F func(chan<- int) `spoke:"f"`
		}{func(chan<- int) {}}, want: `hub method "f": parameter 1 (chan<- int) cannot be an argument: chan<- int has no encoding`},
		{name: "options of a field without a tag", value: &whole, opts: map[string]Options{"Hidden": {}},
			want: `hub method "Hidden": options are given for it, but *method.dice has no hub method of that Go name`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tab := table{MethodName: tt.naming}
			if got := text(tab.AddValue(tt.value, tt.opts)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := strings.Join(names(&tab), " "); got != tt.names {
				t.Errorf("registered %q, want %q", got, tt.names)
			}
		})
	}
}

type byValueFunc func()

func (byValueFunc) Call() {}

func TestFieldOptions(t *testing.T) {
	t.Parallel()
	value := dice{rolls: &rolls{func() int { return 6 }}, Roll: func(n int) int { return n + 1 }, Shake: func(*hubContext) {}}
	var tab table
	if err := tab.AddValue(&value, map[string]Options{"Roll": {RequireUser: true}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Options{"rollDice": {Inline: true, RequireUser: true}, "lastRoll": {RequireUser: true}, "Shake": {}, "Count": {}} {
		if m := tab.Lookup([]byte(name)); m == nil || m.Inline != want.Inline || m.RequireUser != want.RequireUser {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
