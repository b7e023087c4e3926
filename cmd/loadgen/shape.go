package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// shape is what the answers to negotiate have in common: all but the id and the token. An answer of the same shape is read by comparing
// its bytes, which is as strict as reading its JSON, and lets a client keep up with a server that does little more than write it.
// The zero value knows none.
type shape struct {
	before, between, after []byte // the id, id and token, the token; with their quotes
}

// negotiation is what an answer says.
type negotiation struct {
	ID    string `json:"connectionId"`
	Token string `json:"connectionToken"`
	Error string `json:"error"`
	URL   string `json:"url"`
}

// token reads the token of an answer (wire contract, section 2.2). It points into body, or is a copy. kind is that of the error.
func (k *shape) token(body []byte) (token []byte, kind string, err error) {
	if token := k.match(body); token != nil {
		return token, "", nil
	}
	var m negotiation
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, "negotiate: no JSON", fmt.Errorf("the answer is no JSON of negotiate: %w: %s", err, excerpt(body))
	}
	switch {
	case m.Error != "":
		return nil, "negotiate: refused", fmt.Errorf("%s", m.Error)
	case m.URL != "":
		return nil, "negotiate: refused", fmt.Errorf("the server sends its clients on to %s: give that URL to loadgen", m.URL)
	case m.Token == "":
		return nil, "negotiate: no token", fmt.Errorf("the answer has no connectionToken: %s", excerpt(body))
	}
	k.learn(body, m.ID, m.Token)
	return []byte(m.Token), "", nil
}

var (
	idName    = []byte(`"connectionId":"`)
	tokenName = []byte(`"connectionToken":"`)
)

// learn takes the shape of a good answer, if the id comes before the token and both are written without escapes.
func (k *shape) learn(body []byte, id, token string) {
	i, j := bytes.Index(body, idName)+len(idName), bytes.Index(body, tokenName)+len(tokenName)
	if i < len(idName) || j < i+len(id)+len(tokenName) || !bytes.HasPrefix(body[i:], []byte(id+`"`)) || !bytes.HasPrefix(body[j:], []byte(token+`"`)) {
		return
	}
	x := shape{bytes.Clone(body[:i]), bytes.Clone(body[i+len(id) : j]), bytes.Clone(body[j+len(token):])}
	// Other values in these places must be all that changes: the names may come a second time, spelled otherwise.
	const otherID, otherToken = "an-id", "a-token"
	var m negotiation
	if json.Unmarshal(fmt.Appendf(nil, "%s%s%s%s%s", x.before, otherID, x.between, otherToken, x.after), &m) == nil && m == (negotiation{ID: otherID, Token: otherToken}) {
		*k = x
	}
}

// match is the token of an answer of this shape; nil: it is not, or the token is empty.
func (k *shape) match(body []byte) []byte {
	if k.after == nil {
		return nil
	}
	rest, ok := bytes.CutPrefix(body, k.before)
	if !ok {
		return nil
	}
	id := plainValue(rest)
	if rest, ok = bytes.CutPrefix(rest[id:], k.between); !ok {
		return nil
	}
	n := plainValue(rest)
	if n == 0 || !bytes.Equal(rest[n:], k.after) {
		return nil
	}
	return rest[:n]
}

// plainValue is the length of the ASCII text at the beginning of p that stands for itself in a JSON string.
func plainValue(p []byte) int {
	for i, b := range p {
		if b < 0x20 || b >= 0x7f || b == '"' || b == '\\' {
			return i
		}
	}
	return len(p)
}
