package replay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of the JSON and MessagePack values that are read.
const maxDepth = 1024

// jsonValue is a JSON value. Numbers are kept as written, object members in their order and with their duplicates, lone
// surrogates as the three bytes that UTF-8 would have for them (so that they differ from U+FFFD).
type jsonValue struct {
	kind    byte   // one of n t f 0 " [ {
	text    string // string and number
	items   []jsonValue
	members []jsonMember
}

type jsonMember struct {
	name  string
	value jsonValue
}

// parseJSON reads one value and nothing behind it, strictly by RFC 8259.
func parseJSON(text string) (jsonValue, error) {
	if !utf8.ValidString(text) {
		return jsonValue{}, errors.New("not UTF-8")
	}
	p := jsonParser{s: text}
	v, err := p.value(0)
	if err != nil {
		return v, fmt.Errorf("not JSON: byte %d: %w", p.i, err)
	}
	if p.space(); p.i < len(p.s) {
		return v, fmt.Errorf("not JSON: byte %d: something behind the value", p.i)
	}
	return v, nil
}

type jsonParser struct {
	s string
	i int
}

func (p *jsonParser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

// next skips white space and takes the byte c if it comes next.
func (p *jsonParser) next(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) (jsonValue, error) {
	if depth > maxDepth {
		return jsonValue{}, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	p.space()
	if p.i == len(p.s) {
		return jsonValue{}, errors.New("a value is missing")
	}
	switch c := p.s[p.i]; c {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		s, err := p.str()
		return jsonValue{kind: '"', text: s}, err
	case 't', 'f', 'n':
		for _, word := range []string{"true", "false", "null"} {
			if strings.HasPrefix(p.s[p.i:], word) {
				p.i += len(word)
				return jsonValue{kind: c}, nil
			}
		}
		return jsonValue{}, errors.New("unknown word")
	}
	return p.number()
}

func (p *jsonParser) object(depth int) (jsonValue, error) {
	v := jsonValue{kind: '{'}
	p.i++
	if p.next('}') {
		return v, nil
	}
	for {
		if p.space(); p.i == len(p.s) || p.s[p.i] != '"' {
			return v, errors.New("a member name is missing")
		}
		name, err := p.str()
		if err != nil {
			return v, err
		}
		if !p.next(':') {
			return v, errors.New("a colon is missing")
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.members = append(v.members, jsonMember{name, item})
		if p.next('}') {
			return v, nil
		}
		if !p.next(',') {
			return v, errors.New("a comma or } is missing")
		}
	}
}

func (p *jsonParser) array(depth int) (jsonValue, error) {
	v := jsonValue{kind: '['}
	p.i++
	if p.next(']') {
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
		if p.next(']') {
			return v, nil
		}
		if !p.next(',') {
			return v, errors.New("a comma or ] is missing")
		}
	}
}

func (p *jsonParser) number() (jsonValue, error) {
	start := p.i
	digits := func() int {
		n := 0
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
			n++
		}
		return n
	}
	take := func(set string) bool {
		if p.i < len(p.s) && strings.IndexByte(set, p.s[p.i]) >= 0 {
			p.i++
			return true
		}
		return false
	}
	take("-")
	zero := p.i < len(p.s) && p.s[p.i] == '0'
	n := digits()
	if n == 0 || zero && n > 1 {
		return jsonValue{}, errors.New("neither a value nor a number")
	}
	if take(".") && digits() == 0 {
		return jsonValue{}, errors.New("no digits behind the point")
	}
	if take("eE") {
		take("+-")
		if digits() == 0 {
			return jsonValue{}, errors.New("no digits in the exponent")
		}
	}
	return jsonValue{kind: '0', text: p.s[start:p.i]}, nil
}

func (p *jsonParser) str() (string, error) {
	p.i++
	var b strings.Builder
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return b.String(), nil
		case c < 0x20:
			return "", errors.New("a raw control character in a string")
		case c != '\\':
			b.WriteByte(c)
			p.i++
		default:
			if err := p.escape(&b); err != nil {
				return "", err
			}
		}
	}
	return "", errors.New("a string without end")
}

func (p *jsonParser) escape(b *strings.Builder) error {
	if p.i+1 >= len(p.s) {
		return errors.New("a string without end")
	}
	c := p.s[p.i+1]
	if at := strings.IndexByte(`"\/bfnrt`, c); at >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[at])
		p.i += 2
		return nil
	}
	u, ok := p.unit(p.i)
	if !ok {
		return errors.New("an unknown escape")
	}
	p.i += 6
	if u >= 0xd800 && u < 0xdc00 {
		if low, ok := p.unit(p.i); ok && low >= 0xdc00 && low < 0xe000 {
			p.i += 6
			b.WriteRune((u-0xd800)<<10 + (low - 0xdc00) + 0x10000)
			return nil
		}
	}
	if u >= 0xd800 && u < 0xe000 {
		b.Write([]byte{0xe0 | byte(u>>12), 0x80 | byte(u>>6)&0x3f, 0x80 | byte(u)&0x3f})
		return nil
	}
	b.WriteRune(u)
	return nil
}

// unit reads the \uXXXX at i.
func (p *jsonParser) unit(i int) (rune, bool) {
	if i+6 > len(p.s) || p.s[i] != '\\' || p.s[i+1] != 'u' {
		return 0, false
	}
	u, err := strconv.ParseUint(p.s[i+2:i+6], 16, 16)
	return rune(u), err == nil
}

// member returns the last member of that name.
func (v *jsonValue) member(name string) (jsonValue, bool) {
	for i := len(v.members) - 1; i >= 0; i-- {
		if v.members[i].name == name {
			return v.members[i].value, true
		}
	}
	return jsonValue{}, false
}

// equalJSON compares by value: the order of members does not count (that of equal names does), numbers are compared as written. diff says
// where and what differs, "" when nothing does. Captured placeholders stay captured only when everything is equal.
func (vs vars) equalJSON(where string, want, got *jsonValue) (diff string) {
	if want.kind != got.kind {
		return fmt.Sprintf("%s: a %s instead of a %s", where, kindName(got.kind), kindName(want.kind))
	}
	switch want.kind {
	case '0':
		if want.text != got.text {
			return fmt.Sprintf("%s: %s instead of %s", where, got.text, want.text)
		}
	case '"':
		if !vs.match(want.text, got.text) {
			return fmt.Sprintf("%s: %q instead of %q", where, clip(got.text), clip(want.text))
		}
	case '[':
		if len(want.items) != len(got.items) {
			return fmt.Sprintf("%s: %d items instead of %d", where, len(got.items), len(want.items))
		}
		for i := range want.items {
			if d := vs.equalJSON(fmt.Sprintf("%s[%d]", where, i), &want.items[i], &got.items[i]); d != "" {
				return d
			}
		}
	case '{':
		return vs.equalMembers(where, want.members, got.members)
	}
	return ""
}

func (vs vars) equalMembers(where string, want, got []jsonMember) string {
	used := make([]bool, len(got))
next:
	for i := range want {
		for k := range got {
			if used[k] || got[k].name != want[i].name {
				continue
			}
			used[k] = true
			if d := vs.equalJSON(where+"."+want[i].name, &want[i].value, &got[k].value); d != "" {
				return d
			}
			continue next
		}
		return fmt.Sprintf("%s: no member %q", where, want[i].name)
	}
	for k := range got {
		if !used[k] {
			return fmt.Sprintf("%s: a member %q too many", where, got[k].name)
		}
	}
	return ""
}

func kindName(k byte) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return map[byte]string{'t': "true", 'f': "false"}[k]
	case '0':
		return "number"
	case '"':
		return "string"
	case '[':
		return "array"
	}
	return "object"
}

// clip shortens a text for a report.
func clip(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:most], len(s))
}
