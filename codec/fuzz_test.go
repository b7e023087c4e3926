package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode: any record is read as the oracle reads it, with bounded memory.
func FuzzDecode(f *testing.F) {
	for _, l := range goldenMessages(f) {
		f.Add(l.rec)
	}
	for _, s := range scannerSeeds {
		f.Add([]byte(s))
		f.Add([]byte(`{"type":1,"target":"T","arguments":[` + s + `]}`))
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		checkScanner(t, rec)
		checkDecode(t, rec)
		limit := mayAllocate(len(rec))
		if n := allocated(limit, func() { _ = JSON.Decode(rec, new(Message)) }); n > limit && !raceDetector {
			t.Errorf("%d bytes allocated for a record of %d, want at most %d", n, len(rec), limit)
		}
	})
}

// FuzzNext: wherever a stream is cut, the same records come out of it.
func FuzzNext(f *testing.F) {
	stream, _ := goldenStream(f)
	f.Add(stream[:512], 7, 300)
	f.Add([]byte("{}\x1e{}\x1e\x1e"), 1, 3)
	f.Add([]byte("{}\x1e{\"a\":1}\x1e\x1e"), 2, 4)
	f.Fuzz(func(t *testing.T, stream []byte, step, limit int) {
		step, limit = 1+abs(step)%(len(stream)+1), abs(limit)%(64<<10)
		split := func(step int) (records [][]byte, rest int, err error) {
			unread, seen := []byte(nil), 0
			for at := 0; at < len(stream); at += step {
				unread = append(unread, stream[at:min(at+step, len(stream))]...)
				for {
					rec, n, err := JSON.NextFrom(unread, seen, limit)
					if again, n2, err2 := JSON.Next(unread, limit); !bytes.Equal(rec, again) || n != n2 || (err == nil) != (err2 == nil) {
						t.Fatalf("NextFrom: %q, %d, %v; Next: %q, %d, %v", rec, n, err, again, n2, err2)
					}
					if err != nil {
						return records, len(unread), err
					}
					if n == 0 {
						break
					}
					if limit > 0 && n > limit || n != len(rec)+1 || unread[n-1] != separator {
						t.Fatalf("record %q, %d of at most %d", rec, n, limit)
					}
					records = append(records, bytes.Clone(rec))
					unread, seen = unread[n:], 0
				}
				seen = len(unread)
			}
			return records, len(unread), nil
		}
		records, rest, err := split(len(stream) + 1)
		pieces, restOfPieces, errOfPieces := split(step)
		if !reflect.DeepEqual(records, pieces) || (err == nil) != (errOfPieces == nil) || err == nil && rest != restOfPieces {
			t.Errorf("at once: %d records, %d left, %v; %d at a time: %d records, %d left, %v", len(records), rest, err, step, len(pieces), restOfPieces, errOfPieces)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1) // the least int has no opposite
	}
	return n
}

// FuzzHandshake: a handshake is read as encoding/json would, or refused, and its answer is JSON.
func FuzzHandshake(f *testing.F) {
	for _, l := range readGolden(f, "handshake_request") {
		f.Add(append(l.rec, separator), 0)
	}
	f.Add([]byte("{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":6}\x1e"), 40)
	f.Add([]byte("{\"protocol\":\"json\""), 10)
	f.Fuzz(func(t *testing.T, src []byte, limit int) {
		limit = abs(limit) % (64 << 10)
		h, n, err := ReadHandshake(src, limit)
		end := bytes.IndexByte(src, separator)
		switch {
		case err != nil:
			e := fault(err)
			if e.Name == "" || e.Text == "" || len(e.Text) > maxQuoted+200 || n != 0 {
				t.Fatalf("%d, %#v", n, err)
			}
			if errors.Is(err, ErrHandshakeTooLarge) != (limit > 0 && len(src) > limit && (end < 0 || end >= limit)) {
				t.Errorf("limit %d, %d bytes, separator at %d: %v", limit, len(src), end, err)
			}
			if response := AppendHandshakeResponse(nil, e.Text); !json.Valid(response[:len(response)-1]) || bytes.IndexByte(response, separator) != len(response)-1 {
				t.Errorf("response %q", response)
			}
		case n == 0:
			if end >= 0 || limit > 0 && len(src) > limit {
				t.Errorf("limit %d, %d bytes, separator at %d, and more are needed", limit, len(src), end)
			}
		default:
			if n != end+1 {
				t.Fatalf("%d bytes, separator at %d", n, end)
			}
			var members map[string]json.RawMessage
			var protocol string
			var version int32
			if err := json.Unmarshal(src[:end], &members); err != nil {
				t.Fatal(err)
			}
			if json.Unmarshal(members["protocol"], &protocol) != nil || json.Unmarshal(members["version"], &version) != nil || h != (Handshake{protocol, int(version)}) {
				t.Errorf("%q is %+v, by encoding/json %q, %d", src, h, protocol, version)
			}
		}
	})
}

// FuzzBind: any bytes are bound or refused, by type as encoding/json does, but stricter.
func FuzzBind(f *testing.F) {
	for _, s := range scannerSeeds {
		f.Add([]byte(s))
	}
	for _, l := range readGolden(f, "string") {
		f.Add(l.rec)
	}
	f.Add([]byte(`"2020-01-02T03:04:05.678Z"`))
	f.Add([]byte(`{"NAME":"y","Value":8,"unknown":[1,{"a":2}],"bytes":"AQID","inner":{"name":"z"}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		_, valid := wholeValue(value)
		for _, dst := range []any{
			new(string), new(bool), new(int), new(int8), new(int16), new(int32), new(int64), new(uint), new(uint8), new(uint16), new(uint32), new(uint64), new(float32), new(float64), new([]byte),
			new(time.Time), new(json.RawMessage), new(any), new(*int), new(**string), new([]string), new([]int), new([]any), new([][]float64), new([]*bool), new([3]int), new(map[string]any),
			new(map[string]int), new(complexArgument), new(*complexArgument), new([]complexArgument), new(colour), new(kindName),
		} {
			err := JSON.Bind(value, dst)
			if !valid && err == nil {
				t.Fatalf("%T took %q", dst, value)
			}
			if err != nil {
				if len(err.Error()) > 1024 {
					t.Errorf("%T: an error of %d bytes", dst, len(err.Error()))
				}
				continue
			}
			switch dst.(type) {
			case *time.Time, *[]byte, *json.RawMessage:
				continue // more forms than encoding/json, or (base64 with line ends) the same by other rules
			}
			standard := reflect.New(reflect.TypeOf(dst).Elem())
			if err := json.Unmarshal(value, standard.Interface()); err != nil || !reflect.DeepEqual(standard.Interface(), dst) {
				t.Errorf("%T of %q: %#v, by encoding/json %#v, %v", dst, value, reflect.ValueOf(dst).Elem(), standard.Elem(), err)
			}
			// What was read can be written, if it is not too deep to stand in a message, and read again.
			out, err := JSON.AppendValue(nil, reflect.ValueOf(dst).Elem().Interface())
			if err != nil {
				if depthOf(value) <= maxValueDepth {
					t.Errorf("%T of %q: %v", dst, value, err)
				}
				continue
			}
			again := reflect.New(reflect.TypeOf(dst).Elem())
			if err := JSON.Bind(out, again.Interface()); err != nil || !reflect.DeepEqual(again.Interface(), dst) {
				t.Errorf("%T of %q, written as %q: %v", dst, value, out, err)
			}
		}
	})
}

// FuzzString: any bytes of a Go string are written as JSON that means the same, and encoding/json's way is escaped alike.
func FuzzString(f *testing.F) {
	for _, l := range readGolden(f, "string") {
		f.Add(string(l.rec))
	}
	f.Add("a\xffb\xed\xa0\x80\u2028\ufeff😀")
	f.Fuzz(func(t *testing.T, s string) {
		out := JSON.AppendString(nil, s)
		if !json.Valid(out) || !utf8.Valid(out) || bytes.IndexByte(out, separator) >= 0 {
			t.Fatalf("%q became %q", s, out)
		}
		want := string(bytes.ToValidUTF8([]byte(s), []byte("\ufffd")))
		if valid := utf8.ValidString(s); !valid {
			want = ""
			for _, r := range s {
				want += string(r) // one U+FFFD for each bad byte
			}
		}
		var back, standard string
		if err := JSON.Bind(out, &back); err != nil || back != want {
			t.Errorf("%q became %q (%v)", s, back, err)
		}
		if err := json.Unmarshal(out, &standard); err != nil || standard != want {
			t.Errorf("%q became %q for encoding/json (%v)", s, standard, err)
		}
		if named, err := JSON.AppendValue(nil, kindName(s)); err != nil || !bytes.Equal(named, out) {
			t.Errorf("%q by way of encoding/json: %q, %v; want %q", s, named, err, out)
		}
	})
}
