package replay

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEqualPack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want, got string
		equal           bool
	}{
		{"widths of an integer", "05", "d3 0000000000000005", true},
		{"signed and unsigned", "cc 80", "d1 0080", true},
		{"negative", "ff", "d3 ffffffffffffffff", true},
		{"negative and large", "ff", "cf ffffffffffffffff", false},
		{"sign", "d0 df", "cc df", false},
		{"integer and float", "01", "cb 3ff0000000000000", false},
		{"widths of a float", "ca 3fc00000", "cb 3ff8000000000000", false},
		{"widths of a string", "a1 78", "db 00000001 78", true},
		{"string and bytes", "a1 78", "c4 01 78", false},
		{"widths of bytes", "c4 01 78", "c6 00000001 78", true},
		{"widths of an ext", "d4 05 01", "c7 01 05 01", true},
		{"type of an ext", "d4 05 01", "d4 06 01", false},
		{"widths of an array", "91 01", "dd 00000001 01", true},
		{"array length", "91 01", "92 01 01", false},
		{"order of a map", "82 a1 61 01 a1 62 02", "82 a1 62 02 a1 61 01", true},
		{"value in a map", "82 a1 61 01 a1 62 02", "82 a1 62 01 a1 61 02", false},
		{"key in a map", "81 a1 61 01", "81 a1 41 01", false},
		{"map twice the same key", "82 01 02 01 03", "82 01 02 01 02", false},
		{"nil and false", "c0", "c2", false},
		{"true and false", "c3", "c2", false},
		{"widths of a map", "81 01 02", "df 00000001 01 02", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want, rest, err := parsePack(unhex(t, tt.want), 0)
			if err != nil || len(rest) > 0 {
				t.Fatal(err, rest)
			}
			got, rest, err := parsePack(unhex(t, tt.got), 0)
			if err != nil || len(rest) > 0 {
				t.Fatal(err, rest)
			}
			if d := (vars{}).equalPack("", &want, &got); (d == "") != tt.equal {
				t.Errorf("%q, want equal: %v", d, tt.equal)
			}
		})
	}
}

func TestParsePackRefuses(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"nothing": "", "cut string": "a2 78", "cut integer": "cd 01", "cut float": "cb 00", "cut array": "92 01", "never used": "c1",
		"array of 2^32-1": "dd ffffffff", "map of 2^32-1": "df ffffffff", "string of 2^32-1": "db ffffffff", "ext without type": "c7",
		"not UTF-8": "a1 ff", "too deep": strings.Repeat("91", maxDepth+2) + "01",
	} {
		if v, _, err := parsePack(unhex(t, bad), 0); err == nil {
			t.Errorf("%s passes: %v", name, v.String())
		}
	}
	for name, bad := range map[string]string{
		"bytes behind the value": "02 01 02", "length cut": "80", "record cut": "05 01", "six bytes of length": "80 80 80 80 80 00", "2 GiB": "ff ff ff ff 0f",
	} {
		records, err := splitPack(unhex(t, bad))
		if err == nil {
			_, err = parseRecord(records[0])
		}
		if err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// TestPackNotation: the recordings' notation, packed and read again, is the same; and in all recordings the bytes mean what they are said to mean.
func TestPackNotation(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, sc := range corpus(t) {
		for i := range sc.Steps {
			st := &sc.Steps[i]
			if st.Means == nil || st.Hex == nil {
				continue
			}
			p, err := hex.DecodeString(*st.Hex)
			if err != nil {
				t.Fatal(err)
			}
			records, err := splitPack(p)
			if err != nil {
				continue // a record that is cut on purpose
			}
			var means []json.RawMessage
			if err := json.Unmarshal(st.Means, &means); err != nil || len(means) != len(records) {
				continue // text for readers, where there is no value
			}
			for k := range records {
				got, err := parseRecord(records[k])
				if err != nil {
					continue // broken on purpose
				}
				want, err := packNotation(means[k])
				if err != nil {
					t.Errorf("%s step %d: %v", sc.Name, i+1, err)
					continue
				}
				narrow(&got)
				if d := (vars{}).equalPack("", &want, &got); d != "" {
					t.Errorf("%s step %d: %s", sc.Name, i+1, d)
				}
				again, err := vars{}.appendRecord(nil, &want)
				if err != nil {
					t.Errorf("%s step %d: %v", sc.Name, i+1, err)
					continue
				}
				back, err := parseRecord(string(again))
				if d := (vars{}).equalPack("", &want, &back); err != nil || d != "" {
					t.Errorf("%s step %d: packed: %v %s", sc.Name, i+1, err, d)
				}
				compared++
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d values were compared", compared)
	}
}

// narrow makes floats of 32 bits what the notation says of them.
func narrow(v *packValue) {
	if v.kind == '4' {
		w, err := packNotation(json.RawMessage(strings.TrimSuffix(strings.TrimPrefix(v.String(), "float32("), ")")))
		if err == nil {
			*v = w
		}
	}
	for i := range v.items {
		narrow(&v.items[i])
	}
	for i := range v.pairs {
		narrow(&v.pairs[i][0])
		narrow(&v.pairs[i][1])
	}
}

func FuzzParsePack(f *testing.F) {
	for _, s := range []string{"93c0c2a178", "82a16101a16202", "c70105ff", "dd00000001cb3ff8000000000000", "dfffffffff"} {
		p, _ := hex.DecodeString(s)
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		v, rest, err := parsePack(p, 0)
		if err != nil {
			return
		}
		if len(rest) >= len(p) {
			t.Fatal("a value of no bytes")
		}
		packed, err := vars{}.appendPack(nil, &v)
		if err != nil {
			return // a placeholder in a string
		}
		again, rest, err := parsePack(packed, 0)
		if err != nil || len(rest) > 0 {
			t.Fatalf("packed again: %v, %x left", err, rest)
		}
		if d := (vars{}).equalPack("", &v, &again); d != "" && !strings.Contains(string(p), "${") {
			t.Fatal(d)
		}
	})
}
