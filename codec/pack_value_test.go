package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// suit is an integer with a name, in both encodings.
type suit int

func (s suit) MarshalText() ([]byte, error) { return []byte([...]string{"clubs", "hearts"}[s]), nil }

func (s *suit) UnmarshalText(b []byte) error {
	switch string(b) {
	case "clubs":
		*s = 0
	case "hearts":
		*s = 1
	default:
		return errors.New("no suit")
	}
	return nil
}

// mark has methods of the library, with a pointer to read.
type mark struct{ n int }

func (m mark) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeString(fmt.Sprintf("#%d", m.n)) }
func (m *mark) DecodeMsgpack(d *msgpack.Decoder) error {
	s, err := d.DecodeString()
	if err != nil {
		return err
	}
	_, err = fmt.Sscanf(s, "#%d", &m.n)
	return err
}

// half writes and reads less than one value.
type half struct{ x bool }

func (half) EncodeMsgpack(e *msgpack.Encoder) error  { return e.EncodeArrayLen(2) }
func (*half) DecodeMsgpack(d *msgpack.Decoder) error { _, err := d.DecodeArrayLen(); return err }

// spelled has methods for JSON alone.
type spelled struct{ s string }

func (s spelled) MarshalJSON() ([]byte, error) { return json.Marshal([]string{s.s}) }
func (s *spelled) UnmarshalJSON(b []byte) error {
	var list []string
	if err := json.Unmarshal(b, &list); err != nil || len(list) != 1 {
		return errors.New("not one text")
	}
	s.s = list[0]
	return nil
}

type baseMembers struct {
	ID   int `json:"id"`
	Kind string
}

type twoNames struct {
	baseMembers
	Name    string          `json:"name,omitempty" msgpack:"Name"`
	Hidden  string          `msgpack:"-"`
	Note    string          `json:"note,omitempty"`
	Suit    suit            `json:"suit"`
	Bytes   []byte          `json:"bytes"`
	When    *time.Time      `json:"when"`
	Raw     json.RawMessage `json:"raw"`
	Any     any             `json:"any"`
	List    []int16         `json:"list"`
	Map     map[string]int  `json:"map"`
	private int
}

type asList struct {
	_msgpack struct{} `msgpack:",as_array"`
	A        int
	B        string
}

type knot struct {
	Self *knot
	Any  any
}

type pointsToItself *pointsToItself

func packHex(s string) []byte {
	var b []byte
	if _, err := fmt.Sscanf(strings.ReplaceAll(s, " ", ""), "%x", &b); err != nil && s != "" {
		panic(err)
	}
	return b
}

func TestPackedValues(t *testing.T) {
	t.Parallel()
	when := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	nine := 9
	for _, c := range []struct {
		name string
		v    any
		want string // hex
	}{
		{"nil", nil, "c0"},
		{"bool", true, "c3"},
		{"named bool", false, "c2"},
		{"int", -33, "d0df"},
		{"int8", int8(-1), "ff"},
		{"int16", int16(300), "cd012c"},
		{"int32", int32(-40000), "d2ffff63c0"},
		{"int64", int64(math.MinInt64), "d38000000000000000"},
		{"uint", uint(7), "07"},
		{"uint8", uint8(200), "ccc8"},
		{"uint16", uint16(0xffff), "cdffff"},
		{"uint32", uint32(0x10000), "ce00010000"},
		{"uint64", uint64(math.MaxUint64), "cfffffffffffffffff"},
		{"float64", 1.5, "cb3ff8000000000000"},
		{"float32", float32(1.5), "ca3fc00000"},
		{"infinity", math.Inf(-1), "cbfff0000000000000"},
		{"string", "é", "a2c3a9"},
		{"no UTF-8", "a\xff", "a461efbfbd"},
		{"bytes", []byte{1, 2}, "c4020102"},
		{"no bytes", []byte(nil), "c0"},
		{"empty bytes", []byte{}, "c400"},
		{"named bytes", json.RawMessage(nil), "c0"},
		{"array of bytes", [2]byte{1, 2}, "c4020102"},
		{"time", when, "d6ff386d4380"},
		{"time of nanoseconds", when.Add(1), "d7ff00000004386d4380"},
		{"time before 1970", time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), "c70cff00000000ffffffffffffffff"},
		{"time beyond 2514", time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC), "c70cff0000000000000004a0fe7280"},
		{"no time", time.Time{}, "c70cff00000000fffffff1886e0900"},
		{"pointer to a time", &when, "d6ff386d4380"},
		{"nil pointer", (*time.Time)(nil), "c0"},
		{"pointer to a pointer", func() any { p := &nine; return &p }(), "09"},
		{"extension", Ext{5, []byte{1}}, "d40501"},
		{"extension of three bytes", Ext{-2, []byte{1, 2, 3}}, "c703fe010203"},
		{"list", []any{1, "a", nil, []string{"b"}}, "9401a161c091a162"},
		{"nil list", []any(nil), "c0"},
		{"numbers", []int{1, 2}, "920102"},
		{"array", [2]bool{true, false}, "92c3c2"},
		{"map", map[string]any{"b": 1, "a": nil}, "82a161c0a16201"},
		{"map of numbers", map[int]bool{2: true, 1: false}, "8201c202c3"},
		{"nil map", map[string]int(nil), "c0"},
		{"text of its own", suit(1), "a6686561727473"},
		{"text as a key", map[suit]int{1: 2}, "81a668656172747302"},
		{"methods of the library", mark{7}, "a22337"},
		{"pointer to one with methods of the library", &mark{7}, "a22337"},
		{"methods of JSON", spelled{"a"}, "91a161"},
		{"json.RawMessage", json.RawMessage(` {"a":[1,1.0,-0.5,"\u00e9"]}`), "81a16194 01 cb3ff0000000000000 cbbfe0000000000000 a2c3a9"},
		{"json.Number", json.Number("12"), "0c"},
		{"empty json.Number", json.Number(""), "00"},
		{"big number", big.NewInt(5), "05"},
		{"duration", time.Second, "ce3b9aca00"},
		{"struct as a list", asList{A: 1, B: "x"}, "9201a178"},
		{"struct", twoNames{baseMembers: baseMembers{ID: 3, Kind: "k"}, Hidden: "h", Suit: 1},
			"8a a26964 03 a44b696e64 a16b a44e616d65 a0 a473756974 a6686561727473 a56279746573 c0 a47768656e c0 a3726177 c0 a3616e79 c0 a46c697374 c0 a36d6170 c0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := MessagePack.AppendValue([]byte("-"), c.v)
			if want := append([]byte("-"), packHex(c.want)...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("% x, %v\nwant % x", got, err, want)
			}
		})
	}
}

func TestPackedValuesRefused(t *testing.T) {
	t.Parallel()
	endless := &knot{}
	endless.Self = endless
	list := []any{nil}
	list[0] = list
	var itself pointsToItself
	itself = &itself
	deep := any("x")
	for range 63 {
		deep = []any{deep}
	}
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"contains itself", endless, "contains itself"},
		{"list that contains itself", list, "contains itself"},
		{"by way of any", knot{Any: endless}, "contains itself"},
		{"pointer to itself", itself, "contains itself"},
		{"too deep", deep, "deeper than 62"},
		{"channel", make(chan int), "chan int"},
		{"function in a struct", struct{ F func() }{func() {}}, "func()"},
		{"complex number", 1i, "complex128"},
		{"half a value", half{}, "not written one MessagePack value"},
		{"no JSON", json.RawMessage("{"), "not one JSON value"},
		{"half of a surrogate pair", json.RawMessage(`"\ud800"`), "surrogate"},
		{"a number that no float holds", json.RawMessage("1e400"), "1e400"},
		{"no number", json.Number("x"), "no number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := MessagePack.AppendValue([]byte("-"), c.v)
			if err == nil || !strings.Contains(err.Error(), c.want) || string(got) != "-" {
				t.Errorf("%q, %v; want an error with %q", got, err, c.want)
			}
		})
	}
}

func TestBindPacked(t *testing.T) {
	t.Parallel()
	when := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	text := "x"
	seven := 7
	for _, c := range []struct {
		name string
		in   string // hex
		want any    // what dst, of this type, holds; an error: a part of its text
		dst  any    // only with an error
	}{
		{"string", "a2c3a9", "é", nil},
		{"string of nil", "c0", "", nil},
		{"no UTF-8", "a2ff41", "\ufffdA", nil},
		{"string of 8 bits", "d90178", "x", nil},
		{"string of 32 bits", "db0000000178", "x", nil},
		{"string from binary", "c40178", errors.New("expected a string, got binary"), new(string)},
		{"string from a number", "05", errors.New("expected a string, got the number 5"), new(string)},
		{"bool", "c3", true, nil},
		{"bool of nil", "c0", errors.New("expected true or false, got nil"), new(bool)},
		{"bool of a number", "01", errors.New("expected true or false, got the number 1"), new(bool)},
		{"int from a longer form", "d30000000000000007", 7, nil},
		{"int from uint64", "cf0000000000000007", 7, nil},
		{"int of nil", "c0", errors.New("expected an integer of 64 bits, got nil"), new(int)},
		{"int of a float", "cb3ff0000000000000", errors.New("expected an integer of 64 bits, got the number 1"), new(int)},
		{"int of a text", "a131", errors.New("expected an integer of 64 bits, got a string"), new(int)},
		{"int64 too large", "cf8000000000000000", errors.New("got the number 9223372036854775808"), new(int64)},
		{"int8", "d080", int8(-128), nil},
		{"int8 too large", "cc80", errors.New("expected an integer of 8 bits, got the number 128"), new(int8)},
		{"int8 too small", "d1ff7f", errors.New("got the number -129"), new(int8)},
		{"int32 too large", "ce80000000", errors.New("got the number 2147483648"), new(int32)},
		{"int32", "d280000000", int32(math.MinInt32), nil},
		{"uint8", "ccff", uint8(255), nil},
		{"uint8 too large", "cd0100", errors.New("8 bits without sign"), new(uint8)},
		{"uint from a negative", "ff", errors.New("without sign, got the number -1"), new(uint)},
		{"uint64", "cfffffffffffffffff", uint64(math.MaxUint64), nil},
		{"float64", "cb3ff8000000000000", 1.5, nil},
		{"float64 from a float32", "ca3fc00000", 1.5, nil},
		{"float64 from an integer", "fe", -2.0, nil},
		{"float64 of nil", "c0", errors.New("expected a number, got nil"), new(float64)},
		{"float32 from a float64", "cb3ff8000000000000", float32(1.5), nil},
		{"float32 too large", "cb7e37e43c8800759c", errors.New("of 32 bits"), new(float32)},
		{"float32 infinity", "cb7ff0000000000000", float32(math.Inf(1)), nil},
		{"bytes", "c4020102", []byte{1, 2}, nil},
		{"bytes of 32 bits", "c6000000020102", []byte{1, 2}, nil},
		{"bytes of nil", "c0", []byte(nil), nil},
		{"bytes from text", "a178", errors.New("expected binary, got a string"), new([]byte)},
		{"time", "d6ff386d4380", when, nil},
		{"time of 64 bits", "d7ff00000004386d4380", when.Add(1), nil},
		{"time of 96 bits", "c70cff0000000000000000386d4380", when, nil},
		{"time with too many nanoseconds", "c70cff3b9aca000000000000000000", errors.New("no known form"), new(time.Time)},
		{"time outside", "c70cff000000007fffffffffffffff", errors.New("years 1 to 9999"), new(time.Time)},
		{"time of five bytes", "c705ff0000000000", errors.New("no known form"), new(time.Time)},
		{"time of nil", "c0", errors.New("expected a timestamp, got nil"), new(time.Time)},
		{"time of another extension", "d60100000000", errors.New("expected a timestamp, got extension type 1"), new(time.Time)},
		{"pointer to a time", "d6ff386d4380", &when, nil},
		{"nil pointer", "c0", (*string)(nil), nil},
		{"pointer", "a178", &text, nil},
		{"pointer to a pointer", "07", func() **int { p := &seven; return &p }(), nil},
		{"extension", "d40501", Ext{5, []byte{1}}, nil},
		{"extension of a number", "05", errors.New("expected an extension"), new(Ext)},
		{"list of numbers", "930102ff", []int{1, 2, -1}, nil},
		{"empty list", "90", []int{}, nil},
		{"nil list", "c0", []int(nil), nil},
		{"nil in a list of numbers", "92c001", errors.New("element 0: expected an integer"), new([]int)},
		{"list of lists", "9291a1789190", [][]any{{"x"}, {[]any{}}}, nil},
		{"list of pointers", "92c007", []*int{nil, &seven}, nil},
		{"list of bytes one by one", "920102", []uint8{1, 2}, errors.New("")},
		{"array", "920102", [2]int{1, 2}, nil},
		{"array of another length", "9101", errors.New("an array of 2"), new([2]int)},
		{"array of bytes", "c4020102", [2]byte{1, 2}, nil},
		{"array of bytes of another length", "c403010203", errors.New("expected 2 bytes, got 3"), new([2]byte)},
		{"map", "82a16101a16202", map[string]int{"a": 1, "b": 2}, nil},
		{"map with equal keys", "82a16101a16102", map[string]int{"a": 2}, nil},
		{"map of numbers", "8101c3", map[int]bool{1: true}, nil},
		{"map of numbers in letters", "82a131c3a22d32c2", map[int16]bool{1: true, -2: false}, nil},
		{"map of numbers without sign in letters", "81a3323535c3", map[uint8]bool{255: true}, nil},
		{"map of too large numbers in letters", "81a3323536c3", errors.New("key of member 0: expected an integer of 8 bits without sign, got a string"), new(map[uint8]bool)},
		{"map of letters that are no number", "81a3312e30c3", errors.New("key of member 0: expected an integer of 64 bits, got a string"), new(map[int]bool)},
		{"map with a wrong key", "81c3c3", errors.New("key of member 0"), new(map[int]bool)},
		{"map with a key that cannot be one", "8190c3", errors.New("expected a simple value"), new(map[any]bool)},
		{"map from a list", "90", errors.New("expected a map, got an array"), new(map[string]int)},
		{"text of its own", "a6686561727473", suit(1), nil},
		{"text of its own from a number", "01", errors.New("expected a string for codec.suit, got the number 1"), new(suit)},
		{"text of its own that it does not know", "a178", errors.New("no suit"), new(suit)},
		{"methods of the library", "a22337", mark{7}, nil},
		{"methods of the library, a list", "92a22337a22338", []mark{{7}, {8}}, nil},
		{"methods of the library fail", "05", errors.New("msgpack"), new(mark)},
		{"methods of the library read less than there is", "9101", errors.New("has left 1 bytes"), new(half)},
		{"methods of JSON", "91a161", spelled{"a"}, nil},
		{"methods of JSON fail", "9101", errors.New("not one text"), new(spelled)},
		{"json.RawMessage", "84 a161 01 a162 c40101 a163 d6ff386d4380 05 92c0c3", json.RawMessage(`{"a":1,"b":"AQ==","c":"2000-01-01T00:00:00Z","5":[null,true]}`), nil},
		{"json.RawMessage of an extension", "d40501", json.RawMessage(`{"type":5,"data":"AQ=="}`), nil},
		{"json.RawMessage of floats", "92cb3ff8000000000000ca3dcccccd", json.RawMessage(`[1.5,0.1]`), nil},
		{"json.RawMessage of infinity", "cb7ff0000000000000", errors.New("JSON"), new(json.RawMessage)},
		{"json.RawMessage of a map with a list as a key", "819001", errors.New("an array as a key"), new(json.RawMessage)},
		{"json.Number", "cf8000000000000000", json.Number("9223372036854775808"), nil},
		{"json.Number of a text", "a131", errors.New("expected a number"), new(json.Number)},
		{"struct as a list", "9201a178", asList{A: 1, B: "x"}, nil},
		{"struct from a longer list", "9301a17890", asList{A: 1, B: "x"}, nil},
		{"struct from a shorter list", "9101", asList{A: 1}, nil},
		{"struct", "86 a26964 03 a44e616d65 a16e a46e6f7465 a16f a473756974 a6686561727473 a46c697374 9107 a3616e79 810 1c0",
			twoNames{baseMembers: baseMembers{ID: 3}, Name: "n", Note: "o", Suit: 1, List: []int16{7}, Any: map[any]any{int64(1): nil}}, nil},
		{"struct with names in another case, unknown ones and a number", "84 a46e616d65 a178 a24944 09 01 02 a1ff 9181c0c0", twoNames{}, nil},
		{"struct with nil members", "85 a26964 c0 a44e616d65 c0 a473756974 c0 a47768656e c0 a3726177 c0", twoNames{Raw: json.RawMessage("null")}, nil},
		{"struct with a wrong member", "81 a46c697374 91ce00010000", errors.New(`member "list": element 0: expected an integer of 16 bits, got the number 65536`), new(twoNames)},
		{"struct of nil", "c0", errors.New("expected a map for codec.twoNames, got nil"), new(twoNames)},
		{"struct of a text", "a178", errors.New("expected a map for codec.twoNames, got a string"), new(twoNames)},
		{"channel", "05", errors.New("chan int"), new(chan int)},
		{"interface with methods", "05", errors.New("error"), new(error)},
		{"pointer to itself", "05", errors.New("no type for a value"), new(pointsToItself)},
		{"two values", "0505", errors.New("not one MessagePack value"), new(int)},
		{"no value", "", errors.New("not one MessagePack value"), new(int)},
		{"no pointer", "05", errors.New("non-nil pointer"), 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := packHex(c.in)
			want, fails := c.want.(error)
			if !fails {
				dst := reflect.New(reflect.TypeOf(c.want))
				err := MessagePack.Bind(in, dst.Interface())
				clear(in) // what was bound may not point there
				if c.dst != nil {
					if err == nil {
						t.Errorf("%v was taken", dst.Elem())
					}
					return
				}
				if err != nil || !reflect.DeepEqual(dst.Elem().Interface(), c.want) {
					t.Errorf("%#v, %v\nwant %#v", dst.Elem().Interface(), err, c.want)
				}
				return
			}
			if err := MessagePack.Bind(in, c.dst); err == nil || !strings.Contains(err.Error(), want.Error()) {
				t.Errorf("%v; want an error with %q", err, want)
			}
		})
	}
}

func TestBindPackedAny(t *testing.T) {
	t.Parallel()
	when := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]any{
		"c0": nil, "c2": false, "05": int64(5), "ff": int64(-1), "cfffffffffffffffff": uint64(math.MaxUint64), "cf0000000000000001": int64(1), "ca3fc00000": 1.5, "cb3ff8000000000000": 1.5,
		"a178": "x", "c40178": []byte("x"), "d6ff386d4380": when, "d40501": Ext{5, []byte{1}}, "90": []any{}, "9205a0": []any{int64(5), ""}, "80": map[string]any{}, "81a16105": map[string]any{"a": int64(5)},
		"82a1610501c0": map[any]any{"a": int64(5), int64(1): nil}, "81c0c0": map[any]any{nil: nil}, "81d6ff386d438005": map[any]any{when: int64(5)},
	} {
		var got any
		if err := MessagePack.Bind(packHex(in), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v; want %#v", in, got, err, want)
		}
		// What came can go back.
		out, err := MessagePack.AppendValue(nil, got)
		var again any
		if err != nil || MessagePack.Bind(out, &again) != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s: written as % x, %v, read as %#v", in, out, err, again)
		}
	}
	for in, want := range map[string]string{
		"81900 5": "key of member 0: expected a simple value, got an array", "81c4017805": "got binary", "818005": "got a map", "81d4050105": "got extension type 5", "d5ff0000": "no known form",
		"91c70cff3b9aca000000000000000000": "element 0", "81a161d5ff0000": "member 0",
	} {
		var got any
		if err := MessagePack.Bind(packHex(in), &got); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %#v, %v; want an error with %q", in, got, err, want)
		}
	}
}

// A tree, and JSON as it came, cross over and come back.
func TestTranscoding(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`null`, `true`, `0`, `-1`, `9223372036854775808`, `1.5`, `"é😀\n"`, `[]`, `{}`, `[1,[2,[3]],{"a":{"b":[null,false]}}]`, `{"":"","a":1,"b":[]}`,
		`[` + strings.Repeat(`1,`, 15) + `1]`, `[` + strings.Repeat(`[],`, 70000) + `1]`, `{` + func() string {
			var b strings.Builder
			for i := range 300 {
				fmt.Fprintf(&b, `"%d":%d,`, i, i)
			}
			return b.String()
		}() + `"x":"` + strings.Repeat("a", 70000) + `"}`,
	} {
		packed, err := MessagePack.(RawAppender).AppendJSON(nil, json.RawMessage(text))
		if err != nil {
			t.Errorf("%.40s: %v", text, err)
			continue
		}
		var raw json.RawMessage
		var tree Tree
		if err := errors.Join(MessagePack.Bind(packed, &raw), MessagePack.Bind(packed, &tree)); err != nil {
			t.Errorf("%.40s: %v", text, err)
			continue
		}
		fromTree, err := JSON.AppendValue(nil, tree)
		want, _ := JSON.AppendValue(nil, json.RawMessage(text))
		if len(text) < 100 && strings.Contains(text, "😀") {
			want = JSON.AppendString(nil, "é😀\n")
		}
		if err != nil || !bytes.Equal(raw, want) || !bytes.Equal(fromTree, want) {
			t.Errorf("%.60s became %.60s, as a tree %.60s, %v", text, raw, fromTree, err)
		}
		again, err := MessagePack.AppendValue(nil, tree)
		if err != nil || !bytes.Equal(again, packed) {
			t.Errorf("%.40s: a tree was packed as %.60x, %v; want %.60x", text, again, err, packed)
		}
	}
}

type plainMembers struct {
	Name  string
	Count int32 `msgpack:"count"`
	Big   uint64
	F     float64
	F32   float32
	B     []byte
	List  []string
	Map   map[string]int64
	Inner *plainMembers
	When  time.Time
	Any   any
}

// What we write the library reads, and the other way round.
func TestPackedAgainstTheLibrary(t *testing.T) {
	t.Parallel()
	v := plainMembers{
		Name: "é", Count: -70000, Big: math.MaxUint64, F: 1.5, F32: -2.5, B: []byte{0, 255}, List: []string{"a", ""}, Map: map[string]int64{"x": math.MinInt64},
		Inner: &plainMembers{Name: "inner", B: []byte{}, List: []string{}, Map: map[string]int64{}, When: time.Unix(1, 5).UTC()}, When: time.Unix(1<<34, 7).UTC(), Any: "x",
	}
	ours, err := MessagePack.AppendValue(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	var read plainMembers
	if err := msgpack.Unmarshal(ours, &read); err != nil {
		t.Fatal(err)
	}
	utc := func(p *plainMembers) {
		for ; p != nil; p = p.Inner {
			p.When = p.When.UTC()
		}
	}
	if utc(&read); !reflect.DeepEqual(read, v) {
		t.Errorf("the library reads %+v", read)
	}
	theirs, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	read = plainMembers{}
	if err := MessagePack.Bind(theirs, &read); err != nil || !reflect.DeepEqual(read, v) {
		t.Errorf("from the library we read %+v, %v", read, err)
	}
}
