package proxy

import "strings"

// element is one of Forwarded: what one proxy has said.
type element struct {
	node, proto, host string
	has               uint8 // which of the three are there
}

const (
	hasFor uint8 = 1 << iota
	hasProto
	hasHost
	hasBy
	hasOther
)

// maxElements bounds a Forwarded header: nobody has so many proxies.
const maxElements = 64

// forwarded reads Forwarded. Its quoted strings make it readable from the left alone, so anything malformed anywhere in it is an error: a client that leaves a quote open would
// else have what the proxy adds read as part of its own.
func (t *Trust) forwarded(peer Peer, lines []string) (*Origin, error) {
	var elements []element
	for _, line := range lines {
		for rest := line; ; {
			var e element
			var more bool
			var err error
			if e, rest, more, err = nextElement(rest); err != nil {
				return nil, err
			}
			if e.has != 0 {
				if len(elements) == maxElements {
					return nil, errElements
				}
				elements = append(elements, e)
			}
			if !more {
				break
			}
		}
	}
	o := &Origin{Client: peer.Addr}
	for i := len(elements) - 1; i >= 0; i-- {
		e := &elements[i]
		if e.has&hasProto != 0 {
			if o.Scheme = scheme(e.proto); o.Scheme == "" {
				return nil, errFwdProto
			}
		} else {
			o.Scheme = ""
		}
		if e.has&hasHost != 0 && !validHost(e.host) {
			return nil, errFwdHost
		}
		o.Host = e.host
		if e.has&hasFor == 0 {
			break // who came to the proxy was not said
		}
		a, kind := parseNode(e.node, true)
		if kind == nodeBad {
			return nil, errNode
		}
		if kind == nodeUnknown {
			break
		}
		o.Client = a
		if !t.Has(a.Addr()) {
			break
		}
	}
	return o, nil
}

// nextElement reads up to a comma. more says that there was one. An empty element is one without parameters.
func nextElement(s string) (e element, rest string, more bool, err error) {
	for {
		s = strings.TrimLeft(s, " \t")
		switch {
		case s == "":
			return e, "", false, nil
		case s[0] == ',':
			return e, s[1:], true, nil
		case s[0] == ';':
			s = s[1:]
			continue
		}
		name := token(s)
		s = s[len(name):]
		if name == "" || s == "" || s[0] != '=' {
			return e, "", false, errElement
		}
		var value string
		var ok bool
		if value, s, ok = parameterValue(s[1:]); !ok {
			return e, "", false, errElement
		}
		var bit uint8
		switch strings.ToLower(name) {
		case "for":
			bit, e.node = hasFor, value
		case "proto":
			bit, e.proto = hasProto, value
		case "host":
			bit, e.host = hasHost, value
		case "by":
			bit = hasBy
		}
		if e.has&bit != 0 {
			return e, "", false, errTwice
		}
		if bit == 0 {
			bit = hasOther
		}
		e.has |= bit
		if s = strings.TrimLeft(s, " \t"); s != "" && s[0] != ';' && s[0] != ',' {
			return e, "", false, errElement
		}
	}
}

// parameterValue reads a token or a quoted string (RFC 9110, section 5.6.4); ok false: it is neither, or empty.
func parameterValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value = token(s)
		return value, s[len(value):], value != ""
	}
	var plain []byte // with an escape taken out; nil: there was none
	for i := 1; i < len(s); i++ {
		switch b := s[i]; {
		case b == '"':
			if value = s[1:i]; plain != nil {
				value = string(plain)
			}
			return value, s[i+1:], value != ""
		case b == '\\':
			if plain == nil {
				plain = append([]byte{}, s[1:i]...)
			}
			if i++; i == len(s) || s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
				return "", "", false
			}
			plain = append(plain, s[i])
		case b < ' ' && b != '\t' || b == 0x7f:
			return "", "", false
		case plain != nil:
			plain = append(plain, b)
		}
	}
	return "", "", false
}

// token is the longest one that s begins with (RFC 9110, section 5.6.2).
func token(s string) string {
	for i := range len(s) {
		b := s[i]
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9') && strings.IndexByte("!#$%&'*+-.^_`|~", b) < 0 {
			return s[:i]
		}
	}
	return s
}
