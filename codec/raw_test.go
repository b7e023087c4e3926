package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// A Raw is as small as a json.RawMessage, so that an any of it costs as much.
func TestRawSize(t *testing.T) {
	t.Parallel()
	if raw, slice := reflect.TypeFor[Raw]().Size(), reflect.TypeFor[json.RawMessage]().Size(); raw > slice {
		t.Errorf("a Raw takes %d bytes, a json.RawMessage %d", raw, slice)
	}
}

// argumentOf is the one argument of a decoded invocation that holds value.
func argumentOf(t testing.TB, p Protocol, value []byte) []byte {
	t.Helper()
	frame := p.End(p.EndArgs(p.AppendRaw(p.BeginInvocation(nil, "1", "m", 1), value)), 0)
	rec, _, err := p.Next(frame, 0)
	var m Message
	if err == nil {
		err = p.Decode(rec, &m)
	}
	if err == nil {
		err = m.ArgsErr
	}
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	arg, _, ok := p.NextValue(m.Args)
	if !ok {
		t.Fatalf("%q: no argument", value)
	}
	return arg
}

// What comes as an argument goes as it is in its own encoding, and in the other one as a json.RawMessage of it does.
func TestRawThroughBothEncodings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		from         Protocol
		value        string // JSON, or MessagePack in hexadecimal
		json, packed string // what goes out; packed in hexadecimal; "": an error
	}{
		{"null", JSON, `null`, `null`, "c0"},
		{"bool", JSON, `true`, `true`, "c3"},
		{"digit", JSON, `7`, `7`, "07"},
		{"zero", JSON, `-0`, `-0`, "00"},
		{"big integer", JSON, `18446744073709551615`, `18446744073709551615`, "cfffffffffffffffff"},
		{"beyond 64 bits", JSON, `18446744073709551616`, `18446744073709551616`, "cb43f0000000000000"},
		{"many digits", JSON, `0.10000000000000000000000000001`, `0.10000000000000000000000000001`, "cb3fb999999999999a"},
		{"exponent", JSON, `1.0E+2`, `1.0E+2`, "cb4059000000000000"},
		{"beyond float64", JSON, `1e999`, `1e999`, ""},
		{"text", JSON, `"é\u00e9\n"`, `"é\u00e9\n"`, "a5c3a9c3a90a"},
		{"half of a pair", JSON, `"\ud800"`, `"\ud800"`, ""},
		{"object", JSON, `{ "a" : [1 , {"b":null}], "a":"" }`, `{ "a" : [1 , {"b":null}], "a":"" }`, "82a1619201" + "81a162c0" + "a161a0"},

		{"nil", MessagePack, "c0", `null`, "c0"},
		{"long integer", MessagePack, "d30000000000000001", `1`, "d30000000000000001"},
		{"least integer", MessagePack, "d38000000000000000", `-9223372036854775808`, "d38000000000000000"},
		{"greatest integer", MessagePack, "cfffffffffffffffff", `18446744073709551615`, "cfffffffffffffffff"},
		{"float32", MessagePack, "ca3dcccccd", `0.1`, "ca3dcccccd"},
		{"float64", MessagePack, "cb3ff8000000000000", `1.5`, "cb3ff8000000000000"},
		{"NaN", MessagePack, "ca7fc00000", "", "ca7fc00000"},
		{"text", MessagePack, "d902c3a9", `"é"`, "d902c3a9"},
		{"text that is not UTF-8", MessagePack, "a1ff", `"�"`, "a1ff"},
		{"binary", MessagePack, "c403010203", `"AQID"`, "c403010203"},
		{"timestamp", MessagePack, "d6ff386d4380", `"2000-01-01T00:00:00Z"`, "d6ff386d4380"},
		{"timestamp of no known form", MessagePack, "d4ff01", "", "d4ff01"},
		{"extension", MessagePack, "d40501", `{"type":5,"data":"AQ=="}`, "d40501"},
		{"map with integers as keys", MessagePack, "8201a16102c0", `{"1":"a","2":null}`, "8201a16102c0"},
		{"map with other keys", MessagePack, "81c3c0", "", "81c3c0"},
		{"nested", MessagePack, "dc000281a161c4010090", `[{"a":"AA=="},[]]`, "dc000281a161c4010090"},
	} {
		t.Run(c.from.Name()+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			value := []byte(c.value)
			if c.from.Binary() {
				value = packHex(c.value)
			}
			arg := argumentOf(t, c.from, value)
			var r, checked Raw
			if err := errors.Join(c.from.(ValidBinder).BindValid(arg, &r), c.from.Bind(value, &checked)); err != nil {
				t.Fatal(err)
			}
			if r != checked {
				t.Errorf("bound without a check it is %#v, with one %#v", r, checked)
			}
			clear(arg) // it shares nothing with what it came from
			if null := c.json == "null"; r.IsNull() != null {
				t.Errorf("IsNull: %t", r.IsNull())
			}
			for _, to := range []struct {
				p    Protocol
				want []byte
			}{{JSON, []byte(c.json)}, {MessagePack, packHex(c.packed)}} {
				out, err := r.Append([]byte("x"), to.p)
				if to.p != c.from {
					if portable := r.Portable(); (portable == nil) != (len(to.want) > 0) {
						t.Errorf("Portable: %v", portable)
					}
				}
				if len(to.want) == 0 {
					if named, ok := errors.AsType[*valueError](err); !ok || named.name == "" || string(out) != "x" {
						t.Errorf("to %s: %q, %v; want an error with a name and nothing else", to.p.Name(), out, err)
					}
				} else if err != nil || !bytes.Equal(out[1:], to.want) {
					t.Errorf("to %s: %q, %v; want %q", to.p.Name(), out[1:], err, to.want)
				}
				for _, list := range [][]Raw{nil, {}, {r, {}, r}} {
					got, err := to.p.AppendValue(nil, list)
					var anys []any
					if list != nil {
						anys = []any{}
					}
					for _, r := range list {
						anys = append(anys, r)
					}
					if want, errOfAny := to.p.AppendValue(nil, anys); !bytes.Equal(got, want) || (err == nil) != (errOfAny == nil) {
						t.Errorf("to %s: %d in a list: %q, %v; want %q, %v", to.p.Name(), len(list), got, err, want, errOfAny)
					}
				}
				list, errOfList := to.p.AppendValue([]byte("x"), []any{r, map[string]any{"k": r}})
				if (err == nil) != (errOfList == nil) || err == nil && bytes.Count(list, to.want) < 2 || err != nil && string(list) != "x" {
					t.Errorf("to %s in a list and a map: %q, %v", to.p.Name(), list, errOfList)
				}
			}
			// encoding/json sees JSON, whatever it came as.
			if b, err := json.Marshal(r); c.json == "" {
				if err == nil {
					t.Errorf("MarshalJSON: %s", b)
				}
			} else if err == nil {
				var compact bytes.Buffer
				if err := json.Compact(&compact, []byte(c.json)); err != nil || !bytes.Equal(b, compact.Bytes()) {
					t.Errorf("MarshalJSON: %s, want %s (%v)", b, &compact, err)
				}
			} else {
				t.Errorf("MarshalJSON: %v", err)
			}
		})
	}
}

type rawMembers struct {
	One  Raw            `json:"one"`
	To   *Raw           `json:"to"`
	List []Raw          `json:"list"`
	Map  map[string]Raw `json:"map"`
	Any  any            `json:"any"`
	Zero Raw            `json:"zero,omitzero"`
}

// Raws are parts of structs, slices, maps and pointers, in both directions.
func TestRawInside(t *testing.T) {
	t.Parallel()
	const text = `{"one":[1,{"a":"b"}],"to":{"x":null},"list":[1,null,"two"],"map":{"k":[true]},"any":null}`
	packed, err := MessagePack.AppendValue(nil, json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p     Protocol
		value []byte
	}{{JSON, []byte(text)}, {MessagePack, packed}} {
		var v rawMembers
		if err := c.p.Bind(c.value, &v); err != nil {
			t.Fatalf("%s: %v", c.p.Name(), err)
		}
		if !v.List[1].IsNull() || !v.Zero.IsNull() || v.To == nil {
			t.Errorf("%s: %+v", c.p.Name(), v)
		}
		var n int
		var two string
		if err := errors.Join(v.List[0].Bind(&n), v.List[2].Bind(&two)); err != nil || n != 1 || two != "two" {
			t.Errorf("%s: %d, %q, %v", c.p.Name(), n, two, err)
		}
		if out, err := c.p.AppendValue(nil, v); err != nil || !bytes.Equal(out, c.value) {
			t.Errorf("%s: %q, %v; want %q", c.p.Name(), out, err, c.value)
		}
		// Across: the other encoding of the same.
		other, want := MessagePack, packed
		if c.p.Binary() {
			other, want = JSON, []byte(text)
		}
		if out, err := other.AppendValue(nil, &v); err != nil || !bytes.Equal(out, want) {
			t.Errorf("%s to %s: %q, %v; want %q", c.p.Name(), other.Name(), out, err, want)
		}
		var none *Raw
		if err := c.p.Bind(c.p.AppendNil(nil), &none); err != nil || none != nil {
			t.Errorf("%s: nil into a pointer: %v, %v", c.p.Name(), none, err)
		}
		if out, err := c.p.AppendValue(nil, none); err != nil || !bytes.Equal(out, c.p.AppendNil(nil)) {
			t.Errorf("%s: a nil pointer became %q, %v", c.p.Name(), out, err)
		}
	}
	// Binary is still binary deep inside.
	value := packHex("82a36f6e65c4020102a46c69737491c40103")
	var v rawMembers
	if err := MessagePack.Bind(value, &v); err != nil {
		t.Fatal(err)
	}
	out, err := MessagePack.AppendValue(nil, []any{v.One, v.List})
	if want := packHex("92c402010291c40103"); err != nil || !bytes.Equal(out, want) {
		t.Errorf("% x, %v; want % x", out, err, want)
	}
}

// The zero Raw is null everywhere, and what is bound from null is the zero Raw.
func TestRawNull(t *testing.T) {
	t.Parallel()
	for _, p := range []Protocol{JSON, MessagePack} {
		null := p.AppendNil(nil)
		out, err := p.AppendValue(nil, Raw{})
		direct, err2 := Raw{}.Append(nil, p)
		if err := errors.Join(err, err2); err != nil || !bytes.Equal(out, null) || !bytes.Equal(direct, null) {
			t.Errorf("%s: %q, %q, %v", p.Name(), out, direct, err)
		}
		r, _ := JSONRaw([]byte("1"))
		if err := p.Bind(null, &r); err != nil || r != (Raw{}) {
			t.Errorf("%s: %#v, %v", p.Name(), r, err)
		}
	}
	if b, err := json.Marshal(Raw{}); err != nil || string(b) != "null" {
		t.Errorf("%s, %v", b, err)
	}
	var s *string
	var n int
	if err := (Raw{}).Bind(&s); err != nil || s != nil {
		t.Errorf("%v, %v", s, err)
	}
	if err := (Raw{}).Bind(&n); err == nil {
		t.Error("null became an int")
	}
}

func TestRawBind(t *testing.T) {
	t.Parallel()
	type point struct{ X, Y int }
	text, err := JSONRaw([]byte(" {\"X\":1,\"Y\":2}\n"))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := MessagePackRaw(packHex("82a15801a15902"))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Raw{"JSON": text, "MessagePack": packed} {
		var p point
		var m map[string]int
		var again Raw
		if err := errors.Join(r.Bind(&p), r.Bind(&m), r.Bind(&again)); err != nil || p != (point{1, 2}) || m["Y"] != 2 || again != r {
			t.Errorf("%s: %v, %v, %v, %v", name, p, m, again, err)
		}
		var n int
		if err := r.Bind(&n); err == nil {
			t.Errorf("%s: became an int", name)
		}
		if err := r.Bind(nil); err == nil {
			t.Errorf("%s: bound to nothing", name)
		}
	}
	when, err := MessagePackRaw(packHex("d6ff386d4380"))
	var at time.Time
	if err := errors.Join(err, when.Bind(&at)); err != nil || at.Year() != 2000 {
		t.Errorf("%v, %v", at, err)
	}
}

func TestRawString(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"c0": "null", "c40101": `"AQ=="`, "ca7fc00000": "MessagePack ca7fc00000"} {
		r, err := MessagePackRaw(packHex(value))
		if err != nil || r.String() != want {
			t.Errorf("%s: %s, %v; want %s", value, r, err, want)
		}
	}
}

// At the top nothing is looked at again, not even what a Raw can never be.
func TestRawIsNotScannedAgain(t *testing.T) {
	t.Parallel()
	for p, r := range map[Protocol]Raw{JSON: {strings.Repeat("{", 1000), false}, MessagePack: {strings.Repeat("\xc1", 1000), true}} {
		direct, err := r.Append(nil, p)
		boxed, err2 := p.AppendValue(nil, r)
		if err := errors.Join(err, err2); err != nil || string(direct) != r.text || string(boxed) != r.text {
			t.Errorf("%s: %q, %q, %v", p.Name(), direct, boxed, err)
		}
	}
}

// What is no value, or none that could be sent, is refused wherever it comes from.
func TestRawRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", " ", "{", "1 2", "nul", "'a'", "\"\xff\"", "{\x1e}", "01", strings.Repeat("[", maxValueDepth+1) + strings.Repeat("]", maxValueDepth+1)} {
		var r Raw
		_, err := JSONRaw([]byte(s))
		if err == nil || JSON.Bind([]byte(s), &r) == nil || r.UnmarshalJSON([]byte(s)) == nil {
			t.Errorf("%q became a Raw", s)
		}
	}
	for _, s := range []string{"", "c1", "91", "c0c0", "a2ff", "ddffffffff", strings.Repeat("91", maxValueDepth+1) + "c0"} {
		var r Raw
		_, err := MessagePackRaw(packHex(s))
		if err == nil || MessagePack.Bind(packHex(s), &r) == nil {
			t.Errorf("%s became a Raw", s)
		}
	}
}

// levels are depth containers, one in the other, padded so that the length does not tell how few levels there are.
func levels(p Protocol, depth int) []byte {
	if p.Binary() {
		return append(append(bytes.Repeat([]byte{packArray | 1}, depth), packStr8, 200), bytes.Repeat([]byte("x"), 200)...)
	}
	return []byte(strings.Repeat("[", depth) + `"` + strings.Repeat("x", 200) + `"` + strings.Repeat("]", depth))
}

// decodes says what our decoder finds wrong with a record.
func decodes(p Protocol, frame []byte) error {
	rec, _, err := p.Next(frame, 0)
	var m Message
	if err == nil {
		err = p.Decode(rec, &m)
	}
	return errors.Join(err, m.ArgsErr)
}

// An argument at the limit may leave as an argument, a result and an item, without a look at it, and is then within the limits of those who read it. Inside of
// something it counts with its depth.
func TestRawDepth(t *testing.T) {
	t.Parallel()
	for _, from := range []Protocol{JSON, MessagePack} {
		value := levels(from, maxValueDepth)
		var r Raw
		if err := from.(ValidBinder).BindValid(argumentOf(t, from, value), &r); err != nil {
			t.Fatal(err)
		}
		for _, to := range []Protocol{JSON, MessagePack} {
			name := from.Name() + " to " + to.Name()
			args, err := to.AppendInvocation(nil, "", "m", []any{r})
			result, err2 := to.AppendResult(nil, "1", r)
			item, err3 := to.AppendStreamItem(nil, "1", r)
			if err := errors.Join(err, err2, err3); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, frame := range [][]byte{args, result, item} {
				if err := decodes(to, frame); err != nil {
					t.Errorf("%s: %q: %v", name, frame, err)
				}
			}
			for _, outer := range []any{[]any{r}, map[string]any{"": r}, []Raw{r}, map[string]Raw{"": r}, struct{ R Raw }{r}, struct{ R any }{r}, &[1]*Raw{&r}} {
				if out, err := to.AppendValue(nil, outer); err == nil {
					t.Errorf("%s: %T of a value at the limit became %q", name, outer, out)
				}
			}
		}
		// One level less fits inside of one.
		inner := levels(from, maxValueDepth-1)
		if err := from.Bind(inner, &r); err != nil {
			t.Fatal(err)
		}
		for _, to := range []Protocol{JSON, MessagePack} {
			for _, outer := range []any{[]any{r}, []Raw{r}, map[string]any{"": r}, struct{ R Raw }{r}, struct{ R any }{r}} {
				out, err := to.AppendInvocation(nil, "", "m", []any{outer})
				if err == nil {
					err = decodes(to, out)
				}
				if err != nil {
					t.Errorf("%s to %s: %T: %v", from.Name(), to.Name(), outer, err)
				}
			}
			if _, err := to.AppendValue(nil, []any{[]any{r}}); err == nil {
				t.Errorf("%s to %s: nested too deep", from.Name(), to.Name())
			}
		}
		// An item may have a level more than that, and then it is no Raw, however it is asked for.
		deep := levels(from, maxValueDepth+1)
		if err := decodes(from, from.End(from.AppendRaw(from.BeginStreamItem(nil, "1"), deep), 0)); err != nil {
			t.Fatal(err)
		}
		var to *Raw
		for _, dst := range []any{&r, &to} {
			if err := from.Bind(deep, dst); err == nil {
				t.Errorf("%s: %T took an item that is too deep to be sent", from.Name(), dst)
			}
		}
		if err := from.(ValidBinder).BindValid(deep, &to); err == nil {
			t.Errorf("%s: a pointer took an item that is too deep to be sent", from.Name())
		}
	}
	// In JSON an extension is a level more.
	ext := append(bytes.Repeat([]byte{packArray | 1}, maxValueDepth), packHex("d40501")...)
	r, err := MessagePackRaw(ext)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := r.Append(nil, MessagePack); err != nil || !bytes.Equal(out, ext) {
		t.Errorf("%x, %v", out, err)
	}
	if out, err := r.Append(nil, JSON); err == nil || r.Portable() == nil {
		t.Errorf("became %s", out)
	}
	if r, err = MessagePackRaw(ext[1:]); err != nil {
		t.Fatal(err)
	}
	if out, err := JSON.AppendResult(nil, "1", r); err != nil || decodes(JSON, out) != nil {
		t.Errorf("%s, %v", out, err)
	}
}

// libraryRaw encodes itself with the library, and a Raw in it.
type libraryRaw struct{ payload Raw }

func (l libraryRaw) EncodeMsgpack(e *msgpack.Encoder) error { return e.Encode(l.payload) }
func (l *libraryRaw) DecodeMsgpack(d *msgpack.Decoder) error {
	return d.Decode(&l.payload)
}

type embeddedRaw struct {
	Raw
	Ignored int // as for encoding/json: the embedded methods speak for the whole
}

func TestRawOfTheLibrary(t *testing.T) {
	t.Parallel()
	value := packHex("92c403010203d6ff386d4380")
	var l libraryRaw
	var e embeddedRaw
	if err := errors.Join(MessagePack.Bind(value, &l), MessagePack.Bind(value, &e)); err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{l, e} {
		if out, err := MessagePack.AppendValue(nil, v); err != nil || !bytes.Equal(out, value) {
			t.Errorf("%T: % x, %v", v, out, err)
		}
	}
	if out, err := JSON.AppendValue(nil, e); err != nil || string(out) != `["AQID","2000-01-01T00:00:00Z"]` {
		t.Errorf("%s, %v", out, err)
	}
	var fromJSON embeddedRaw
	if err := JSON.Bind([]byte(`[1]`), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if out, err := msgpack.Marshal(fromJSON.Raw); err != nil || !bytes.Equal(out, packHex("9101")) {
		t.Errorf("% x, %v", out, err)
	}
	half, err := JSONRaw([]byte(`"\ud800"`))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := msgpack.Marshal(half); err == nil {
		t.Errorf("became % x", out)
	}
	var r Raw
	if err := msgpack.Unmarshal(bytes.Repeat([]byte{packArray | 1}, maxValueDepth+2), &r); err == nil {
		t.Error("took what is cut short")
	}
}

// FuzzRaw: what becomes a Raw leaves in its own encoding as it came, and in the other as a json.RawMessage does; it can be sent wherever a value stands; and it is bound as it would have been at once.
func FuzzRaw(f *testing.F) {
	for _, s := range scannerSeeds {
		f.Add([]byte(s))
	}
	addPackedSeeds(f, func(b []byte) { f.Add(b) })
	for _, p := range []Protocol{JSON, MessagePack} {
		for depth := maxValueDepth - 1; depth <= maxDepth; depth++ {
			f.Add(levels(p, depth))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := JSONRaw(b); err == nil {
			checkRaw(t, JSON, r, bytes.TrimRight(bytes.TrimLeft(b, " \t\r\n"), " \t\r\n"))
			var old json.RawMessage
			if err := JSON.Bind(b, &old); err != nil {
				t.Fatal(err)
			}
			want, errOld := MessagePack.AppendValue(nil, old)
			got, err := MessagePack.AppendValue(nil, r)
			if (err == nil) != (errOld == nil) || !bytes.Equal(got, want) {
				t.Errorf("%q became % x (%v), want % x (%v)", b, got, err, want, errOld)
			}
		} else if v, ok := wholeValue(b); ok && depthOf(v) <= maxValueDepth {
			t.Errorf("%q: %v", b, err)
		}
		if r, err := MessagePackRaw(b); err == nil {
			checkRaw(t, MessagePack, r, b)
			var old json.RawMessage
			errOld := MessagePack.Bind(b, &old)
			var want []byte
			if errOld == nil {
				want, errOld = JSON.AppendValue(nil, old)
			}
			got, err := JSON.AppendValue(nil, r)
			if (err == nil) != (errOld == nil) || !bytes.Equal(got, want) {
				t.Errorf("% x became %q (%v), want %q (%v)", b, got, err, want, errOld)
			}
		} else if end := packEnd(b, 0, 0); end == len(b) && depthOfPacked(b) <= maxValueDepth {
			t.Errorf("% x: %v", b, err)
		}
	})
}

// checkRaw checks r, which came from value, in its own encoding.
func checkRaw(t *testing.T, p Protocol, r Raw, value []byte) {
	out, err := r.Append(nil, p)
	if err != nil || !bytes.Equal(out, value) {
		t.Fatalf("%s: %q became %q, %v", p.Name(), value, out, err)
	}
	frame, err := p.AppendInvocation(nil, "1", "m", []any{r})
	if err = errors.Join(err, decodes(p, frame)); err != nil {
		t.Fatalf("%s: %q: %v", p.Name(), value, err)
	}
	if list, err := p.AppendValue(nil, []any{[]any{r}}); err == nil {
		if !bytes.Contains(list, value) {
			t.Errorf("%s: %q in a list: %q", p.Name(), value, list)
		}
		if err := decodes(p, p.End(p.AppendRaw(p.BeginResult(nil, "1"), list), 0)); err != nil {
			t.Errorf("%s: %q in a list: %v", p.Name(), value, err)
		}
	} else if r.fits(maxValueDepth - 2) {
		t.Errorf("%s: %q in a list: %v", p.Name(), value, err)
	}
	var again Raw
	if err := p.Bind(value, &again); err != nil || again != r {
		t.Errorf("%s: %q: %v, %v", p.Name(), value, again, err)
	}
	var late, now any
	errLate, errNow := r.Bind(&late), p.Bind(value, &now)
	if (errLate == nil) != (errNow == nil) || !reflect.DeepEqual(late, now) && !hasNaN(now) {
		t.Errorf("%s: %q is %v later (%v), and %v at once (%v)", p.Name(), value, late, errLate, now, errNow)
	}
}

// hasNaN says whether a dynamic value holds NaN, which is not even equal to itself.
func hasNaN(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.IsNaN(v)
	case []any:
		for _, x := range v {
			if hasNaN(x) {
				return true
			}
		}
	case map[string]any:
		for _, x := range v {
			if hasNaN(x) {
				return true
			}
		}
	case map[any]any:
		for k, x := range v {
			if hasNaN(k) || hasNaN(x) {
				return true
			}
		}
	}
	return false
}

// A Raw costs its own bytes when it comes, and nothing when it goes, in its own encoding; on the way to the other the codec allocates for texts alone. (Not parallel: it counts allocations.)
func TestRawAllocations(t *testing.T) {
	value := map[Protocol][]byte{JSON: []byte(`{"a":[1,2,3],"b":true}`), MessagePack: packHex("82a16193010203a162c3")}
	buf := make([]byte, 0, 4096)
	for from, v := range value {
		arg := argumentOf(t, from, v)
		bind := from.(ValidBinder).BindValid
		var r Raw
		count := func(name string, want float64, f func() error) {
			t.Helper()
			if allocs := testing.AllocsPerRun(100, func() {
				if err := f(); err != nil {
					t.Fatal(err)
				}
			}); allocs > want {
				t.Errorf("%s, %s: %v allocations, want at most %v", from.Name(), name, allocs, want)
			}
		}
		count("bind", 1, func() error { return bind(arg, &r) })
		var boxed any = r
		var list any = []any{r, r}
		null, none := from.AppendNil(nil), Raw{}
		count("append", 0, func() error { _, err := r.Append(buf, from); return err })
		count("append as any", 0, func() error { _, err := from.AppendValue(buf, boxed); return err })
		count("append inside", 0, func() error { _, err := from.AppendValue(buf, list); return err })
		var raws any = []Raw{r, r}
		count("append a list", 0, func() error { _, err := from.AppendValue(buf, raws); return err })
		count("null", 0, func() error { return bind(null, &none) })
	}
}
