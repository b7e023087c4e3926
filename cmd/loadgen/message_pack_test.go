package main

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

func TestReadPacked(t *testing.T) {
	t.Parallel()
	pack := func(a ...any) string {
		b, err := msgpack.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	none := map[string]string{}
	long := strings.Repeat("x", 70_000)
	for name, tt := range map[string]struct {
		in   string
		want record
	}{
		"delivery":                 {pack(1, none, nil, "message", []any{"abc"}, []any{}), record{kind: 1, id: -1, target: []byte("message"), text: []byte("abc")}},
		"delivery of 5 items":      {pack(1, none, nil, "message", []any{"abc"}), record{kind: 1, id: -1, target: []byte("message"), text: []byte("abc")}},
		"delivery, long":           {pack(1, none, nil, "message", []any{long}, []any{}), record{kind: 1, id: -1, target: []byte("message"), text: []byte(long)}},
		"delivery of a number":     {pack(1, none, nil, "message", []any{5}, []any{}), record{kind: 1, id: -1, target: []byte("message")}},
		"delivery of nothing":      {pack(1, none, nil, "message", []any{}, []any{}), record{kind: 1, id: -1, target: []byte("message")}},
		"headers":                  {pack(3, map[string]string{"a": long}, "17", 3, "abc"), record{kind: 3, id: 17, text: []byte("abc")}},
		"completion":               {pack(3, none, "17", 3, "abc"), record{kind: 3, id: 17, text: []byte("abc")}},
		"completion, void":         {pack(3, none, "17", 2), record{kind: 3, id: 17}},
		"completion of nil":        {pack(3, none, "17", 3, nil), record{kind: 3, id: 17}},
		"completion of a map":      {pack(3, none, "17", 3, map[string]any{"a": []any{1.5, true, nil, []byte{1}}}), record{kind: 3, id: 17}},
		"completion of another id": {pack(3, none, "x7", 3, "abc"), record{kind: 3, id: -1, text: []byte("abc")}},
		"error":                    {pack(3, none, "17", 1, "no"), record{kind: 3, id: 17, failed: true, reason: "no"}},
		"ping":                     {pack(6), record{kind: 6, id: -1}},
		"close":                    {pack(7, "gone", true), record{kind: 7, id: -1, failed: true, reason: "gone", retry: true}},
		"close, plain":             {pack(7, nil, false), record{kind: 7, id: -1}},
		"unknown":                  {pack(77, "x"), record{kind: 77, id: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readPacked([]byte(tt.in))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
			for n := range min(len(tt.in), 100) {
				if _, err := readPacked([]byte(tt.in[:n])); err == nil && tt.want.kind != 77 && tt.want.kind != 1 && tt.want.kind != 7 {
					t.Errorf("the first %d bytes pass", n)
				}
			}
		})
	}
	for name, in := range map[string]string{
		"nothing": "", "no array": "\x81", "few items": pack(3, none, "17"), "wrong kind": pack(3, none, "17", 4, "x"), "error without a text": pack(3, none, "17", 1),
		"bomb": "\x96\x01\xdf\xff\xff\xff\xff", "never used": "\x96\x01\xc1",
	} {
		if _, err := readPacked([]byte(in)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// FuzzReadPacked: whatever is read is what a library reads, too.
func FuzzReadPacked(f *testing.F) {
	for _, s := range []string{"\x96\x01\x80\xc0\xa1m\x91\xa1x\x90", "\x95\x03\x80\xa217\x03\xa1x", "\x91\x06", "\x93\x07\xc0\xc3", "\x95\x03\x80\xa217\x03\xdd\xff\xff\xff\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := readPacked(p)
		if err != nil || r.kind != kindCompletion || r.text == nil {
			return
		}
		d := msgpack.NewDecoder(strings.NewReader(string(p)))
		n, err := d.DecodeArrayLen()
		if err != nil || n < 5 {
			t.Fatalf("% x: %d, %v", p, n, err)
		}
		for range 4 {
			if err := d.Skip(); err != nil {
				return // an extension that the library does not know
			}
		}
		if s, err := d.DecodeString(); err != nil || s != string(r.text) {
			t.Fatalf("% x: %q, %v; want %q", p, r.text, err, s)
		}
	})
}

func TestCutPacked(t *testing.T) {
	t.Parallel()
	rec, rest, err := cutPacked([]byte("\x02\x91\x06\x01\x90"))
	if err != nil || string(rec) != "\x91\x06" || string(rest) != "\x01\x90" {
		t.Errorf("% x, % x, %v", rec, rest, err)
	}
	for _, bad := range []string{"\x00", "\x03\x91\x06", "\x80", "\xff\xff\xff\xff\xff\x01"} {
		if _, _, err := cutPacked([]byte(bad)); err == nil {
			t.Errorf("% x passes", bad)
		}
	}
}

func TestPackedCall(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3, 31, 32, 255, 256, 65_535, 65_536} {
		text := strings.Repeat("x", size)
		c := newPackedCall(`Say "hi"`, size, "group\n1")
		for id, want := range map[int64]any{7: "7", maxSequence: "4294967295", -1: nil} {
			p := c.end(append(c.begin([]byte("before"), id), text...))[len("before"):]
			n, k := binary.Uvarint(p)
			var a []any
			if err := msgpack.Unmarshal(p[k:], &a); err != nil || int(n) != len(p)-k {
				t.Fatalf("%d bytes, id %d: length %d of %d, %v", size, id, n, len(p)-k, err)
			}
			if len(a) != 6 || a[0] != int8(1) || a[2] != want || a[3] != `Say "hi"` || !reflect.DeepEqual(a[4], []any{"group\n1", text}) || len(a[5].([]any)) != 0 {
				t.Errorf("%d bytes, id %d: %.200v", size, id, a)
			}
		}
	}
}
